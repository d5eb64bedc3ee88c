/* SPDX-License-Identifier: MIT */
/*
 * Links to the database. A statement that is not answered by its deadline counts as a broken connection: a server that
 * was stopped or cut off answers nothing, and keepalives do not notice that.
 */
#include "supervisor/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"

#define RETRY_FIRST (100 * PW_MS)
#define RETRY_MOST (5 * PW_SEC)
#define REFUSED_FIRST (100 * PW_MS)
#define REFUSED_MOST (1 * PW_SEC)
#define REFUSALS_TOLD 5 /* in a row */

struct pw_link {
	struct pw_loop *loop;
	const char *name;
	char *conninfo;
	bool guest;
	const struct pw_link_ops *ops;
	void *arg;
	struct pw_db *db;
	struct pw_watch *watch;
	int watched;
	unsigned serial; /* of the socket */
	uint32_t wants;
	struct pw_timer *deadline, *retry;
	int failures, refusals; /* in a row */
	pw_db_result_fn *answer; /* of the statement under way */
	void *answer_arg;
	bool connected; /* ready() has been called */
	bool driving;
	bool unfit; /* to be broken */
};

static void drive(struct pw_link *link);

const char *
pw_link_name(const struct pw_link *link)
{
	return link->name;
}

bool
pw_link_idle(const struct pw_link *link)
{
	return link->connected && !link->unfit && link->db && pw_db_state(link->db) == PW_DB_IDLE;
}

/* Full jitter over the upper half: many workers that lost one database do not come back in step. */
static int64_t
backoff(int failures)
{
	int64_t wait = RETRY_FIRST;

	for (int i = 1; i < failures && wait < RETRY_MOST; i++)
		wait *= 2;
	if (wait > RETRY_MOST)
		wait = RETRY_MOST;
	return wait / 2 + arc4random_uniform((uint32_t)(wait / PW_MS / 2) + 1) * PW_MS;
}

static void
drop(struct pw_link *link)
{
	link->watch = pw_watch_free(link->watch);
	link->watched = -1;
	link->db = pw_db_close(link->db);
	link->connected = link->unfit = false;
	pw_timer_set(link->deadline, PW_NEVER);
}

static void
answered(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_link *link = arg;
	pw_db_result_fn *answer = link->answer;

	link->answer = NULL;
	if (answer)
		answer(link->answer_arg, result, err);
}

static void
broken(struct pw_link *link, const struct pw_err *err)
{
	struct pw_err why = *err;

	drop(link);
	answered(link, NULL, &why);
	link->failures++;
	pw_timer_set(link->retry, pw_now_ns() + backoff(link->failures));
	if (link->ops->lost)
		link->ops->lost(link->arg, link, &why);
}

static void
on_socket(void *arg, uint32_t events PW_UNUSED)
{
	drive(arg);
}

/* The socket may change while libpq tries one address after the other. */
static int
watch_socket(struct pw_link *link, struct pw_err *err)
{
	uint32_t wants;
	int fd = pw_db_socket(link->db, &wants);
	bool same = fd == link->watched && link->serial == pw_db_socket_serial(link->db);

	if (same && wants == link->wants)
		return 0;
	link->wants = wants;
	if (same)
		return pw_watch_set(link->watch, wants, err);
	link->watch = pw_watch_free(link->watch);
	link->watched = fd;
	link->serial = pw_db_socket_serial(link->db);
	return pw_watch_new(link->loop, link->name, fd, wants, on_socket, link, &link->watch, err);
}

static void
deliver_notifications(struct pw_link *link)
{
	PGnotify *note;

	while (link->db && (note = pw_db_notification(link->db))) {
		if (link->ops->notify)
			link->ops->notify(link->arg, note->relname, note->extra);
		PQfreemem(note);
	}
}

static void
drive(struct pw_link *link)
{
	struct pw_err err;

	if (!link->db || link->driving)
		return;
	link->driving = true;
	if (pw_db_poll(link->db, &err) < 0 || watch_socket(link, &err) < 0) {
		link->driving = false;
		broken(link, &err);
		return;
	}
	deliver_notifications(link);
	if (pw_db_state(link->db) == PW_DB_IDLE && !link->unfit) {
		pw_timer_set(link->deadline, PW_NEVER);
		if (!link->connected) {
			link->connected = true;
			if (link->ops->ready)
				link->ops->ready(link->arg, link);
		}
		if (link->ops->idle && pw_link_idle(link))
			link->ops->idle(link->arg, link);
	}
	link->driving = false;
	if (link->db && watch_socket(link, &err) < 0)
		broken(link, &err);
}

