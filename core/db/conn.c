/* SPDX-License-Identifier: MIT */
/*
 * One connection to PostgreSQL, driven by whoever watches its socket: connect,
 * make the session's settings, send a statement, gather its result, hear
 * notifications, find out that it is lost. In the supervisor, in command-line
 * programs and in the client library. Sets no timer: deadlines are the
 * caller's, who closes what is late. Does not retry, does not reconnect.
 */
#include "db/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/conn_private.h"
#include "sql/sql.h"

/*
 * Notices, and what the server says when it ends an idle session: that is the
 * reason why the connection will be found lost.
 */
static void
receive_notice(void *arg, const PGresult *notice)
{
	struct pw_db *db = arg;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
	const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);

	if (!text)
		return;
	if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) {
		snprintf(db->parting, sizeof(db->parting), "%s", text);
		snprintf(db->parting_sqlstate, sizeof(db->parting_sqlstate), "%.5s", sqlstate ? sqlstate : "");
	}
	pw_log_debug(NULL, "db.notice", "msg=%s", pw_log_quote(text));
}

static struct pw_db *
new_db(PGconn *conn, enum pw_db_state state)
{
	struct pw_db *db = calloc(1, sizeof(*db));

	if (db) {
		db->conn = conn;
		db->state = state;
		db->polling = PGRES_POLLING_WRITING; /* what libpq says to assume at first */
	}
	return db;
}

struct pw_db *
pw_db_close(struct pw_db *db)
{
	if (!db)
		return NULL;
	PQclear(db->result);
	pw_buf_done(&db->text);
	if (!db->borrowed)
		PQfinish(db->conn);
	free(db);
	return NULL;
}

PGconn *
pw_db_conn(struct pw_db *db)
{
	return db->conn;
}

enum pw_db_state
pw_db_state(const struct pw_db *db)
{
	return db->state;
}

const struct pw_err *
pw_db_error(const struct pw_db *db)
{
	return &db->error;
}

int
pw_db_lose(struct pw_db *db, const struct pw_err *why, struct pw_err *err)
{
	pw_db_result_fn *fn = db->fn;
	struct pw_err error = *why; /* the callback may close the connection */

	db->state = PW_DB_LOST;
	db->setting_up = false;
	db->error = error;
	db->fn = NULL;
	if (fn)
		fn(db->arg, NULL, &error);
	if (err)
		*err = error;
	return -1;
}

/* Lost, for the reason that the server gave in parting, else that libpq gives. */
static int
lose_conn(struct pw_db *db, struct pw_err *err)
{
	struct pw_err why;

	if (db->result && PQresultErrorField(db->result, PG_DIAG_SQLSTATE)) {
		pw_db_result_error(db->result, &why);
		why.kind = PW_ERR_DB_LOST;
	} else if (db->parting[0]) {
		pw_err_set(&why, PW_ERR_DB_LOST, "%s", db->parting);
		memcpy(why.sqlstate, db->parting_sqlstate, sizeof(why.sqlstate));
	} else {
		pw_db_conn_error(db->conn, &why);
	}
	return pw_db_lose(db, &why, err);
}

static int
flush(struct pw_db *db, struct pw_err *err)
{
	int more = PQflush(db->conn);

	db->want_write = more > 0;
	return more < 0 ? lose_conn(db, err) : 0;
}

static int
start(struct pw_db *db, const char *sql, const struct pw_db_params *params, bool simple,
      struct pw_err *err)
{
	int sent;

	PQclear(db->result);
	db->result = NULL;
	db->known = params && pw_db_knows(db, sql) ? sql : NULL;
	if (db->guest && pw_db_guest_text(db, &sql, err) < 0)
		return -1;
	sent = simple ? PQsendQuery(db->conn, sql) : pw_db_send_statement(db, sql, params);
	if (!sent && PQstatus(db->conn) == CONNECTION_OK) /* refused before it was sent */
		return pw_err_set(err, PW_ERR_BUG, "%s", PQerrorMessage(db->conn));
	if (!sent)
		return lose_conn(db, err);
	db->state = PW_DB_BUSY;
	return flush(db, err);
}

int
pw_db_start(struct pw_db *db, const char *sql, const struct pw_db_params *params, bool simple,
	    struct pw_err *err)
{
	int ret = start(db, sql, params, simple, err);

	if (ret < 0)
		db->preparing = NULL;
	return ret;
}

