/* SPDX-License-Identifier: MIT */
/*
 * pulp-task schedule add: its options. What makes a schedule of them is
 * core/client/schedule.c, for the library too.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "client/schedule.h"
#include "cmd/task.h"
#include "crypt/leaves.h"

static struct {
	const char *every, *at, *cron, *timezone, *missed, *args, *kwargs;
	struct pw_cli_list exclusive, shared;
} options;

const struct pw_cli_option pw_verb_schedule_add_options[] = {
	{ .name = "every", .value = "DURATION", .help = "at intervals, e.g. 30m, 1d; the first time --at, or at once", .text = &options.every },
	{ .name = "at", .value = "TIME", .help = "once, at this time, e.g. 2027-01-31T03:00+01:00 (UTC where it names no zone)",
	  .text = &options.at },
	{ .name = "cron", .value = "EXPR", .help = "when these five fields say so, or @hourly, @daily, ...", .text = &options.cron },
	{ .name = "timezone", .value = "TZ", .help = "by the clocks of this zone, e.g. Europe/Vienna (--cron; default UTC)",
	  .text = &options.timezone },
	{ .name = "missed", .value = "skip|once", .help = "leave times that were missed, or make up for them once (--cron; default once)",
	  .text = &options.missed },
	{ .name = "args", .value = "JSON", .help = "positional arguments, an array; @FILE reads a file, - standard input",
	  .text = &options.args },
	{ .name = "kwargs", .value = "JSON", .help = "keyword arguments, an object; @FILE or - likewise", .text = &options.kwargs },
	{ .name = "exclusive", .value = "RESOURCE", .help = "its task uses it alone (may be repeated)", .list = &options.exclusive },
	{ .name = "shared", .value = "RESOURCE", .help = "its task uses it together with others (may be repeated)", .list = &options.shared },
	{ .name = NULL },
};

static int
read_every(int64_t *ret_every_ns, struct pw_err *err)
{
	char name[60];

	*ret_every_ns = 0;
	if (!options.every)
		return 0;
	if (pw_duration_parse(options.every, PW_SEC, ret_every_ns, err) < 0)
		return pw_err_prefix(err, "--every");
	snprintf(name, sizeof(name), "--every '%.40s'", options.every);
	return pw_schedule_check_every(name, *ret_every_ns, err);
}

/* What cannot go together; 0 or the exit status. */
static int
check_options(void)
{
	if (!options.every && !options.at && !options.cron)
		return pw_cli_usage("when? --every, --at or --cron is needed");
	if (options.cron && (options.every || options.at))
		return pw_cli_usage("--cron goes with neither --every nor --at");
	if (!options.cron && (options.timezone || options.missed))
		return pw_cli_usage("--%s is for --cron", options.timezone ? "timezone" : "missed");
	if (options.missed && strcmp(options.missed, "skip") != 0 && strcmp(options.missed, "once") != 0)
		return pw_cli_usage_word("value of --missed", options.missed, (const char *const[]){ "skip", "once", NULL });
	if (options.args && options.kwargs && strcmp(options.args, "-") == 0 && strcmp(options.kwargs, "-") == 0)
		return pw_cli_usage("only one of --args and --kwargs can be read from standard input");
	return 0;
}

static int
print_added(struct pw_db *db, const struct pw_dispatched *added, struct pw_err *err)
{
	pw_auto_records schedules = PW_RECORDS_INIT;

	if (!pw_cmd_json()) {
		puts(added->id.s);
		return 0;
	}
	if (pw_store_list_schedules(db, added->id.s, pw_cmd_deadline(), &schedules, err) < 0)
		return -1;
	return schedules.count ? pw_cmd_print_record(schedules.items[0], err) : 0;
}

int
pw_verb_schedule_add(int argc, char **argv)
{
	const struct pw_schedule_cron cron = { options.cron, options.timezone, options.missed };
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	pw_auto_keyring *keys = NULL;
	struct pw_dispatched added;
	pw_auto_db *db = NULL;
	int64_t every_ns;
	struct pw_err err;
	int status = check_options();

	(void)argc;
	if (status)
		return status;
	if (read_every(&every_ns, &err) < 0 ||
	    (options.cron && pw_schedule_check_cron(&cron, &err) < 0) ||
	    pw_cmd_read_json("--args", options.args, JSON_ARRAY, &args, &err) < 0 ||
	    pw_cmd_read_json("--kwargs", options.kwargs, JSON_OBJECT, &kwargs, &err) < 0 ||
	    pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);
	if (pw_leaves_in_arguments(pw_buf_text(&args), pw_buf_text(&kwargs)) &&
	    pw_cmd_keys(&keys, &err) < 0)
		return pw_cmd_fail(&err);

	const struct pw_schedule schedule = {
		.name = argv[0],
		.func = argv[1],
		.args = pw_buf_text(&args),
		.kwargs = pw_buf_text(&kwargs),
		.every_ns = every_ns,
		.at = options.at,
		.exclusive = options.exclusive.items,
		.exclusive_count = options.exclusive.count,
		.shared = options.shared.items,
		.shared_count = options.shared.count,
	};
	if (pw_schedule_add(db, &schedule, options.cron ? &cron : NULL, keys, pw_cmd_deadline(),
			    &added, &err) < 0)
		return pw_cmd_fail(&err);
	pw_cmd_warn_unserved(argv[1], &added);
	return print_added(db, &added, &err) < 0 ? pw_cmd_fail(&err) : EX_OK;
}
