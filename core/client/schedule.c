/* SPDX-License-Identifier: MIT */
/*
 * A new schedule: its cron expression is taken apart and its arguments are
 * encrypted, in pulp-task and in the library. What only the database knows
 * (names, times, time zones) is checked there.
 */
#include "client/schedule.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "crypt/leaves.h"
#include "sched/cron.h"
#include "task/json.h"

#define EVERY_MOST_DAYS INT64_C(36525) /* a hundred years */

int
pw_schedule_check_every(const char *name, int64_t every_ns, struct pw_err *err)
{
	if (every_ns < PW_SEC || every_ns / PW_SEC / 86400 > EVERY_MOST_DAYS)
		return pw_err_set(err, PW_ERR_INPUT, "%s: from one second to a hundred years", name);
	return 0;
}

static const char *
zone_of(const struct pw_schedule_cron *given)
{
	return given->time_zone ? given->time_zone : "UTC";
}

static const char *
missed_of(const struct pw_schedule_cron *given)
{
	return given->missed ? given->missed : "once";
}

static int
parse_cron(const struct pw_schedule_cron *given, struct pw_cron *ret_cron, struct pw_err *err)
{
	const char *zone = zone_of(given), *missed = missed_of(given);

	if (strcmp(missed, "once") != 0 && strcmp(missed, "skip") != 0)
		return pw_err_set(err, PW_ERR_INPUT, "missed '%.40s' is neither once nor skip", missed);
	if (!pw_utf8_valid(zone, strlen(zone)))
		return pw_err_set(err, PW_ERR_INPUT, "the time zone is not UTF-8");
	return pw_cron_parse(given->expression, ret_cron, err);
}

int
pw_schedule_check_cron(const struct pw_schedule_cron *cron, struct pw_err *err)
{
	struct pw_cron parsed;

	return parse_cron(cron, &parsed, err);
}

/* The expression with what it means, as add_schedule takes it; the caller frees. */
static int
read_cron(const struct pw_schedule_cron *given, char **ret_json, struct pw_err *err)
{
	pw_auto_json *object = NULL;
	struct pw_cron cron;

	if (parse_cron(given, &cron, err) < 0)
		return -1;
	object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "expression", given->expression, "time_zone", zone_of(given),
			   "missed", missed_of(given), "minutes", (json_int_t)cron.minutes, "hours", (json_int_t)cron.hours, "days",
			   (json_int_t)cron.days, "months", (json_int_t)cron.months, "weekdays", (json_int_t)cron.weekdays, "either",
			   cron.either);
	*ret_json = object ? json_dumps(object, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : pw_err_nomem(err);
}

int
pw_schedule_add(struct pw_db *db, const struct pw_schedule *schedule,
		const struct pw_schedule_cron *cron, const struct pw_keyring *keys,
		int64_t deadline_ns, struct pw_dispatched *ret_added, struct pw_err *err)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	struct pw_schedule what = *schedule;
	pw_auto_free char *meaning = NULL;
	int sealed;

	if (what.every_ns && pw_schedule_check_every("the interval", what.every_ns, err) < 0)
		return -1;
	if (cron && read_cron(cron, &meaning, err) < 0)
		return -1;
	what.cron = meaning;
	sealed = pw_leaves_seal_arguments(keys, what.args, what.kwargs, &args, &kwargs, err);
	if (sealed < 0)
		return -1;
	if (sealed) {
		what.args = pw_buf_text(&args);
		what.kwargs = pw_buf_text(&kwargs);
		what.sealed = true;
	}
	return pw_store_add_schedule(db, &what, deadline_ns, ret_added, err);
}
