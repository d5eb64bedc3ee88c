/* SPDX-License-Identifier: MIT */
/*
 * A guest's session: our functions are its own, in pg_temp, and the statements of core/sql/queries, which name our schema,
 * are said to it with that name. So the rest of the program does not know which of both it talks to.
 */
#include <string.h>

#include "base/clock.h"
#include "db/conn_private.h"
#include "sql/sql.h"

#define OUR_NAME "pulp_worker."
#define GUEST_NAME "pg_temp."

/* One of what the script makes, whole or not at all: it is one transaction, or part of the caller's. */
static const char is_made[] = "select to_regprocedure('pg_temp.why_facts(uuid)') is not null";

int
pw_db_guest_text(struct pw_db *db, const char **sql, struct pw_err *err)
{
	const char *at = *sql, *next;
	int ret = 0;

	pw_buf_clear(&db->text);
	while ((next = strstr(at, OUR_NAME))) {
		ret |= pw_buf_add(&db->text, at, (size_t)(next - at)) |
		       pw_buf_adds(&db->text, GUEST_NAME);
		at = next + strlen(OUR_NAME);
	}
	if ((ret | pw_buf_adds(&db->text, at)) < 0)
		return pw_err_nomem(err);
	*sql = pw_buf_text(&db->text);
	return 0;
}

int
pw_db_guest(struct pw_db *db, int64_t deadline_ns, struct pw_err *err)
{
	pw_auto_result *result = NULL;

	if (pw_db_exec(db, is_made, NULL, deadline_ns, &result, err) < 0)
		return -1;
	db->guest = true;
	if (PQgetvalue(result, 0, 0)[0] == 't')
		return 0;
	return pw_db_script(db, pw_sql_guest, deadline_ns, err);
}

bool
pw_db_is_guest(const struct pw_db *db)
{
	return db->guest;
}

void
pw_db_guest_from_start(struct pw_db *db)
{
	db->guest_due = true;
}
