/* SPDX-License-Identifier: MIT */
/*
 * Cron expressions, taken apart: five fields (minute, hour, day of month, month,
 * day of week) with names, ranges, lists and steps, or @hourly and the like.
 * When one fires next is PostgreSQL's to say, which has the time zones:
 * core/sql/functions/83_cron.sql. Pure.
 */
#ifndef PW_SCHED_CRON_H
#define PW_SCHED_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Bit N of a field stands for the value N. */
struct pw_cron {
	uint64_t minutes;  /* 0-59 */
	uint32_t hours;	   /* 0-23 */
	uint32_t days;	   /* 1-31 */
	uint32_t months;   /* 1-12 */
	uint32_t weekdays; /* 0-6, 0 is Sunday */
	bool either;	   /* neither day field begins with *: one of the two will do (Vixie's rule), else both must match */
};

/* PW_ERR_INPUT, with the field and what is wrong in it: also for one that never fires (30 February). */
int pw_cron_parse(const char *text, struct pw_cron *ret_cron, struct pw_err *err) PW_MUSTCHECK;
/* Whether it names this minute. WEEKDAY: 0 is Sunday. */
bool pw_cron_matches(const struct pw_cron *cron, int minute, int hour, int day, int month, int weekday);

#endif
