/* SPDX-License-Identifier: MIT */
/* A new schedule, as pulp-task and the library make it: what comes before the store's question. */
#ifndef PW_CLIENT_SCHEDULE_H
#define PW_CLIENT_SCHEDULE_H

#include "crypt/keyring.h"
#include "store/schedule_store.h"

/* NULL: UTC, and "once". */
struct pw_schedule_cron {
	const char *expression, *time_zone, *missed;
};

/* From one second to a hundred years; NAME is what the caller calls it. */
int pw_schedule_check_every(const char *name, int64_t every_ns, struct pw_err *err) PW_MUSTCHECK;
/* What can be seen of it without asking the database: all but whether there is such a time zone. */
int pw_schedule_check_cron(const struct pw_schedule_cron *cron, struct pw_err *err) PW_MUSTCHECK;
/*
 * Adds SCHEDULE, whose arguments are in clear and are encrypted here, with the first of KEYS if there is any; where CRON is
 * given it says when, and schedule->cron is none. Both are borrowed. PW_ERR_INPUT for what can be seen without asking.
 */
int pw_schedule_add(struct pw_db *db, const struct pw_schedule *schedule, const struct pw_schedule_cron *cron,
		    const struct pw_keyring *keys, int64_t deadline_ns, struct pw_dispatched *ret_added,
		    struct pw_err *err) PW_MUSTCHECK;

#endif
