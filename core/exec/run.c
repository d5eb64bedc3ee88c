/* SPDX-License-Identifier: MIT */
/*
 * A run of a task: its beginning, its deadlines, and what its owner does to it.
 * What the child says is in run_channel.c, its ending in run_end.c.
 *
 * Runs in the supervisor, and in a thread of the client library. Everything is
 * non-blocking but the making of the directory. No callback is made from within a
 * call of the owner's.
 */
#include "exec/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/run_private.h"
#include "proto/steps.h"
#include "sys/pidfd.h"

#define READY_WITHIN (30 * PW_SEC)   /* from the start to READY, besides what the host itself may take */
#define GIVE_UP_AFTER (10 * PW_SEC)  /* from KILL to EXITED */

/* --- outcome and deadlines --- */

void
pw_run_settle(struct pw_run *run, enum pw_outcome_kind kind, int number, const char *fmt, ...)
{
	va_list ap;

	if (run->settled)
		return;
	run->settled = true;
	run->outcome.kind = kind;
	run->outcome.number = number;
	if (!fmt)
		return;
	va_start(ap, fmt);
	if (pw_buf_vaddf(&run->text, fmt, ap) == 0)
		run->outcome.text = run->text.data; /* without a text when out of memory */
	va_end(ap);
}

void
pw_run_broke(struct pw_run *run, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pw_run_settle(run, PW_OUTCOME_PROTOCOL, 0, "%s", text);
	run->channel_watch = pw_watch_free(run->channel_watch);
	pw_run_kill(run);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void
pw_run_schedule(struct pw_run *run)
{
	int64_t next = pw_escalate_deadline(&run->ladder);

	next = earlier(next, run->ready_by_ns);
	next = earlier(next, run->timeout_at_ns);
	next = earlier(next, run->silent_by_ns);
	if (run->exited)
		next = PW_NEVER;
	if (next != pw_timer_deadline(run->timer))
		pw_timer_set(run->timer, next);
}

/* By pidfd where there is one: that works even where the zygote does not. The rest is the zygote's, which alone knows what is not reaped. */
static void
send_signal(struct pw_run *run, int signal, enum pw_signal_scope scope)
{
	struct pw_msg_signal msg = { .id = run->id.s, .signal = (uint32_t)signal, .scope = scope };

	if (run->pidfd >= 0 && scope != PW_SCOPE_GROUP)
		pw_pidfd_signal(run->pidfd, signal);
	if (run->pidfd >= 0 && scope == PW_SCOPE_CHILD)
		return;
	if (run->host->control_watch &&
	    pw_host_send(run->host, PW_MSG_SIGNAL, &msg, NULL, 0, NULL) < 0)
		pw_host_die(run->host, "could not be told to signal a task");
}

static void
climb(struct pw_run *run)
{
	for (;;) {
		switch (pw_escalate_due(&run->ladder, pw_now_ns())) {
		case PW_ESCALATE_ASK:
			send_signal(run, SIGUSR1, PW_SCOPE_CHILD);
			break;
		case PW_ESCALATE_TERM:
			send_signal(run, SIGTERM, PW_SCOPE_GROUP);
			send_signal(run, SIGCONT, PW_SCOPE_GROUP);
			break;
		case PW_ESCALATE_KILL:
			send_signal(run, SIGKILL, PW_SCOPE_ALL);
			break;
		case PW_ESCALATE_GIVE_UP:
			pw_host_die(run->host, "did not report the end of a task within %d s of its KILL",
				    (int)(GIVE_UP_AFTER / PW_SEC));
			return;
		default:
			pw_run_schedule(run);
			return;
		}
	}
}

static void
on_timer(void *arg)
{
	struct pw_run *run = arg;
	int64_t now = pw_now_ns();

	if (run->rm) {
		pw_run_remove_directory(run);
		return;
	}
	if (run->ready_by_ns <= now) {
		run->ready_by_ns = PW_NEVER;
		pw_run_settle(run, PW_OUTCOME_SETUP, PW_STEP_READY, "%s: was not ready within %d s",
			      pw_step_name(PW_STEP_READY), (int)(READY_WITHIN / PW_SEC));
		pw_escalate_kill(&run->ladder, now);
	}
	if (run->timeout_at_ns <= now) {
		run->timeout_at_ns = PW_NEVER;
		pw_run_settle(run, PW_OUTCOME_TIMEOUT,
			      (int)((run->timeout_ns + PW_SEC - 1) / PW_SEC), NULL);
		if (run->immediate)
			pw_escalate_kill(&run->ladder, now);
		else
			pw_escalate_start(&run->ladder, now);
	}
	if (run->silent_by_ns <= now) {
		run->silent_by_ns = PW_NEVER;
		/* If it is dead its end is only being told late, or its zygote does not work. */
		if (!run->told && !(run->pidfd >= 0 && pw_pidfd_wait(run->pidfd, 0)))
			pw_run_settle(run, PW_OUTCOME_PROTOCOL, 0, "closed its channel");
		pw_escalate_kill(&run->ladder, now);
	}
	climb(run);
}

/* --- what the owner does --- */

void
pw_run_cancel(struct pw_run *run)
{
	if (run->exited || run->outcome.canceled)
		return;
	run->outcome.canceled = true;
	/* What has not been let go has nothing to clean up. */
	if (run->ready)
		pw_escalate_start(&run->ladder, pw_now_ns());
	else
		pw_escalate_kill(&run->ladder, pw_now_ns());
	climb(run);
}

void
pw_run_kill(struct pw_run *run)
{
	if (run->exited)
		return;
	pw_escalate_kill(&run->ladder, pw_now_ns());
	climb(run);
}

const struct pw_uuid *
pw_run_id(const struct pw_run *run)
{
	return &run->id;
}

void *
pw_run_arg(const struct pw_run *run)
{
	return run->arg;
}

/* --- the beginning --- */

void
pw_run_free(struct pw_run *run)
{
	if (run->prev)
		run->prev->next = run->next;
	else if (run->host->runs == run)
		run->host->runs = run->next;
	if (run->next)
		run->next->prev = run->prev;
	pw_watch_free(run->channel_watch);
	pw_watch_free(run->output_watch);
	pw_timer_free(run->timer);
	if (run->channel >= 0)
		close(run->channel);
	if (run->output >= 0)
		close(run->output);
	if (run->pidfd >= 0)
		close(run->pidfd);
	pw_frame_stream_done(&run->in);
	pw_buf_done(&run->out);
	pw_buf_done(&run->text);
	pw_rmtree_free(run->rm);
	free(run->args);
	free(run->kwargs);
	free(run->strings);
	free(run);
}

static const char *
append(char **at, const char *text)
{
	const char *copy = *at;

	if (!text)
		return NULL;
	*at = stpcpy(*at, text) + 1;
	return copy;
}

static size_t
room(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* All strings but the arguments in one block. */
static int
copy_strings(struct pw_run *run, const struct pw_run_spec *spec)
{
	char *at = malloc(room(spec->name) + room(spec->task) + room(spec->group) +
			  room(spec->logging_cid) + room(spec->state_directory) +
			  room(spec->writable) + room(spec->resource) + room(spec->directory) + 40);

	run->strings = at;
	run->args = strdup(spec->args);
	run->kwargs = strdup(spec->kwargs);
	if (!at || !run->args || !run->kwargs)
		return -1;
	run->name = append(&at, spec->name);
	run->task = append(&at, spec->task);
	run->group = append(&at, spec->group);
	run->cid = append(&at, spec->logging_cid);
	run->state_directory = append(&at, spec->state_directory);
	run->writable = append(&at, spec->writable);
	run->resource = append(&at, spec->resource);
	run->directory = at;
	at = stpcpy(stpcpy(at, spec->directory), "/");
	stpcpy(at, spec->id.s);
	return 0;
}

static int
check(const struct pw_host *host, const struct pw_run_spec *spec, struct pw_err *err)
{
	if (host->state >= PW_HOST_DYING || host->draining)
		return pw_err_set(err, PW_ERR_BUSY, "the plugin host of %s is ending", host->module);
	if (strlen(spec->id.s) != 36)
		return pw_err_set(err, PW_ERR_BUG, "a run has no id");
	if (strlen(spec->args) > PW_ARGS_MAX || strlen(spec->kwargs) > PW_ARGS_MAX)
		return pw_err_set(err, PW_ERR_INPUT, "the arguments are larger than %zu bytes", PW_ARGS_MAX);
	if (strlen(spec->task) > 1000 || strlen(spec->directory) > 4000)
		return pw_err_set(err, PW_ERR_INPUT, "too long a name");
	return 0;
}

/* The child's ends: channel, output. The third is the directory. All are the caller's to close, whatever is returned. */
static int
make_ends(struct pw_run *run, int fds[3], struct pw_err *err)
{
	int sockets[2], pipe_fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return pw_err_errno(err, "socketpair");
	run->channel = sockets[0];
	fds[0] = sockets[1];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return pw_err_errno(err, "pipe");
	run->output = pipe_fds[0];
	fds[1] = pipe_fds[1];
	if (fcntl(run->output, F_SETFL, O_NONBLOCK) < 0)
		return pw_err_errno(err, "fcntl");
	fds[2] = open(run->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fds[2] < 0 ? pw_err_errno(err, "open %s", run->directory) : 0;
}

/* Makes everything but the child. */
static int
prepare(struct pw_run *run, int fds[3], struct pw_err *err)
{
	struct pw_host *host = run->host;

	if (make_ends(run, fds, err) < 0 ||
	    pw_watch_new(host->loop, "run-channel", run->channel, EPOLLIN, pw_run_on_channel, run,
			 &run->channel_watch, err) < 0 ||
	    pw_watch_new(host->loop, "run-output", run->output, EPOLLIN, pw_run_on_output, run,
			 &run->output_watch, err) < 0 ||
	    pw_timer_add(host->loop, "run", on_timer, run, &run->timer, err) < 0)
		return -1;
	run->ready_by_ns = pw_now_ns() + READY_WITHIN;
	if (host->state == PW_HOST_STARTING)
		run->ready_by_ns += host->hello_within_ns;
	pw_run_schedule(run);
	return 0;
}

static void
close_all(const int fds[3])
{
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int
start(struct pw_run *run, struct pw_err *err)
{
	struct pw_msg_spawn spawn = { .id = run->id.s, .task = run->task, .directory = run->directory,
				      .memory = run->memory_bytes,
				      .state_directory = run->state_directory, .writable = run->writable,
				      .resource = run->resource };
	int fds[3] = { -1, -1, -1 };

	if (mkdir(run->directory, 0700) < 0)
		return pw_err_errno(err, "mkdir %s", run->directory);
	if (prepare(run, fds, err) < 0)
		close_all(fds);
	else if (pw_host_send(run->host, PW_MSG_SPAWN, &spawn, fds, 3, err) == 0)
		return 0;
	rmdir(run->directory);
	return -1;
}

int
pw_run_start(struct pw_host *host, const struct pw_run_spec *spec, const struct pw_run_ops *ops,
	     void *arg, struct pw_run **ret_run, struct pw_err *err)
{
	struct pw_run *run;

	if (check(host, spec, err) < 0)
		return -1;
	run = malloc(sizeof(*run));
	if (!run)
		return pw_err_nomem(err);
	*run = (struct pw_run){
		.host = host, .next = host->runs, .ops = ops, .arg = arg, .id = spec->id,
		.immediate = spec->immediate, .timeout_ns = spec->timeout_ns, .memory_bytes = spec->memory_bytes,
		.channel = -1, .output = -1, .pidfd = -1,
		.ready_by_ns = PW_NEVER, .timeout_at_ns = PW_NEVER, .silent_by_ns = PW_NEVER,
	};
	if (run->immediate && (!run->timeout_ns || run->timeout_ns > PW_IMMEDIATE_TIMEOUT))
		run->timeout_ns = PW_IMMEDIATE_TIMEOUT;
	if (run->next)
		run->next->prev = run;
	host->runs = run;
	pw_frame_stream_init(&run->in, PW_CHILD_FRAME_MAX);
	pw_escalate_init(&run->ladder, spec->term_after_ns, spec->kill_after_ns, GIVE_UP_AFTER);
	if (copy_strings(run, spec) < 0 ? pw_err_nomem(err) : start(run, err)) {
		pw_run_free(run);
		return -1;
	}
	host->running++;
	*ret_run = run;
	return 0;
}
