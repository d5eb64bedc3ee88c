/* SPDX-License-Identifier: MIT */
/*
 * From the way a child ended to what is written of it. Pure: the texts are those
 * of pulp-states(7), which lists every reason a client can see.
 */
#ifndef PW_EXEC_ENDING_H
#define PW_EXEC_ENDING_H

#include "exec/run.h"

/* Why the supervisor itself ended a task, if it did. */
enum pw_cause {
	PW_CAUSE_NONE,
	PW_CAUSE_CANCEL,   /* somebody canceled it */
	PW_CAUSE_SHUTDOWN, /* the worker stops */
	PW_CAUSE_LEASE,	   /* no heartbeat got through for as long as a worker may be silent */
	PW_CAUSE_LOST,	   /* it is not ours any more: nothing is written */
};

struct pw_ending {
	struct pw_uuid task;
	const char *state, *kind; /* literals */
	char *result, *error;	  /* JSON texts or NULL */
	int remains;
	int64_t max_rss_kb, cpu_ms;
	struct pw_ending *next;
};

/* What a child's outcome means. NULL when out of memory. */
struct pw_ending *pw_ending_of_outcome(const struct pw_uuid *task, const char *module, const struct pw_outcome *outcome,
				       enum pw_cause cause);
/* An immediate task that took longer than SECONDS, and one whose plugin does not say that it may be immediate: the original's texts and error codes. */
struct pw_ending *pw_ending_of_overlong(const struct pw_uuid *task, const char *name, int seconds);
struct pw_ending *pw_ending_of_misconfigured(const struct pw_uuid *task, const char *name);
/* {"reason": text}; STATE and KIND are literals. REASON NULL leaves error null. */
struct pw_ending *pw_ending_of_reason(const struct pw_uuid *task, const char *state, const char *kind, const char *reason);
/* failed with {"description": text, "traceback": ""}. */
struct pw_ending *pw_ending_of_failure(const struct pw_uuid *task, const char *description);
struct pw_ending *pw_ending_free(struct pw_ending *ending);

#endif
