/* SPDX-License-Identifier: MIT */
/* Small things about descriptors. */
#ifndef PW_BASE_FD_H
#define PW_BASE_FD_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

int pw_fd_set_nonblock(int fd, struct pw_err *err) PW_MUSTCHECK;
int pw_fd_set_cloexec(int fd, int on, struct pw_err *err) PW_MUSTCHECK;
/* Writes all of it to a blocking descriptor. */
int pw_fd_write_all(int fd, const void *data, size_t len, struct pw_err *err) PW_MUSTCHECK;
/* Reads up to LEN bytes from a blocking descriptor, until end of file. Returns the number read, -1 on error. */
ssize_t pw_fd_read_all(int fd, void *data, size_t len, struct pw_err *err) PW_MUSTCHECK;
/* Appends a whole file to BUF; more than LIMIT bytes are refused. PATH is used as given. */
int pw_file_read(const char *path, size_t limit, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/* Raises the soft limit of open files to the hard one. Best effort. */
void pw_fd_raise_limit(void);

#endif
