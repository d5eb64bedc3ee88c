/* SPDX-License-Identifier: MIT */
/* The private PostgreSQL of pg.h by way of db/conn.h. */
#ifndef TESTS_LIB_PGDB_H
#define TESTS_LIB_PGDB_H

#include "base/clock.h"
#include "db/conn.h"
#include "lib/pg.h"

static inline struct pw_db *
pgdb_connect(const char *conninfo)
{
	struct pw_db *db = NULL;
	struct pw_err err = { 0 };

	if (pw_db_connect(conninfo, "test", &db, &err) < 0)
		bail("%s", err.text);
	return db;
}

/* The first value of a statement's answer; lives until the next call. */
static inline const char *
pgdb_value(struct pw_db *db, const char *sql)
{
	static char text[256];
	pw_auto_result *result = NULL;
	struct pw_err err = { 0 };

	if (pw_db_exec(db, sql, NULL, pw_now_ns() + 60 * PW_SEC, &result, &err) < 0)
		snprintf(text, sizeof(text), "error: %.200s", err.text);
	else
		snprintf(text, sizeof(text), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "no row");
	return text;
}

#endif
