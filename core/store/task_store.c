/* SPDX-License-Identifier: MIT */
/*
 * Questions about tasks: dispatch, cancel, what is, what was, why not. One
 * function per question; the statements are core/sql/queries. In pulp-task and
 * in the client library; decides nothing.
 */
#include "store/task_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/sql.h"
#include "store/rows.h"

struct pw_dispatched
pw_dispatched_of(const struct pw_record *row)
{
	return (struct pw_dispatched){
		.id = pw_uuid_of(pw_record_text(row, "pulp_id")),
		.workers = pw_record_int(row, "workers", 0),
		.served = pw_record_bool(row, "served"),
	};
}

int
pw_store_dispatch(struct pw_db *db, const struct pw_dispatch *dispatch, int64_t deadline_ns,
		  struct pw_dispatched *ret_dispatched, struct pw_err *err)
{
	pw_auto_free char *exclusive = pw_db_array(dispatch->exclusive, dispatch->exclusive_count);
	pw_auto_free char *shared = pw_db_array(dispatch->shared, dispatch->shared_count);
	pw_auto_record *row = NULL;
	const struct pw_db_params *params;

	if (!exclusive || !shared)
		return pw_err_nomem(err);
	params = PW_DB_PARAMS(dispatch->func, dispatch->args ? dispatch->args : "[]",
			      dispatch->kwargs ? dispatch->kwargs : "{}", dispatch->group,
			      exclusive, shared, dispatch->versions, dispatch->correlation_id,
			      dispatch->sealed ? "true" : "false", dispatch->immediate ? "t" : "f", dispatch->no_deferred ? "f" : "t",
			      dispatch->look ? "t" : "f");
	if (pw_rows_get_one(db, pw_sql_task_dispatch, params, deadline_ns, "task", "", &row, err) < 0)
		return -1;
	*ret_dispatched = pw_dispatched_of(row);
	if (pw_db_is_guest(db)) /* which modules other workers have is not known there */
		ret_dispatched->served = true;
	return 0;
}

int
pw_store_dispatch_many(struct pw_db *db, const char *tasks, bool sealed, size_t first, bool look,
		       int64_t deadline_ns, struct pw_records *ret_rows, struct pw_err *err)
{
	char number[24];

	snprintf(number, sizeof(number), "%zu", first);
	return pw_rows_get(db, pw_sql_task_dispatch_many, PW_DB_PARAMS(tasks, sealed ? "true" : "false", number, look ? "true" : "false"),
			   deadline_ns, ret_rows, err);
}

int
pw_store_cancel_task(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns,
		     enum pw_task_state *ret_state, struct pw_err *err)
{
	pw_auto_record *row = NULL;

	if (pw_rows_get_one(db, pw_sql_task_cancel, PW_DB_PARAMS(id->s), deadline_ns, "task", id->s, &row, err) < 0)
		return -1;
	*ret_state = pw_record_state(row);
	return 0;
}

int
pw_store_get_task(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns,
		  struct pw_record **ret_task, struct pw_err *err)
{
	const char *ids[] = { id->s };
	pw_auto_free char *array = pw_db_array(ids, 1);

	if (!array)
		return pw_err_nomem(err);
	return pw_rows_get_one(db, pw_sql_tasks, PW_DB_PARAMS(array, NULL, NULL, NULL, NULL, "1", "true"), deadline_ns, "task", id->s,
			       ret_task, err);
}

/* "a*b" as a pattern for LIKE: what is special there is quoted. */
static char *
like_pattern(const char *name)
{
	pw_auto_buf pattern = PW_BUF_INIT;

	for (; *name; name++) {
		bool special = *name == '%' || *name == '_' || *name == '\\';

		if ((special && pw_buf_addc(&pattern, '\\') < 0) ||
		    pw_buf_addc(&pattern, (char)(*name == '*' ? '%' : *name)) < 0)
			return NULL;
	}
	return pw_buf_reserve(&pattern, 1) < 0 ? NULL : pw_buf_steal(&pattern);
}

