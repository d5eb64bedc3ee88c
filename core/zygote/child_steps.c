/* SPDX-License-Identifier: MIT */
/*
 * The set-up steps of a task child. Each is one function; the table at the
 * bottom has them in the order of proto/steps.def, and no step is left out or
 * made good for: a task that cannot have its working directory, say, does not run
 * in another one.
 */
#include "zygote/child_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/steps.h"
#include "sys/environ.h"
#include "sys/signals.h"
#include "zygote/api.h"
#include "zygote/confine.h"

#define CHANNEL_FD 3
#define DIRECTORY_FD 4 /* until the step of that name */
#define OOM_SCORE "500" /* the kernel's own measure goes to 1000: still less than a process that asks for it */

extern char **environ;

/* setenv would make a new string, which /proc/PID/environ does not show. */
static int
step_identity(struct pw_child *c, struct pw_err *err PW_UNUSED)
{
	memcpy(c->start->id_env, c->start->spawn->id, 36);
	return 0;
}

static int
step_session(struct pw_child *c PW_UNUSED, struct pw_err *err)
{
	return setsid() < 0 ? pw_err_errno(err, "setsid") : 0;
}

/* The zygote may have died between the fork and the prctl. */
static int
step_parent(struct pw_child *c, struct pw_err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return pw_err_errno(err, "prctl PR_SET_PDEATHSIG");
	if (getppid() != c->start->zygote)
		return pw_err_set(err, PW_ERR_OS, "the plugin host is gone");
	return 0;
}

static int
step_subreaper(struct pw_child *c PW_UNUSED, struct pw_err *err)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? pw_err_errno(err, "prctl PR_SET_CHILD_SUBREAPER") : 0;
}

/* The zygote has default handlers, but a plugin's pthread_atfork handlers have run since. */
static int
step_signals(struct pw_child *c PW_UNUSED, struct pw_err *err PW_UNUSED)
{
	pw_signals_default_all();
	pw_signals_block_all(NULL);
	return 0;
}

static int
close_from(int first, struct pw_err *err)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return pw_err_errno(err, "close_range");
#endif
	for (int fd = (int)sysconf(_SC_OPEN_MAX); fd >= first; fd--)
		close(fd);
	return 0;
}

/*
 * The zygote itself holds 0 (/dev/null) to 3, so what came from the worker has higher numbers and nothing is
 * overwritten that is still needed. The directory is kept for its own step.
 */
static int
step_descriptors(struct pw_child *c, struct pw_err *err)
{
	const struct pw_child_start *start = c->start;

	if (dup2(start->output, 1) < 0 || dup2(start->output, 2) < 0)
		return pw_err_errno(err, "dup2");
	/* Close on exec: a program that the task runs has no business with the channel. */
	if (dup3(start->channel, CHANNEL_FD, O_CLOEXEC) < 0)
		return pw_err_errno(err, "dup3");
	c->channel = CHANNEL_FD;
	if (start->directory != DIRECTORY_FD && dup3(start->directory, DIRECTORY_FD, O_CLOEXEC) < 0)
		return pw_err_errno(err, "dup3");
	return close_from(DIRECTORY_FD + 1, err);
}

static int
step_limits(struct pw_child *c, struct pw_err *err)
{
	struct rlimit limit;

	if (c->start->spawn->memory <= 0)
		return 0; /* no core dumps: inherited */
	limit.rlim_cur = limit.rlim_max = (rlim_t)c->start->spawn->memory;
	return setrlimit(RLIMIT_AS, &limit) < 0 ? pw_err_errno(err, "setrlimit RLIMIT_AS") : 0;
}

static int
step_oom(struct pw_child *c PW_UNUSED, struct pw_err *err)
{
	pw_auto_close int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return pw_err_errno(err, "open /proc/self/oom_score_adj");
	return pw_fd_write_all(fd, OOM_SCORE, strlen(OOM_SCORE), err);
}

static int
step_directory(struct pw_child *c PW_UNUSED, struct pw_err *err)
{
	umask(077);
	if (fchdir(DIRECTORY_FD) < 0)
		return pw_err_errno(err, "fchdir");
	close(DIRECTORY_FD);
	return 0;
}

