/* SPDX-License-Identifier: MIT */
/* Files that may be plugins: read, or refused with a reason that is one line of printable text. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "plugin/meta.h"
#include "plugin/symbols.h"

static void
look_at(const char *text, void *arg)
{
	*(size_t *)arg += strlen(text);
}

static void
check_text(const char *text)
{
	if (!text || !*text)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			abort();
}

static void
check_meta(const struct pw_plugin_meta *meta)
{
	check_text(meta->module);
	check_text(meta->label);
	check_text(meta->version);
	check_text(meta->doc);
	for (size_t i = 0; i < meta->task_count; i++) {
		check_text(meta->tasks[i].name);
		check_text(meta->tasks[i].doc);
		if (pw_plugin_meta_task(meta, meta->tasks[i].name) != &meta->tasks[i] ||
		    !pw_utf8_valid(meta->tasks[i].doc, strlen(meta->tasks[i].doc)))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	struct pw_plugin_meta *meta = NULL;
	size_t problems = 0, symbols = 0;
	struct pw_err err;
	int ret;

	if (fd < 0) {
		fd = memfd_create("plugin", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	ret = pw_plugin_meta_read(path, &meta, &err);
	pw_plugin_meta_problems(path, look_at, &problems);
	if ((ret == 0) != (problems == 0))
		abort();
	if (ret == 0)
		check_meta(meta);
	else
		check_text(err.text);
	pw_plugin_symbols(path, "pulp_task_", look_at, &symbols);
	pw_plugin_meta_free(meta);
	return 0;
}
