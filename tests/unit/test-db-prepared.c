/* SPDX-License-Identifier: MIT */
/* Statements that are said often are prepared: by those who wait for their answers. Beside events: test-db.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pgdb.h"
#include "lib/tap.h"

#define SOON (pw_now_ns() + 20 * PW_SEC)

static const char often[] = "select $1::int + count(*) from pg_prepared_statements";

/* What OFTEN says: how many are prepared. */
static int
prepared(struct pw_db *db)
{
	pw_auto_result *result = NULL;
	struct pw_err err = { 0 };

	if (pw_db_exec(db, often, PW_DB_PARAMS("0"), SOON, &result, &err) < 0) {
		printf("# %s\n", err.text);
		return -1;
	}
	return atoi(PQgetvalue(result, 0, 0));
}

static const char also[] = "select $1::int, count(*) from pg_prepared_statements", made[] = "select made.* from made where $1::int = 1";

static void
test_several(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo);
	pw_auto_result *result = NULL;
	struct pw_err err = { 0 };

	for (int i = 0; i < 3; i++) {
		is_int(prepared(db), i ? 2 : 0, "one statement");
		is_int(prepared(db), i ? 2 : 1, "is prepared");
		for (int j = 0; j < 2; j++)
			is_int(pw_db_exec(db, also, PW_DB_PARAMS("1"), SOON, NULL, &err), 0, "another one %d", j);
	}
	is_int(prepared(db), 2, "each once");
	pgdb_value(db, "create table made (a int)");
	for (int i = 0; i < 3; i++)
		is_int(pw_db_exec(db, made, PW_DB_PARAMS("1"), SOON, NULL, &err), 0, "one of a table");
	is_int(prepared(db), 3, "is prepared");
	pgdb_value(db, "alter table made add b int");
	is_int(pw_db_exec(db, made, PW_DB_PARAMS("1"), SOON, &result, &err), 0, "and said anew when the table has changed: %s", err.text);
	is_int(PQnfields(result), 2, "as it is now");
	pw_db_close(db);
}

static const char refuses[] = "select refuse($1::int)";

/* What a function of ours refuses has the SQLSTATE of a plan that has changed. */
static void
test_refused(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo);
	struct pw_err err = { 0 };

	pgdb_value(db, "create function refuse(int) returns int language plpgsql as "
		       "$$ begin insert into asked values ($1); return $1; exception when others then raise 'refused' using errcode = '0A000'; end $$");
	for (int i = 0; i < 4; i++)
		ok(pw_db_exec(db, refuses, PW_DB_PARAMS("1"), SOON, NULL, &err) < 0 && strcmp(err.sqlstate, "0A000") == 0 && strcmp(err.text, "refused") == 0,
		   "refused: %s", err.text);
	is_int(prepared(db), 1, "stays prepared");
	is_int(prepared(db), 2, "and others are too");
	pgdb_value(db, "create table asked (a int)");
	is_int(pw_db_exec(db, refuses, PW_DB_PARAMS("1"), SOON, NULL, &err), 0, "accepted");
	is_int(pw_db_exec(db, refuses, PW_DB_PARAMS("1"), SOON, NULL, &err), 0, "again");
	is_str(pgdb_value(db, "select count(*) from asked"), "2", "each was said once");
	pw_db_close(db);
}

static void
test_prepared(void)
{
	struct pw_db *db = pgdb_connect(pg_conninfo), *theirs = NULL;
	struct pw_err err = { 0 };
	PGconn *conn;

	is_int(prepared(db), 0, "said once, a statement is not prepared");
	is_int(prepared(db), 1, "the second time it is");
	is_int(prepared(db), 1, "and stays so");
	is_str(pgdb_value(db, "deallocate all"), "no row", "a pooler gives us another session");
	is_int(prepared(db), 0, "it is said all the same");
	is_int(prepared(db) + prepared(db), 0, "and not prepared again");
	pw_db_close(db);

	db = pgdb_connect(pg_conninfo);
	for (int i = 0; i < 3; i++)
		ok(pw_db_exec(db, "select $1::int / 0", PW_DB_PARAMS("1"), SOON, NULL, &err) < 0 && strcmp(err.sqlstate, "22012") == 0,
		   "one that fails tells its own error: %s", err.text);
	is_str(pgdb_value(db, "begin"), "no row", "a transaction");
	is_int(prepared(db) + prepared(db), 2, "nothing more is prepared in it");
	pw_db_close(db);

	conn = PQconnectdb(pg_conninfo);
	is_int(pw_db_wrap(conn, &theirs, &err), 0, "a connection of somebody else's");
	is_int(prepared(theirs) + prepared(theirs) + prepared(theirs), 0, "has nothing prepared");
	pw_db_close(theirs);
	PQfinish(conn);
}

int
main(void)
{
	const char *why = pg_start();

	if (why) {
		skip(why, "everything with a server");
		return tap_done();
	}
	test_prepared();
	test_several();
	test_refused();
	pg_stop();
	return tap_done();
}
