/* SPDX-License-Identifier: MIT */
/*
 * Statements that wait for their answer, with a deadline: in command-line
 * programs, the client library, migrations. The supervisor does not come here.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "db/conn_private.h"

/* Waits until the socket is as the connection wants it; 1 then, 0 when the deadline has passed or a signal came. */
static int
wait_socket(struct pw_db *db, int64_t deadline_ns, struct pw_err *err)
{
	uint32_t wants = 0;
	struct pollfd pfd = { .fd = pw_db_socket(db, &wants) };
	int n;

	pfd.events = (short)((wants & EPOLLIN ? POLLIN : 0) | (wants & EPOLLOUT ? POLLOUT : 0));
	n = poll(&pfd, 1, pw_ms_until(deadline_ns));
	if (n < 0 && errno != EINTR)
		return pw_err_errno(err, "poll");
	return n > 0;
}

int
pw_db_await(struct pw_db *db, int64_t deadline_ns, struct pw_err *err)
{
	while (db->state == PW_DB_BUSY || db->state == PW_DB_CONNECTING) {
		int ready = wait_socket(db, deadline_ns, err);
		struct pw_err why;

		if (ready < 0)
			return -1;
		if (ready == 0 && pw_ms_until(deadline_ns) == 0) {
			pw_err_set(&why, PW_ERR_TIMEOUT, "the database did not answer in time");
			return pw_db_lose(db, &why, err);
		}
		if (ready && pw_db_poll(db, err) < 0)
			return -1;
	}
	return 0;
}

struct answer {
	PGresult *result;
	struct pw_err *err;
	int status;
};

static void
take_answer(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct answer *answer = arg;

	answer->result = (PGresult *)result;
	answer->status = err ? -1 : 0;
	if (err && answer->err)
		*answer->err = *err;
}

static int
run(struct pw_db *db, const char *sql, const struct pw_db_params *params, bool simple,
    int64_t deadline_ns, PGresult **ret_result, struct pw_err *err)
{
	struct answer answer = { .err = err };

	if (db->state != PW_DB_IDLE)
		return pw_db_send(db, sql, params, NULL, NULL, err); /* refuses, and says why */
	if (pw_db_start(db, sql, params, simple, err) < 0)
		return -1;
	db->fn = take_answer;
	db->arg = &answer;
	db->keep_result = true;
	if (pw_db_await(db, deadline_ns, err) < 0)
		return -1;
	if (answer.status == 0 && ret_result)
		*ret_result = answer.result;
	else
		PQclear(answer.result);
	return answer.status;
}

/* A statement that is said twice in a row is prepared first. A connection of somebody else's is left as it is. */
static int
prepare(struct pw_db *db, const char *sql, int64_t deadline_ns, struct pw_err *err)
{
	bool often = sql == db->last && !pw_db_knows(db, sql);
	struct pw_err why;

	db->last = sql;
	if (!often || db->borrowed || db->forgetful || db->prepared[PW_COUNT(db->prepared) - 1] ||
	    db->state != PW_DB_IDLE || PQtransactionStatus(db->conn) != PQTRANS_IDLE)
		return 0;
	db->preparing = sql;
	if (run(db, sql, NULL, false, deadline_ns, NULL, &why) == 0)
		return 0;
	db->forgetful = true;
	if (db->state != PW_DB_LOST)
		return 0;
	if (err)
		*err = why;
	return -1;
}

int
pw_db_exec(struct pw_db *db, const char *sql, const struct pw_db_params *params,
	   int64_t deadline_ns, PGresult **ret_result, struct pw_err *err)
{
	struct pw_err why;
	bool known;

	if (params && prepare(db, sql, deadline_ns, err) < 0)
		return -1;
	known = pw_db_knows(db, sql);
	if (run(db, sql, params, false, deadline_ns, ret_result, &why) == 0)
		return 0;
	/* not as a prepared statement: nothing was done */
	if (known && !pw_db_knows(db, sql) && PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return run(db, sql, params, false, deadline_ns, ret_result, err);
	if (err)
		*err = why;
	return -1;
}

int
pw_db_script(struct pw_db *db, const char *sql, int64_t deadline_ns, struct pw_err *err)
{
	return run(db, sql, NULL, true, deadline_ns, NULL, err);
}

int
pw_db_wait(struct pw_db *db, int64_t deadline_ns, struct pw_err *err)
{
	int ready;

	if (db->state == PW_DB_LOST)
		return pw_db_poll(db, err);
	ready = wait_socket(db, deadline_ns, err);
	if (ready > 0 && pw_db_poll(db, err) < 0)
		return -1;
	return ready;
}

void
pw_result_cleanup(PGresult **result)
{
	PQclear(*result);
}
