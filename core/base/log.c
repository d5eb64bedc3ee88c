/* SPDX-License-Identifier: MIT */
/* The one place that writes log lines. A line goes out with one write(), so lines of several processes never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define QUOTED 704 /* bytes that 300 characters become at most */

static const char *const level_name[] = { "error", "warning", "info", "debug" };
static const char *program_name = "pulp";
static enum pw_log_level max_level = PW_LOG_INFO;
static int to_journal;
static const char *(*find_correlation)(void *arg, const char *task);
static void *find_arg;

/* JOURNAL_STREAM is "device:inode" of the stream that systemd connected; it may have been redirected since. */
static int
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

int
pw_log_init(const char *program, const char *level)
{
	program_name = program;
	to_journal = stderr_is_journal();
	if (!level)
		return 0;
	for (size_t i = 0; i < PW_COUNT(level_name); i++)
		if (strcmp(level, level_name[i]) == 0) {
			max_level = (enum pw_log_level)i;
			return 0;
		}
	return -1;
}

enum pw_log_level
pw_log_level(void)
{
	return max_level;
}

static int
head(char *line, size_t size, enum pw_log_level level)
{
	static const int priority[] = { 3, 4, 6, 7 };
	struct timespec ts;
	struct tm tm;
	char at[32];

	if (to_journal)
		return snprintf(line, size, "<%d>", priority[level]);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(line, size, "%s.%03ldZ %s %s[%d]", at, ts.tv_nsec / 1000000, level_name[level], program_name, (int)getpid());
}

void
pw_log_set_correlation(const char *(*find)(void *arg, const char *task), void *arg)
{
	find_correlation = find;
	find_arg = arg;
}

/* Quotes TEXT into OUT. */
static const char *
quote(char out[QUOTED], const char *text)
{
	char *o = out;

	*o++ = '"';
	for (size_t i = 0; text && text[i] && i < 300; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			*o++ = '\\';
		*o++ = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	*o++ = '"';
	*o = '\0';
	return out;
}

/* The task and its correlation id; the latter is a row's, so it is quoted unless it looks like the UUID that it should be. */
static int
subject(char *line, size_t size, const char *task)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:";
	const char *cid = find_correlation ? find_correlation(find_arg, task) : NULL;
	char quoted[QUOTED];

	if (!cid || !*cid)
		return snprintf(line, size, " task=%s", task);
	return snprintf(line, size, " task=%s cid=%.300s", task, cid[strspn(cid, plain)] ? quote(quoted, cid) : cid);
}

void
pw_log(enum pw_log_level level, const char *task, const char *event, const char *fmt, ...)
{
	char line[4096];
	size_t used, room = sizeof(line) - 1; /* the last byte is for the newline */
	int saved = errno;
	va_list ap;

	if (level > max_level)
		return;
	used = (size_t)head(line, room, level);
	if (task && *task)
		used += (size_t)subject(line + used, room - used, task);
	used += (size_t)snprintf(line + used, room - used, " event=%s ", event);
	va_start(ap, fmt);
	used += (size_t)vsnprintf(line + used, room - used, fmt, ap);
	va_end(ap);
	if (used >= room)
		used = room - 1;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved; /* nobody is left to tell */
	errno = saved;
}

const char *
pw_log_quote(const char *text)
{
	static char ring[4][QUOTED];
	static unsigned next;

	return quote(ring[next++ % 4], text);
}
