/* SPDX-License-Identifier: MIT */
/*
 * A connection to PostgreSQL. Two ways to use it:
 *
 * - blocking, for command-line programs and the client library: pw_db_exec
 *   waits for the answer with a deadline of its own;
 * - by events, for the supervisor: pw_db_send starts one statement, and the
 *   owner watches pw_db_socket and calls pw_db_poll when it is readable or writable.
 *
 * Knows no table. Every session sets what a caller must be able to rely on:
 * client_encoding UTF8, read committed, DateStyle ISO, TimeZone UTC,
 * idle_in_transaction_session_timeout, search_path as the server's, keepalives
 * and tcp_user_timeout unless the conninfo has its own, an application name.
 */
#ifndef PW_DB_CONN_H
#define PW_DB_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pw_db;

/* Text parameters; a NULL value is SQL NULL. Types are inferred by the server, so statements cast: $1::uuid. */
struct pw_db_params {
	int count;
	const char *const *values;
};
#define PW_DB_PARAMS(...) \
	(&(struct pw_db_params){ sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (const char *const[]){ __VA_ARGS__ } })

/* Connects and waits, at most until connect_timeout (10 s unless the conninfo says otherwise). CONNINFO: a libpq string or URI; "" = libpq's environment. */
int pw_db_connect(const char *conninfo, const char *application, struct pw_db **ret_db, struct pw_err *err) PW_MUSTCHECK;
struct pw_db *pw_db_close(struct pw_db *db);
/* Wraps a connection of somebody else's, which stays theirs (pw_db_close then leaves it open). */
int pw_db_wrap(PGconn *conn, struct pw_db **ret_db, struct pw_err *err) PW_MUSTCHECK;
PGconn *pw_db_conn(struct pw_db *db);
/* A connection string for another one like it, password included; the caller frees it. NULL when out of memory. */
char *pw_db_conninfo_like(PGconn *conn) PW_MUSTCHECK;

/*
 * Makes a guest of the session: at a live Pulp without our schema it gets the schema's functions for itself, in pg_temp
 * (core/sql/guest), and what statements say of pulp_worker means these from then on. Of a session that is one already, only what
 * is missing (a transaction in which they were made may have been rolled back). Errors as pw_db_exec; the role needs TEMPORARY on the database.
 */
int pw_db_guest(struct pw_db *db, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;
bool pw_db_is_guest(const struct pw_db *db);

/*
 * Runs one statement and waits until deadline_ns (pw_now_ns clock). On success *ret_result
 * (may be NULL) is the caller's to PQclear. Errors: PW_ERR_DB with sqlstate; PW_ERR_DB_LOST; PW_ERR_TIMEOUT (the connection is unusable afterwards).
 */
int pw_db_exec(struct pw_db *db, const char *sql, const struct pw_db_params *params, int64_t deadline_ns,
	       PGresult **ret_result, struct pw_err *err) PW_MUSTCHECK;
/* Several statements in one string, without parameters (migrations). */
int pw_db_script(struct pw_db *db, const char *sql, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;
/* The next notification that has arrived; the caller PQfreemem's it. NULL if none. Does not read from the socket. */
PGnotify *pw_db_notification(struct pw_db *db);
/* Waits until something can be read, the deadline passes or a signal comes; returns 1 or 0, -1 when the connection is lost. */
int pw_db_wait(struct pw_db *db, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;

/* --- by events --- */

enum pw_db_state { PW_DB_CONNECTING, PW_DB_IDLE, PW_DB_BUSY, PW_DB_LOST };
/* Called once per pw_db_send that returned 0: with a result (borrowed), or with NULL and *err. It may send the next statement, or close the connection. */
typedef void pw_db_result_fn(void *arg, const PGresult *result, const struct pw_err *err);

/* Starts to connect; pw_db_poll drives it to PW_DB_IDLE or PW_DB_LOST. Session settings are made on the way. */
int pw_db_connect_start(const char *conninfo, const char *application, struct pw_db **ret_db, struct pw_err *err) PW_MUSTCHECK;
/* Before the first poll: the session is to be a guest's when it is PW_DB_IDLE. */
void pw_db_guest_from_start(struct pw_db *db);
enum pw_db_state pw_db_state(const struct pw_db *db);
/* How long it may take to connect: connect_timeout from any source that libpq has, else 10 s; PW_NEVER if it is 0. */
int64_t pw_db_connect_timeout_ns(const struct pw_db *db);
/* The socket may change while connecting: ask again after each poll. WANTS: EPOLLIN and EPOLLOUT. */
int pw_db_socket(const struct pw_db *db, uint32_t *ret_wants);
/* Rises with each new socket, also where it has the number of the one before, which epoll has forgotten when that was closed. */
unsigned pw_db_socket_serial(const struct pw_db *db);
/* Sends one statement; only in PW_DB_IDLE. */
int pw_db_send(struct pw_db *db, const char *sql, const struct pw_db_params *params, pw_db_result_fn *fn, void *arg,
	       struct pw_err *err) PW_MUSTCHECK;
/*
 * Prepares a statement that the session will say often: from then on pw_db_send and pw_db_exec with this very SQL (the address
 * counts) save the server the reading and planning of it. With an error, or where the session turns out not to have it any more (the
 * error is 26000), it can still be sent as any other.
 */
int pw_db_send_prepare(struct pw_db *db, const char *sql, pw_db_result_fn *fn, void *arg, struct pw_err *err) PW_MUSTCHECK;
/* Does what can be done without waiting; calls back. Returns -1 and sets *err when the connection is lost (the pending callback was then made with that error). */
int pw_db_poll(struct pw_db *db, struct pw_err *err) PW_MUSTCHECK;
/* Why a lost connection was lost. */
const struct pw_err *pw_db_error(const struct pw_db *db);

/* Whether it makes sense to try again later: the connection is lost, or the SQLSTATE class is 08, 40, 53, 55 or 57. */
bool pw_db_error_is_transient(const struct pw_err *err);

#define pw_auto_result PW_CLEANUP(pw_result_cleanup) PGresult
void pw_result_cleanup(PGresult **result);

/* A text[] (or uuid[]...) literal of COUNT strings, NULLs allowed, correctly quoted; the caller frees it. NULL when out of memory. */
char *pw_db_array(const char *const *items, size_t count) PW_MUSTCHECK;

#endif
