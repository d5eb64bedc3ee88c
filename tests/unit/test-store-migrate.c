/* SPDX-License-Identifier: MIT */
/* The schema: installed, updated, dropped; refused with what to do; by several at once; interrupted; on tables in use. */

#include "base/buf.h"
#include "base/clock.h"
#include "lib/pgdb.h"
#include "lib/tap.h"
#include "store/migrate.h"

#define SOON (pw_now_ns() + 60 * PW_SEC)

static struct pw_db *
connect_to(const char *database, const char *role)
{
	char conninfo[200];

	snprintf(conninfo, sizeof(conninfo), "host=%s user=%s dbname=%s", pg_dir, role, database);
	return pgdb_connect(conninfo);
}

static void
run(struct pw_db *db, const char *sql)
{
	struct pw_err err;

	if (pw_db_script(db, sql, SOON, &err) < 0)
		bail("%s: %s", sql, err.text);
}

static void
run_in(const char *database, const char *sql)
{
	struct pw_db *db = connect_to(database, "postgres");

	run(db, sql);
	pw_db_close(db);
}

static struct pw_schema_info
check(struct pw_db *db)
{
	struct pw_schema_info info = { 0 };
	struct pw_err err;

	if (pw_schema_check(db, &info, &err) < 0)
		bail("%s", err.text);
	return info;
}

/* How many migrations were applied; -1 and *err. */
static int
install(struct pw_db *db, struct pw_err *err)
{
	int applied = -1;

	*err = (struct pw_err){ 0 };
	return pw_schema_install(db, &applied, err) < 0 ? -1 : applied;
}

static void
test_alone(void)
{
	struct pw_db *db;
	struct pw_schema_info info;
	struct pw_err err;
	int known;

	run_in("postgres", "create database alone");
	db = connect_to("alone", "postgres");
	info = check(db);
	known = info.known;
	is_int(info.state, PW_SCHEMA_NONE, "nothing is there");
	ok(pw_schema_error(&info, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, "pulp-task db install"), "%s", err.text);
	is_int(install(db, &err), known, "every migration is applied %s", err.text);
	info = check(db);
	ok(info.state == PW_SCHEMA_CURRENT && info.number == known && info.functions_current && !info.live_pulp && info.contract, "and is there");
	ok(strcmp(info.hstore, "public") == 0 && strstr(info.database, "alone at /tmp/"), "%s", info.database);
	is_int(install(db, &err), 0, "a second time nothing is done");
	is_int(atoi(pgdb_value(db, "select count(*) from pulp_worker.migration")), known, "each is recorded");
	is_str(pgdb_value(db, "select count(*) from pg_locks where locktype = 'advisory'"), "0", "the lock is free");

	run(db, "update pulp_worker.setting set value = 'other' where name = 'functions'; drop function pulp_worker.recheck()");
	info = check(db);
	ok(info.state == PW_SCHEMA_OLD && !info.functions_current, "other functions are noticed");
	ok(pw_schema_error(&info, &err) < 0 && strstr(err.text, "other functions"), "%s", err.text);
	is_int(install(db, &err), 0, "and made anew");
	ok(check(db).functions_current && strcmp(pgdb_value(db, "select pulp_worker.recheck()"), "0") == 0, "they work");

	run(db, "insert into pulp_worker.migration (number, name) values (9999, '9999_future')");
	info = check(db);
	is_int(info.state, PW_SCHEMA_NEW, "a newer schema is noticed");
	ok(install(db, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, "newer than this program"), "and refused: %s", err.text);
	pw_db_close(db);
}

/* A Pulp that we do not know is refused by all but uninstall. */
static void
strange_pulp(struct pw_db *db, const char *make, const char *undo, const char *want)
{
	struct pw_schema_info info;
	struct pw_err err = { 0 };

	run(db, make);
	ok(pw_schema_check(db, &info, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, want), "%s: %s", make, err.text);
	ok(install(db, &err) < 0 && strstr(err.text, want), "nor can anything be installed");
	run(db, undo);
	is_int(check(db).state, PW_SCHEMA_CURRENT, "put right again");
}

