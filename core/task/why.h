/* SPDX-License-Identifier: MIT */
/*
 * Why a task is not running: the facts of pulp_worker.why_facts, as one
 * sentence with the one reason that would have to go first. Pure.
 */
#ifndef PW_TASK_WHY_H
#define PW_TASK_WHY_H

#include "base/buf.h"
#include "base/err.h"

/* In the order in which they are looked for. */
enum pw_why {
	PW_WHY_ENDED,	    /* it is final */
	PW_WHY_RUNNING,
	PW_WHY_CANCELING,
	PW_WHY_CLAIMED,	    /* a worker has it and has not started it yet */
	PW_WHY_UNQUEUEABLE, /* its row cannot be settled */
	PW_WHY_NO_WORKER,   /* no worker is alive */
	PW_WHY_MODULE,	    /* no live worker has its module */
	PW_WHY_VERSION,	    /* no live worker has its versions */
	PW_WHY_RESOURCE,    /* somebody stands before it in a queue */
	PW_WHY_UNSETTLED,   /* nobody has looked at it yet */
	PW_WHY_BUSY,	    /* every suitable worker is busy */
	PW_WHY_READY,	    /* nothing is in the way */
	PW_WHY_COUNT
};

/* A word for programs: "resource". */
const char *pw_why_name(enum pw_why why);
/* FACTS: JSON text (core/sql/queries/task_why.sql). Appends the sentence to BUF. */
int pw_why_text(const char *facts, enum pw_why *ret_why, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;

#endif
