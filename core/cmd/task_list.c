/* SPDX-License-Identifier: MIT */
/* pulp-task list, and the table of tasks that other verbs print too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/task.h"
#include "store/task_store.h"

#define LIMIT 100 /* as in Pulp's REST */

static struct {
	struct pw_cli_list states;
	const char *name, *group, *limit, *since;
} options;

const struct pw_cli_option pw_verb_list_options[] = {
	{ .name = "state", .value = "STATE", .help = "only those in this state (may be repeated)", .list = &options.states },
	{ .name = "name", .value = "NAME", .help = "only those of this name; * stands for anything", .text = &options.name },
	{ .name = "group", .value = "ID", .help = "only members of this task group", .text = &options.group },
	{ .name = "since", .value = "DURATION", .help = "only those dispatched within, e.g. 10m, 2h, 1d", .text = &options.since },
	{ .name = "limit", .value = "N", .help = "at most so many, the newest (default 100; 0: all)", .text = &options.limit },
	{ .name = NULL },
};

static const char *
last_column(const struct pw_record *task, enum pw_task_state state)
{
	const char *reason = pw_record_get(task, "_reason");

	if (reason)
		return reason;
	if (state == PW_TASK_waiting)
		return pw_record_get(task, "unblocked_at") ? "(ready)" : "";
	return pw_record_text(task, "_worker");
}

/* In one unit, so that a column of them is narrow. */
static char *
short_duration(const struct pw_record *task, const char *field, char *buf, size_t size)
{
	long long ms = pw_record_int(task, field, -1);

	if (ms < 0)
		snprintf(buf, size, "%s", "");
	else if (ms < 1000)
		snprintf(buf, size, "%lld ms", ms);
	else if (ms < 60000)
		snprintf(buf, size, "%.1f s", (double)ms / 1000);
	else if (ms < 120 * 60000)
		snprintf(buf, size, "%lld min", ms / 60000);
	else if (ms < 48 * 3600000LL)
		snprintf(buf, size, "%lld h", ms / 3600000);
	else
		snprintf(buf, size, "%lld d", ms / 86400000);
	return buf;
}

/* What is left out where there is no room. */
enum { WIDTH_FULL = 110, WIDTH_ALL = 70, SHORT_ID = 18 };

/* COLUMNS: 0 where it is no terminal, which shows all. */
static int
add_row(struct pw_table *table, const struct pw_record *task, int columns, struct pw_err *err)
{
	enum pw_task_state state = pw_record_state(task);
	char age[40], duration[40], id[40];
	const char *cells[] = {
		id,
		pw_record_text(task, "name"),
		pw_record_text(task, "state"),
		short_duration(task, "_age_ms", age, sizeof(age)),
		short_duration(task, "_duration_ms", duration, sizeof(duration)),
		last_column(task, state),
	};

	snprintf(id, sizeof(id), "%.*s", columns && columns < WIDTH_FULL ? SHORT_ID : 36, pw_record_text(task, "pulp_id"));
	return pw_table_add(table, cells, 2, pw_cmd_state_style(state), err);
}

int
pw_cmd_print_tasks(const struct pw_records *tasks, struct pw_err *err)
{
	static const struct pw_column columns[] = {
		{ "ID", PW_COLUMN_LEFT }, { "NAME", PW_COLUMN_CUT },	  { "STATE", PW_COLUMN_LEFT },
		{ "AGE", PW_COLUMN_RIGHT }, { "DURATION", PW_COLUMN_RIGHT }, { "WORKER/REASON", PW_COLUMN_CUT },
	};
	int width = isatty(STDOUT_FILENO) ? pw_cmd_columns(STDOUT_FILENO, NULL) : 0;
	size_t count = width && width < WIDTH_ALL ? 3 : PW_COUNT(columns);
	struct pw_table *table;
	int status = 0;

	if (pw_table_new(columns, count, &table, err) < 0)
		return -1;
	for (size_t i = 0; i < tasks->count && status == 0; i++)
		status = add_row(table, tasks->items[i], width, err);
	if (status == 0)
		status = pw_table_print(table, err);
	pw_table_free(table);
	return status;
}

static int
parse_limit(const char *text, int64_t *ret_limit, struct pw_err *err)
{
	char *end;
	long long limit;

	*ret_limit = LIMIT;
	if (!text)
		return 0;
	errno = 0;
	limit = strtoll(text, &end, 10);
	if (end == text || *end || errno || limit < 0)
		return pw_err_set(err, PW_ERR_INPUT, "--limit: '%.40s' is not a number", text);
	*ret_limit = limit;
	return 0;
}

static int
read_filter(struct pw_task_filter *filter, struct pw_uuid *group, struct pw_err *err)
{
	enum pw_task_state state;

	*filter = (struct pw_task_filter){
		.states = options.states.items,
		.state_count = options.states.count,
		.name = options.name,
		.results = pw_cmd_json(),
	};
	for (size_t i = 0; i < options.states.count; i++)
		if (pw_task_state_parse(options.states.items[i], &state, err) < 0)
			return pw_err_prefix(err, "--state");
	if (options.group && pw_cmd_group_id(options.group, group, err) < 0)
		return -1;
	if (options.group)
		filter->group = group->s;
	if (options.since && pw_duration_parse(options.since, PW_SEC, &filter->within_ns, err) < 0)
		return pw_err_prefix(err, "--since");
	return parse_limit(options.limit, &filter->limit, err);
}

int
pw_verb_list(int argc, char **argv)
{
	pw_auto_records tasks = PW_RECORDS_INIT;
	struct pw_task_filter filter;
	pw_auto_db *db = NULL;
	struct pw_uuid group;
	struct pw_err err;

	(void)argc;
	(void)argv;
	if (read_filter(&filter, &group, &err) < 0 || pw_cmd_open(&db, &err) < 0 ||
	    pw_store_list_tasks(db, &filter, pw_cmd_deadline(), &tasks, &err) < 0)
		return pw_cmd_fail(&err);
	if ((pw_cmd_json() ? pw_cmd_print_records(&tasks, &err) :
			     pw_cmd_print_tasks(&tasks, &err)) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
