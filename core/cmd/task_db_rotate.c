/* SPDX-License-Identifier: MIT */
/*
 * New keys for old arguments. Reads them in batches, makes anew the tokens that
 * are not of the first key, and writes each row only if it is still what
 * was read. Holds one batch in memory and no lock between statements.
 */
#include "cmd/task_db_rotate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/task.h"
#include "crypt/leaves.h"
#include "sql/sql.h"
#include "store/array_text.h"

#define BATCH "256"
#define STATEMENT (60 * PW_SEC)
#define NOBODY "00000000-0000-0000-0000-000000000000"

struct rotation {
	struct pw_db *db;
	const struct pw_keyring *keys;
	const char *read, *write, *what;
	char last[37];
	int64_t seen, done, bad;
	struct pw_array ids, args, kwargs, old_args, old_kwargs;
};

enum { ID, ARGS, KWARGS, PLAIN };

int
pw_describe_keys(char *buf, size_t size, struct pw_err *err)
{
	pw_auto_keyring *keys = NULL;
	int count;

	if (pw_cmd_keys(&keys, err) < 0)
		return -1;
	count = pw_keyring_count(keys);
	if (count)
		snprintf(buf, size, "encrypted, %d %s", count, count == 1 ? "key" : "keys");
	else
		snprintf(buf, size, "in clear, as there is no key (db_encryption_key)");
	return 0;
}

/* One column of one row: 1 if it changed, 0, or -1 where it cannot be decrypted. */
static int
rotate_column(struct rotation *r, const PGresult *rows, int row, int column, struct pw_buf *buf,
	      struct pw_err *err)
{
	const char *text = PQgetvalue(rows, row, column);

	pw_buf_clear(buf);
	if (PQgetisnull(rows, row, column))
		return 0;
	return pw_leaves_rotate(r->keys, PQgetvalue(rows, row, PLAIN)[0] == 't', text, strlen(text),
				buf, err);
}

static void
add_column(struct pw_array *now, struct pw_array *old, const PGresult *rows, int row, int column,
	   const char *fresh)
{
	const char *was = PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);

	pw_array_add(now, fresh ? fresh : was);
	pw_array_add(old, was);
}

static void
rotate_row(struct rotation *r, const PGresult *rows, int row)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	struct pw_err err;
	int first = rotate_column(r, rows, row, ARGS, &args, &err);
	int second = first < 0 ? -1 : rotate_column(r, rows, row, KWARGS, &kwargs, &err);

	r->seen++;
	if (second < 0) {
		r->bad++;
		pw_cli_warn("%s %s: %s", r->what, PQgetvalue(rows, row, ID), err.text);
	} else if (first || second) {
		pw_array_add(&r->ids, PQgetvalue(rows, row, ID));
		add_column(&r->args, &r->old_args, rows, row, ARGS,
			   first ? pw_buf_text(&args) : NULL);
		add_column(&r->kwargs, &r->old_kwargs, rows, row, KWARGS,
			   second ? pw_buf_text(&kwargs) : NULL);
	}
}

/* For the next batch, or for good. */
static void
clear(struct rotation *r, void (*how)(struct pw_array *array))
{
	struct pw_array *arrays[] = { &r->ids, &r->args, &r->kwargs, &r->old_args, &r->old_kwargs };

	for (size_t i = 0; i < PW_COUNT(arrays); i++)
		how(arrays[i]);
}

static int
write_batch(struct rotation *r, struct pw_err *err)
{
	pw_auto_result *result = NULL;
	const char *values[] = { pw_array_text(&r->ids), pw_array_text(&r->args), pw_array_text(&r->kwargs),
				 pw_array_text(&r->old_args), pw_array_text(&r->old_kwargs) };

	for (size_t i = 0; i < PW_COUNT(values); i++)
		if (!values[i])
			return pw_err_nomem(err);
	if (pw_db_exec(r->db, r->write, &(struct pw_db_params){ PW_COUNT(values), values },
		       pw_now_ns() + STATEMENT, &result, err) < 0)
		return -1;
	r->done += strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	return 0;
}

/* 1: there may be more. */
static int
rotate_batch(struct rotation *r, struct pw_err *err)
{
	pw_auto_result *rows = NULL;
	int count, ret = 1;

	if (pw_db_exec(r->db, r->read, PW_DB_PARAMS(r->last, BATCH), pw_now_ns() + STATEMENT, &rows,
		       err) < 0)
		return -1;
	count = PQntuples(rows);
	if (count == 0)
		return 0;
	for (int row = 0; row < count; row++)
		rotate_row(r, rows, row);
	snprintf(r->last, sizeof(r->last), "%s", PQgetvalue(rows, count - 1, ID));
	if (r->ids.count && write_batch(r, err) < 0)
		ret = -1;
	clear(r, pw_array_clear);
	return ret;
}

static int
rotate_table(struct rotation *r, struct pw_err *err)
{
	int more;

	snprintf(r->last, sizeof(r->last), NOBODY);
	while ((more = rotate_batch(r, err)) > 0)
		if (isatty(2))
			fprintf(stderr, "\r%" PRId64 " %ss seen, %" PRId64 " encrypted anew", r->seen, r->what, r->done);
	if (isatty(2) && r->seen)
		fputc('\n', stderr);
	clear(r, pw_array_done);
	return more;
}

int
pw_rotate_key(struct pw_db *db, bool json, struct pw_err *err)
{
	pw_auto_keyring *keys = NULL;
	struct rotation tasks = { .db = db, .read = pw_sql_arguments_batch, .write = pw_sql_arguments_rotate, .what = "task" };
	struct rotation schedules = { .db = db, .read = pw_sql_schedules_batch, .write = pw_sql_schedules_rotate, .what = "schedule" };

	if (pw_cmd_keys(&keys, err) < 0)
		return -1;
	if (!keys)
		return pw_err_set(err, PW_ERR_CONFIG, "there is no key: name its file with db_encryption_key");
	tasks.keys = schedules.keys = keys;
	if (rotate_table(&tasks, err) < 0 || rotate_table(&schedules, err) < 0)
		return -1;
	if (json) {
		if (pw_output_json(json_pack("{s:I, s:I, s:I}", "tasks", (json_int_t)tasks.done, "schedules", (json_int_t)schedules.done,
					     "undecryptable", (json_int_t)(tasks.bad + schedules.bad)),
				   err) < 0)
			return -1;
	} else {
		printf("encrypted the arguments of %" PRId64 " tasks and %" PRId64 " schedules with the first key\n", tasks.done,
		       schedules.done);
	}
	if (tasks.bad + schedules.bad)
		return pw_err_set(err, PW_ERR_INPUT, "%" PRId64 " could not be decrypted with any of the keys, and stay as they are",
				  tasks.bad + schedules.bad);
	return 0;
}
