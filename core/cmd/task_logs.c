/* SPDX-License-Identifier: MIT */
/* pulp-task logs: what a task has said and printed, and with --follow what it goes on to say. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"

#define PAUSE (500 * PW_MS)

static bool follow;

const struct pw_cli_option pw_verb_logs_options[] = {
	{ .name = "follow", .letter = 'f', .help = "go on until the task has ended", .flag = &follow },
	{ .name = NULL },
};

/* Prints the parts after *LAST. Returns how many there were. */
static int
print_parts(struct pw_db *db, const struct pw_uuid *id, int64_t *last, struct pw_err *err)
{
	pw_auto_records parts = PW_RECORDS_INIT;

	if (pw_store_logs(db, id, *last, pw_cmd_deadline(), &parts, err) < 0)
		return -1;
	for (size_t i = 0; i < parts.count; i++) {
		pw_cmd_put_text(stdout, pw_record_text(parts.items[i], "text"));
		*last = pw_record_int(parts.items[i], "part", *last);
	}
	fflush(stdout);
	return (int)parts.count;
}

/* 1: it has ended. */
static int
has_ended(struct pw_db *db, const struct pw_uuid *id, struct pw_err *err)
{
	pw_auto_records tasks = PW_RECORDS_INIT;

	if (pw_store_watch_tasks(db, id, 1, pw_cmd_deadline(), &tasks, err) < 0)
		return -1;
	if (tasks.count == 0)
		return pw_err_set(err, PW_ERR_NOTFOUND, "there is no task %s", id->s);
	return pw_task_state_final(pw_record_state(tasks.items[0]));
}

static int
print_json(struct pw_db *db, const struct pw_uuid *id, struct pw_err *err)
{
	pw_auto_records parts = PW_RECORDS_INIT;

	if (has_ended(db, id, err) < 0 ||
	    pw_store_logs(db, id, 0, pw_cmd_deadline(), &parts, err) < 0)
		return -1;
	return pw_cmd_print_records(&parts, err);
}

static int
print_all(struct pw_db *db, const struct pw_uuid *id, struct pw_err *err)
{
	int64_t last = 0;

	for (;;) {
		/* The state first: what is said before the end is written is there when the end is. */
		int ended = has_ended(db, id, err);

		if (ended < 0 || print_parts(db, id, &last, err) < 0)
			return -1;
		if (ended || !follow || ferror(stdout))
			return 0;
		if (pw_db_wait(db, pw_now_ns() + PAUSE, err) < 0)
			return -1;
	}
}

int
pw_verb_logs(int argc, char **argv)
{
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_json() && follow)
		return pw_cli_usage("--follow prints no JSON");
	if (pw_cmd_open(&db, &err) < 0 || pw_cmd_task_id(db, argv[0], &id, &err) < 0)
		return pw_cmd_fail(&err);
	if (pw_db_is_guest(db))
		pw_cli_warn("this Pulp lacks our schema, so no output of tasks is kept here: it is in the worker's log, at debug ('pulp-task db install' changes that)");
	if ((pw_cmd_json() ? print_json(db, &id, &err) : print_all(db, &id, &err)) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
