/* SPDX-License-Identifier: MIT */
/*
 * Finds the server's programs: PULP_PG_BINDIR, else where distributions put
 * them, else PATH. A cluster needs those of the major version that made it.
 */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "embedded/cluster.h"
#include "store/migrate.h"

#define MISSING \
	"install them ('apt-get install postgresql' on Debian, 'dnf install postgresql-server' on Fedora), or set PULP_PG_BINDIR " \
	"to their folder, or PULP_DATABASE to a server that runs elsewhere"

static bool
has_programs(const char *dir)
{
	static const char *const names[] = { "postgres", "initdb" };
	char path[PATH_MAX];

	for (size_t i = 0; i < PW_COUNT(names); i++)
		if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path) || access(path, X_OK) < 0)
			return false;
	return true;
}

/* Asks the program itself; 0 if it does not say. */
static int
ask_version(const char *dir)
{
	char path[PATH_MAX], said[128] = "";
	int ends[2], version = 0;
	ssize_t n;
	pid_t pid;

	if (snprintf(path, sizeof(path), "%s/postgres", dir) >= (int)sizeof(path) || pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl(path, path, "--version", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	n = pw_fd_read_all(ends[0], said, sizeof(said) - 1, NULL);
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (n > 0 && sscanf(said, "postgres (PostgreSQL) %d", &version) != 1)
		return 0;
	return version;
}

/* The version is in the folder's name where a distribution has several beside each other. */
static int
version_of(const char *dir)
{
	int version;

	if (sscanf(dir, "/usr/lib/postgresql/%d/bin", &version) == 1 || sscanf(dir, "/usr/pgsql-%d/bin", &version) == 1)
		return version;
	return ask_version(dir);
}

struct search {
	int wanted;		/* 0: the newest */
	int best;		/* what was found, 0: nothing */
	char *bindir;		/* PATH_MAX bytes */
	char others[64];	/* " 15 16": versions that are not wanted */
};

static void
consider(struct search *search, const char *dir)
{
	char text[16];
	int version;

	if (!has_programs(dir))
		return;
	version = version_of(dir);
	if (search->wanted && version != search->wanted) {
		snprintf(text, sizeof(text), " %d", version);
		if (!strstr(search->others, text) &&
		    strlen(search->others) + strlen(text) < sizeof(search->others))
			strcat(search->others, text);
		return;
	}
	if (version > search->best) {
		search->best = version;
		snprintf(search->bindir, PATH_MAX, "%s", dir);
	}
}

static void
consider_usual(struct search *search)
{
	static const char *const patterns[] = { "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin" };
	glob_t found;

	for (size_t i = 0; i < PW_COUNT(patterns); i++) {
		if (glob(patterns[i], 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			consider(search, found.gl_pathv[k]);
		globfree(&found);
	}
}

static void
consider_path(struct search *search)
{
	const char *path = getenv("PATH");
	pw_auto_free char *copy = path ? strdup(path) : NULL;
	char *rest = copy;

	for (char *dir = copy ? strsep(&rest, ":") : NULL; dir; dir = strsep(&rest, ":"))
		if (*dir == '/')
			consider(search, dir);
}

/* The major version that made the cluster, 0 if there is no cluster. */
static int
cluster_version(const struct pw_cluster *cluster, int *ret_version, struct pw_err *err)
{
	pw_auto_close int fd = openat(cluster->dir_fd, "pg/PG_VERSION", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[16] = "";

	*ret_version = 0;
	if (fd < 0 && errno == ENOENT && faccessat(cluster->dir_fd, "pg", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (fd < 0)
		return pw_err_errno(err, "private PostgreSQL: %s/pg/PG_VERSION", cluster->dir);
	if (pw_fd_read_all(fd, text, sizeof(text) - 1, err) < 0)
		return -1;
	*ret_version = atoi(text);
	if (*ret_version < 10)
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: %s/pg/PG_VERSION does not hold a version", cluster->dir);
	return 0;
}

int
pw_programs_find(struct pw_cluster *cluster, struct pw_err *err)
{
	const char *named = getenv("PULP_PG_BINDIR");
	struct search search = { .bindir = cluster->bindir };

	if (cluster_version(cluster, &search.wanted, err) < 0)
		return -1;
	if (named && *named) {
		if (!has_programs(named))
			return pw_err_set(err, PW_ERR_CONFIG, "PULP_PG_BINDIR=%s: postgres and initdb are not there", named);
		consider(&search, named);
	} else {
		consider_usual(&search);
		consider_path(&search);
	}
	if (search.best && search.best < PW_SCHEMA_POSTGRES_MIN)
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: version %d in %s is too old: %d or newer is needed; nothing was changed",
				  search.best, cluster->bindir, PW_SCHEMA_POSTGRES_MIN);
	if (search.best)
		return 0;
	if (search.others[0])
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: the cluster in %s was made by PostgreSQL %d, and there is only%s %s: "
						      "install postgresql-%d, or name another folder; nothing was changed",
				  cluster->dir, search.wanted, search.others, named && *named ? "in PULP_PG_BINDIR" : "here", search.wanted);
	return pw_err_set(err, PW_ERR_DB_LOST, "private PostgreSQL: no server programs (postgres, initdb) were found: " MISSING);
}
