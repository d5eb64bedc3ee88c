/* SPDX-License-Identifier: MIT */
/* What the files of the layer db share. */
#ifndef PW_DB_CONN_PRIVATE_H
#define PW_DB_CONN_PRIVATE_H

#include "base/buf.h"
#include "db/conn.h"

struct pw_db {
	PGconn *conn;
	bool borrowed;		/* somebody else's: neither closed nor changed */
	bool setting_up;	/* connected, the session's settings are on their way */
	bool guest;		/* the schema's functions are the session's own */
	bool guest_due;		/* ... and are still to be made, by what sets the session up */
	struct pw_buf text;	/* the statement under way, as a guest says it */
	const char *prepared[4]; /* statements that the session has prepared, by their addresses */
	const char *preparing;	/* one that it is about to */
	const char *known;	/* the prepared one under way */
	const char *last;	/* the one before: what is said twice in a row will be said often */
	bool forgetful;		/* preparing did not work, or was not remembered: a pooler may be between us */
	bool want_write;	/* libpq has more to send than the socket took */
	enum pw_db_state state;
	PostgresPollingStatusType polling;
	unsigned long socket_inode;
	unsigned socket_serial;
	/* The statement under way. */
	pw_db_result_fn *fn;
	void *arg;
	bool keep_result;	/* the callback takes the result over */
	PGresult *result;	/* the last so far, or the first that is an error */
	/* What the server said last before it hung up, while nothing was asked. */
	char parting[256], parting_sqlstate[6];
	struct pw_err error;	/* why it is lost */
};

/* Keywords and values for PQconnectdbParams, a NULL behind the last. */
struct pw_db_conninfo {
	const char *keywords[8], *values[8];
};

/* Fills it and refuses a conninfo that libpq cannot read (PW_ERR_CONFIG), without quoting what may be a password. Borrows both texts. */
int pw_db_conninfo_init(struct pw_db_conninfo *info, const char *conninfo, const char *application, struct pw_err *err) PW_MUSTCHECK;
/* Seconds to wait for one host, from every source that libpq has; PW_DB_CONNECT_TIMEOUT if none says. */
int pw_db_conninfo_timeout(PGconn *conn);
/* Keepalives and a user timeout for a TCP connection, where nothing sets them. */
void pw_db_keepalive(PGconn *conn);

#define PW_DB_CONNECT_TIMEOUT "10"

/* Returns -1, *err filled from a result that is an error, or from the connection's own last error. */
int pw_db_result_error(const PGresult *result, struct pw_err *err);
int pw_db_conn_error(PGconn *conn, struct pw_err *err);

/* --- prepared.c --- */
/* Whether the session has SQL prepared. */
bool pw_db_knows(const struct pw_db *db, const char *sql);
void pw_db_remember(struct pw_db *db, const char *sql);
/* What failed as a prepared statement is said as any other from now on; others too, where the session does not have them. */
void pw_db_forget(struct pw_db *db, const PGresult *error);
/* Sends it with its parameters, by its name where db->known, or what prepares it where db->preparing. As libpq's own: 0 when it failed. */
int pw_db_send_statement(struct pw_db *db, const char *sql, const struct pw_db_params *params);

/* Sends SQL, as a simple query (several statements) if PARAMS is NULL and SIMPLE. */
int pw_db_start(struct pw_db *db, const char *sql, const struct pw_db_params *params, bool simple, struct pw_err *err) PW_MUSTCHECK;
/* *SQL as a guest says it; lives until the next one. */
int pw_db_guest_text(struct pw_db *db, const char **sql, struct pw_err *err) PW_MUSTCHECK;
/* Marks it lost; makes the pending callback. Returns -1 with *err. */
int pw_db_lose(struct pw_db *db, const struct pw_err *why, struct pw_err *err);

/* Waits until nothing is under way. PW_ERR_TIMEOUT: the connection is then lost. */
int pw_db_await(struct pw_db *db, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;

#endif
