/* SPDX-License-Identifier: MIT */
/*
 * The private PostgreSQL as programs see it: open makes and starts what is
 * missing, stop ends it. Whoever comes first does the work, under a lock;
 * whoever comes meanwhile waits and finds it done. Restarts nothing later on: a
 * program that loses its connection may open again.
 */

#include "embedded/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/conn.h"
#include "embedded/cluster.h"
#include "store/migrate.h"

#define OPEN_TIMEOUT (30 * PW_SEC)
#define STOP_TIMEOUT (60 * PW_SEC)

/* The folder's name as a value of a connection string. */
static int
add_value(struct pw_buf *buf, const char *value)
{
	if (!value[strcspn(value, " '\\\t")])
		return pw_buf_adds(buf, value);
	if (pw_buf_addc(buf, '\'') < 0)
		return -1;
	for (; *value; value++)
		if ((strchr("'\\", *value) && pw_buf_addc(buf, '\\') < 0) || pw_buf_addc(buf, *value) < 0)
			return -1;
	return pw_buf_addc(buf, '\'');
}

/* Names all that libpq's environment could otherwise put in. NULL when out of memory. */
static char *
conninfo(const struct pw_server *server, const char *database)
{
	const char *hostaddr = getenv("PGHOSTADDR");
	pw_auto_buf buf = PW_BUF_INIT;

	if (pw_buf_adds(&buf, "host=") < 0 || add_value(&buf, server->socket_dir) < 0 ||
	    pw_buf_addf(&buf, " port=%s user=pulp dbname=%s%s", server->port, database, hostaddr ? " hostaddr=''" : "") < 0)
		return NULL;
	return pw_buf_steal(&buf);
}

static int
connect_to(const struct pw_server *server, const char *database, struct pw_db **ret_db,
	   struct pw_err *err)
{
	pw_auto_free char *text = conninfo(server, database);

	if (!text)
		return pw_err_nomem(err);
	return pw_db_connect(text, "pulp", ret_db, err);
}

static int
create_database(const struct pw_server *server, struct pw_err *err)
{
	struct pw_db *db = NULL;
	int failed;

	if (connect_to(server, "postgres", &db, err) < 0)
		return -1;
	failed = pw_db_exec(db, "create database pulp", NULL, pw_now_ns() + OPEN_TIMEOUT, NULL, err);
	pw_db_close(db);
	return failed < 0 ? pw_err_prefix(err, "private PostgreSQL: create database pulp") : 0;
}

/* Under the lock: a server that is ready. *started is set if it is our doing. */
static int
bring_up(struct pw_cluster *cluster, struct pw_server *server, bool *started, struct pw_err *err)
{
	int alive = pw_server_alive(cluster, err);

	if (alive < 0)
		return -1;
	if (alive) {
		int ended = pw_server_wait(cluster, server, err);

		if (ended <= 0) /* 1: it was on its way down */
			return ended;
	}
	if (pw_programs_find(cluster, err) < 0)
		return -1;
	if (faccessat(cluster->dir_fd, "pg", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && pw_server_make(cluster, err) < 0)
		return -1;
	*started = true;
	return pw_server_start(cluster, server, err);
}

/* The long way, under the lock: the server and its database, with a connection to it. */
static int
open_locked(struct pw_cluster *cluster, struct pw_server *server, struct pw_db **db, bool *started,
	    struct pw_err *err)
{
	struct pw_err ignored;

	if (pw_cluster_lock(cluster, err) < 0 || bring_up(cluster, server, started, err) < 0)
		return -1;
	if (connect_to(server, "pulp", db, &ignored) == 0)
		return 0;
	/* The one who made the cluster did not come that far, or we have just made it. */
	if (create_database(server, err) < 0)
		return -1;
	return connect_to(server, "pulp", db, err);
}

static int
open_cluster(struct pw_cluster *cluster, char **ret_conninfo, bool *started, struct pw_err *err)
{
	struct pw_server server;
	struct pw_db *db = NULL;
	struct pw_err ignored;
	char *text;
	int applied, failed = 0;

	/* Nearly always it is there and ready. */
	if (!pw_server_read(cluster, &server) || !server.ready || connect_to(&server, "pulp", &db, &ignored) < 0) {
		failed = open_locked(cluster, &server, &db, started, err);
		pw_cluster_unlock(cluster);
	}
	if (failed == 0)
		failed = pw_schema_install(db, &applied, err);
	pw_db_close(db);
	if (failed < 0)
		return -1;
	text = conninfo(&server, "pulp");
	if (!text)
		return pw_err_nomem(err);
	*ret_conninfo = text;
	return 0;
}

int
pw_embedded_open(const char *dir, const char *state_directory, char **ret_conninfo,
		 bool *ret_started, struct pw_err *err)
{
	struct pw_cluster cluster;
	bool started = false;
	int failed;

	if (pw_cluster_init(&cluster, dir, state_directory, true, err) < 0)
		return -1;
	cluster.deadline_ns = pw_now_ns() + OPEN_TIMEOUT;
	failed = open_cluster(&cluster, ret_conninfo, &started, err);
	pw_cluster_done(&cluster);
	if (failed == 0)
		*ret_started = started;
	return failed;
}

int
pw_embedded_stop(const char *dir, const char *state_directory, struct pw_err *err)
{
	struct pw_cluster cluster;
	int result = pw_cluster_init(&cluster, dir, state_directory, false, err);

	if (result != 0)
		return result;
	cluster.deadline_ns = pw_now_ns() + STOP_TIMEOUT;
	result = pw_cluster_lock(&cluster, err);
	if (result == 0)
		result = pw_server_alive(&cluster, err);
	if (result == 0)
		result = 1; /* there is nothing to stop */
	else if (result > 0)
		result = pw_server_stop(&cluster, err);
	if (result >= 0)
		pw_cluster_forget_socket_dir(&cluster);
	pw_cluster_done(&cluster);
	return result;
}
