/* SPDX-License-Identifier: MIT */
/*
 * The ending of a run: from what the zygote tells of its child to the one on_end.
 * By then the child is reaped, what it left is dead, its channel and pipe are
 * read, and its directory is gone. A big directory is removed piece by piece between other
 * events.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "exec/run_private.h"
#include "proto/steps.h"

#define REMOVE_AT_ONCE 64 /* entries removed in one turn of the loop */

void
pw_run_spawned(struct pw_run *run, int pidfd)
{
	if (run->pidfd >= 0) {
		close(pidfd);
		return;
	}
	run->pidfd = pidfd;
}

static void
finish(struct pw_run *run)
{
	struct pw_host *host = run->host;

	run->rm = pw_rmtree_free(run->rm);
	run->outcome.text_len = run->outcome.text ? run->text.len : 0;
	run->ops->on_end(run->arg, run, &run->outcome);
	host->running--;
	pw_run_free(run);
	pw_host_after_run(host);
}

/* One piece; called by the run's timer for the next ones. */
void
pw_run_remove_directory(struct pw_run *run)
{
	struct pw_err err;
	int more = pw_rmtree_step(run->rm, REMOVE_AT_ONCE, &err);

	if (more > 0) {
		pw_timer_set(run->timer, pw_now_ns());
		return;
	}
	if (more < 0)
		pw_log_debug(run->id.s, "directory.stays", "msg=%s", pw_log_quote(err.text));
	finish(run);
}

/* Nothing of it lives any more. */
static void
ended(struct pw_run *run)
{
	run->exited = true;
	pw_run_drain(run);
	pw_run_schedule(run);
}

static void
clear(struct pw_run *run)
{
	struct pw_err err;

	if (pw_rmtree_new(AT_FDCWD, run->directory, &run->rm, &err) < 0)
		pw_log_debug(run->id.s, "directory.stays", "msg=%s", pw_log_quote(err.text));
	if (run->rm)
		pw_run_remove_directory(run);
	else
		finish(run);
}

static void
settle_by_status(struct pw_run *run, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	const char *step = code >= PW_STEP_EXIT_BASE ?
				   pw_step_name((unsigned)(code - PW_STEP_EXIT_BASE)) :
				   NULL;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		run->outcome.oom = pw_host_short_of_memory(run->host);
	if (WIFSIGNALED(status))
		pw_run_settle(run, PW_OUTCOME_SIGNALED, WTERMSIG(status), NULL);
	else if (step && !run->ready)
		pw_run_settle(run, PW_OUTCOME_SETUP, code - PW_STEP_EXIT_BASE, "%s: failed without saying why", step);
	else if (pw_frame_stream_partial(&run->in))
		pw_run_settle(run, PW_OUTCOME_PROTOCOL, 0, "its last message is cut off");
	else
		pw_run_settle(run, PW_OUTCOME_EXITED, code, NULL);
}

static struct timeval
tv_of(int64_t usec)
{
	return (struct timeval){ .tv_sec = usec / 1000000, .tv_usec = usec % 1000000 };
}

void
pw_run_exited(struct pw_run *run, const struct pw_msg_exited *exited)
{
	run->outcome.remains += (int)exited->remains;
	run->outcome.usage = (struct rusage){
		.ru_utime = tv_of(exited->utime), .ru_stime = tv_of(exited->stime), .ru_maxrss = exited->maxrss,
		.ru_minflt = exited->minflt, .ru_majflt = exited->majflt, .ru_inblock = exited->inblock,
		.ru_oublock = exited->oublock, .ru_nvcsw = exited->nvcsw, .ru_nivcsw = exited->nivcsw,
	};
	ended(run);
	settle_by_status(run, (int)exited->status);
	clear(run);
}

void
pw_run_spawn_failed(struct pw_run *run, const struct pw_msg_spawn_failed *failed)
{
	ended(run);
	if (failed->os_errno)
		pw_run_settle(run, PW_OUTCOME_SETUP, -1, "%s: %s", failed->text, strerror((int)failed->os_errno));
	else
		pw_run_settle(run, PW_OUTCOME_SETUP, -1, "spawn: %s", failed->text);
	clear(run);
}

void
pw_run_host_died(struct pw_run *run)
{
	ended(run);
	pw_run_settle(run, PW_OUTCOME_HOST_DIED, 0, "%s", run->host->why);
	clear(run);
}
