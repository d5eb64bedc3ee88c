/* SPDX-License-Identifier: MIT */
/*
 * Claims of which the turn did not say all: those whose arguments were too large for its answer, all of a guest's, and those
 * of a turn whose answer was lost. On the link of the turns, before the next of them.
 */
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

/* Not at once: turns are to be taken meanwhile. */
static void
fetch_later(struct pw_supervisor *s)
{
	pw_timer_set(s->refetch, pw_now_ns() + PW_LOCKED_RETRY);
}

static void
fetch_now(void *arg)
{
	struct pw_supervisor *s = arg;

	s->fetch_due = true;
	pw_turns_kick(s);
}

static void
on_arguments(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err) {
		for (struct pw_task *task = s->tasks; task; task = task->next)
			task->fetching = false;
		fetch_later(s);
		return;
	}
	for (int row = 0; row < PQntuples(result); row++) {
		struct pw_task *task = pw_task_find(s, PQgetvalue(result, row, 0));

		if (!task || !task->fetching)
			continue;
		if (strcmp(PQgetvalue(result, row, 5), "waiting") == 0) { /* a guest's, whose row somebody holds */
			task->fetching = false;
			fetch_later(s);
			continue;
		}
		if (strcmp(PQgetvalue(result, row, 5), "canceling") == 0)
			pw_task_cancel(task, PW_CAUSE_CANCEL); /* before it began: it never runs */
		pw_arguments_start(task, PQgetvalue(result, row, 6)[0] == 't',
				   &(struct pw_run_spec){
					   .args = PQgetvalue(result, row, 1),
					   .kwargs = PQgetvalue(result, row, 2),
					   .group = PQgetisnull(result, row, 3) ?
							    NULL :
							    PQgetvalue(result, row, 3),
					   .logging_cid = PQgetvalue(result, row, 4),
					   .immediate = PQgetvalue(result, row, 7)[0] == 't',
				   });
	}
	/* what did not come back is not ours any more */
	for (struct pw_task *task = s->tasks, *next; task; task = next) {
		next = task->next;
		if (task->fetching)
			pw_task_forget(s, task);
	}
}

bool
pw_claims_fetch(struct pw_supervisor *s)
{
	struct pw_array ids = { 0 };
	bool sent = false;

	for (struct pw_task *task = s->tasks; task; task = task->next)
		if (task->phase == PW_TASK_CLAIMED) {
			task->fetching = true;
			pw_array_add(&ids, task->id.s);
		}
	s->fetch_due = false;
	if (ids.count)
		sent = pw_link_send(s->turns, pw_sql_task_arguments,
				    PW_DB_PARAMS(pw_array_text(&ids), s->me.s),
				    PW_STATEMENT_TIMEOUT, on_arguments, s);
	pw_array_done(&ids);
	return sent;
}

static void
on_adopted(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err) { /* asked again: when the link is back, or soon */
		pw_timer_set(s->busy, pw_now_ns() + PW_SEC);
		return;
	}
	s->adopt = false;
	for (int row = 0; row < PQntuples(result); row++)
		pw_task_claimed(s,
				&(struct pw_turn_claim){ .task = PQgetvalue(result, row, 0),
							 .name = PQgetvalue(result, row, 1),
							 .what = PQgetvalue(result, row, 2),
							 .cid = PQgetvalue(result, row, 3) },
				true);
	s->look_all = true;
	pw_turns_kick(s);
	pw_stop_check(s);
}

void
pw_claims_adopt(struct pw_supervisor *s)
{
	if (!pw_link_send(s->turns, pw_sql_my_tasks, PW_DB_PARAMS(s->me.s), PW_STATEMENT_TIMEOUT,
			  on_adopted, s))
		pw_log_debug(NULL, "adopt.unsent", "msg=\"the link broke\"");
}

void
pw_claims_new(struct pw_supervisor *s)
{
	s->refetch = pw_timer_new(s->loop, "refetch", fetch_now, s);
}

void
pw_claims_free(struct pw_supervisor *s)
{
	s->refetch = pw_timer_free(s->refetch);
}
