/* SPDX-License-Identifier: MIT */
/* The clock of the programs, and durations as people write them. */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t
pw_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * PW_SEC + ts.tv_nsec;
}

int
pw_ms_until(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == PW_NEVER)
		return -1;
	left = deadline_ns - pw_now_ns();
	if (left <= 0)
		return 0;
	left = (left + PW_MS - 1) / PW_MS;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
pw_duration_parse(const char *text, int64_t unit_ns, int64_t *ret_ns, struct pw_err *err)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", PW_MS }, { "s", PW_SEC }, { "m", 60 * PW_SEC },
		{ "min", 60 * PW_SEC }, { "h", 3600 * PW_SEC }, { "d", 86400 * PW_SEC },
	};
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '.' && isdigit((unsigned char)text[1])))
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a duration", text);
	errno = 0;
	value = strtod(text, &end);
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a duration", text);
	while (*end == ' ')
		end++;
	if (*end) {
		unit_ns = 0;
		for (size_t i = 0; i < PW_COUNT(units); i++)
			if (strcmp(end, units[i].name) == 0)
				unit_ns = units[i].ns;
		if (!unit_ns)
			return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a duration (units: ms, s, m, h, d)", text);
	}
	value = round(value * (double)unit_ns);
	if (errno || !(value < 9.2e18))
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is too long a duration", text);
	*ret_ns = (int64_t)value;
	return 0;
}

/* "3 min 20 s"; a second part that is 0 is left out. */
static void
put_parts(char *buf, size_t size, int64_t large, const char *unit, int64_t small,
	  const char *small_unit)
{
	if (small)
		snprintf(buf, size, "%lld %s %lld %s", (long long)large, unit, (long long)small, small_unit);
	else
		snprintf(buf, size, "%lld %s", (long long)large, unit);
}

char *
pw_duration_text(int64_t ns, char *buf, size_t size)
{
	int64_t s = ns / PW_SEC;

	if (ns < PW_SEC)
		snprintf(buf, size, "%d ms", (int)(ns / PW_MS));
	else if (s < 60)
		snprintf(buf, size, "%d.%d s", (int)s, (int)(ns % PW_SEC / (100 * PW_MS)));
	else if (s < 3600)
		put_parts(buf, size, s / 60, "min", s % 60, "s");
	else if (s < 86400)
		put_parts(buf, size, s / 3600, "h", s / 60 % 60, "min");
	else
		put_parts(buf, size, s / 86400, "d", s / 3600 % 24, "h");
	return buf;
}
