/* SPDX-License-Identifier: MIT */
/*
 * Checks a moment, so that a bad one is refused with a text of ours before the
 * database is asked. Pure. Does not compute with it: clocks are the database's.
 */
#include "core/moment.h"

#include <stdbool.h>

/* Reads N digits; -1 if they are not there. */
static int
digits(const char **p, int n)
{
	int value = 0;

	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool
literal(const char **p, const char *any)
{
	for (; *any; any++)
		if (**p == *any) {
			++*p;
			return true;
		}
	return false;
}

static bool
within(int value, int low, int high)
{
	return value >= low && value <= high;
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
date(const char **p)
{
	int year = digits(p, 4), month, day;

	if (year < 1 || !literal(p, "-"))
		return false;
	month = digits(p, 2);
	if (!within(month, 1, 12) || !literal(p, "-"))
		return false;
	day = digits(p, 2);
	return within(day, 1, days_in(year, month));
}

static bool
time_of_day(const char **p)
{
	if (!within(digits(p, 2), 0, 23) || !literal(p, ":") || !within(digits(p, 2), 0, 59))
		return false;
	if (!literal(p, ":"))
		return true;
	if (!within(digits(p, 2), 0, 59))
		return false;
	if (!literal(p, "."))
		return true;
	if (digits(p, 1) < 0)
		return false;
	while (**p >= '0' && **p <= '9')
		++*p;
	return true;
}

static bool
zone(const char **p)
{
	if (literal(p, "Zz"))
		return true;
	if (!literal(p, "+-") || !within(digits(p, 2), 0, 15))
		return false;
	if (!**p)
		return true;
	literal(p, ":");
	return within(digits(p, 2), 0, 59);
}

int
pw_moment_check(const char *text, struct pw_err *err)
{
	const char *p = text;

	if (!date(&p) || !literal(&p, "Tt ") || !time_of_day(&p))
		return pw_err_set(err, PW_ERR_INPUT, "'%.100s' is not a date and time like 2026-11-24T13:50:00Z", text);
	if (!*p)
		return pw_err_set(err, PW_ERR_INPUT, "'%.100s' has no time zone: end it with Z or an offset like +01:00",
				  text);
	if (!zone(&p) || *p)
		return pw_err_set(err, PW_ERR_INPUT, "'%.100s' does not end with a time zone: Z or an offset like +01:00",
				  text);
	return 0;
}
