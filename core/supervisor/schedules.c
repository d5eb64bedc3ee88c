/* SPDX-License-Identifier: MIT */
/*
 * Schedules: asks the database to dispatch what is due, over the side link,
 * beside the heartbeat and at the moment when it said that the next one would
 * be. What is due, and who serves it, is decided there, under lock 42, which
 * Pulp's own workers take too. Runs in the supervisor; never runs a task.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

#define AGAIN_WHEN_BUSY (250 * PW_MS)
#define NEXT_MOST (5 * PW_SEC)

static void
look_now(void *arg)
{
	struct pw_supervisor *s = arg;

	s->schedules_due = true;
	pw_side_next(s);
}

/* DETAIL: milliseconds, "busy", or "" for nothing in sight. Others may add schedules, so it is never trusted for long. */
static void
set_next(struct pw_supervisor *s, const char *detail)
{
	int64_t wait = NEXT_MOST;

	if (strcmp(detail, "busy") == 0)
		wait = AGAIN_WHEN_BUSY + arc4random_uniform(250) * PW_MS;
	else if (*detail && strtoll(detail, NULL, 10) < NEXT_MOST / PW_MS)
		wait = strtoll(detail, NULL, 10) * PW_MS;
	pw_timer_set(s->schedules, pw_now_ns() + wait);
}

static void
tell(const char *kind, const char *schedule, const char *func, const char *task, const char *detail,
     const char *cid)
{
	char text[400];

	if (strcmp(kind, "dispatched") == 0) {
		snprintf(text, sizeof(text), "Dispatched scheduled task %.200s as task id %s in domain %.100s", func, task,
			 *detail ? detail : "default");
		pw_log_info(task, "schedule.dispatched", "cid=%s schedule=%s name=%s msg=%s", cid, pw_log_quote(schedule),
			    pw_log_quote(func), pw_log_quote(text));
	} else if (strcmp(kind, "skipped") == 0) {
		pw_log_info(NULL, "schedule.skipped", "schedule=%s name=%s msg=\"it was missed, and is not made up for\"",
			    pw_log_quote(schedule), pw_log_quote(func));
	} else {
		snprintf(text, sizeof(text), "Dispatching it failed, trying again later. %.340s", detail);
		pw_log_warning(NULL, "schedule.failed", "schedule=%s name=%s msg=%s", pw_log_quote(schedule), pw_log_quote(func),
			       pw_log_quote(text));
	}
}

static void
on_dispatched(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err) {
		if (!pw_db_error_is_transient(err))
			pw_log_error(NULL, "schedules.failed", "msg=%s", pw_log_quote(err->text));
		set_next(s, "");
		return;
	}
	for (int row = 0; row < PQntuples(result); row++) {
		const char *kind = PQgetvalue(result, row, 0);

		if (strcmp(kind, "next") == 0)
			set_next(s, PQgetvalue(result, row, 4));
		else
			tell(kind, PQgetvalue(result, row, 1), PQgetvalue(result, row, 2),
			     PQgetvalue(result, row, 3), PQgetvalue(result, row, 4),
			     PQgetvalue(result, row, 5));
	}
}

bool
pw_schedules_next(struct pw_supervisor *s)
{
	if (!s->schedules_due || s->config.auxiliary || s->guest || s->phase != PW_WORKER_RUNNING)
		return false;
	s->schedules_due =
		!pw_side_send(s, pw_sql_schedules_due, NULL, PW_STATEMENT_TIMEOUT, on_dispatched);
	return !s->schedules_due;
}

void
pw_schedules_new(struct pw_supervisor *s)
{
	s->schedules = pw_timer_new(s->loop, "schedules", look_now, s);
	pw_timer_set(s->schedules, pw_now_ns());
}

void
pw_schedules_free(struct pw_supervisor *s)
{
	s->schedules = pw_timer_free(s->schedules);
}
