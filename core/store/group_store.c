/* SPDX-License-Identifier: MIT */
/*
 * Questions about task groups and workers. One function per question. In
 * pulp-task and in the client library; decides nothing.
 */
#include "sql/sql.h"
#include "store/rows.h"
#include "store/task_store.h"

int
pw_store_cancel_group(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns,
		      int64_t *ret_canceled, struct pw_err *err)
{
	pw_auto_record *row = NULL;

	if (pw_rows_get_one(db, pw_sql_group_cancel, PW_DB_PARAMS(id->s), deadline_ns, "task group", id->s, &row, err) < 0)
		return -1;
	*ret_canceled = pw_record_int(row, "canceled", 0);
	return 0;
}

int
pw_store_finish_group(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns,
		      struct pw_err *err)
{
	pw_auto_record *row = NULL;

	return pw_rows_get_one(db, pw_sql_group_finish, PW_DB_PARAMS(id->s), deadline_ns, "task group", id->s, &row, err);
}

int
pw_store_create_group(struct pw_db *db, const char *description, int64_t deadline_ns,
		      struct pw_uuid *ret_id, struct pw_err *err)
{
	pw_auto_record *row = NULL;

	if (pw_rows_get_one(db, pw_sql_group_create, PW_DB_PARAMS(description), deadline_ns, "task group", "", &row, err) < 0)
		return -1;
	*ret_id = pw_uuid_of(pw_record_text(row, "pulp_id"));
	return 0;
}

int
pw_store_get_group(struct pw_db *db, const struct pw_uuid *id, bool members, int64_t deadline_ns,
		   struct pw_record **ret_group, struct pw_err *err)
{
	return pw_rows_get_one(db, pw_sql_group, PW_DB_PARAMS(id->s, members ? "true" : "false"), deadline_ns, "task group", id->s,
			       ret_group, err);
}

int
pw_store_list_workers(struct pw_db *db, int64_t deadline_ns, struct pw_records *ret_workers,
		      struct pw_err *err)
{
	return pw_rows_get(db, pw_sql_workers, NULL, deadline_ns, ret_workers, err);
}
