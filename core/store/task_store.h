/* SPDX-License-Identifier: MIT */
/*
 * The questions about tasks, groups and workers that programs ask which are
 * not supervisors, each one statement in a transaction of its own (or in the
 * caller's, where the connection is in one). All wait until deadline_ns.
 *
 * Errors: PW_ERR_INPUT for a bad argument, PW_ERR_NOTFOUND for no such task or
 * group, PW_ERR_CONFIG where our schema is missing, else those of db/conn.h.
 */
#ifndef PW_STORE_TASK_STORE_H
#define PW_STORE_TASK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/conn.h"
#include "task/record.h"

/* Texts are borrowed for the call; NULL: not given. */
struct pw_dispatch {
	const char *func;
	const char *args, *kwargs; /* JSON texts */
	bool sealed;		   /* they are encrypted */
	const char *group;
	const char *const *exclusive, *const *shared;
	size_t exclusive_count, shared_count;
	const char *versions; /* JSON object, label to version */
	const char *correlation_id;
	bool immediate;	      /* workers take it before all others, and give it 5 s */
	bool no_deferred;     /* SQL refuses this; see client/immediate.h */
	bool look;	      /* whether anybody is there to run it */
};

struct pw_dispatched {
	struct pw_uuid id;
	/* Where it was looked for: */
	int64_t workers; /* that are alive */
	bool served;	 /* one of them has the module */
};

/* Of a row with the fields pulp_id, workers, served. */
struct pw_dispatched pw_dispatched_of(const struct pw_record *row);

int pw_store_dispatch(struct pw_db *db, const struct pw_dispatch *dispatch, int64_t deadline_ns,
		      struct pw_dispatched *ret_dispatched, struct pw_err *err) PW_MUSTCHECK;
/*
 * Dispatches all of TASKS, or none: a JSON array of objects with the arguments of pulp_worker.dispatch. SEALED: all their args and kwargs
 * are encrypted. FIRST: what messages call the first of them ("task 1: ..."). LOOK: whether anybody is there. Rows as of
 * pw_dispatched_of, in the order of TASKS, and the field name.
 */
int pw_store_dispatch_many(struct pw_db *db, const char *tasks, bool sealed, size_t first, bool look, int64_t deadline_ns,
			   struct pw_records *ret_rows, struct pw_err *err) PW_MUSTCHECK;
/* *ret_state: the state after it. */
int pw_store_cancel_task(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, enum pw_task_state *ret_state,
			 struct pw_err *err) PW_MUSTCHECK;
int pw_store_cancel_group(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, int64_t *ret_canceled,
			  struct pw_err *err) PW_MUSTCHECK;
int pw_store_finish_group(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;
int pw_store_create_group(struct pw_db *db, const char *description, int64_t deadline_ns, struct pw_uuid *ret_id,
			  struct pw_err *err) PW_MUSTCHECK;

/* One task with all its fields, its result too. *ret_task is the caller's. */
int pw_store_get_task(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, struct pw_record **ret_task,
		      struct pw_err *err) PW_MUSTCHECK;

struct pw_task_filter {
	const char *const *states;
	size_t state_count;  /* 0: any */
	const char *name;    /* with * for any characters; NULL: any */
	const char *group;   /* NULL: any */
	int64_t within_ns;   /* dispatched within; 0: ever */
	int64_t limit;	     /* 0: none */
	bool results;	     /* give the results too */
};
/* Newest first. */
int pw_store_list_tasks(struct pw_db *db, const struct pw_task_filter *filter, int64_t deadline_ns, struct pw_records *ret_tasks,
			struct pw_err *err) PW_MUSTCHECK;
/* State and progress of these tasks, in this order; those that are gone are left out. Fields as in core/sql/queries/task_watch.sql. */
int pw_store_watch_tasks(struct pw_db *db, const struct pw_uuid *ids, size_t count, int64_t deadline_ns,
			 struct pw_records *ret_tasks, struct pw_err *err) PW_MUSTCHECK;
/* The ids that begin with the digits of PREFIX (8 to 36 characters of a UUID), at most 11; field pulp_id. */
int pw_store_find_tasks(struct pw_db *db, const char *prefix, int64_t deadline_ns, struct pw_records *ret_ids,
			struct pw_err *err) PW_MUSTCHECK;
/* What core/task/why.h makes a sentence of: JSON text, the caller frees. */
int pw_store_why(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, char **ret_facts, struct pw_err *err) PW_MUSTCHECK;
/* The task's log after part AFTER (0: from its beginning); fields part, text. */
int pw_store_logs(struct pw_db *db, const struct pw_uuid *id, int64_t after, int64_t deadline_ns, struct pw_records *ret_parts,
		  struct pw_err *err) PW_MUSTCHECK;
/* Before when a task must have finished to be purged: TEXT as PostgreSQL reads it, or NULL: AGE_NS ago. ISO 8601; the caller frees. */
int pw_store_purge_limit(struct pw_db *db, const char *text, int64_t age_ns, int64_t deadline_ns, char **ret_limit,
			 struct pw_err *err) PW_MUSTCHECK;
/* MEMBERS: with the field "tasks". */
int pw_store_get_group(struct pw_db *db, const struct pw_uuid *id, bool members, int64_t deadline_ns, struct pw_record **ret_group,
		       struct pw_err *err) PW_MUSTCHECK;
int pw_store_list_workers(struct pw_db *db, int64_t deadline_ns, struct pw_records *ret_workers, struct pw_err *err) PW_MUSTCHECK;

#endif
