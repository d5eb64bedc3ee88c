/* SPDX-License-Identifier: MIT */
/*
 * The questions about schedules that programs ask which are not supervisors.
 * As in task_store.h: one statement each, errors of the same kinds. WHICH is a
 * schedule's name or its id.
 */
#ifndef PW_STORE_SCHEDULE_STORE_H
#define PW_STORE_SCHEDULE_STORE_H

#include "store/task_store.h"

/* Texts are borrowed for the call; NULL: not given. */
struct pw_schedule {
	const char *name, *func;
	const char *args, *kwargs; /* JSON texts */
	bool sealed;		   /* they are encrypted */
	int64_t every_ns;	   /* 0: not at intervals */
	const char *at;		   /* a time as PostgreSQL reads it: the only one, or the first */
	const char *cron;	   /* JSON object with the columns of pulp_worker.cron, "expression" to "either" */
	const char *const *exclusive, *const *shared;
	size_t exclusive_count, shared_count;
};

/* ret_added->id: the schedule's. */
int pw_store_add_schedule(struct pw_db *db, const struct pw_schedule *schedule, int64_t deadline_ns,
			  struct pw_dispatched *ret_added, struct pw_err *err) PW_MUSTCHECK;
/* Fields as in core/sql/queries/schedules.sql. WHICH NULL: all, by name. */
int pw_store_list_schedules(struct pw_db *db, const char *which, int64_t deadline_ns, struct pw_records *ret_schedules,
			    struct pw_err *err) PW_MUSTCHECK;
int pw_store_remove_schedule(struct pw_db *db, const char *which, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;
/* *ret_func, the function of its task, is the caller's. */
int pw_store_run_schedule(struct pw_db *db, const char *which, int64_t deadline_ns, struct pw_dispatched *ret_dispatched,
			  char **ret_func, struct pw_err *err) PW_MUSTCHECK;

#endif
