/* SPDX-License-Identifier: MIT */
/*
 * The private PostgreSQL: made, found again, stopped; by several at once;
 * interrupted, killed, in the wrong place, on a full disk; and nothing that is
 * not ours is touched.
 */

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/conn.h"
#include "embedded/embedded.h"
#include "embedded/open.h"
#include "lib/pg.h"
#include "lib/tap.h"

#define SOON (pw_now_ns() + 60 * PW_SEC)

static char top[] = "/tmp/test-emb-XXXXXX";
static pid_t owner;

/* A path in the test's folder, which the server's account can enter. It lives for 32 calls. */
static char *
in_top(const char *name)
{
	static char ring[32][PATH_MAX];
	static unsigned next;
	char *path = ring[next++ % 32];

	snprintf(path, PATH_MAX, "%s/%s", top, name);
	return path;
}

/* The connection string, or NULL and *err; *started. The caller frees it. */
static char *
open_at(const char *dir, bool *started, struct pw_err *err)
{
	char *conninfo = NULL;

	*started = false;
	*err = (struct pw_err){ 0 };
	return pw_embedded_open(dir, in_top("state"), &conninfo, started, err) < 0 ? NULL : conninfo;
}

static int
stop_at(const char *dir)
{
	struct pw_err err = { 0 };
	int result = pw_embedded_stop(dir, in_top("state"), &err);

	if (result < 0)
		printf("# stop: %s\n", err.text);
	return result;
}

/* The first value of a statement's answer there. Lives until the next call. */
static const char *
value(const char *conninfo, const char *sql)
{
	static char text[256];
	pw_auto_result *result = NULL;
	struct pw_err err = { 0 };
	struct pw_db *db = NULL;

	if (!conninfo || pw_db_connect(conninfo, "test", &db, &err) < 0 || pw_db_exec(db, sql, NULL, SOON, &result, &err) < 0)
		snprintf(text, sizeof(text), "error: %.200s", err.text);
	else
		snprintf(text, sizeof(text), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "no row");
	PQclear(pw_steal_ptr(&result));
	pw_db_close(db);
	return text;
}