static void
test_uninstall(void)
{
	struct pw_db *db;
	struct pw_err err;
	int known;

	run_in("postgres", "create database dropped");
	db = connect_to("dropped", "postgres");
	is_int(pw_schema_uninstall(db, &err), 1, "there is nothing to drop");
	known = install(db, &err);
	is_str(pgdb_value(db, "select state from pulp_worker.dispatch('example.greet')"), "waiting", "a task");
	is_int(pw_schema_uninstall(db, &err), 0, "dropped");
	is_int(check(db).state, PW_SCHEMA_NONE, "our schema is gone");
	is_str(pgdb_value(db, "select count(*) from core_task"), "1", "the task is not");
	is_str(pgdb_value(db, "select count(*) from pg_trigger where tgrelid = 'core_task'::regclass and tgname like 'pulp_worker%'"), "0", "our triggers are");
	is_int(install(db, &err), known - 1, "installed again, all but the contract's tables %s", err.text);
	is_str(pgdb_value(db, "select count(*) from pulp_worker.inbox"), "1", "the task is noted");
	is_int(check(db).state, PW_SCHEMA_CURRENT, "everything is recorded");
	run(db, "drop schema pulp_worker cascade; create table django_migrations ()");
	is_int(check(db).state, PW_SCHEMA_PULP, "a live Pulp is recognised");
	is_int(install(db, &err), known - 1, "and its tables are left alone %s", err.text);
	ok(check(db).live_pulp, "it stays one");
	strange_pulp(db, "alter table core_task add worker_id uuid", "alter table core_task drop worker_id", "older than pulpcore 3.91");
	strange_pulp(db, "create table core_export (pulp_id uuid)", "drop table core_export", "older than pulpcore 3.91");
	strange_pulp(db, "alter table core_appstatus rename ttl to tt", "alter table core_appstatus rename tt to ttl", "core_appstatus.ttl is missing");
	strange_pulp(db, "alter table core_progressreport add colour text not null", "alter table core_progressreport drop colour", "core_progressreport.colour must be given");
	strange_pulp(db, "alter table core_task drop error", "alter table core_task add error jsonb", "core_task.error is missing");
	run(db, "alter table core_task add shape text not null default 'round', add size int, drop pulp_api_version");
	is_int(check(db).state, PW_SCHEMA_CURRENT, "columns that need not be given, and the one that is new in 3.115, do not matter");
	pw_db_close(db);
}

static void
refused(const char *database, const char *role, const char *want, const char *what)
{
	struct pw_db *db = connect_to(database, role);
	struct pw_err err;

	ok(install(db, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, want), "%s: %s", what, err.text);
	is_str(pgdb_value(db, "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'pulp_worker' or relname like 'core\\_%'"),
	       "0", "nothing was made");
	pw_db_close(db);
}

static void
test_refused(void)
{
	struct pw_db *db;
	struct pw_err err;

	run_in("postgres", "create database readonly");
	run_in("postgres", "create database plain");
	run_in("postgres", "create database hstored");
	run_in("postgres", "create role plain login");
	run_in("postgres", "alter database readonly set default_transaction_read_only = on");
	run_in("plain", "revoke create on schema public from public");
	run_in("hstored", "create schema ext; create extension hstore schema ext");
	refused("readonly", "postgres", "read-only", "a read-only database");
	refused("plain", "plain", "grant create on database \"plain\" to \"plain\"", "a role without rights");
	run_in("plain", "grant create on database plain to plain");
	refused("plain", "plain", "grant create on schema public to \"plain\"", "a role with few");
	run_in("plain", "grant create on schema public to plain");
	db = connect_to("plain", "plain");
	ok(install(db, &err) > 0, "what it said helps %s", err.text);
	is_int(check(db).state, PW_SCHEMA_CURRENT, "an ordinary role has it all");
	db = pw_db_close(db);
	run_in("postgres", "create role third login");
	db = connect_to("plain", "third");
	ok(pw_schema_uninstall(db, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, "connect as its owner"), "somebody else may not drop it: %s", err.text);
	db = pw_db_close(db);
	refused("hstored", "postgres", "alter extension hstore set schema public", "hstore elsewhere");
	run_in("hstored", "alter extension hstore set schema public; create schema pulp_worker");
	refused("hstored", "postgres", "not ours", "somebody else's schema");
}

