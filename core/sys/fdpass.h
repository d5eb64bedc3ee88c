/* SPDX-License-Identifier: MIT */
/* Packets with descriptors over a Unix socket. */
#ifndef PW_SYS_FDPASS_H
#define PW_SYS_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#define PW_FDPASS_MAX 4

/* Sends one packet. FLAGS as for sendmsg (MSG_NOSIGNAL is added). Returns 0, or -1 with errno. */
int pw_fdpass_send(int socket, const void *data, size_t len, const int *fds, int fd_count, int flags);
/*
 * Receives one packet of at most CAP bytes. The descriptors that came with it (close on exec) go to FDS and their
 * number to *ret_fd_count; the rest of FDS becomes -1. Where this process has no room for all of them there are none. Returns the length,
 * 0 at the end, -1 with errno (EMSGSIZE: it was cut short, and its descriptors are closed).
 */
ssize_t pw_fdpass_receive(int socket, void *data, size_t cap, int fds[PW_FDPASS_MAX], int *ret_fd_count, int flags);

#endif
