/* SPDX-License-Identifier: MIT */
/*
 * A private PostgreSQL for one test program: on a Unix socket in a folder of
 * its own, run by the account postgres where the test runs as root. It dies
 * with the test.
 */
#ifndef TESTS_LIB_PG_H
#define TESTS_LIB_PG_H

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static char pg_dir[32], pg_bin[256], pg_conninfo[128];
static pid_t pg_pid, pg_owner;
static int pg_log = -1;

/* The folder of the newest server's programs, or NULL. */
static inline const char *
pg_find(void)
{
	const char *named = getenv("PULP_PG_BINDIR");
	glob_t found;

	if (named) {
		snprintf(pg_bin, sizeof(pg_bin), "%s", named);
		return pg_bin;
	}
	if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
		return NULL;
	snprintf(pg_bin, sizeof(pg_bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
	*strrchr(pg_bin, '/') = '\0';
	globfree(&found);
	return pg_bin;
}

/* The account that may run a server: -1 is ourselves, -2 that there is none. */
static inline int
pg_account(gid_t *gid)
{
	struct passwd *pw = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (geteuid() != 0)
		return -1;
	if (!pw)
		return -2;
	*gid = pw->pw_gid;
	return (int)pw->pw_uid;
}

static inline pid_t
pg_spawn(const char **argv, int out)
{
	gid_t gid = 0;
	int uid = pg_account(&gid);
	char path[300];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", pg_bin, argv[0]);
	pid = fork();
	if (pid)
		return pid;
	if (uid >= 0 && (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid((uid_t)uid) < 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (chdir("/") < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	argv[0] = path;
	execv(path, (char **)argv);
	_exit(127);
}

/* Reads the server's log until it says it is ready; 0 if it ended instead. */
static inline int
pg_ready(int deadline_ms)
{
	char text[8192];
	size_t len = 0;

	for (;;) {
		struct pollfd pfd = { .fd = pg_log, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, deadline_ms) <= 0)
			return 0;
		n = read(pg_log, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "ready to accept connections"))
			return 1;
	}
	printf("# the server says: %s\n", len ? text : "nothing");
	return 0;
}

static inline int
pg_run(void)
{
	char data[64];
	const char *argv[] = { "postgres", "-D", data, "-k", pg_dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "log_min_messages=log", "-c", "dynamic_shared_memory_type=mmap", "-c", "max_connections=30", NULL };
	int ends[2];

	snprintf(data, sizeof(data), "%s/data", pg_dir);
	if (pipe(ends) < 0)
		return 0;
	pg_pid = pg_spawn(argv, ends[1]);
	close(ends[1]);
	pg_log = ends[0];
	return pg_pid > 0 && pg_ready(30000);
}

static inline int
pg_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
pg_kill(int signal)
{
	if (pg_pid <= 0)
		return;
	kill(pg_pid, signal);
	waitpid(pg_pid, NULL, 0);
	close(pg_log);
	pg_pid = 0;
}

/* Also where the test bails out; not in its children. */
static inline void
pg_clean(void)
{
	if (getpid() != pg_owner)
		return;
	pg_kill(SIGQUIT);
	nftw(pg_dir, pg_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* NULL, or why there is none: tests then skip. */
static inline const char *
pg_start(void)
{
	char data[64];
	const char *argv[] = { "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", NULL };
	gid_t gid = 0;
	int uid = pg_account(&gid), status;
	FILE *quiet;

	if (!pg_find())
		return "no PostgreSQL server programs here";
	if (uid == -2)
		return "no account postgres to run a server as root";
	strcpy(pg_dir, "/tmp/test-pg-XXXXXX");
	pg_owner = getpid();
	atexit(pg_clean);
	quiet = tmpfile();
	if (!mkdtemp(pg_dir) || !quiet || (uid >= 0 && chown(pg_dir, (uid_t)uid, gid) < 0))
		bail("%s: %s", pg_dir, strerror(errno));
	snprintf(data, sizeof(data), "%s/data", pg_dir);
	if (waitpid(pg_spawn(argv, fileno(quiet)), &status, 0) < 0 || status != 0)
		bail("initdb failed: %#x", status);
	fclose(quiet);
	if (!pg_run())
		bail("the server did not start");
	snprintf(pg_conninfo, sizeof(pg_conninfo), "host=%s user=postgres dbname=postgres", pg_dir);
	return NULL;
}

static inline void
pg_stop(void)
{
	pg_kill(SIGINT);
	pg_clean();
	ok(access(pg_dir, F_OK) < 0, "nothing is left of the server");
}

#endif