/* The pid in DIR's pid file, 0 if there is none. */
static pid_t
server_pid(const char *dir)
{
	char path[PATH_MAX + 40];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/pg/postmaster.pid", dir);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

static void
write_file(const char *dir, const char *name, const char *mode, const char *text)
{
	char path[PATH_MAX + 64];
	FILE *f;
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	if (!f || fputs(text, f) < 0 || fclose(f) < 0)
		bail("%s: %s", path, strerror(errno));
	if (stat(dir, &st) == 0 && (chown(path, st.st_uid, st.st_gid) < 0 || chmod(path, 0755) < 0))
		bail("%s: %s", path, strerror(errno));
}

static void
test_fresh(void)
{
	char *dir = in_top("state/postgresql");
	int64_t begin = pw_now_ns(), made, again;
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = open_at("", &started, &err), *second = NULL;
	struct stat st;

	made = pw_now_ns() - begin;
	ok(conninfo && started, "made, started and installed %s", err.text);
	is_str(value(conninfo, "select state from pulp_worker.dispatch('example.greet')"), "waiting", "it works");
	is_str(value(conninfo, "select current_database() || current_user || current_setting('listen_addresses') || "
			       "current_setting('dynamic_shared_memory_type') || current_setting('server_encoding')"),
	       "pulppulpmmapUTF8", "as it should be");
	ok(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700 && st.st_uid != 0, "its folder is 0700 and not root's");
	begin = pw_now_ns();
	second = open_at("", &started, &err);
	again = pw_now_ns() - begin;
	is_str(second, conninfo, "the second one finds it");
	ok(!started, "and does not start it");
	printf("# made in %d ms, found again in %d ms\n", (int)(made / PW_MS), (int)(again / PW_MS));
	ok(again < 2 * PW_SEC, "without waiting for anything");
	ok(getsid(server_pid(dir)) != getsid(0) && getpgid(server_pid(dir)) != getpgid(0), "it is in a session of its own");
}

static void
test_stop(void)
{
	char *dir = in_top("state/postgresql");
	bool started;
	struct pw_err err;
	pid_t pid = server_pid(dir);
	pw_auto_free char *conninfo = NULL;

	is_int(stop_at(""), 0, "stopped");
	ok(kill(pid, 0) < 0 || access(in_top("state/postgresql/pg/postmaster.pid"), F_OK) < 0, "the server is gone");
	is_int(stop_at(""), 1, "there is nothing to stop");
	is_int(stop_at(in_top("nowhere")), 1, "nor where there is nothing");
	ok(access(in_top("nowhere"), F_OK) < 0, "and nothing is made");
	conninfo = open_at("", &started, &err);
	ok(conninfo && started, "started again %s", err.text);
	is_str(value(conninfo, "select count(*) from core_task"), "1", "with what it had");
}

static void
test_killed(void)
{
	char *dir = in_top("state/postgresql");
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = NULL, *again = NULL;
	char text[300];

	kill(server_pid(dir), SIGKILL);
	conninfo = open_at("", &started, &err);
	ok(conninfo && started, "after kill -9 it is started again %s", err.text);
	is_str(value(conninfo, "select count(*) from core_task"), "1", "with what it had");
	is_int(stop_at(""), 0, "stopped");
	snprintf(text, sizeof(text), "%d\n%s/pg\n1\n5432\n%s\n\n 1 1\nready   \n", (int)getpid(), dir, dir);
	write_file(dir, "pg/postmaster.pid", "w", text);
	again = open_at("", &started, &err);
	ok(again && started && server_pid(dir) != getpid(), "a stale pid file that names another process is no hindrance %s", err.text);
	is_int(stop_at(""), 0, "stopped");
}

static void
test_half_made(void)
{
	char *dir = in_top("half");
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = open_at(dir, &started, &err), *again = NULL;
	char from[PATH_MAX + 8], to[PATH_MAX + 8];

	is_int(stop_at(dir), 0, "stopped");
	snprintf(from, sizeof(from), "%s/pg", dir);
	snprintf(to, sizeof(to), "%s/pg.new", dir);
	if (rename(from, to) < 0)
		bail("rename: %s", strerror(errno));
	again = open_at(dir, &started, &err);
	ok(conninfo && again && started, "a half-made cluster is made anew %s", err.text);
	ok(access(to, F_OK) < 0, "and removed");
	is_int(stop_at(dir), 0, "stopped");
}

/* A child opens DIR: exit status 1 if it started the server, 0 if it found it, 2 if it failed. */
static pid_t
open_in_child(const char *dir)
{
	pid_t pid = fork();
	bool started;
	struct pw_err err;
	char *conninfo;
	int status = 2;

	if (pid)
		return pid;
	conninfo = open_at(dir, &started, &err);
	if (!conninfo)
		printf("# %s\n", err.text);
	else if (strcmp(value(conninfo, "select count(*) from core_task"), "0") != 0)
		printf("# no schema\n");
	else
		status = started;
	fflush(stdout);
	free(conninfo);
	_exit(status);
}

static void
test_many(void)
{
	char *dir = in_top("many");
	int counts[3] = { 0 }, status;
	pid_t pids[6];

	for (size_t i = 0; i < PW_COUNT(pids); i++)
		pids[i] = open_in_child(dir);
	for (size_t i = 0; i < PW_COUNT(pids); i++)
		if (waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) &&
		    WEXITSTATUS(status) < 2)
			counts[WEXITSTATUS(status)]++;
	ok(counts[0] == 5 && counts[1] == 1, "six at once: %d started it, %d found it", counts[1], counts[0]);
	is_int(stop_at(dir), 0, "stopped");
	is_int(stop_at(dir), 1, "and there was one only");
}

static void
test_interrupted(void)
{
	char *dir = in_top("interrupted"), path[PATH_MAX + 8];
	int64_t deadline = SOON;
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = NULL;
	pid_t pid = open_in_child(dir);

	snprintf(path, sizeof(path), "%s/pg.new", dir);
	while (access(path, F_OK) < 0 && pw_now_ns() < deadline)
		sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	conninfo = open_at(dir, &started, &err);
	ok(conninfo && started, "one that died while it made a cluster is no hindrance %s", err.text);
	is_int(stop_at(dir), 0, "stopped");
}

static void
refused(const char *dir, enum pw_err_kind kind, const char *want, const char *what)
{
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = open_at(dir, &started, &err);

	ok(!conninfo && err.kind == kind && strstr(err.text, want), "%s: %s", what, err.text);
}

