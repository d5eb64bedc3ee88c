/* SPDX-License-Identifier: MIT */
/* The progress reports of one task, as its child last told them: what has changed since they were written. Pure but for memory. */
#ifndef PW_EXEC_REPORTS_H
#define PW_EXEC_REPORTS_H

#include "exec/run.h"

#define PW_REPORTS_MOST 256 /* of one task; more are left out */
/*
 * A report is written once in this time, as Pulp does it; but its first word, a change of its state, and the last one
 * before the task's ending at once.
 */
#define PW_REPORT_EVERY (2000 * PW_MS)

struct pw_report {
	struct pw_uuid id;
	char *code, *message, *state, *suffix;
	int64_t done, total;
	bool changed, urgent, sent; /* sent: on its way to the database */
	int64_t next_ns;	    /* when it may be written again */
	struct pw_report *next;
};

struct pw_reports {
	struct pw_report *first;
	int count;
};

/* Takes in what the child says. 1: it has too many reports. When out of memory the report is as it was, or not there. */
int pw_reports_put(struct pw_reports *reports, const struct pw_progress *progress, struct pw_err *err) PW_MUSTCHECK;
/* The next one after PREVIOUS (NULL: the first) that is to be written at NOW_NS, where LAST whatever has changed; it counts as sent. NULL: no more. */
struct pw_report *pw_reports_take(struct pw_reports *reports, struct pw_report *previous, int64_t now_ns, bool last);
/* When the next one is to be written that has not been sent; PW_NEVER: none has changed. */
int64_t pw_reports_due(const struct pw_reports *reports);
/* The task has ended: those on their way are given once more, in case they do not arrive. */
void pw_reports_again(struct pw_reports *reports);
/* What was sent has been written; or has not, and is to be sent again. */
void pw_reports_settle(struct pw_reports *reports, bool written);
void pw_reports_done(struct pw_reports *reports);

#endif