/* Connected: makes the session's settings, which is one statement more until it is idle. */
static int
set_up(struct pw_db *db, struct pw_err *err)
{
	PQsetNoticeReceiver(db->conn, receive_notice, db);
	if (PQsetnonblocking(db->conn, 1) < 0)
		return lose_conn(db, err);
	pw_db_keepalive(db->conn);
	if (pw_db_start(db, pw_sql_session, NULL, false, err) < 0)
		return db->state == PW_DB_LOST ? -1 : pw_db_lose(db, err, err);
	db->state = PW_DB_CONNECTING;
	db->setting_up = true;
	return 0;
}

/* libpq goes on to another address, or from TLS to none, with a new socket, which mostly gets the old one's number. */
static void
note_socket(struct pw_db *db)
{
	struct stat st;

	if (fstat(PQsocket(db->conn), &st) < 0 || st.st_ino == db->socket_inode)
		return;
	db->socket_inode = st.st_ino;
	db->socket_serial++;
}

static int
poll_connect(struct pw_db *db, struct pw_err *err)
{
	db->polling = PQconnectPoll(db->conn);
	note_socket(db);
	if (db->polling == PGRES_POLLING_FAILED)
		return lose_conn(db, err);
	if (db->polling == PGRES_POLLING_OK)
		return set_up(db, err);
	return 0;
}

static bool
is_error(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
	       status != PGRES_EMPTY_QUERY;
}

/* The settings are made, or could not be. */
static int
finish_set_up(struct pw_db *db, struct pw_err *err)
{
	struct pw_err why;

	if (db->result && !is_error(db->result) && db->guest_due) {
		db->guest_due = false;
		db->guest = true;
		if (pw_db_start(db, pw_sql_guest, NULL, true, err) < 0)
			return db->state == PW_DB_LOST ? -1 : pw_db_lose(db, err, err);
		db->state = PW_DB_CONNECTING;
		return 0;
	}
	db->setting_up = false;
	if (db->result && !is_error(db->result)) {
		db->state = PW_DB_IDLE;
		return 0;
	}
	pw_db_result_error(db->result, &why);
	pw_err_prefix(&why, "session settings");
	return pw_db_lose(db, &why, err);
}

/* All of the answer is there. The callback may send the next statement or close the connection, so nothing is touched after it. */
static int
finish_statement(struct pw_db *db, struct pw_err *err)
{
	PGresult *result = pw_steal_ptr(&db->result);
	pw_db_result_fn *fn = pw_steal_ptr(&db->fn);
	bool keep = db->keep_result;
	struct pw_err why;

	(void)err;
	db->state = PW_DB_IDLE;
	db->keep_result = false;
	if (db->preparing && result && !is_error(result))
		pw_db_remember(db, db->preparing);
	db->preparing = NULL;
	if (!result) {
		pw_err_set(&why, PW_ERR_BUG, "a statement without a result");
		fn(db->arg, NULL, &why);
	} else if (is_error(result)) {
		pw_db_result_error(result, &why);
		pw_db_forget(db, result);
		fn(db->arg, NULL, &why);
	} else {
		fn(db->arg, result, NULL);
		if (keep)
			return 0;
	}
	PQclear(result);
	return 0;
}

/*
 * Keeps the last result, but the first error: an answer may be complete and
 * still be followed by the news that its transaction did not commit.
 */
static void
keep(struct pw_db *db, PGresult *result)
{
	if (db->result && is_error(db->result)) {
		PQclear(result);
		return;
	}
	PQclear(db->result);
	db->result = result;
}

static int
poll_answer(struct pw_db *db, struct pw_err *err)
{
	while (!PQisBusy(db->conn)) {
		PGresult *result = PQgetResult(db->conn);
		ExecStatusType status;

		if (!result && PQstatus(db->conn) == CONNECTION_BAD)
			return lose_conn(db, err);
		if (!result)
			return db->setting_up ? finish_set_up(db, err) : finish_statement(db, err);
		status = PQresultStatus(result);
		keep(db, result);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		    status == PGRES_COPY_BOTH) {
			struct pw_err why;

			pw_err_set(&why, PW_ERR_BUG, "COPY is not spoken here");
			return pw_db_lose(db, &why, err);
		}
	}
	return 0;
}

int
pw_db_poll(struct pw_db *db, struct pw_err *err)
{
	bool readable;

	if (db->state == PW_DB_LOST) {
		if (err)
			*err = db->error;
		return -1;
	}
	if (db->state == PW_DB_CONNECTING && !db->setting_up)
		return poll_connect(db, err);
	readable = PQconsumeInput(db->conn);
	/* Taken now, since libpq adds to it what it makes of a broken connection. */
	if (!readable && !db->parting[0])
		snprintf(db->parting, sizeof(db->parting), "%s", PQerrorMessage(db->conn));
	if (readable && db->want_write && flush(db, err) < 0)
		return -1;
	/* A broken connection may still have brought an answer, or the reason. */
	if (db->state != PW_DB_IDLE)
		return poll_answer(db, err);
	if (!readable || PQstatus(db->conn) == CONNECTION_BAD) {
		PQisBusy(db->conn);
		return lose_conn(db, err);
	}
	return 0;
}

