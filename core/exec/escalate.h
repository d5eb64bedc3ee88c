/* SPDX-License-Identifier: MIT */
/* The ladder by which a run is ended: ask, TERM, KILL, give up. Pure: it knows deadlines, not processes. */
#ifndef PW_EXEC_ESCALATE_H
#define PW_EXEC_ESCALATE_H

#include <stdint.h>

enum pw_escalate_rung {
	PW_ESCALATE_ASK,     /* SIGUSR1 to the child */
	PW_ESCALATE_TERM,    /* TERM, then CONT, to its group */
	PW_ESCALATE_KILL,    /* KILL to all of it */
	PW_ESCALATE_GIVE_UP, /* KILL has not been answered: the zygote does not do its work */
	PW_ESCALATE_COUNT,
	PW_ESCALATE_NOTHING = PW_ESCALATE_COUNT
};

struct pw_escalate {
	int64_t term_after_ns, kill_after_ns, give_up_after_ns;
	int64_t at_ns[PW_ESCALATE_COUNT]; /* absolute; PW_NEVER before the start, and once done */
};

/* TERM and KILL count from the start, GIVE_UP from KILL. */
void pw_escalate_init(struct pw_escalate *e, int64_t term_after_ns, int64_t kill_after_ns, int64_t give_up_after_ns);
/* Starts the ladder at NOW; a ladder that has been started is left as it is. */
void pw_escalate_start(struct pw_escalate *e, int64_t now_ns);
/* KILL at NOW, whatever went before, and no rung below it any more. */
void pw_escalate_kill(struct pw_escalate *e, int64_t now_ns);
/* The next rung that is due, which is done then; PW_ESCALATE_NOTHING if none. Where KILL is due, the lower ones are left out. */
enum pw_escalate_rung pw_escalate_due(struct pw_escalate *e, int64_t now_ns);
/* When the next rung is due; PW_NEVER if none. */
int64_t pw_escalate_deadline(const struct pw_escalate *e);

#endif
