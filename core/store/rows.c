/* SPDX-License-Identifier: MIT */
/*
 * Answers as records: a column is a field, and its type says how it is written
 * in JSON. What our SQL functions refuse gets the kind of error that it is, by
 * its SQLSTATE. In pulp-task and in the client library. Knows no table.
 */
#include "store/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Types of PostgreSQL, by their fixed numbers. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_JSON = 114,
	OID_JSONB = 3802
};

static int
set_field(struct pw_record *record, const PGresult *result, int row, int column)
{
	const char *value =
		PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
	enum pw_field_kind kind = PW_FIELD_TEXT;

	switch (PQftype(result, column)) {
	case OID_BOOL:
		if (value)
			value = *value == 't' ? "true" : "false";
		kind = PW_FIELD_JSON;
		break;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_JSON:
	case OID_JSONB:
		kind = PW_FIELD_JSON;
		break;
	}
	return pw_record_set(record, (size_t)column, PQfname(result, column), kind, value);
}

static int
take_rows(const PGresult *result, struct pw_records *rows)
{
	int count = PQntuples(result), columns = PQnfields(result);

	rows->items = calloc((size_t)count + 1, sizeof(struct pw_record *));
	if (!rows->items)
		return -1;
	for (int row = 0; row < count; row++) {
		struct pw_record *record = pw_record_new((size_t)columns);

		if (!record)
			return -1;
		rows->items[rows->count++] = record;
		for (int column = 0; column < columns; column++)
			if (set_field(record, result, row, column) < 0)
				return -1;
	}
	return 0;
}

/* 3F000 and the like: what we ask for is not there. */
static int
judge(struct pw_err *err)
{
	static const struct {
		const char *sqlstate;
		enum pw_err_kind kind;
	} kinds[] = {
		{ "22023", PW_ERR_INPUT },  { "0A000", PW_ERR_INPUT },	{ "22P02", PW_ERR_INPUT },  { "22P05", PW_ERR_INPUT },
		{ "22007", PW_ERR_INPUT },  { "22008", PW_ERR_INPUT },	{ "22003", PW_ERR_INPUT },	{ "22021", PW_ERR_INPUT },
		{ "P0002", PW_ERR_NOTFOUND }, { "3F000", PW_ERR_CONFIG }, { "42883", PW_ERR_CONFIG }, { "42P01", PW_ERR_CONFIG },
		{ "42704", PW_ERR_CONFIG },
	};

	if (!err || err->kind != PW_ERR_DB)
		return -1;
	for (size_t i = 0; i < PW_COUNT(kinds); i++)
		if (strcmp(err->sqlstate, kinds[i].sqlstate) == 0)
			err->kind = kinds[i].kind;
	if (err->kind == PW_ERR_CONFIG)
		pw_err_prefix(err, "our schema is not in this database as it should be (pulp-task db check tells more)");
	return -1;
}

int
pw_rows_get(struct pw_db *db, const char *sql, const struct pw_db_params *params,
	    int64_t deadline_ns, struct pw_records *ret_rows, struct pw_err *err)
{
	pw_auto_records rows = PW_RECORDS_INIT;
	pw_auto_result *result = NULL;

	if (pw_db_exec(db, sql, params, deadline_ns, &result, err) < 0)
		return judge(err);
	if (take_rows(result, &rows) < 0)
		return pw_err_nomem(err);
	*ret_rows = rows;
	rows = (struct pw_records)PW_RECORDS_INIT;
	return 0;
}

int
pw_rows_get_one(struct pw_db *db, const char *sql, const struct pw_db_params *params,
		int64_t deadline_ns, const char *what, const char *name, struct pw_record **ret_row,
		struct pw_err *err)
{
	pw_auto_records rows = PW_RECORDS_INIT;

	if (pw_rows_get(db, sql, params, deadline_ns, &rows, err) < 0)
		return -1;
	if (rows.count == 0)
		return pw_err_set(err, PW_ERR_NOTFOUND, "there is no %s %s", what, name);
	*ret_row = pw_steal_ptr(&rows.items[0]);
	return 0;
}

const char *
pw_rows_seconds(int64_t ns, char buf[PW_ROWS_SECONDS_SIZE])
{
	if (!ns)
		return NULL;
	snprintf(buf, PW_ROWS_SECONDS_SIZE, "%" PRId64 ".%06" PRId64, ns / PW_SEC, ns % PW_SEC / 1000);
	return buf;
}
