/* SPDX-License-Identifier: MIT */
/* Packets with descriptors. Used on both ends of the channel between a worker and its plugin hosts. */
#include "sys/fdpass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char data[CMSG_SPACE(sizeof(int) * PW_FDPASS_MAX)];
	struct cmsghdr align;
};

int
pw_fdpass_send(int socket, const void *data, size_t len, const int *fds, int fd_count, int flags)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (fd_count > 0) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.data;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * (size_t)fd_count);
	}
	do {
		n = sendmsg(socket, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static void
take_fds(struct msghdr *msg, int fds[PW_FDPASS_MAX], int *count)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (*count < PW_FDPASS_MAX)
				fds[(*count)++] = fd;
			else
				close(fd);
		}
	}
}

ssize_t
pw_fdpass_receive(int socket, void *data, size_t cap, int fds[PW_FDPASS_MAX], int *ret_fd_count,
		  int flags)
{
	struct iovec iov = { .iov_base = data, .iov_len = cap };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.data,
			      .msg_controllen = sizeof(control.data) };
	ssize_t n;

	for (int i = 0; i < PW_FDPASS_MAX; i++)
		fds[i] = -1;
	*ret_fd_count = 0;
	do {
		n = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	take_fds(&msg, fds, ret_fd_count);
	if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	for (int i = 0; i < *ret_fd_count; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
	*ret_fd_count = 0;
	/* Without room for descriptors in this process the packet is still good for an answer. */
	if (!(msg.msg_flags & MSG_TRUNC))
		return n;
	errno = EMSGSIZE;
	return -1;
}
