/* SPDX-License-Identifier: MIT */
/* pulp-task schedule list, show, remove and run. What is due is dispatched by workers, never from here. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/task.h"
#include "store/schedule_store.h"

enum { WIDTH_ALL = 70 }; /* what is left out where there is no room */

/* When it is due: "every 2 h", "0 3 * * * Europe/Vienna", "once". */
static void
put_rhythm(const struct pw_record *schedule, char *buf, size_t size)
{
	char duration[40];

	if (pw_record_get(schedule, "cron")) {
		snprintf(buf, size, "%s %s", pw_record_text(schedule, "cron"), pw_record_text(schedule, "time_zone"));
	} else if (*pw_cmd_duration(schedule, "_interval_ms", duration, sizeof(duration))) {
		snprintf(buf, size, "every %s", duration);
	} else {
		snprintf(buf, size, "once");
	}
}

static void
put_next(const struct pw_record *schedule, char *buf, size_t size)
{
	char duration[40];

	if (!pw_record_get(schedule, "next_dispatch"))
		snprintf(buf, size, "never");
	else if (*pw_cmd_duration(schedule, "_next_ms", duration, sizeof(duration)))
		snprintf(buf, size, "in %s", duration);
	else
		snprintf(buf, size, "due");
}

static int
add_row(struct pw_table *table, const struct pw_record *schedule, struct pw_err *err)
{
	const char *trouble = pw_record_get(schedule, "trouble");
	char rhythm[400], next[48];
	const char *cells[] = {
		pw_record_text(schedule, "name"),
		next,
		rhythm,
		pw_record_text(schedule, "task_name"),
		trouble ? trouble : pw_record_text(schedule, "_last_state"),
	};

	put_rhythm(schedule, rhythm, sizeof(rhythm));
	put_next(schedule, next, sizeof(next));
	return pw_table_add(table, cells, 4, trouble ? PW_STYLE_RED : PW_STYLE_PLAIN, err);
}

static int
print_schedules(const struct pw_records *schedules, struct pw_err *err)
{
	static const struct pw_column columns[] = {
		{ "NAME", PW_COLUMN_CUT }, { "NEXT", PW_COLUMN_LEFT },	    { "WHEN", PW_COLUMN_CUT },
		{ "TASK", PW_COLUMN_CUT }, { "LAST/TROUBLE", PW_COLUMN_CUT },
	};
	int width = isatty(STDOUT_FILENO) ? pw_cmd_columns(STDOUT_FILENO, NULL) : 0;
	struct pw_table *table;
	int status = 0;

	/* a narrow terminal shows name, next and when */
	if (pw_table_new(columns, width && width < WIDTH_ALL ? 3 : PW_COUNT(columns), &table, err) <
	    0)
		return -1;
	for (size_t i = 0; i < schedules->count && status == 0; i++)
		status = add_row(table, schedules->items[i], err);
	if (status == 0)
		status = pw_table_print(table, err);
	pw_table_free(table);
	return status;
}

int
pw_verb_schedule_list(int argc, char **argv)
{
	pw_auto_records schedules = PW_RECORDS_INIT;
	pw_auto_db *db = NULL;
	struct pw_err err;

	(void)argc;
	(void)argv;
	if (pw_cmd_open(&db, &err) < 0 ||
	    pw_store_list_schedules(db, NULL, pw_cmd_deadline(), &schedules, &err) < 0 ||
	    (pw_cmd_json() ? pw_cmd_print_records(&schedules, &err) :
			     print_schedules(&schedules, &err)) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}

static void
put_field(const char *name, const char *value)
{
	if (!value || !*value)
		return;
	printf("%s%-12s%s ", pw_output_style(1, PW_STYLE_DIM), name, pw_output_style(1, PW_STYLE_PLAIN));
	pw_cmd_put_text(stdout, value);
	putchar('\n');
}

static void
put_strings(const char *name, const char *array)
{
	pw_auto_json *strings = json_loads(array, 0, NULL);
	json_t *string;
	size_t i;

	json_array_foreach(strings, i, string)
		put_field(i ? "" : name, json_string_value(string));
}

static void
print_schedule(const struct pw_record *schedule)
{
	const char *zone = pw_record_get(schedule, "time_zone");
	char text[400], next[48];

	put_field("Schedule", pw_record_text(schedule, "name"));
	put_field("Id", pw_record_text(schedule, "pulp_id"));
	put_field("Task", pw_record_text(schedule, "task_name"));
	put_rhythm(schedule, text, sizeof(text));
	put_field("When", text);
	put_field("Missed", pw_record_text(schedule, "missed"));
	put_next(schedule, next, sizeof(next));
	snprintf(text, sizeof(text), "%s", next);
	if (pw_record_get(schedule, "next_dispatch"))
		snprintf(text, sizeof(text), "%s %s (%s)", pw_record_text(schedule, "_next_local"), zone ? zone : "UTC", next);
	put_field("Next", text);
	put_strings("Exclusive", pw_record_text(schedule, "exclusive_resources"));
	put_strings("Shared", pw_record_text(schedule, "shared_resources"));
	if (pw_record_get(schedule, "last_task")) {
		pw_cmd_duration(schedule, "_last_ms", next, sizeof(next));
		snprintf(text, sizeof(text), "%s, %s, %s ago", pw_record_text(schedule, "last_task"),
			 pw_record_text(schedule, "_last_state"), next);
		put_field("Last task", text);
	}
	if (pw_record_get(schedule, "trouble")) {
		put_field("Trouble", pw_record_text(schedule, "trouble"));
		put_field("Failures", pw_record_text(schedule, "failures"));
	}
}

int
pw_verb_schedule_show(int argc, char **argv)
{
	pw_auto_records schedules = PW_RECORDS_INIT;
	pw_auto_db *db = NULL;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_open(&db, &err) < 0 ||
	    pw_store_list_schedules(db, argv[0], pw_cmd_deadline(), &schedules, &err) < 0)
		return pw_cmd_fail(&err);
	for (size_t i = 0; i < schedules.count; i++)
		if (!pw_cmd_json())
			print_schedule(schedules.items[i]);
		else if (pw_cmd_print_record(schedules.items[i], &err) < 0)
			return pw_cmd_fail(&err);
	return EX_OK;
}

/* All that can be removed are; the first failure is the exit status. With --json: what they were. */
int
pw_verb_schedule_remove(int argc, char **argv)
{
	pw_auto_json *removed = json_array();
	pw_auto_db *db = NULL;
	struct pw_err err;
	int status = EX_OK;

	if (pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);
	for (int i = 0; i < argc; i++) {
		if (pw_store_remove_schedule(db, argv[i], pw_cmd_deadline(), &err) == 0)
			json_array_append_new(removed, json_string(argv[i]));
		else if (status)
			pw_cmd_fail(&err);
		else
			status = pw_cmd_fail(&err);
	}
	if (pw_cmd_json() && pw_output_json(json_incref(removed), &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}

int
pw_verb_schedule_run(int argc, char **argv)
{
	pw_auto_free char *func = NULL;
	pw_auto_record *task = NULL;
	struct pw_dispatched dispatched;
	pw_auto_db *db = NULL;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_open(&db, &err) < 0 ||
	    pw_store_run_schedule(db, argv[0], pw_cmd_deadline(), &dispatched, &func, &err) < 0)
		return pw_cmd_fail(&err);
	pw_cmd_warn_unserved(func, &dispatched);
	if (!pw_cmd_json())
		puts(dispatched.id.s);
	else if (pw_store_get_task(db, &dispatched.id, pw_cmd_deadline(), &task, &err) < 0 ||
		 pw_cmd_print_record(task, &err) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