static void
connect_now(void *arg)
{
	struct pw_link *link = arg;
	struct pw_err err;

	pw_timer_set(link->retry, PW_NEVER);
	if (pw_db_connect_start(link->conninfo, "pulp-worker", &link->db, &err) < 0) {
		link->db = NULL;
		broken(link, &err);
		return;
	}
	if (link->guest)
		pw_db_guest_from_start(link->db);
	pw_timer_set(link->deadline, pw_now_ns() + pw_db_connect_timeout_ns(link->db));
	drive(link);
}

static void
too_late(void *arg)
{
	struct pw_link *link = arg;
	struct pw_err err;

	pw_err_set(&err, PW_ERR_TIMEOUT, !link->connected ? "no connection in time" : link->unfit ? "this server takes no writes" :
												    "no answer from the database in time");
	broken(link, &err);
}

int
pw_link_new(struct pw_loop *loop, const char *name, const char *conninfo, bool guest,
	    const struct pw_link_ops *ops, void *arg, struct pw_link **ret_link, struct pw_err *err)
{
	struct pw_link *link = calloc(1, sizeof(*link));

	if (!link || !(link->conninfo = strdup(conninfo))) {
		free(link);
		return pw_err_nomem(err);
	}
	link->loop = loop;
	link->name = name;
	link->guest = guest;
	link->ops = ops;
	link->arg = arg;
	link->watched = -1;
	link->deadline = pw_timer_new(loop, "link deadline", too_late, link);
	link->retry = pw_timer_new(loop, "link retry", connect_now, link);
	pw_timer_set(link->retry, pw_now_ns());
	*ret_link = link;
	return 0;
}

struct pw_link *
pw_link_free(struct pw_link *link)
{
	if (!link)
		return NULL;
	link->watch = pw_watch_free(link->watch);
	link->db = pw_db_close(link->db);
	link->deadline = pw_timer_free(link->deadline);
	link->retry = pw_timer_free(link->retry);
	free(link->conninfo);
	free(link);
	return NULL;
}

/* What pw_db_send, or its like, has returned for the statement of FN. */
static bool
sent(struct pw_link *link, int ret, int64_t timeout_ns, pw_db_result_fn *fn, void *arg)
{
	if (ret < 0) {
		/* broken while sending: told by the next turn of the loop, not from inside the caller */
		pw_timer_set(link->deadline, pw_now_ns());
		return false;
	}
	link->answer = fn;
	link->answer_arg = arg;
	pw_timer_set(link->deadline, timeout_ns == PW_NEVER ? PW_NEVER : pw_now_ns() + timeout_ns);
	if (!link->driving && watch_socket(link, NULL) < 0)
		pw_timer_set(link->deadline, pw_now_ns());
	return true;
}

bool
pw_link_send(struct pw_link *link, const char *sql, const struct pw_db_params *params,
	     int64_t timeout_ns, pw_db_result_fn *fn, void *arg)
{
	return pw_link_idle(link) &&
	       sent(link, pw_db_send(link->db, sql, params, answered, link, NULL), timeout_ns, fn,
		    arg);
}

bool
pw_link_prepare(struct pw_link *link, const char *sql, int64_t timeout_ns, pw_db_result_fn *fn,
		void *arg)
{
	return pw_link_idle(link) &&
	       sent(link, pw_db_send_prepare(link->db, sql, answered, link, NULL), timeout_ns, fn,
		    arg);
}

void
pw_link_works(struct pw_link *link)
{
	char event[32];

	snprintf(event, sizeof(event), "%s.works", link->ops->event);
	if (link->refusals >= REFUSALS_TOLD)
		pw_log_info(NULL, event, "failures=%d", link->refusals);
	link->failures = link->refusals = 0;
}

int64_t
pw_link_refused(struct pw_link *link, const struct pw_err *err)
{
	char event[32];

	if (strcmp(err->sqlstate, PW_READ_ONLY) == 0) { /* look for the primary */
		pw_link_reset(link);
		return REFUSED_FIRST;
	}
	snprintf(event, sizeof(event), "%s.failing", link->ops->event);
	if (++link->refusals == REFUSALS_TOLD)
		pw_log_warning(NULL, event, "sqlstate=%s msg=%s", err->sqlstate, pw_log_quote(err->text));
	return link->refusals < REFUSALS_TOLD ? REFUSED_FIRST : REFUSED_MOST;
}

void
pw_link_reset(struct pw_link *link)
{
	if (!link->db)
		return;
	link->unfit = true;
	pw_timer_set(link->deadline, pw_now_ns());
}
