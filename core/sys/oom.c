/* SPDX-License-Identifier: MIT */
/*
 * Control groups count the processes that were killed for lack of memory: version 2 in memory.events.local (Linux 5.2; it begins
 * with the group's own), version 1 in memory.oom_control (4.13). The count of the whole host, /proc/vmstat, is not asked:
 * there others die who are none of our business.
 */
#include "sys/oom.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define LIMIT (64 << 10)
#define NAME "oom_kill "

static int64_t
count_in(const char *mounted, const char *hierarchy, const char *group, size_t len,
	 const char *file)
{
	pw_auto_buf path = PW_BUF_INIT, text = PW_BUF_INIT;
	const char *line;

	if (pw_buf_addf(&path, "%s%s%.*s/%s", mounted, hierarchy, (int)len, group, file) < 0 ||
	    pw_file_read(pw_buf_text(&path), LIMIT, &text, NULL) < 0)
		return -1;
	for (line = pw_buf_text(&text); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, NAME, strlen(NAME)) == 0)
			return strtoll(line + strlen(NAME), NULL, 10);
	}
	return -1;
}

/* Whether memory is one of the controllers of a line of version 1. */
static bool
has_memory(const char *controllers, size_t len)
{
	static const char name[] = "memory";
	const char *end = controllers + len;

	while (controllers < end) {
		const char *comma = memchr(controllers, ',', (size_t)(end - controllers));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - controllers) == strlen(name) &&
		    memcmp(controllers, name, strlen(name)) == 0)
			return true;
		controllers = stop + 1;
	}
	return false;
}

int64_t
pw_oom_kills_of(const char *groups, const char *mounted)
{
	int64_t count = -1;

	for (const char *line = groups, *next; *line && count < 0; line = next) {
		const char *end = strchrnul(line, '\n'),
			   *first = memchr(line, ':', (size_t)(end - line));
		const char *second =
			first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;

		next = *end ? end + 1 : end;
		if (!second)
			continue;
		if (second == first + 1)
			count = count_in(mounted, "", second + 1, (size_t)(end - second - 1), "memory.events.local");
		else if (has_memory(first + 1, (size_t)(second - first - 1)))
			count = count_in(mounted, "/memory", second + 1, (size_t)(end - second - 1), "memory.oom_control");
	}
	return count;
}

int64_t
pw_oom_kills(void)
{
	pw_auto_buf groups = PW_BUF_INIT;

	if (pw_file_read("/proc/self/cgroup", LIMIT, &groups, NULL) < 0)
		return -1;
	return pw_oom_kills_of(pw_buf_text(&groups), "/sys/fs/cgroup");
}