static void
test_refused(void)
{
	char *dir = in_top("full"), *other = in_top("other"), *file = in_top("file");
	struct stat before, after;

	mkdir(dir, 0755);
	write_file(dir, "letter", "w", "dear");
	stat(dir, &before);
	refused(dir, PW_ERR_CONFIG, "is not empty", "a folder with other things");
	ok(stat(dir, &after) == 0 && after.st_mode == before.st_mode && after.st_uid == before.st_uid, "is left as it is");
	write_file(top, "file", "w", "");
	refused(file, PW_ERR_OS, "Not a directory", "a file");
	if (geteuid() != 0) {
		mkdir(other, 0500);
		refused(in_top("other/x"), PW_ERR_OS, "Permission denied", "a folder that cannot be written");
		refused("/", PW_ERR_CONFIG, "belongs to user root", "root's folder");
		return;
	}
	mkdir(other, 0700);
	refused(in_top("other/x"), PW_ERR_CONFIG, "cannot enter", "below a folder that the account cannot enter");
	other = in_top("nobody");
	mkdir(other, 0700);
	if (chown(other, 65534, 65534) < 0)
		bail("chown: %s", strerror(errno));
	refused(other, PW_ERR_CONFIG, "belongs to user nobody", "somebody else's empty folder");
	write_file(other, "lock", "w", "");
	chmod(top, 01777);
	refused(other, PW_ERR_CONFIG, "belongs to user nobody", "somebody else's cluster where anybody could have put it");
	chmod(top, 0711);
}

static void
test_programs(void)
{
	char *dir = in_top("programs"), *bin = in_top("bin"), path[PATH_MAX + 20];
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = NULL, *saved = getenv("PULP_PG_BINDIR") ? strdup(getenv("PULP_PG_BINDIR")) : NULL;

	setenv("PULP_PG_BINDIR", in_top("nobin"), 1);
	refused(dir, PW_ERR_CONFIG, "are not there", "PULP_PG_BINDIR leads nowhere");
	mkdir(bin, 0755);
	write_file(bin, "initdb", "w", "#!/bin/sh\nmkdir pg.new\necho 'creating directory ...'\necho 'initdb: error: boom' >&2\nexit 1\n");
	write_file(bin, "postgres", "w", "#!/bin/sh\necho 'postgres (PostgreSQL) 15.20'\n");
	setenv("PULP_PG_BINDIR", bin, 1);
	write_file(bin, "postgres", "w", "#!/bin/sh\necho 'postgres (PostgreSQL) 12.22'\n");
	refused(dir, PW_ERR_CONFIG, "is too old: 13 or newer", "old programs");
	write_file(bin, "postgres", "w", "#!/bin/sh\necho 'postgres (PostgreSQL) 15.20'\n");
	refused(dir, PW_ERR_DB_LOST, "initdb failed: initdb: error: boom", "initdb fails");
	snprintf(path, sizeof(path), "%s/pg.new", dir);
	ok(access(path, F_OK) < 0, "what it left is removed");
	saved ? setenv("PULP_PG_BINDIR", saved, 1) : unsetenv("PULP_PG_BINDIR");
	conninfo = open_at(dir, &started, &err);
	ok(conninfo, "with working ones it works %s", err.text);
	is_int(stop_at(dir), 0, "stopped");
	write_file(dir, "pg/postgresql.conf", "a", "\nnonsense = 1\n");
	refused(dir, PW_ERR_DB_LOST, "did not start", "a broken configuration");
	write_file(dir, "pg/PG_VERSION", "w", "99\n");
	refused(dir, PW_ERR_CONFIG, "was made by PostgreSQL 99, and there is only", "a newer data directory");
	write_file(dir, "pg/PG_VERSION", "w", "10\n");
	refused(dir, PW_ERR_CONFIG, "was made by PostgreSQL 10, and there is only", "an older one");
	write_file(dir, "pg/PG_VERSION", "w", "");
	refused(dir, PW_ERR_CONFIG, "does not hold a version", "a damaged one");
	snprintf(path, sizeof(path), "%s/pg/global/pg_control", dir);
	ok(access(path, F_OK) == 0, "and nothing was destroyed");
}

