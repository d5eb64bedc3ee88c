/* SPDX-License-Identifier: MIT */
/*
 * One turn of a supervisor: what it has for the database and what it wants of
 * it, in one statement (core/sql/functions/40_turn.sql). The caller fills a
 * struct pw_turn, sends pw_turn_sql with pw_turn_params, and reads the answer with pw_turn_read.
 */
#ifndef PW_STORE_TURN_H
#define PW_STORE_TURN_H

#include "db/conn.h"
#include "store/array_text.h"

enum pw_turn_array {
	PW_TURN_SERVED,
	PW_TURN_FLOORS,
	PW_TURN_LOOK,
	PW_TURN_ENDED,
	PW_TURN_ENDED_STATE,
	PW_TURN_ENDED_RESULT,
	PW_TURN_ENDED_ERROR,
	PW_TURN_ENDED_KIND,
	PW_TURN_ENDED_REMAINS,
	PW_TURN_ENDED_RSS,
	PW_TURN_ENDED_CPU,
	PW_TURN_REPORT,
	PW_TURN_REPORT_TASK,
	PW_TURN_REPORT_CODE,
	PW_TURN_REPORT_MESSAGE,
	PW_TURN_REPORT_STATE,
	PW_TURN_REPORT_TOTAL,
	PW_TURN_REPORT_DONE,
	PW_TURN_REPORT_SUFFIX,
	PW_TURN_LOG_TASK,
	PW_TURN_LOG_PART,
	PW_TURN_LOG_TEXT,
	PW_TURN_ARRAYS
};

struct pw_turn {
	struct pw_array array[PW_TURN_ARRAYS];
};

void pw_turn_clear(struct pw_turn *turn);
void pw_turn_done(struct pw_turn *turn);

struct pw_turn_ending {
	const char *task, *state, *result, *error, *kind; /* result and error may be NULL */
	int remains;
	int64_t max_rss_kb, cpu_ms;
};
void pw_turn_add_ending(struct pw_turn *turn, const struct pw_turn_ending *ending);

struct pw_turn_report {
	const char *id, *task, *code, *message, *state, *suffix; /* suffix may be NULL */
	int64_t total, done; /* total -1 = unknown */
};
void pw_turn_add_report(struct pw_turn *turn, const struct pw_turn_report *report);
void pw_turn_add_log(struct pw_turn *turn, const char *task, int part, const char *text);
void pw_turn_add_served(struct pw_turn *turn, int requirement, int64_t floor);
void pw_turn_add_look(struct pw_turn *turn, const char *task);

#define PW_TURN_PARAMS (PW_TURN_ARRAYS + 4)
/*
 * Fills VALUES (PW_TURN_PARAMS of them; they live as long as TURN and the two buffers are left alone). LAZY: the turn need not settle
 * if there is enough to claim. Returns -1 when out of memory.
 */
int pw_turn_params(struct pw_turn *turn, const char *me, int slots, int known, bool lazy, char numbers[2][16],
		   const char *values[PW_TURN_PARAMS]) PW_MUSTCHECK;

/* A task that is this worker's now. */
struct pw_turn_claim {
	const char *task, *name;
	const char *what; /* running, canceling, abandoned */
	const char *cid;  /* correlation id */
	/* Of one that is running, unless ARGS is NULL: then they are still to be fetched. */
	const char *args, *kwargs; /* JSON text, encrypted unless plain */
	const char *group;	   /* NULL: none */
	bool plain, immediate;
};

/* Whether a task's ending is in its row: OUTCOME is that of the callback ended. */
bool pw_turn_written(const char *outcome);

/* The rows that come back. NULL members are ignored. Texts are borrowed from the result. */
struct pw_turn_ops {
	void (*ended)(void *arg, const char *task, const char *outcome); /* the state of its row, or: locked, lost */
	void (*pass)(void *arg, int marked, const char *what);		 /* more, done, busy, later */
	void (*claimed)(void *arg, const struct pw_turn_claim *claim);
	void (*cancel)(void *arg, const char *task);
	void (*lost)(void *arg, const char *task);
	void (*class)(void *arg, int id, const char *module, const char *detail);
	void (*floor)(void *arg, int id, int64_t floor);
};
void pw_turn_read(const PGresult *result, const struct pw_turn_ops *ops, void *arg);

#endif
