/* SPDX-License-Identifier: MIT */
/* What the layer db does without a server: array literals, connection strings, which errors pass. */
#include "base/attr.h"
#include "db/conn.h"
#include "lib/tap.h"

static void
test_array(void)
{
	static const char *const items[] = { "a", "", "b\"c\\d", NULL, "NULL", "{x,y}", " z " };
	pw_auto_free char *array = pw_db_array(items, PW_COUNT(items)),
			  *empty = pw_db_array(NULL, 0);

	is_str(array, "{\"a\",\"\",\"b\\\"c\\\\d\",NULL,\"NULL\",\"{x,y}\",\" z \"}", "an array literal");
	is_str(empty, "{}", "an empty one");
}

static void
test_conninfo(void)
{
	static const struct {
		const char *conninfo, *text;
	} rows[] = {
		{ "host=/tmp password=my secret", "missing \"" },
		{ "postgresql://u:secret@[::1/db", "database connection string" },
		{ "postgresql://u:sec@ret@localhost/db", "an @ in a user name or password is written %40" },
		{ "postgresql://localhost:port=1/db?nonsense=secret@x", "database connection string" },
		{ "hots=/tmp", "invalid connection option \"hots\"" },
		{ "host='/tmp", "unterminated quoted string" },
	};
	struct pw_db *db = NULL;
	struct pw_err err;

	for (size_t i = 0; i < PW_COUNT(rows); i++) {
		err = (struct pw_err){ 0 };
		ok(pw_db_connect(rows[i].conninfo, "t", &db, &err) < 0 && err.kind == PW_ERR_CONFIG && !strstr(err.text, "secret") &&
			   !strstr(err.text, "ret@") && strstr(err.text, rows[i].text),
		   "a bad connection string: %s", err.text);
		ok(pw_db_connect_start(rows[i].conninfo, "t", &db, &err) < 0 && err.kind == PW_ERR_CONFIG, "by events too");
	}
	ok(pw_db_connect("host=/nowhere/at/all", "t", &db, &err) < 0 && err.kind == PW_ERR_DB_LOST && strstr(err.text, "/nowhere/at/all") &&
		   !strchr(err.text, '\n') && pw_db_error_is_transient(&err),
	   "nobody there: %s", err.text);
	ok(pw_db_connect_start("host=/nowhere/at/all", "t", &db, &err) < 0 && err.kind == PW_ERR_DB_LOST, "by events too: %s", err.text);
}

static void
test_transient(void)
{
	static const struct {
		enum pw_err_kind kind;
		const char *sqlstate;
		bool want;
	} rows[] = {
		{ PW_ERR_DB, "40001", true }, { PW_ERR_DB, "40P01", true }, { PW_ERR_DB, "55P03", true }, { PW_ERR_DB, "53100", true },
		{ PW_ERR_DB, "57014", true }, { PW_ERR_DB, "08006", true }, { PW_ERR_DB, "23505", false }, { PW_ERR_DB, "42P01", false },
		{ PW_ERR_DB, "", false }, { PW_ERR_DB_LOST, "", true }, { PW_ERR_TIMEOUT, "", true }, { PW_ERR_CONFIG, "40001", false },
	};

	for (size_t i = 0; i < PW_COUNT(rows); i++) {
		struct pw_err err = { .kind = rows[i].kind };

		strcpy(err.sqlstate, rows[i].sqlstate);
		is_int(pw_db_error_is_transient(&err), rows[i].want, "kind %d '%s'", rows[i].kind, rows[i].sqlstate);
	}
}

int
main(void)
{
	test_array();
	test_conninfo();
	test_transient();
	return tap_done();
}
