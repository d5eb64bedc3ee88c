/* SPDX-License-Identifier: MIT */
/* Small things about descriptors: each call is retried on EINTR, errors name what failed. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static int
set_flag(int fd, int get, int set, int flag, int on, struct pw_err *err)
{
	int flags = fcntl(fd, get);

	if (flags < 0 || fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
		return pw_err_errno(err, "fcntl");
	return 0;
}

int
pw_fd_set_nonblock(int fd, struct pw_err *err)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, 1, err);
}

int
pw_fd_set_cloexec(int fd, int on, struct pw_err *err)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on, err);
}

int
pw_fd_write_all(int fd, const void *data, size_t len, struct pw_err *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t
pw_fd_read_all(int fd, void *data, size_t len, struct pw_err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, (char *)data + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "read");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int
pw_file_read(const char *path, size_t limit, struct pw_buf *buf, struct pw_err *err)
{
	pw_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = buf->len;

	if (fd < 0)
		return pw_err_errno(err, "%s", path);
	for (;;) {
		ssize_t n;

		if (pw_buf_reserve(buf, 65536) < 0)
			return pw_err_nomem(err);
		n = read(fd, buf->data + buf->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "%s", path);
		if (n == 0)
			return 0;
		buf->len += (size_t)n;
		buf->data[buf->len] = '\0';
		if (buf->len - before > limit)
			return pw_err_set(err, PW_ERR_INPUT, "%s: larger than %zu bytes", path, limit);
	}
}

void
pw_fd_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
