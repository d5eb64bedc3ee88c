/* SPDX-License-Identifier: MIT */
/* Rows of an answer as records, and errors of statements as errors of questions. */
#ifndef PW_STORE_ROWS_H
#define PW_STORE_ROWS_H

#include "db/conn.h"
#include "task/record.h"

/* Runs a statement and gives its rows. */
int pw_rows_get(struct pw_db *db, const char *sql, const struct pw_db_params *params, int64_t deadline_ns,
		struct pw_records *ret_rows, struct pw_err *err) PW_MUSTCHECK;
/* The same for one row; PW_ERR_NOTFOUND with "there is no WHAT NAME" if there is none. The caller frees. */
int pw_rows_get_one(struct pw_db *db, const char *sql, const struct pw_db_params *params, int64_t deadline_ns, const char *what,
		    const char *name, struct pw_record **ret_row, struct pw_err *err) PW_MUSTCHECK;

#define PW_ROWS_SECONDS_SIZE 32
/* A span of time for make_interval(secs => $N::float8), NULL for 0. As text, an interval of many ms is out of range before PostgreSQL 15. */
const char *pw_rows_seconds(int64_t ns, char buf[PW_ROWS_SECONDS_SIZE]);

#endif
