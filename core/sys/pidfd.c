/* SPDX-License-Identifier: MIT */
/* Process descriptors. glibc 2.36 has wrappers for two of these calls, older ones have none: syscall() serves all. */
#include "sys/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int
pw_pidfd_open(pid_t pid, struct pw_err *err)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return pw_err_errno(err, "pidfd_open %d", (int)pid);
	return (int)fd;
}

int
pw_pidfd_signal(int pidfd, int signal)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
		return -1;
	return 0;
}

int
pw_pidfd_wait(int pidfd, int64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		int n = poll(&poll_fd, 1, pw_ms_until(deadline_ns));

		if (n > 0)
			return 1;
		if (n == 0 || errno != EINTR)
			return 0;
	}
}

int
pw_pidfd_reap(int pidfd, int *ret_status)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0)
		return 0;
	if (info.si_code == CLD_EXITED)
		*ret_status = (info.si_status & 0xff) << 8;
	else
		*ret_status = (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return 1;
}
