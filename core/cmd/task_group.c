/* SPDX-License-Identifier: MIT */
/* pulp-task group create, show, finish and cancel. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cmd/bar.h"
#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"

#define MEMBERS_MAX 100

static const char *description;

const struct pw_cli_option pw_verb_group_create_options[] = {
	{ .name = "description", .value = "TEXT", .help = "what the group is for", .text = &description },
	{ .name = NULL },
};

static int
print_group(struct pw_db *db, const struct pw_uuid *id, struct pw_err *err)
{
	pw_auto_record *group = NULL;

	if (pw_store_get_group(db, id, true, pw_cmd_deadline(), &group, err) < 0)
		return -1;
	return pw_cmd_print_record(group, err);
}

int
pw_verb_group_create(int argc, char **argv)
{
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	(void)argv;
	if (pw_cmd_open(&db, &err) < 0 || pw_store_create_group(db, description ? description : "", pw_cmd_deadline(), &id, &err) < 0)
		return pw_cmd_fail(&err);
	if (!pw_cmd_json())
		puts(id.s);
	else if (print_group(db, &id, &err) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}

static int64_t
put_counts(const struct pw_record *group)
{
	static const char *const names[] = {
#define STATE(id, final, meaning) #id,
#include "task/states.def"
	};
	const char *between = "";
	int64_t total = 0;

	printf("%-12s ", "Members");
	for (size_t i = 0; i < PW_COUNT(names); i++) {
		int64_t count = pw_record_int(group, names[i], 0);

		total += count;
		if (count == 0)
			continue;
		printf("%s%lld %s%s%s", between, (long long)count, pw_output_style(1, pw_cmd_state_style(pw_task_state_of(names[i]))),
		       names[i], pw_output_style(1, PW_STYLE_PLAIN));
		between = ", ";
	}
	puts(total ? "" : "none");
	return total;
}

static void
put_progress(const struct pw_record *group)
{
	pw_auto_json *reports = json_loads(pw_record_text(group, "group_progress_reports"), 0, NULL);
	json_t *report;
	size_t i;

	json_array_foreach(reports, i, report) {
		pw_auto_buf line = PW_BUF_INIT;

		if (pw_bar_text(report, &line) < 0)
			return;
		printf("%-12s ", i ? "" : "Progress");
		pw_cmd_put_text(stdout, pw_buf_text(&line));
		putchar('\n');
	}
}

static int
show(struct pw_db *db, const struct pw_uuid *id, struct pw_err *err)
{
	struct pw_task_filter filter = { .group = id->s, .limit = MEMBERS_MAX };
	pw_auto_records tasks = PW_RECORDS_INIT;
	pw_auto_record *group = NULL;
	int64_t total;

	if (pw_store_get_group(db, id, false, pw_cmd_deadline(), &group, err) < 0 ||
	    pw_store_list_tasks(db, &filter, pw_cmd_deadline(), &tasks, err) < 0)
		return -1;
	printf("%-12s %s\n", "Group", id->s);
	if (*pw_record_text(group, "description")) {
		printf("%-12s ", "Description");
		pw_cmd_put_text(stdout, pw_record_text(group, "description"));
		putchar('\n');
	}
	if (pw_record_bool(group, "all_tasks_dispatched"))
		printf("%-12s all its tasks have been dispatched\n", "Finished");
	total = put_counts(group);
	put_progress(group);
	if (total == 0)
		return 0;
	putchar('\n');
	if (pw_cmd_print_tasks(&tasks, err) < 0)
		return -1;
	if (total > (int64_t)tasks.count)
		printf("... and %lld older ones\n", (long long)(total - (int64_t)tasks.count));
	return 0;
}

int
pw_verb_group_show(int argc, char **argv)
{
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_group_id(argv[0], &id, &err) < 0 || pw_cmd_open(&db, &err) < 0 ||
	    (pw_cmd_json() ? print_group(db, &id, &err) : show(db, &id, &err)) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}

int
pw_verb_group_finish(int argc, char **argv)
{
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_group_id(argv[0], &id, &err) < 0 || pw_cmd_open(&db, &err) < 0 ||
	    pw_store_finish_group(db, &id, pw_cmd_deadline(), &err) < 0 ||
	    (pw_cmd_json() && print_group(db, &id, &err) < 0))
		return pw_cmd_fail(&err);
	return EX_OK;
}

int
pw_verb_group_cancel(int argc, char **argv)
{
	pw_auto_db *db = NULL;
	int64_t canceled;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_group_id(argv[0], &id, &err) < 0 || pw_cmd_open(&db, &err) < 0 ||
	    pw_store_cancel_group(db, &id, pw_cmd_deadline(), &canceled, &err) < 0)
		return pw_cmd_fail(&err);
	if (!pw_cmd_json())
		printf("%lld task%s canceled\n", (long long)canceled, canceled == 1 ? "" : "s");
	else if (print_group(db, &id, &err) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
