/* SPDX-License-Identifier: MIT */
/*
 * Starts the process of a plugin host: fork and exec, with a clean environment
 * and exactly four descriptors (0 /dev/null, 1 and 2 a pipe to us, 3 the control
 * channel). The process that forks may be big and have threads, so between fork
 * and exec only async-signal-safe functions are called, on memory made before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "exec/host_private.h"
#include "sys/environ.h"
#include "sys/pidfd.h"
#include "sys/signals.h"

#define CONTROL_FD 3

extern char **environ;

struct launch {
	char **argv, **envp;
	int control, err_fd, null_fd; /* the child's ends */
	char parent[16];
	char worker_id[64], task_id[64];
};

static int
make_environment(struct pw_host *host, struct launch *launch, struct pw_err *err)
{
	size_t count = 0, n = 0;

	while (environ && environ[count])
		count++;
	launch->envp = calloc(count + 3, sizeof(char *));
	if (!launch->envp)
		return pw_err_nomem(err);
	for (size_t i = 0; i < count; i++)
		if (pw_environ_allowed(environ[i]))
			launch->envp[n++] = environ[i];
	snprintf(launch->worker_id, sizeof(launch->worker_id), "PULP_WORKER_ID=%s", host->worker_id.s);
	snprintf(launch->task_id, sizeof(launch->task_id), "PULP_TASK_ID=%s", host->id.s); /* each task child writes its own over it */
	launch->envp[n++] = launch->worker_id;
	launch->envp[n] = launch->task_id;
	return 0;
}

static int
make_channels(struct pw_host *host, struct launch *launch, struct pw_err *err)
{
	int sockets[2], pipe_fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return pw_err_errno(err, "socketpair");
	host->control = sockets[0];
	launch->control = sockets[1];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return pw_err_errno(err, "pipe");
	host->err_fd = pipe_fds[0];
	launch->err_fd = pipe_fds[1];
	if (pw_fd_set_nonblock(host->err_fd, err) < 0)
		return -1;
	launch->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return launch->null_fd < 0 ? pw_err_errno(err, "open /dev/null") : 0;
}

/* In the child. First out of the way of 0 to 3, then into place. */
static PW_NORETURN void
become_zygote(const struct launch *launch)
{
	int control = fcntl(launch->control, F_DUPFD, 10),
	    err_fd = fcntl(launch->err_fd, F_DUPFD, 10);
	int null_fd = fcntl(launch->null_fd, F_DUPFD, 10);
	static const char failed[] = "pulp-zygote: exec failed\n";

	pw_signals_reset();
	setsid();
	if (control < 0 || err_fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(err_fd, 1) < 0 || dup2(err_fd, 2) < 0 || dup2(control, CONTROL_FD) < 0)
		_exit(126);
#ifdef SYS_close_range
	if (syscall(SYS_close_range, CONTROL_FD + 1, ~0u, 0) < 0)
#endif
		for (int fd = CONTROL_FD + 1; fd < 4096; fd++) /* all of ours are close on exec: this is for what others left open */
			close(fd);
	execve(launch->argv[0], launch->argv, launch->envp);
	(void)!write(2, failed, sizeof(failed) - 1);
	_exit(127);
}

static int
fork_zygote(struct pw_host *host, const struct launch *launch, struct pw_err *err)
{
	sigset_t old;
	pid_t pid;
	int failed;

	pw_signals_block_all(&old); /* no handler of this process may run in the child */
	pid = fork();
	if (pid == 0)
		become_zygote(launch);
	failed = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = failed;
	if (pid < 0)
		return pw_err_errno(err, "fork");
	host->pid = pid;
	host->pidfd = pw_pidfd_open(pid, err);
	if (host->pidfd < 0)
		kill(pid, SIGKILL); /* it stays a zombie until we end: the number of descriptors was at its limit */
	return host->pidfd < 0 ? -1 : 0;
}

int
pw_host_spawn(struct pw_host *host, struct pw_err *err)
{
	struct launch launch = { .control = -1, .err_fd = -1, .null_fd = -1 };
	char *argv[] = { host->zygote_path, host->plugin_path, host->module, launch.parent, NULL, NULL };
	int ret;

	if (access(host->zygote_path, X_OK) < 0)
		return pw_err_errno(err, "%s", host->zygote_path);
	snprintf(launch.parent, sizeof(launch.parent), "%d", (int)getpid());
	if (host->digest[0])
		argv[4] = host->digest;
	launch.argv = argv;
	ret = make_environment(host, &launch, err);
	if (ret == 0)
		ret = make_channels(host, &launch, err);
	if (ret == 0)
		ret = fork_zygote(host, &launch, err);
	if (launch.control >= 0)
		close(launch.control);
	if (launch.err_fd >= 0)
		close(launch.err_fd);
	if (launch.null_fd >= 0)
		close(launch.null_fd);
	free(launch.envp);
	return ret;
}
