/* SPDX-License-Identifier: MIT */
/*
 * Installs, updates and drops our schema, in pulp-task and where an embedded
 * cluster is opened. One program at a time, by an advisory lock. Each migration
 * is one transaction that also records it, so that a program that dies on the
 * way leaves whole steps only. Never touches a contract table that it did not
 * make, but for our triggers.
 */
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sql/sql.h"
#include "store/schema_private.h"

#define PATIENCE (60 * PW_SEC)	/* for others who hold a table */
#define STEP (300 * PW_SEC)	/* for one statement, locks and all */

struct job {
	struct pw_db *db;
	const struct pw_sql_file *migration;	/* NULL: the functions */
	const struct pw_sql_file *first;	/* the first that is not recorded yet */
	bool skip;				/* record it only */
};
/* What is done within one transaction. */
typedef int job_fn(const struct job *job, struct pw_err *err);

static int
script(struct pw_db *db, const char *sql, struct pw_err *err)
{
	return pw_db_script(db, sql, pw_now_ns() + STEP, err);
}

static bool
is_lock_trouble(const struct pw_err *err)
{
	return err->kind == PW_ERR_DB && (strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0);
}

static int
transact_once(const struct job *job, job_fn *fn, struct pw_err *err)
{
	struct pw_err ignored;

	if (script(job->db, pw_sql_migrate_begin, err) < 0)
		return -1;
	if (fn(job, err) == 0 && script(job->db, "commit", err) == 0)
		return 0;
	if (pw_db_state(job->db) == PW_DB_IDLE && script(job->db, "rollback", &ignored) < 0)
		pw_log_debug(NULL, "migrate.rollback", "msg=%s", pw_log_quote(ignored.text));
	return -1;
}

/* Runs FN in a transaction; where a table is in use, again, with a pause in which those who queued behind us come to their turn. */
static int
transact(const struct job *job, job_fn *fn, struct pw_err *err)
{
	int64_t deadline = pw_now_ns() + PATIENCE, pause = 100 * PW_MS;
	struct pw_err why;

	for (;;) {
		if (transact_once(job, fn, &why) == 0)
			return 0;
		if (!is_lock_trouble(&why) || pw_now_ns() > deadline)
			break;
		pw_log_debug(NULL, "migrate.retry", "msg=%s", pw_log_quote(why.text));
		if (pw_db_wait(job->db, pw_now_ns() + pause, &why) < 0)
			break;
		pause = pause < PW_SEC ? pause * 2 : pause;
	}
	if (is_lock_trouble(&why))
		return pw_err_set(err, PW_ERR_BUSY, "the database is in use: %s (for %d s); end what holds the table core_task, or try again "
						    "later",
				  why.text, (int)(PATIENCE / PW_SEC));
	if (err)
		*err = why;
	return -1;
}

/* Takes the lock that lets one program at a time change the schema. */
static int
lock(struct pw_db *db, struct pw_err *err)
{
	struct pw_err why;

	if (pw_db_exec(db, pw_sql_migrate_lock, NULL, pw_now_ns() + 2 * PATIENCE, NULL, &why) == 0)
		return 0;
	if (is_lock_trouble(&why))
		return pw_err_set(err, PW_ERR_BUSY, "another program is changing the schema pulp_worker: try again later");
	if (err)
		*err = why;
	return -1;
}

static void
unlock(struct pw_db *db)
{
	struct pw_err ignored;

	if (pw_db_state(db) == PW_DB_IDLE &&
	    pw_db_exec(db, pw_sql_migrate_unlock, NULL, pw_now_ns() + STEP, NULL, &ignored) < 0)
		pw_log_debug(NULL, "migrate.unlock", "msg=%s", pw_log_quote(ignored.text));
}

static int
record(struct pw_db *db, const struct pw_sql_file *migration, struct pw_err *err)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", migration->number);
	return pw_db_exec(db, pw_sql_migrate_record, PW_DB_PARAMS(number, migration->name),
			  pw_now_ns() + STEP, NULL, err);
}

/*
 * One migration. The table that records them comes with the second, which
 * therefore records the first too; if a program dies between the two, the
 * first's tables are found and it is not run again.
 */
static int
migrate(const struct job *job, struct pw_err *err)
{
	if (!job->skip && script(job->db, job->migration->text, err) < 0)
		return pw_err_prefix(err, "migration %s", job->migration->name);
	if (job->migration == pw_sql_schema && job->migration[1].text)
		return 0;
	for (const struct pw_sql_file *file = job->first; file <= job->migration; file++)
		if (record(job->db, file, err) < 0)
			return pw_err_prefix(err, "migration %s", file->name);
	return 0;
}

static int
make_functions(const struct job *job, struct pw_err *err)
{
	char hash[17];

	pw_schema_functions_hash(hash);
	if (script(job->db, pw_sql_migrate_functions_begin, err) < 0)
		return -1;
	for (const struct pw_sql_file *file = pw_sql_functions; file->text; file++)
		if (script(job->db, file->text, err) < 0)
			return pw_err_prefix(err, "functions %s", file->name);
	return pw_db_exec(job->db, pw_sql_migrate_functions_end, PW_DB_PARAMS(hash),
			  pw_now_ns() + STEP, NULL, err);
}

static bool
is_contract(const struct pw_sql_file *migration)
{
	const char *end = strrchr(migration->name, '_');

	return end && strcmp(end, "_contract") == 0;
}

/* Under the lock. */
static int
install(struct pw_db *db, int *applied, struct pw_err *err)
{
	struct pw_schema_facts facts;
	struct job job = { .db = db };

	if (pw_schema_facts(db, &facts, err) < 0 || pw_schema_may_install(&facts, err) < 0)
		return -1;
	for (const struct pw_sql_file *file = pw_sql_schema; file->text; file++) {
		if (file->number <= facts.info.number)
			continue;
		job.migration = file;
		job.first = job.first ? job.first : file;
		job.skip = is_contract(file) && facts.info.contract;
		if (transact(&job, migrate, err) < 0)
			return -1;
		*applied += !job.skip;
	}
	return facts.info.state == PW_SCHEMA_CURRENT ? 0 : transact(&job, make_functions, err);
}

int
pw_schema_install(struct pw_db *db, int *ret_applied, struct pw_err *err)
{
	struct pw_schema_facts facts;
	int applied = 0, failed;

	/* What is wrong is told without waiting for the lock, and on a standby there is none. */
	if (pw_schema_facts(db, &facts, err) < 0 || pw_schema_may_install(&facts, err) < 0)
		return -1;
	if (facts.info.state != PW_SCHEMA_CURRENT) {
		if (lock(db, err) < 0)
			return -1;
		failed = install(db, &applied, err);
		unlock(db);
		if (failed < 0)
			return -1;
	}
	*ret_applied = applied;
	return 0;
}

static int
drop(const struct job *job, struct pw_err *err)
{
	return script(job->db, pw_sql_uninstall, err);
}

int
pw_schema_uninstall(struct pw_db *db, struct pw_err *err)
{
	struct job job = { .db = db };
	struct pw_schema_facts facts;
	int result = 1;

	if (pw_schema_facts(db, &facts, err) < 0 || pw_schema_may_change(&facts, err) < 0)
		return -1;
	if (!facts.schema)
		return 1;
	if (lock(db, err) < 0)
		return -1;
	/* Another program may have dropped it while we waited. */
	if (pw_schema_facts(db, &facts, err) < 0)
		result = -1;
	else if (facts.schema)
		result = transact(&job, drop, err);
	unlock(db);
	return result;
}