int
pw_store_list_tasks(struct pw_db *db, const struct pw_task_filter *filter, int64_t deadline_ns,
		    struct pw_records *ret_tasks, struct pw_err *err)
{
	pw_auto_free char *states =
		filter->state_count ? pw_db_array(filter->states, filter->state_count) : NULL;
	pw_auto_free char *name = filter->name ? like_pattern(filter->name) : NULL;
	char within[PW_ROWS_SECONDS_SIZE], limit[24];

	if ((filter->state_count && !states) || (filter->name && !name))
		return pw_err_nomem(err);
	snprintf(limit, sizeof(limit), "%" PRId64, filter->limit);
	return pw_rows_get(db, pw_sql_tasks,
			   PW_DB_PARAMS(NULL, states, name, filter->group,
					pw_rows_seconds(filter->within_ns, within),
					filter->limit ? limit : NULL,
					filter->results ? "true" : "false"),
			   deadline_ns, ret_tasks, err);
}

int
pw_store_watch_tasks(struct pw_db *db, const struct pw_uuid *ids, size_t count, int64_t deadline_ns,
		     struct pw_records *ret_tasks, struct pw_err *err)
{
	pw_auto_free const char **texts = calloc(count + 1, sizeof(char *));
	pw_auto_free char *array = NULL;

	for (size_t i = 0; texts && i < count; i++)
		texts[i] = ids[i].s;
	array = texts ? pw_db_array(texts, count) : NULL;
	if (!array)
		return pw_err_nomem(err);
	return pw_rows_get(db, pw_sql_task_watch, PW_DB_PARAMS(array), deadline_ns, ret_tasks, err);
}

int
pw_store_find_tasks(struct pw_db *db, const char *prefix, int64_t deadline_ns,
		    struct pw_records *ret_ids, struct pw_err *err)
{
	char low[33], high[33];
	size_t n = 0;

	for (const char *p = prefix; *p && n < sizeof(low) - 1; p++)
		if (*p != '-')
			low[n++] = *p;
	memcpy(high, low, n);
	memset(low + n, '0', sizeof(low) - 1 - n);
	memset(high + n, 'f', sizeof(high) - 1 - n);
	low[sizeof(low) - 1] = high[sizeof(high) - 1] = '\0';
	return pw_rows_get(db, pw_sql_task_prefix, PW_DB_PARAMS(low, high), deadline_ns, ret_ids,
			   err);
}

/* One text of one row. The caller frees. */
static int
get_text(struct pw_db *db, const char *sql, const struct pw_db_params *params, int64_t deadline_ns,
	 const char *what, const char *name, const char *field, char **ret_text, struct pw_err *err)
{
	pw_auto_record *row = NULL;
	char *text;

	if (pw_rows_get_one(db, sql, params, deadline_ns, what, name, &row, err) < 0)
		return -1;
	text = strdup(pw_record_text(row, field));
	if (!text)
		return pw_err_nomem(err);
	*ret_text = text;
	return 0;
}

int
pw_store_why(struct pw_db *db, const struct pw_uuid *id, int64_t deadline_ns, char **ret_facts,
	     struct pw_err *err)
{
	return get_text(db, pw_sql_task_why, PW_DB_PARAMS(id->s), deadline_ns, "task", id->s, "facts", ret_facts, err);
}

int
pw_store_purge_limit(struct pw_db *db, const char *text, int64_t age_ns, int64_t deadline_ns,
		     char **ret_limit, struct pw_err *err)
{
	char age[PW_ROWS_SECONDS_SIZE];

	return get_text(db, pw_sql_purge_limit, PW_DB_PARAMS(text, age_ns ? pw_rows_seconds(age_ns, age) : "0"), deadline_ns, "time", "", "finished_before", ret_limit, err);
}

int
pw_store_logs(struct pw_db *db, const struct pw_uuid *id, int64_t after, int64_t deadline_ns,
	      struct pw_records *ret_parts, struct pw_err *err)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRId64, after);
	return pw_rows_get(db, pw_sql_task_logs, PW_DB_PARAMS(id->s, number), deadline_ns,
			   ret_parts, err);
}
