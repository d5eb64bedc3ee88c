/* SPDX-License-Identifier: MIT */
/*
 * The ladder. Every rung has an absolute deadline from the start on, so a slow
 * loop makes the ladder late but never longer. The caller does what the rungs say.
 */
#include "exec/escalate.h"

#include <stdbool.h>

#include "base/clock.h"

static int64_t
after(int64_t now_ns, int64_t ns)
{
	int64_t sum;

	if (ns < 0)
		ns = 0;
	return __builtin_add_overflow(now_ns, ns, &sum) ? PW_NEVER : sum;
}

void
pw_escalate_init(struct pw_escalate *e, int64_t term_after_ns, int64_t kill_after_ns,
		 int64_t give_up_after_ns)
{
	*e = (struct pw_escalate){ .term_after_ns = term_after_ns, .kill_after_ns = kill_after_ns,
				   .give_up_after_ns = give_up_after_ns };
	for (int rung = 0; rung < PW_ESCALATE_COUNT; rung++)
		e->at_ns[rung] = PW_NEVER;
}

static bool
started(const struct pw_escalate *e)
{
	return e->at_ns[PW_ESCALATE_GIVE_UP] != PW_NEVER;
}

void
pw_escalate_start(struct pw_escalate *e, int64_t now_ns)
{
	if (started(e))
		return;
	e->at_ns[PW_ESCALATE_ASK] = now_ns;
	e->at_ns[PW_ESCALATE_TERM] = after(now_ns, e->term_after_ns);
	e->at_ns[PW_ESCALATE_KILL] = after(now_ns, e->kill_after_ns);
	e->at_ns[PW_ESCALATE_GIVE_UP] = after(e->at_ns[PW_ESCALATE_KILL], e->give_up_after_ns);
}

void
pw_escalate_kill(struct pw_escalate *e, int64_t now_ns)
{
	if (started(e) && e->at_ns[PW_ESCALATE_KILL] == PW_NEVER)
		return; /* done already */
	e->at_ns[PW_ESCALATE_ASK] = e->at_ns[PW_ESCALATE_TERM] = PW_NEVER;
	if (now_ns < e->at_ns[PW_ESCALATE_KILL])
		e->at_ns[PW_ESCALATE_KILL] = now_ns;
	e->at_ns[PW_ESCALATE_GIVE_UP] = after(e->at_ns[PW_ESCALATE_KILL], e->give_up_after_ns);
}

enum pw_escalate_rung
pw_escalate_due(struct pw_escalate *e, int64_t now_ns)
{
	if (e->at_ns[PW_ESCALATE_KILL] <= now_ns)
		e->at_ns[PW_ESCALATE_ASK] = e->at_ns[PW_ESCALATE_TERM] = PW_NEVER;
	for (int rung = 0; rung < PW_ESCALATE_COUNT; rung++) {
		if (e->at_ns[rung] > now_ns)
			continue;
		e->at_ns[rung] = PW_NEVER;
		return (enum pw_escalate_rung)rung;
	}
	return PW_ESCALATE_NOTHING;
}

int64_t
pw_escalate_deadline(const struct pw_escalate *e)
{
	int64_t next = PW_NEVER;

	for (int rung = 0; rung < PW_ESCALATE_COUNT; rung++)
		if (e->at_ns[rung] < next)
			next = e->at_ns[rung];
	return next;
}
