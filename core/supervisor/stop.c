/* SPDX-License-Identifier: MIT */
/*
 * Signals to the worker, and how it comes to its end:
 *
 *	TERM	drain: no new tasks, the running ones go on without limit; again = INT
 *	INT	stop: the same for the grace interval, then the rest is ended as failed; again = QUIT
 *	QUIT	at once: KILL every child, then at most 5 s to write the endings
 *	HUP	reload: settings and plugins
 *	USR1, USR2	pause and resume claiming
 *
 * A cancel works as ever in all of them. No child is ever left behind.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "sql/sql.h"
#include "supervisor/internal.h"
#include "sys/sdnotify.h"

#define WRITE_WITHIN (5 * PW_SEC)

bool
pw_stop_claiming(const struct pw_supervisor *s)
{
	return s->paused || s->phase != PW_WORKER_RUNNING || s->lease_over;
}

void
pw_stop_status(struct pw_supervisor *s)
{
	static const char *const phase[] = { "running", "draining", "stopping", "stopping now", "leaving" };

	pw_sdnotify_status("%s%s, %d of %d slots busy", phase[s->phase], s->paused ? " (paused)" : "", pw_task_active(s), s->slots);
}

static void
on_unregistered(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (!err && PQgetvalue(result, 0, 0)[0] != 't')
		pw_log_warning(NULL, "worker.row_left", "msg=\"a task's row is held by somebody: others will clean up\"");
	pw_loop_stop(s->loop);
}

static void
give_up(void *arg)
{
	struct pw_supervisor *s = arg;

	for (const struct pw_task *task = s->tasks; task; task = task->next)
		if (task->phase == PW_TASK_ENDED)
			pw_log_warning(task->id.s, "ending.unwritten", "state=%s kind=%s", task->ending->state, task->ending->kind);
	if (pw_task_unwritten(s))
		pw_log_error(NULL, "endings.unwritten", "count=%d msg=\"the database cannot be reached: others will end these tasks\"",
			     pw_task_unwritten(s));
	pw_loop_stop(s->loop);
}

/* Says goodbye once; whatever comes of it the loop ends within WRITE_WITHIN. */
static void
leave(struct pw_supervisor *s)
{
	if (s->phase != PW_WORKER_LEAVING) {
		s->left = s->phase;
		s->phase = PW_WORKER_LEAVING;
		pw_metrics_stop(s); /* before another one takes over, perhaps in the same place */
		pw_timer_set(s->grace, pw_now_ns() + WRITE_WITHIN);
	}
	if (pw_uuid_none(&s->me))
		pw_loop_stop(s->loop);
	else if (!s->leaving_said && !s->adopt && pw_link_idle(s->side))
		s->leaving_said =
			pw_link_send(s->side, pw_sql_unregister_worker, PW_DB_PARAMS(s->me.s),
				     WRITE_WITHIN, on_unregistered, s);
}

void
pw_stop_stay(struct pw_supervisor *s)
{
	if (s->phase != PW_WORKER_LEAVING || s->leaving_said || s->left >= PW_WORKER_KILLING)
		return;
	s->phase = s->left;
	pw_timer_set(s->grace,
		     s->phase == PW_WORKER_STOPPING ?
			     pw_now_ns() +
				     pw_settings_ns(s->settings, PW_SETTING_task_grace_interval) :
			     PW_NEVER);
}

/* Burst: nothing runs, nothing waits to be written, and the last turn found nothing. */
static bool
burst_is_over(const struct pw_supervisor *s)
{
	if (!s->config.burst || s->phase != PW_WORKER_RUNNING || s->paused || s->turn_due ||
	    s->fetch_due || s->adopt || !s->turn_taken)
		return false;
	for (const struct pw_plugin_host *host = s->hosts; host; host = host->next)
		if (host->phase == PW_HOST_STARTING)
			return false;
	return !s->turn_more && !s->turn_busy && !s->turn_claims && !s->turn_classes;
}

void
pw_stop_check(struct pw_supervisor *s)
{
	/* A turn under way may have claimed something. */
	if (pw_task_active(s) || pw_task_unwritten(s) || s->turn_under_way)
		return;
	if (s->phase != PW_WORKER_RUNNING || burst_is_over(s))
		leave(s);
}

static void
abort_tasks(struct pw_supervisor *s, bool now)
{
	s->phase = PW_WORKER_KILLING;
	for (struct pw_task *task = s->tasks; task; task = task->next) {
		if (now)
			pw_task_kill(task, PW_CAUSE_SHUTDOWN);
		else
			pw_task_cancel(task, PW_CAUSE_SHUTDOWN);
	}
	pw_timer_set(s->grace,
		     pw_now_ns() + WRITE_WITHIN +
			     (now ? 0 : pw_settings_ns(s->settings, PW_SETTING_cancel_kill_after)));
	s->fetch_due = true; /* what was claimed and not started is ended too */
	pw_turns_kick(s);
	pw_stop_check(s);
}