/* The strings of the zygote's environment are kept, PULP_TASK_ID and PULP_WORKER_ID among them: see step_identity. */
static int
step_environment(struct pw_child *c, struct pw_err *err)
{
	size_t count = 0, n = 0;
	char **fresh;

	while (environ[count])
		count++;
	fresh = calloc(count + 3, sizeof(*fresh));
	if (!fresh)
		return pw_err_nomem(err);
	for (size_t i = 0; i < count; i++)
		if (pw_environ_allowed(environ[i]) || strncmp(environ[i], "PULP_TASK_ID=", 13) == 0 ||
		    strncmp(environ[i], "PULP_WORKER_ID=", 15) == 0)
			fresh[n++] = environ[i];
	if (asprintf(&fresh[n++], "TMPDIR=%s", c->start->spawn->directory) < 0 ||
	    asprintf(&fresh[n++], "HOME=%s", c->start->spawn->directory) < 0)
		return pw_err_nomem(err);
	environ = fresh;
	return 0;
}

static int
step_privileges(struct pw_child *c, struct pw_err *err)
{
	prctl(PR_SET_NAME, c->start->spawn->task); /* the kernel cuts it at 15 bytes */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? pw_err_errno(err, "prctl PR_SET_NO_NEW_PRIVS") : 0;
}

static int
step_confine(struct pw_child *c, struct pw_err *err)
{
	return pw_confine(c->start->spawn->state_directory, c->start->spawn->writable, err);
}

static int
step_task(struct pw_child *c, struct pw_err *err)
{
	const struct pw_msg_spawn *spawn = c->start->spawn;

	c->task = pw_load_task(c->start->plugin, spawn->task, spawn->resource, err);
	return c->task ? 0 : -1;
}

static int
step_cancel(struct pw_child *c PW_UNUSED, struct pw_err *err)
{
	sigset_t none;

	if (pw_api_catch_cancel(err) < 0)
		return -1;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? pw_err_errno(err, "sigprocmask") : 0;
}

static int
step_ready(struct pw_child *c, struct pw_err *err)
{
	pw_auto_buf out = PW_BUF_INIT;
	struct pw_frame frame;

	if (pw_message_put(&out, PW_MSG_READY, NULL) < 0)
		return pw_err_nomem(err);
	if (pw_api_write(c->channel, out.data, out.len, err) < 0)
		return -1;
	pw_frame_stream_init(&c->in, PW_GO_FRAME_MAX);
	if (pw_api_read(c->channel, &c->in, &frame, err) < 0)
		return -1;
	if (pw_message_get(&frame, PW_MSG_GO, &c->go, err) < 0)
		return -1;
	/* What it runs, pulp-task too, goes on under its correlation id. */
	if (c->go.cid && *c->go.cid && setenv("PULP_CORRELATION_ID", c->go.cid, 1) < 0)
		return pw_err_errno(err, "setenv");
	return 0;
}

static int (*const steps[PW_STEP_COUNT])(struct pw_child *child, struct pw_err *err) = {
	[PW_STEP_IDENTITY] = step_identity,
	[PW_STEP_SESSION] = step_session,
	[PW_STEP_PARENT] = step_parent,
	[PW_STEP_SUBREAPER] = step_subreaper,
	[PW_STEP_SIGNALS] = step_signals,
	[PW_STEP_DESCRIPTORS] = step_descriptors,
	[PW_STEP_LIMITS] = step_limits,
	[PW_STEP_OOM] = step_oom,
	[PW_STEP_DIRECTORY] = step_directory,
	[PW_STEP_ENVIRONMENT] = step_environment,
	[PW_STEP_PRIVILEGES] = step_privileges,
	[PW_STEP_CONFINE] = step_confine,
	[PW_STEP_TASK] = step_task,
	[PW_STEP_CANCEL] = step_cancel,
	[PW_STEP_READY] = step_ready,
};

static PW_NORETURN void
fail(struct pw_child *c, unsigned step, const struct pw_err *err)
{
	struct pw_msg_setup_failed failed = { .step = step, .os_errno = (uint32_t)err->os_errno, .text = err->text };
	pw_auto_buf out = PW_BUF_INIT;

	if (pw_message_put(&out, PW_MSG_SETUP_FAILED, &failed) == 0)
		pw_api_write(c->channel, out.data, out.len, NULL);
	_exit(PW_STEP_EXIT_BASE + (int)step);
}

void
pw_child_set_up(struct pw_child *child)
{
	struct pw_err err = { .kind = PW_ERR_NONE };

	for (unsigned step = 0; step < PW_STEP_COUNT; step++)
		if (steps[step](child, &err) < 0)
			fail(child, step, &err);
}