static void
test_names(void)
{
	char *quoted = in_top("it's a \\ folder"), *longer = in_top("");
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = open_at(quoted, &started, &err), *far = NULL;
	char target[64];
	ssize_t n;

	is_str(value(conninfo, "select current_database()"), "pulp", "an odd name %s", err.text);
	is_int(stop_at(quoted), 0, "stopped");
	memset(longer + strlen(longer), 'x', 120);
	longer[strlen(top) + 121] = '\0';
	far = open_at(longer, &started, &err);
	is_str(value(far, "select current_database()"), "pulp", "a long name %s", err.text);
	ok(far && strncmp(far, "host=/tmp/pulp-worker-", 22) == 0, "has its socket elsewhere: %s", far);
	strcat(longer, "/run");
	n = readlink(longer, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	longer[strlen(longer) - 4] = '\0';
	ok(access(target, F_OK) == 0, "in %s", target);
	is_int(stop_at(longer), 0, "stopped");
	ok(access(target, F_OK) < 0, "and that is gone");
}

static void
test_database_open(void)
{
	struct pw_settings *settings = NULL;
	struct pw_err err = { 0 };
	pw_auto_free char *conninfo = NULL, *embedded = NULL, *again = NULL;
	char text[PATH_MAX + 20];

	setenv("PULP_CONFIG", "/dev/null", 1);
	if (pw_settings_new(&settings, &err) < 0 || pw_settings_load(settings, NULL, &err) < 0)
		bail("%s", err.text);
	ok(pw_database_open(settings, "test", &conninfo, &err) < 0 && err.kind == PW_ERR_CONFIG, "nothing is configured");
	err = (struct pw_err){ 0 };
	(void)!pw_settings_set_option(settings, PW_SETTING_database, "dbname=x", &err);
	is_int(pw_database_open(settings, "test", &conninfo, &err), 0, "a connection string");
	is_str(conninfo, "dbname=x", "is passed on");
	snprintf(text, sizeof(text), "embedded:%s", in_top("state/postgresql"));
	(void)!pw_settings_set_option(settings, PW_SETTING_database, text, &err);
	is_int(pw_database_open(settings, "test", &embedded, &err), 1, "the private server, started %s", err.text);
	is_int(pw_database_open(settings, "test", &again, &err), 0, "and found");
	is_str(again, embedded, "alike");
	setenv("PGHOSTADDR", "127.0.0.1", 1);
	setenv("PGPORT", "1", 1);
	setenv("PGDATABASE", "postgres", 1);
	free(again);
	again = NULL;
	is_int(pw_database_open(settings, "test", &again, &err), 0, "whatever libpq's environment says");
	is_str(value(again, "select current_database()"), "pulp", "the right one");
	unsetenv("PGHOSTADDR");
	unsetenv("PGPORT");
	unsetenv("PGDATABASE");
	pw_settings_free(settings);
}

/* Somebody else is kept out. */
static void
test_others(void)
{
	pid_t pid;
	int status;

	if (geteuid() != 0) {
		skip("only root can become somebody else", "others are kept out");
		return;
	}
	pid = fork();
	if (pid == 0) {
		bool started;
		struct pw_err err;

		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		_exit(open_at(in_top("state/postgresql"), &started, &err) != NULL);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "others are kept out");
	is_int(stop_at(""), 0, "stopped");
}

static void
test_disk_full(void)
{
	char *disk = in_top("disk"), *dir = in_top("disk/x");
	bool started;
	struct pw_err err;
	pw_auto_free char *conninfo = NULL;

	mkdir(disk, 0711);
	if (geteuid() != 0 || mount("tmpfs", disk, "tmpfs", 0, "size=20m,mode=0711") < 0) {
		skip("needs to mount a small file system", "a full disk");
		return;
	}
	refused(dir, PW_ERR_DB_LOST, "initdb failed: FATAL:  could not ", "a full disk"); /* write it, or only half of it */
	ok(access(in_top("disk/x/pg.new"), F_OK) < 0 && access(in_top("disk/x/pg"), F_OK) < 0, "nothing half-made is left");
	if (mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=200m") < 0)
		bail("remount: %s", strerror(errno));
	conninfo = open_at(dir, &started, &err);
	ok(conninfo && started, "with more room it works %s", err.text);
	is_int(stop_at(dir), 0, "stopped");
	is_int(umount(disk), 0, "nothing is at work there any more");
}

/* Also where the test bails out; not in its children. */
static void
clean(void)
{
	static const char *const patterns[] = { "*/pg", "*/*/pg" };
	struct pw_err ignored;
	glob_t found;

	if (getpid() != owner)
		return;
	for (size_t i = 0; i < PW_COUNT(patterns); i++) {
		if (glob(in_top(patterns[i]), 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++) {
			*strrchr(found.gl_pathv[k], '/') = '\0';
			(void)!pw_embedded_stop(found.gl_pathv[k], "", &ignored);
		}
		globfree(&found);
	}
	umount2(in_top("disk"), MNT_DETACH);
	nftw(top, pg_remove, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	gid_t gid;
	const char *why = !pg_find()		 ? "no PostgreSQL server programs here" :
			  pg_account(&gid) == -2 ? "no account to run a server as root" :
						   NULL;

	if (why) {
		skip(why, "everything");
		return tap_done();
	}
	if (!mkdtemp(top) || chmod(top, 0711) < 0)
		bail("%s: %s", top, strerror(errno));
	owner = getpid();
	atexit(clean);
	umask(022);
	unsetenv("PGHOST");
	test_fresh();
	test_stop();
	test_killed();
	test_half_made();
	test_many();
	test_interrupted();
	test_refused();
	test_programs();
	test_names();
	test_database_open();
	test_others();
	test_disk_full();
	clean();
	ok(access(top, F_OK) < 0, "nothing is left");
	return tap_done();
}
