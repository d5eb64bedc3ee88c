/* SPDX-License-Identifier: MIT */
/* What PostgreSQL and libpq say, as error records of one line. Pure. */
#include <stdio.h>
#include <string.h>

#include "db/conn_private.h"

int
pw_db_result_error(const PGresult *result, struct pw_err *err)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (!primary) /* libpq's own: the connection broke, out of memory */
		return pw_err_set(err, PW_ERR_DB, "%s", PQresultErrorMessage(result));
	if (detail && !*detail)
		detail = NULL;
	if (hint && !*hint)
		hint = NULL;
	pw_err_set(err, PW_ERR_DB, "%s%s%s%s%s%s", primary, detail ? " (" : "", detail ? detail : "", detail ? ")" : "",
		   hint ? "; " : "", hint ? hint : "");
	if (err && sqlstate)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", sqlstate);
	return -1;
}

int
pw_db_conn_error(PGconn *conn, struct pw_err *err)
{
	const char *text = PQerrorMessage(conn);

	return pw_err_set(err, PW_ERR_DB_LOST, "%s", *text ? text : "the connection to the database was lost");
}

bool
pw_db_error_is_transient(const struct pw_err *err)
{
	static const char *const classes[] = { "08", "40", "53", "55", "57" };

	if (err->kind == PW_ERR_DB_LOST || err->kind == PW_ERR_TIMEOUT)
		return true;
	for (size_t i = 0; i < PW_COUNT(classes); i++)
		if (err->kind == PW_ERR_DB && strncmp(err->sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}