int
pw_db_socket(const struct pw_db *db, uint32_t *ret_wants)
{
	if (db->state == PW_DB_LOST)
		return -1;
	if (db->state == PW_DB_CONNECTING && !db->setting_up)
		*ret_wants = db->polling == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT;
	else
		*ret_wants = EPOLLIN | (db->want_write ? EPOLLOUT : 0);
	return PQsocket(db->conn);
}

unsigned
pw_db_socket_serial(const struct pw_db *db)
{
	return db->socket_serial;
}

int
pw_db_send(struct pw_db *db, const char *sql, const struct pw_db_params *params,
	   pw_db_result_fn *fn, void *arg, struct pw_err *err)
{
	if (db->state == PW_DB_LOST) {
		if (err)
			*err = db->error;
		return -1;
	}
	if (db->state != PW_DB_IDLE)
		return pw_err_set(err, PW_ERR_BUG, "a statement is under way already");
	if (pw_db_start(db, sql, params, false, err) < 0)
		return -1;
	db->fn = fn;
	db->arg = arg;
	return 0;
}

int
pw_db_send_prepare(struct pw_db *db, const char *sql, pw_db_result_fn *fn, void *arg,
		   struct pw_err *err)
{
	if (db->state == PW_DB_IDLE)
		db->preparing = sql;
	return pw_db_send(db, sql, NULL, fn, arg, err);
}

PGnotify *
pw_db_notification(struct pw_db *db)
{
	return PQnotifies(db->conn);
}

int
pw_db_connect_start(const char *conninfo, const char *application, struct pw_db **ret_db,
		    struct pw_err *err)
{
	struct pw_db_conninfo info;
	PGconn *conn;

	if (pw_db_conninfo_init(&info, conninfo, application, err) < 0)
		return -1;
	conn = PQconnectStartParams(info.keywords, info.values, 1);
	if (!conn)
		return pw_err_nomem(err);
	if (PQstatus(conn) == CONNECTION_BAD) {
		pw_db_conn_error(conn, err);
		PQfinish(conn);
		return -1;
	}
	*ret_db = new_db(conn, PW_DB_CONNECTING);
	if (!*ret_db) {
		PQfinish(conn);
		return pw_err_nomem(err);
	}
	note_socket(*ret_db);
	return 0;
}

int64_t
pw_db_connect_timeout_ns(const struct pw_db *db)
{
	int seconds = pw_db_conninfo_timeout(db->conn);

	return seconds > 0 ? seconds * PW_SEC : PW_NEVER;
}

int
pw_db_wrap(PGconn *conn, struct pw_db **ret_db, struct pw_err *err)
{
	if (PQstatus(conn) != CONNECTION_OK)
		return pw_err_set(err, PW_ERR_DB_LOST, "the connection is not open");
	if (PQtransactionStatus(conn) == PQTRANS_ACTIVE)
		return pw_err_set(err, PW_ERR_INPUT, "a statement is under way on the connection");
	*ret_db = new_db(conn, PW_DB_IDLE);
	if (!*ret_db)
		return pw_err_nomem(err);
	(*ret_db)->borrowed = true;
	return 0;
}

int
pw_db_connect(const char *conninfo, const char *application, struct pw_db **ret_db,
	      struct pw_err *err)
{
	struct pw_db_conninfo info;
	struct pw_db *db;
	PGconn *conn;
	int64_t timeout, deadline;

	if (pw_db_conninfo_init(&info, conninfo, application, err) < 0)
		return -1;
	/* libpq waits by itself here: it gives each of several hosts its time. */
	conn = PQconnectdbParams(info.keywords, info.values, 1);
	db = conn ? new_db(conn, PW_DB_CONNECTING) : NULL;
	if (!db) {
		PQfinish(conn);
		return pw_err_nomem(err);
	}
	timeout = pw_db_connect_timeout_ns(db);
	deadline = timeout == PW_NEVER ? PW_NEVER : pw_now_ns() + timeout;
	if (PQstatus(conn) != CONNECTION_OK)
		pw_db_conn_error(conn, err);
	else if (set_up(db, err) == 0 && pw_db_await(db, deadline, err) == 0) {
		*ret_db = db;
		return 0;
	} else if (err && err->kind == PW_ERR_TIMEOUT) {
		err->kind = PW_ERR_DB_LOST; /* as with libpq's own time-out */
	}
	pw_db_close(db);
	return -1;
}