static void
grace_over(void *arg)
{
	struct pw_supervisor *s = arg;

	if (s->phase >= PW_WORKER_KILLING) {
		give_up(s);
		return;
	}
	pw_log_info(NULL, "worker.grace_over", "tasks=%d msg=\"ending the rest\"", pw_task_active(s));
	abort_tasks(s, false);
}

static void
begin(struct pw_supervisor *s, enum pw_worker_phase phase, const char *words)
{
	s->phase = phase;
	pw_log_info(NULL, "worker.stopping", "tasks=%d msg=\"Worker %s was requested to shut down%s.\"", pw_task_active(s), s->config.name, words);
	pw_sdnotify_stopping();
	pw_stop_status(s);
	pw_turns_kick(s);
	pw_stop_check(s);
}

static void
on_int(void *arg, const struct signalfd_siginfo *info PW_UNUSED)
{
	struct pw_supervisor *s = arg;

	if (s->phase >= PW_WORKER_STOPPING) {
		abort_tasks(s, true);
		return;
	}
	pw_timer_set(s->grace,
		     pw_now_ns() + pw_settings_ns(s->settings, PW_SETTING_task_grace_interval));
	begin(s, PW_WORKER_STOPPING, "");
}

static void
on_term(void *arg, const struct signalfd_siginfo *info)
{
	struct pw_supervisor *s = arg;

	if (s->phase != PW_WORKER_RUNNING)
		on_int(s, info);
	else
		begin(s, PW_WORKER_DRAINING, " gracefully");
}

static void
on_quit(void *arg, const struct signalfd_siginfo *info PW_UNUSED)
{
	struct pw_supervisor *s = arg;

	begin(s, PW_WORKER_KILLING, " at once");
	if (s->phase != PW_WORKER_LEAVING)
		abort_tasks(s, true);
}

static void
on_hup(void *arg, const struct signalfd_siginfo *info PW_UNUSED)
{
	struct pw_supervisor *s = arg;
	struct pw_settings *fresh;
	struct pw_keyring *keys = NULL;
	struct pw_err err;

	pw_sdnotify_reloading();
	if (s->config.reload(s->config.arg, &fresh, &err) < 0) {
		pw_log_error(NULL, "reload.failed", "msg=%s", pw_log_quote(err.text));
	} else if (pw_supervisor_keys(fresh, &keys, &err) < 0) {
		pw_log_error(NULL, "reload.failed", "msg=%s", pw_log_quote(err.text));
		pw_settings_free(fresh);
	} else {
		pw_keyring_free(s->keys);
		s->keys = keys;
		pw_settings_free(s->settings);
		s->settings = fresh;
		s->slots = (int)pw_settings_int(fresh, PW_SETTING_slots);
		pw_log_info(NULL, "worker.reloaded", "slots=%d", s->slots);
	}
	pw_hosts_reload(s);
	pw_sdnotify_ready();
	pw_stop_status(s);
}

static void
on_usr(void *arg, const struct signalfd_siginfo *info)
{
	struct pw_supervisor *s = arg;

	s->paused = info->ssi_signo == SIGUSR1;
	pw_log_info(NULL, s->paused ? "worker.paused" : "worker.resumed", "tasks=%d", pw_task_active(s));
	pw_stop_status(s);
	pw_turns_kick(s);
}

static void
feed_watchdog(void *arg)
{
	struct pw_supervisor *s = arg;

	pw_sdnotify_watchdog();
	pw_stop_status(s);
	pw_timer_set(s->watchdog, pw_now_ns() + pw_sdnotify_watchdog_interval_ns());
}

int
pw_stop_watch(struct pw_supervisor *s, struct pw_err *err)
{
	static const struct {
		int signal;
		pw_signal_fn *fn;
	} watched[] = {
		{ SIGTERM, on_term }, { SIGINT, on_int }, { SIGQUIT, on_quit },
		{ SIGHUP, on_hup }, { SIGUSR1, on_usr }, { SIGUSR2, on_usr },
	};

	s->grace = pw_timer_new(s->loop, "grace", grace_over, s);
	s->watchdog = pw_timer_new(s->loop, "watchdog", feed_watchdog, s);
	if (pw_sdnotify_watchdog_interval_ns())
		pw_timer_set(s->watchdog, pw_now_ns());
	if (pw_signals_new(s->loop, &s->signals, err) < 0)
		return -1;
	for (size_t i = 0; i < PW_COUNT(watched); i++)
		if (pw_signals_watch(s->signals, watched[i].signal, watched[i].fn, s, err) < 0)
			return -1;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void
pw_stop_free(struct pw_supervisor *s)
{
	s->signals = pw_signals_free(s->signals);
	s->grace = pw_timer_free(s->grace);
	s->watchdog = pw_timer_free(s->watchdog);
}
