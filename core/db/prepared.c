/* SPDX-License-Identifier: MIT */
/*
 * Prepared statements: which ones a session has, under which name, and what an error says of them. When one is prepared is
 * decided by exec.c, or by who calls pw_db_send_prepare.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "db/conn_private.h"

#define NAME_SIZE 40
#define NOT_PREPARED "26000" /* invalid_sql_statement_name */

/* "cached plan must not change result type" has no SQLSTATE of its own. */
static bool
is_of_plan(const PGresult *error)
{
	const char *function = PQresultErrorField(error, PG_DIAG_SOURCE_FUNCTION);

	return function && strcmp(function, "RevalidateCachedQuery") == 0;
}

bool
pw_db_knows(const struct pw_db *db, const char *sql)
{
	for (size_t i = 0; i < PW_COUNT(db->prepared); i++)
		if (db->prepared[i] == sql)
			return true;
	return false;
}

void
pw_db_remember(struct pw_db *db, const char *sql)
{
	for (size_t i = 0; i < PW_COUNT(db->prepared); i++)
		if (!db->prepared[i] || db->prepared[i] == sql) {
			db->prepared[i] = sql;
			return;
		}
}

void
pw_db_forget(struct pw_db *db, const PGresult *error)
{
	const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	bool all = sqlstate && strcmp(sqlstate, NOT_PREPARED) == 0;

	if (!db->known || (!all && !is_of_plan(error)))
		return;
	for (size_t i = 0; i < PW_COUNT(db->prepared); i++)
		if (all || db->prepared[i] == db->known)
			db->prepared[i] = NULL;
	db->forgetful = true;
}

/* One name for one text: a pooler that shares sessions may have given this one to another program of ours. */
static const char *
prepared_name(const char *sql, char name[NAME_SIZE])
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (; *sql; sql++)
		hash = (hash ^ (unsigned char)*sql) * 0x100000001b3;
	snprintf(name, NAME_SIZE, "pulp_worker_%016" PRIx64, hash);
	return name;
}

int
pw_db_send_statement(struct pw_db *db, const char *sql, const struct pw_db_params *params)
{
	char name[NAME_SIZE];

	if (db->preparing)
		return PQsendPrepare(db->conn, prepared_name(sql, name), sql, 0, NULL);
	if (db->known)
		return PQsendQueryPrepared(db->conn, prepared_name(sql, name), params->count,
					   params->values, NULL, NULL, 0);
	return PQsendQueryParams(db->conn, sql, params ? params->count : 0, NULL,
				 params ? params->values : NULL, NULL, NULL, 0);
}