/* Starts a process that runs FN on its own connection; its exit status tells. */
static pid_t
start(int (*fn)(struct pw_db *db), const char *database)
{
	pid_t pid = fork();
	struct pw_db *db;
	int status;

	if (pid)
		return pid;
	db = connect_to(database, "postgres");
	status = fn(db);
	pw_db_close(db);
	_exit(status);
}

static int
finish(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
install_in_child(struct pw_db *db)
{
	struct pw_err err;

	return install(db, &err) < 0;
}

static void
test_many(void)
{
	static struct pw_db *db;
	pid_t pids[6];
	int failed = 0;

	run_in("postgres", "create database many");
	for (size_t i = 0; i < PW_COUNT(pids); i++)
		pids[i] = start(install_in_child, "many");
	for (size_t i = 0; i < PW_COUNT(pids); i++)
		failed += finish(pids[i]) != 0;
	is_int(failed, 0, "six at once, all succeed");
	db = connect_to("many", "postgres");
	is_int(check(db).state, PW_SCHEMA_CURRENT, "and it is there");
	pw_db_close(db);
}

/* Kills each session of the database until the installing child has ended, then installs: whole steps are left, whatever was done. */
static void
test_interrupted(void)
{
	static struct pw_db *db; /* its children have it too: no leak */
	struct pw_err err;

	run_in("postgres", "create database broken");
	db = connect_to("postgres", "postgres");
	for (int i = 0; i < 5; i++) {
		pid_t pid = start(install_in_child, "broken");

		while (waitpid(pid, NULL, WNOHANG) == 0)
			pgdb_value(db, "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'broken' and "
				       "(query like '%create %' or query like '%pulp_worker%')");
	}
	db = pw_db_close(db);
	db = connect_to("broken", "postgres");
	ok(install(db, &err) >= 0, "after five interruptions %s", err.text);
	is_int(check(db).state, PW_SCHEMA_CURRENT, "all is there");
	pw_db_close(db);
}

static int
hold_table(struct pw_db *db)
{
	struct pw_err err;

	return pw_db_script(db, "begin; lock table core_task in row exclusive mode; select pg_sleep(2.5); commit",
			    SOON, &err) < 0;
}

static void
test_in_use(void)
{
	static struct pw_db *db;
	struct pw_err err;
	int64_t begin, deadline;
	pid_t pid;

	run_in("postgres", "create database busy");
	db = connect_to("busy", "postgres");
	install(db, &err);
	run(db, "update pulp_worker.setting set value = 'other' where name = 'functions'");
	pid = start(hold_table, "busy");
	deadline = SOON;
	/* Each look is a round trip; the holder is there within a few. */
	while (strcmp(pgdb_value(db, "select count(*) from pg_locks join pg_stat_activity using (pid) "
				     "where relation = 'core_task'::regclass and wait_event = 'PgSleep'"),
		      "1") != 0 &&
	       pw_now_ns() < deadline)
		;
	begin = pw_now_ns();
	is_int(install(db, &err), 0, "a table in use is waited for %s", err.text);
	ok(pw_now_ns() - begin > 2 * PW_SEC, "longer than one attempt takes");
	ok(check(db).functions_current, "and then it is done");
	is_int(finish(pid), 0, "the other one was not disturbed");
	pw_db_close(db);
}

int
main(void)
{
	const char *why = pg_start();

	if (why) {
		skip(why, "everything");
		return tap_done();
	}
	test_alone();
	test_uninstall();
	test_refused();
	test_many();
	test_interrupted();
	test_in_use();
	pg_stop();
	return tap_done();
}
