/* SPDX-License-Identifier: MIT */
/*
 * Reads cron expressions as Vixie's cron does, in pulp-task and the client
 * library; stricter where his lets typing errors pass (a step longer than its
 * field, a step behind a single value). Knows no time and no time zone.
 */
#include "sched/cron.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct {
	const char *name;
	int low, high;
	const char *names; /* of three letters each, for the values from LOW on */
} fields[FIELDS] = {
	[MINUTE] = { "minute", 0, 59, "" },
	[HOUR] = { "hour", 0, 23, "" },
	[DAY] = { "day of month", 1, 31, "" },
	[MONTH] = { "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
	[WEEKDAY] = { "day of week", 0, 7, "sunmontuewedthufrisat" },
};

static const struct {
	const char *name, *text;
} aliases[] = {
	{ "@hourly", "0 * * * *" },  { "@daily", "0 0 * * *" },	  { "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
	{ "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
};

/* Where the reading stands: one item of one field. */
struct cursor {
	enum field field;
	const char *at, *end; /* of the field */
};

static int
wrong(const struct cursor *c, struct pw_err *err, const char *why)
{
	const char *item = c->at;
	int length = 0;

	while (item + length < c->end && item[length] != ',' && length < 40)
		length++;
	return pw_err_set(err, PW_ERR_INPUT, "cron expression: %s '%.*s': %s", fields[c->field].name, length, item, why);
}

/* A number of at most three digits, or a name. Returns -1 where there is none. */
static int
take_value(struct cursor *c)
{
	const char *names = fields[c->field].names;
	int value = 0, digits = 0;

	while (c->at < c->end && isdigit((unsigned char)*c->at) && digits < 4) {
		value = value * 10 + *c->at++ - '0';
		digits++;
	}
	if (digits)
		return digits < 4 ? value : -1;
	for (int i = 0; c->end - c->at >= 3 && names[i]; i += 3)
		if (strncasecmp(c->at, names + i, 3) == 0) {
			c->at += 3;
			return fields[c->field].low + i / 3;
		}
	return -1;
}

/* One value, a range, or *: where it begins and ends. ret_single: it can have no step. */
static int
take_range(struct cursor *c, int *ret_first, int *ret_last, bool *ret_single, struct pw_err *err)
{
	const struct cursor item = *c;
	int low = fields[c->field].low, high = fields[c->field].high, first, last;
	char range[48];

	*ret_single = false;
	if (c->at < c->end && *c->at == '*') {
		c->at++;
		*ret_first = low;
		*ret_last = c->field == WEEKDAY ? 6 : high;
		return 0;
	}
	first = last = take_value(c);
	if (first >= 0 && c->at < c->end && *c->at == '-') {
		c->at++;
		last = take_value(c);
		if (c->field == WEEKDAY && last == 0 && first > 0)
			last = 7; /* fri-sun */
	} else {
		*ret_single = true;
	}
	if (first < 0 || last < 0)
		return wrong(&item, err, *fields[c->field].names ? "a number or a name of three letters is wanted" : "a number is wanted");
	if (first < low || first > high || last < low || last > high) {
		snprintf(range, sizeof(range), "out of range, allowed is %d to %d", low, high);
		return wrong(&item, err, range);
	}
	if (first > last)
		return wrong(&item, err, "the range runs backwards");
	*ret_first = first;
	*ret_last = last;
	return 0;
}

static int
take_item(struct cursor *c, uint64_t *bits, struct pw_err *err)
{
	const struct cursor item = *c;
	int first = 0, last = 0, step = 1;
	bool single;

	if (take_range(c, &first, &last, &single, err) < 0)
		return -1;
	if (c->at < c->end && *c->at == '/') {
		c->at++;
		if (single)
			return wrong(&item, err, "a step needs a range or * before it");
		step = c->at < c->end && isdigit((unsigned char)*c->at) ? take_value(c) : -1;
		if (step < 1 || step > fields[c->field].high)
			return wrong(&item, err, "the step is not a number that fits the field");
	}
	if (c->at < c->end && *c->at != ',')
		return wrong(&item, err, "cannot be read");
	for (int value = first; value <= last; value += step)
		*bits |= UINT64_C(1) << value;
	return 0;
}

static int
take_field(enum field field, const char *text, size_t length, uint64_t *ret_bits,
	   struct pw_err *err)
{
	struct cursor c = { field, text, text + length };
	uint64_t bits = 0;

	for (;;) {
		if (take_item(&c, &bits, err) < 0)
			return -1;
		if (c.at == c.end)
			break;
		c.at++; /* the comma */
	}
	*ret_bits = bits;
	return 0;
}

static const char *
without_alias(const char *text)
{
	for (size_t i = 0; i < PW_COUNT(aliases); i++) {
		size_t length = strlen(aliases[i].name);

		if (strncasecmp(text, aliases[i].name, length) == 0 && text[length + strspn(text + length, " \t")] == '\0')
			return aliases[i].text;
	}
	return text;
}

/* Only where both day fields must match can there be no day: every weekday falls on every date in time, 29 February too. */
static bool
fires(const struct pw_cron *cron)
{
	static const int most[] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	for (int month = 1; month <= 12; month++)
		if (cron->months >> month & 1 &&
		    (cron->either || cron->days & ((UINT64_C(2) << most[month]) - 2)))
			return true;
	return false;
}

int
pw_cron_parse(const char *text, struct pw_cron *ret_cron, struct pw_err *err)
{
	bool star[FIELDS];
	uint64_t bits[FIELDS];
	struct pw_cron cron;
	const char *rest = without_alias(text + strspn(text, " \t"));

	if (*rest == '@')
		return pw_err_set(err, PW_ERR_INPUT, "cron expression: '%.40s' is none of @hourly, @daily, @weekly, @monthly, @yearly", rest);
	for (int i = 0; i < FIELDS; i++) {
		size_t length = strcspn(rest, " \t");

		if (length == 0)
			return pw_err_set(err, PW_ERR_INPUT, "cron expression '%.100s': five fields are wanted, and there are %d", text, i);
		if (take_field((enum field)i, rest, length, &bits[i], err) < 0)
			return -1;
		star[i] = *rest == '*';
		rest += length;
		rest += strspn(rest, " \t");
	}
	if (*rest)
		return pw_err_set(err, PW_ERR_INPUT, "cron expression '%.100s': five fields are wanted, and there are more", text);
	cron = (struct pw_cron){
		.minutes = bits[MINUTE],
		.hours = (uint32_t)bits[HOUR],
		.days = (uint32_t)bits[DAY],
		.months = (uint32_t)bits[MONTH],
		.weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
		.either = !star[DAY] && !star[WEEKDAY],
	};
	if (!fires(&cron))
		return pw_err_set(err, PW_ERR_INPUT, "cron expression '%.100s' never fires: no such month has such a day", text);
	*ret_cron = cron;
	return 0;
}

bool
pw_cron_matches(const struct pw_cron *cron, int minute, int hour, int day, int month, int weekday)
{
	bool by_month = cron->days >> day & 1, by_week = cron->weekdays >> weekday & 1;

	return cron->minutes >> minute & 1 && cron->hours >> hour & 1 &&
	       cron->months >> month & 1 &&
	       (cron->either ? by_month || by_week : by_month && by_week);
}
