/* SPDX-License-Identifier: MIT */
/*
 * Questions about schedules: add, list, remove, run. One function per question;
 * the statements are core/sql/queries. In pulp-task and in the client library;
 * decides nothing, and dispatches nothing that is due: that is the supervisor's.
 */
#include "store/schedule_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/sql.h"
#include "store/rows.h"

/* A guest may read what Pulp's own tables say of schedules, no more: Python's workers would dispatch ours, and fail. */
static int
check(struct pw_db *db, struct pw_err *err)
{
	if (!pw_db_is_guest(db))
		return 0;
	return pw_err_set(err, PW_ERR_CONFIG, "this Pulp lacks our schema, which schedules of ours need: run 'pulp-task db install'");
}

int
pw_store_add_schedule(struct pw_db *db, const struct pw_schedule *schedule, int64_t deadline_ns,
		      struct pw_dispatched *ret_added, struct pw_err *err)
{
	pw_auto_free char *exclusive = pw_db_array(schedule->exclusive, schedule->exclusive_count);
	pw_auto_free char *shared = pw_db_array(schedule->shared, schedule->shared_count);
	pw_auto_record *row = NULL;
	char every[PW_ROWS_SECONDS_SIZE];

	if (check(db, err) < 0)
		return -1;
	if (!exclusive || !shared)
		return pw_err_nomem(err);
	if (pw_rows_get_one(db, pw_sql_schedule_add,
			    PW_DB_PARAMS(schedule->name, schedule->func, schedule->args ? schedule->args : "[]",
					 schedule->kwargs ? schedule->kwargs : "{}", pw_rows_seconds(schedule->every_ns, every), schedule->at,
					 schedule->cron, exclusive, shared, schedule->sealed ? "true" : "false"),
			    deadline_ns, "schedule", "", &row, err) < 0)
		return -1;
	*ret_added = pw_dispatched_of(row);
	return 0;
}

int
pw_store_list_schedules(struct pw_db *db, const char *which, int64_t deadline_ns,
			struct pw_records *ret_schedules, struct pw_err *err)
{
	pw_auto_record *row = NULL;

	if (which && check(db, err) < 0)
		return -1;
	if (which && pw_rows_get_one(db, pw_sql_schedule_find, PW_DB_PARAMS(which), deadline_ns, "schedule", which, &row, err) < 0)
		return -1;
	return pw_rows_get(db, pw_sql_schedules, PW_DB_PARAMS(row ? pw_record_text(row, "pulp_id") : NULL), deadline_ns, ret_schedules,
			   err);
}

int
pw_store_remove_schedule(struct pw_db *db, const char *which, int64_t deadline_ns,
			 struct pw_err *err)
{
	pw_auto_record *row = NULL;

	if (check(db, err) < 0)
		return -1;
	return pw_rows_get_one(db, pw_sql_schedule_remove, PW_DB_PARAMS(which), deadline_ns, "schedule", which, &row, err);
}

int
pw_store_run_schedule(struct pw_db *db, const char *which, int64_t deadline_ns,
		      struct pw_dispatched *ret_dispatched, char **ret_func, struct pw_err *err)
{
	pw_auto_record *row = NULL;
	char *func;

	if (check(db, err) < 0)
		return -1;
	if (pw_rows_get_one(db, pw_sql_schedule_run, PW_DB_PARAMS(which), deadline_ns, "schedule", which, &row, err) < 0)
		return -1;
	func = strdup(pw_record_text(row, "func"));
	if (!func)
		return pw_err_nomem(err);
	*ret_func = func;
	*ret_dispatched = pw_dispatched_of(row);
	return 0;
}
