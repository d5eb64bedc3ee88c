/* SPDX-License-Identifier: MIT */
/*
 * The notification protocol of systemd: one datagram of NAME=value lines to the
 * socket that NOTIFY_SOCKET names; a leading '@' means the abstract name space.
 * Runs in the supervisor. The programs it starts do not get NOTIFY_SOCKET: the
 * environment of plugin code is an allow-list.
 */
#include "sys/sdnotify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int
send_text(const char *text, size_t len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pw_auto_close int fd = -1;
	size_t path_len;

	if (!path || !*path)
		return 0;
	path_len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || path_len >= sizeof(addr.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(addr.sun_path, path, path_len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* Without the NUL: an abstract name is as long as it says. */
	if (sendto(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len)) < 0)
		return -1;
	return 1;
}

static int
send_format(const char *prefix, const char *fmt, va_list ap)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%s", prefix), more;

	more = vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	if (more < 0)
		return -1;
	n = n + more < (int)sizeof(text) ? n + more : (int)sizeof(text) - 1;
	return send_text(text, (size_t)n);
}

int
pw_sdnotify(const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = send_format("", fmt, ap);
	va_end(ap);
	return ret;
}

int
pw_sdnotify_status(const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = send_format("STATUS=", fmt, ap);
	va_end(ap);
	return ret;
}

int
pw_sdnotify_ready(void)
{
	return pw_sdnotify("READY=1");
}

int
pw_sdnotify_stopping(void)
{
	return pw_sdnotify("STOPPING=1");
}

int
pw_sdnotify_reloading(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts); /* the clock that Type=notify-reload compares with */
	return pw_sdnotify("RELOADING=1\nMONOTONIC_USEC=%lld",
			   (long long)ts.tv_sec * 1000000 + (long long)ts.tv_nsec / 1000);
}

int
pw_sdnotify_watchdog(void)
{
	return pw_sdnotify("WATCHDOG=1");
}

int64_t
pw_sdnotify_watchdog_interval_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	long long value;

	if (!usec || !*usec || (pid && *pid && atoll(pid) != (long long)getpid()))
		return 0;
	errno = 0;
	value = strtoll(usec, &end, 10);
	if (errno || *end || value <= 0 || value > INT64_MAX / 1000)
		return 0;
	return value * 1000 / 2;
}
