/* SPDX-License-Identifier: MIT */
/* pulp-task workers: who is there, what each has, and how busy it is. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"

/* {"file": "1.0"} as "file 1.0, ..."; what a Python worker has are its labels. */
static int
list_pairs(const char *object, struct pw_buf *buf)
{
	pw_auto_json *pairs = json_loads(object, 0, NULL);
	const char *name, *between = "";
	json_t *version;

	json_object_foreach(pairs, name, version) {
		if (pw_buf_addf(buf, "%s%s %s", between, name, json_is_string(version) ? json_string_value(version) : "?") < 0)
			return -1;
		between = ", ";
	}
	return 0;
}

static int
add_row(struct pw_table *table, const struct pw_record *worker, struct pw_err *err)
{
	bool ours = pw_record_get(worker, "slots") != NULL, online = pw_record_bool(worker, "online");
	pw_auto_buf modules = PW_BUF_INIT;
	char age[40];
	const char *cells[] = {
		pw_record_text(worker, "name"),
		online ? "yes" : "no",
		pw_record_text(worker, "running"),
		ours ? pw_record_text(worker, "slots") : "",
		pw_cmd_duration(worker, "_heartbeat_ms", age, sizeof(age)),
		NULL,
	};

	if (list_pairs(pw_record_text(worker, ours ? "modules" : "versions"), &modules) < 0)
		return pw_err_nomem(err);
	cells[5] = pw_buf_text(&modules);
	return pw_table_add(table, cells, 1, online ? PW_STYLE_GREEN : PW_STYLE_RED, err);
}

static int
print_workers(const struct pw_records *workers, struct pw_err *err)
{
	static const struct pw_column columns[] = {
		{ "NAME", PW_COLUMN_CUT },    { "ALIVE", PW_COLUMN_LEFT },     { "RUNNING", PW_COLUMN_RIGHT },
		{ "SLOTS", PW_COLUMN_RIGHT }, { "HEARTBEAT", PW_COLUMN_LEFT }, { "MODULES", PW_COLUMN_WRAP },
	};
	struct pw_table *table;
	int status = 0;

	if (pw_table_new(columns, PW_COUNT(columns), &table, err) < 0)
		return -1;
	for (size_t i = 0; i < workers->count && status == 0; i++)
		status = add_row(table, workers->items[i], err);
	if (status == 0)
		status = pw_table_print(table, err);
	pw_table_free(table);
	return status;
}

int
pw_verb_workers(int argc, char **argv)
{
	pw_auto_records workers = PW_RECORDS_INIT;
	pw_auto_db *db = NULL;
	struct pw_err err;

	(void)argc;
	(void)argv;
	if (pw_cmd_open(&db, &err) < 0 ||
	    pw_store_list_workers(db, pw_cmd_deadline(), &workers, &err) < 0)
		return pw_cmd_fail(&err);
	if ((pw_cmd_json() ? pw_cmd_print_records(&workers, &err) : print_workers(&workers, &err)) <
	    0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
