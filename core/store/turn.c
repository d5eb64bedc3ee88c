/* SPDX-License-Identifier: MIT */
/* One turn of a supervisor, as parameters of pulp_worker.turn and rows of its answer. Pure but for memory. */
#include "store/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_KEEPS (256 << 10) /* bytes that stay allocated */

/* What one large result needed is not kept for ever. */
void
pw_turn_clear(struct pw_turn *turn)
{
	for (int i = 0; i < PW_TURN_ARRAYS; i++) {
		if (turn->array[i].text.cap > ARRAY_KEEPS)
			pw_array_done(&turn->array[i]);
		pw_array_clear(&turn->array[i]);
	}
}

void
pw_turn_done(struct pw_turn *turn)
{
	for (int i = 0; i < PW_TURN_ARRAYS; i++)
		pw_array_done(&turn->array[i]);
}

void
pw_turn_add_ending(struct pw_turn *turn, const struct pw_turn_ending *ending)
{
	pw_array_add(&turn->array[PW_TURN_ENDED], ending->task);
	pw_array_add(&turn->array[PW_TURN_ENDED_STATE], ending->state);
	pw_array_add(&turn->array[PW_TURN_ENDED_RESULT], ending->result);
	pw_array_add(&turn->array[PW_TURN_ENDED_ERROR], ending->error);
	pw_array_add(&turn->array[PW_TURN_ENDED_KIND], ending->kind);
	pw_array_add_int(&turn->array[PW_TURN_ENDED_REMAINS], ending->remains);
	pw_array_add_int(&turn->array[PW_TURN_ENDED_RSS], ending->max_rss_kb);
	pw_array_add_int(&turn->array[PW_TURN_ENDED_CPU], ending->cpu_ms);
}

void
pw_turn_add_report(struct pw_turn *turn, const struct pw_turn_report *report)
{
	pw_array_add(&turn->array[PW_TURN_REPORT], report->id);
	pw_array_add(&turn->array[PW_TURN_REPORT_TASK], report->task);
	pw_array_add(&turn->array[PW_TURN_REPORT_CODE], report->code);
	pw_array_add(&turn->array[PW_TURN_REPORT_MESSAGE], report->message);
	pw_array_add(&turn->array[PW_TURN_REPORT_STATE], report->state);
	if (report->total < 0)
		pw_array_add(&turn->array[PW_TURN_REPORT_TOTAL], NULL);
	else
		pw_array_add_int(&turn->array[PW_TURN_REPORT_TOTAL], report->total);
	pw_array_add_int(&turn->array[PW_TURN_REPORT_DONE], report->done);
	pw_array_add(&turn->array[PW_TURN_REPORT_SUFFIX], report->suffix);
}

void
pw_turn_add_log(struct pw_turn *turn, const char *task, int part, const char *text)
{
	pw_array_add(&turn->array[PW_TURN_LOG_TASK], task);
	pw_array_add_int(&turn->array[PW_TURN_LOG_PART], part);
	pw_array_add(&turn->array[PW_TURN_LOG_TEXT], text);
}

void
pw_turn_add_served(struct pw_turn *turn, int requirement, int64_t floor)
{
	pw_array_add_int(&turn->array[PW_TURN_SERVED], requirement);
	pw_array_add_int(&turn->array[PW_TURN_FLOORS], floor);
}

void
pw_turn_add_look(struct pw_turn *turn, const char *task)
{
	pw_array_add(&turn->array[PW_TURN_LOOK], task);
}

int
pw_turn_params(struct pw_turn *turn, const char *me, int slots, int known, bool lazy,
	       char numbers[2][16], const char *values[PW_TURN_PARAMS])
{
	int n = 0;

	snprintf(numbers[0], sizeof(numbers[0]), "%d", slots);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", known);
	values[n++] = me;
	values[n++] = numbers[0];
	for (int i = 0; i < PW_TURN_ARRAYS; i++) {
		if (i == PW_TURN_LOOK)
			values[n++] = numbers[1];
		values[n] = pw_array_text(&turn->array[i]);
		if (!values[n++])
			return -1;
	}
	values[n++] = lazy ? "t" : "f";
	return 0;
}

bool
pw_turn_written(const char *outcome)
{
	return strcmp(outcome, "locked") != 0 && strcmp(outcome, "lost") != 0;
}

enum { KIND, TASK, NUMBER, NAME, DETAIL, CID, ARGS, KWARGS, GROUP, PLAIN, IMMEDIATE };

static const char *
value_or_null(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static struct pw_turn_claim
claim_of(const PGresult *result, int row)
{
	return (struct pw_turn_claim){ .task = PQgetvalue(result, row, TASK),
				       .name = PQgetvalue(result, row, NAME),
				       .what = PQgetvalue(result, row, DETAIL),
				       .cid = PQgetvalue(result, row, CID),
				       .args = value_or_null(result, row, ARGS),
				       .kwargs = value_or_null(result, row, KWARGS),
				       .group = value_or_null(result, row, GROUP),
				       .plain = PQgetvalue(result, row, PLAIN)[0] == 't',
				       .immediate = PQgetvalue(result, row, IMMEDIATE)[0] == 't' };
}

void
pw_turn_read(const PGresult *result, const struct pw_turn_ops *ops, void *arg)
{
	for (int row = 0; row < PQntuples(result); row++) {
		const char *kind = PQgetvalue(result, row, KIND),
			   *task = PQgetvalue(result, row, TASK);
		const char *name = PQgetvalue(result, row, NAME),
			   *detail = PQgetvalue(result, row, DETAIL);
		int number = atoi(PQgetvalue(result, row, NUMBER));

		if (strcmp(kind, "ended") == 0 && ops->ended) {
			ops->ended(arg, task, detail);
		} else if (strcmp(kind, "pass") == 0 && ops->pass) {
			ops->pass(arg, number, detail);
		} else if (strcmp(kind, "claimed") == 0 && ops->claimed) {
			struct pw_turn_claim claim = claim_of(result, row);

			ops->claimed(arg, &claim);
		} else if (strcmp(kind, "cancel") == 0 && ops->cancel) {
			ops->cancel(arg, task);
		} else if (strcmp(kind, "lost") == 0 && ops->lost) {
			ops->lost(arg, task);
		} else if (strcmp(kind, "class") == 0 && ops->class) {
			ops->class(arg, number, name, detail);
		} else if (strcmp(kind, "floor") == 0 && ops->floor) {
			ops->floor(arg, number, atoll(detail));
		}
	}
}
