/* SPDX-License-Identifier: MIT */
/*
 * The environment of plugin code is an allow-list: connection strings, tokens and
 * the like that the worker was started with never reach it. Runs in the worker,
 * the zygote and the task child. /proc/PID/environ is read to tell whose
 * remains a process is; it shows the memory that exec filled, so a child that
 * overwrites a value in place is seen with the new one.
 */
#include "sys/environ.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"

bool
pw_environ_allowed(const char *entry)
{
	static const char *const allowed[] = {
		"PATH=", "LANG=", "LANGUAGE=", "LC_", "TZ=", "TZDIR=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "CURL_CA_BUNDLE=",
		"http_proxy=", "https_proxy=", "ftp_proxy=", "all_proxy=", "no_proxy=",
		"HTTP_PROXY=", "HTTPS_PROXY=", "FTP_PROXY=", "ALL_PROXY=", "NO_PROXY=",
		"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
	};

	for (size_t i = 0; i < PW_COUNT(allowed); i++)
		if (strncmp(entry, allowed[i], strlen(allowed[i])) == 0)
			return true;
	return false;
}

/* Matches "NAME=" at the start of each NUL-terminated entry of a stream that comes in pieces. */
struct matcher {
	const char *name;
	size_t name_len, at; /* bytes of this entry seen so far */
	bool matching, found;
	char *value;
	size_t size, len;
};

static bool
feed(struct matcher *m, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (m->found && c == '\0')
			return true;
		if (m->found) {
			if (m->len + 1 < m->size)
				m->value[m->len++] = c;
		} else if (c == '\0') {
			m->at = 0;
			m->matching = true;
		} else if (m->matching) {
			if (m->at < m->name_len)
				m->matching = c == m->name[m->at];
			else
				m->found = c == '=';
			m->matching = m->matching && !m->found && m->at < m->name_len;
			m->at++;
		}
	}
	return false;
}

bool
pw_environ_of_pid(pid_t pid, const char *name, char *value, size_t size)
{
	struct matcher m = { .name = name, .name_len = strlen(name), .matching = true, .value = value, .size = size };
	char path[40], data[4096];
	pw_auto_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((n = read(fd, data, sizeof(data))) > 0)
		if (feed(&m, data, (size_t)n))
			break;
	if (!m.found)
		return false;
	value[m.len] = '\0';
	return true;
}
