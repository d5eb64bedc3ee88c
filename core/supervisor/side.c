/* SPDX-License-Identifier: MIT */
/*
 * The side link: heartbeats, and what must not wait for a turn or hold one up. One statement at a time, heartbeats
 * first. What the database refuses is said again by whoever had it said, after a pause: a server that has no room
 * left is not asked thousands of times a second.
 */
#include <string.h>

#include "supervisor/internal.h"

void
pw_side_next(struct pw_supervisor *s)
{
	if (!pw_link_idle(s->side) || pw_timer_deadline(s->side_pause) != PW_NEVER)
		return;
	if (pw_beat_next(s) || pw_uuid_none(&s->me))
		return;
	if (pw_beat_others(s) || pw_schedules_next(s) || pw_metrics_next(s) || pw_requests_next(s))
		return;
	pw_stop_check(s);
}

/* What passes by itself, and what is said again all the same. */
static void
refused(struct pw_supervisor *s, const struct pw_err *err)
{
	int64_t pause;

	if (!pw_link_idle(s->side)) /* it is being mended, and says so */
		return;
	if (!s->beat_under_way && !pw_db_error_is_transient(err) &&
	    strcmp(err->sqlstate, PW_READ_ONLY) != 0)
		return;
	pause = pw_link_refused(s->side, err);
	if (pause > s->ttl_ns / 10) /* a heartbeat is in time all the same */
		pause = s->ttl_ns / 10;
	pw_timer_set(s->side_pause, pw_now_ns() + pause);
}

static void
on_answer(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		refused(s, err);
	else
		pw_link_works(s->side);
	s->side_answer(s, result, err);
}

bool
pw_side_send(struct pw_supervisor *s, const char *sql, const struct pw_db_params *params,
	     int64_t timeout_ns, pw_db_result_fn *fn)
{
	if (!pw_link_send(s->side, sql, params, timeout_ns, on_answer, s))
		return false;
	s->side_answer = fn;
	return true;
}

static void
pause_over(void *arg)
{
	pw_side_next(arg);
}

static void
on_ready(void *arg, struct pw_link *link PW_UNUSED)
{
	struct pw_supervisor *s = arg;

	pw_timer_set(s->side_pause, PW_NEVER);
	s->beat_due = true;
}

static void
on_idle(void *arg, struct pw_link *link PW_UNUSED)
{
	pw_side_next(arg);
}

static void
on_lost(void *arg PW_UNUSED, struct pw_link *link, const struct pw_err *err)
{
	pw_log_warning(NULL, "database.lost", "link=%s msg=%s", pw_link_name(link), pw_log_quote(err->text));
}

int
pw_side_new(struct pw_supervisor *s, struct pw_err *err)
{
	static const struct pw_link_ops ops = { .ready = on_ready, .idle = on_idle, .lost = on_lost, .event = "side" };

	s->side_pause = pw_timer_new(s->loop, "side pause", pause_over, s);
	return pw_link_new(s->loop, "side", s->config.conninfo, s->guest, &ops, s, &s->side, err);
}

void
pw_side_free(struct pw_supervisor *s)
{
	s->side = pw_link_free(s->side);
	s->side_pause = pw_timer_free(s->side_pause);
}
