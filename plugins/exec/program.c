/* SPDX-License-Identifier: MIT */
/*
 * Starts and ends the program of exec.run. Runs in the task child, which has
 * one thread. The new process calls only what is safe between fork and exec,
 * and tells over a pipe that closes itself at exec what went wrong before.
 */
#include "config.h"

#include "exec/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* Both ends of the pipes between this process and the program. */
struct pipes {
	int in[2], out[2], err[2], trouble[2];
};

struct trouble {
	int os_errno;
	char step[28];
};

static void PW_NORETURN
give_up(int fd, const char *step)
{
	struct trouble trouble = { errno, "" };

	strncpy(trouble.step, step, sizeof(trouble.step) - 1);
	(void)!write(fd, &trouble, sizeof(trouble));
	_exit(127);
}

/* What the task had blocked, ignored or caught is nothing to the program. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything from 3 on closes itself at exec, the task's channel first of all. */
static int
close_rest(void)
{
	long limit;

	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return -1;
	limit = sysconf(_SC_OPEN_MAX);
	for (int fd = 3; fd < limit; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
			return -1;
	return 0;
}

static void PW_NORETURN
become(const struct pw_order *order, const char *directory, const struct pipes *pipes, pid_t parent)
{
	int trouble = pipes->trouble[1];

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		give_up(trouble, "prctl");
	if (getppid() != parent)
		_exit(127);
	reset_signals();
	if (chdir(directory) < 0)
		give_up(trouble, "the task's directory");
	if (dup2(pipes->in[0], 0) < 0 || dup2(pipes->out[1], 1) < 0 || dup2(pipes->err[1], 2) < 0)
		give_up(trouble, "dup2");
	if (close_rest() < 0)
		give_up(trouble, "close_range");
	environ = order->env; /* where execvp looks for PATH: the one that was asked for */
	execvp(order->argv[0], order->argv);
	give_up(trouble, "");
}

void
pw_program_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_pair(int pair[2])
{
	pw_program_close(&pair[0]);
	pw_program_close(&pair[1]);
}

static int
open_pipes(bool with_input, struct pipes *pipes, struct pw_err *err)
{
	if (with_input ? pipe2(pipes->in, O_CLOEXEC) < 0 :
			 (pipes->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return pw_err_errno(err, "standard input");
	if (pipe2(pipes->out, O_CLOEXEC) < 0 || pipe2(pipes->err, O_CLOEXEC) < 0 ||
	    pipe2(pipes->trouble, O_CLOEXEC) < 0)
		return pw_err_errno(err, "pipe");
	if ((with_input && pw_fd_set_nonblock(pipes->in[1], err) < 0) ||
	    pw_fd_set_nonblock(pipes->out[0], err) < 0)
		return -1;
	return pw_fd_set_nonblock(pipes->err[0], err);
}

/* Reads what the new process says before exec: nothing if all went well. */
static int
await_exec(const struct pw_order *order, int fd, struct pw_err *err)
{
	struct trouble trouble;
	ssize_t n = pw_fd_read_all(fd, &trouble, sizeof(trouble), err);

	if (n <= 0)
		return (int)n;
	errno = trouble.os_errno;
	return pw_err_errno(err, "cannot run '%.200s'%s%.*s", order->argv[0], trouble.step[0] ? ": " : "",
			    (int)sizeof(trouble.step), trouble.step);
}

static int
launch(const struct pw_order *order, const char *directory, struct pipes *pipes,
       struct pw_program *program, struct pw_err *err)
{
	pid_t parent = getpid();

	program->pid = fork();
	if (program->pid < 0)
		return pw_err_errno(err, "fork");
	if (program->pid == 0)
		become(order, directory, pipes, parent);
	setpgid(program->pid, program->pid); /* here too: whoever is first */
	pw_program_close(&pipes->trouble[1]);
	program->pidfd = (int)syscall(SYS_pidfd_open, program->pid, 0U);
	if (program->pidfd < 0)
		return pw_err_errno(err, "pidfd_open");
	if (await_exec(order, pipes->trouble[0], err) < 0)
		return -1;
	program->in = pw_steal_fd(&pipes->in[1]);
	program->out = pw_steal_fd(&pipes->out[0]);
	program->err = pw_steal_fd(&pipes->err[0]);
	return 0;
}

int
pw_program_start(const struct pw_order *order, const char *directory, struct pw_program *program,
		 struct pw_err *err)
{
	struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int rc = open_pipes(order->in != NULL, &pipes, err);

	if (rc == 0)
		rc = launch(order, directory, &pipes, program, err);
	close_pair(pipes.in);
	close_pair(pipes.out);
	close_pair(pipes.err);
	close_pair(pipes.trouble);
	if (rc < 0)
		pw_program_done(program);
	return rc;
}

void
pw_program_terminate(const struct pw_program *program)
{
	if (program->pid > 0) {
		kill(-program->pid, SIGTERM);
		kill(-program->pid, SIGCONT);
	}
}

int
pw_program_reap(struct pw_program *program, int *ret_status, struct pw_err *err)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(program->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	program->pid = -1;
	if (pid < 0)
		return pw_err_errno(err, "waitpid");
	*ret_status = status;
	return 0;
}

void
pw_program_done(struct pw_program *program)
{
	int status;

	if (program->pid > 0) {
		kill(-program->pid, SIGKILL);
		(void)!pw_program_reap(program, &status, NULL);
	}
	pw_program_close(&program->pidfd);
	pw_program_close(&program->in);
	pw_program_close(&program->out);
	pw_program_close(&program->err);
}
