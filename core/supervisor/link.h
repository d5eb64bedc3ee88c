/* SPDX-License-Identifier: MIT */
/*
 * A link to the database that mends itself: a connection in the loop, one
 * statement at a time, each with a deadline; when it breaks it is made anew,
 * with back-off and jitter, for ever.
 */
#ifndef PW_SUPERVISOR_LINK_H
#define PW_SUPERVISOR_LINK_H

#include "base/clock.h"
#include "db/conn.h"
#include "sys/loop.h"

#define PW_READ_ONLY "25006" /* said by a standby, or a server that has become one */

struct pw_link;

struct pw_link_ops {
	void (*ready)(void *arg, struct pw_link *link); /* connected anew; nothing has been sent yet */
	void (*idle)(void *arg, struct pw_link *link);	/* may send; called after each answer, too */
	void (*lost)(void *arg, struct pw_link *link, const struct pw_err *err); /* once per loss; it is being mended */
	void (*notify)(void *arg, const char *channel, const char *payload);
	const char *event; /* with what the names of its events begin: "turn" for turn.failing */
};

/* GUEST: its sessions are those of a guest (pw_db_guest). */
int pw_link_new(struct pw_loop *loop, const char *name, const char *conninfo, bool guest, const struct pw_link_ops *ops, void *arg,
		struct pw_link **ret_link, struct pw_err *err) PW_MUSTCHECK;
struct pw_link *pw_link_free(struct pw_link *link);
bool pw_link_idle(const struct pw_link *link);
/* FN is called once, as pw_db_send says; also when the link breaks meanwhile. Returns false (and makes no call) if it could not be sent. */
bool pw_link_send(struct pw_link *link, const char *sql, const struct pw_db_params *params, int64_t timeout_ns,
		  pw_db_result_fn *fn, void *arg);
/* Prepares, as pw_db_send_prepare says; the rest as pw_link_send. */
bool pw_link_prepare(struct pw_link *link, const char *sql, int64_t timeout_ns, pw_db_result_fn *fn, void *arg);
/* What was sent over it has done its work: it mends quickly again. A server that lets us in, and then is of no use, is left more and more time. */
void pw_link_works(struct pw_link *link);
/*
 * What was sent over it was refused, and the link holds. Returns how long to wait before it is said again. Told once when it lasts,
 * and by pw_link_works when it is over; a server that takes no writes is left.
 */
int64_t pw_link_refused(struct pw_link *link, const struct pw_err *err);
/* Breaks the connection, from the next turn of the loop on: it is made anew. */
void pw_link_reset(struct pw_link *link);
const char *pw_link_name(const struct pw_link *link);

#endif
