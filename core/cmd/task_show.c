/* SPDX-License-Identifier: MIT */
/* pulp-task show and why: one task, in full or in one sentence. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/bar.h"
#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"
#include "task/why.h"

#define NAME_WIDTH 12

static void
put_field(const char *name, const char *value)
{
	if (!value || !*value)
		return;
	printf("%s%-*s%s ", pw_output_style(1, PW_STYLE_DIM), NAME_WIDTH, name, pw_output_style(1, PW_STYLE_PLAIN));
	pw_cmd_put_text(stdout, value);
	putchar('\n');
}

static void
put_state(const struct pw_record *task)
{
	enum pw_task_state state = pw_record_state(task);
	char duration[40];
	const char *kind = pw_record_get(task, "_kind");

	printf("%s%-*s%s %s%s%s", pw_output_style(1, PW_STYLE_DIM), NAME_WIDTH, "State", pw_output_style(1, PW_STYLE_PLAIN),
	       pw_output_style(1, pw_cmd_state_style(state)), pw_record_text(task, "state"), pw_output_style(1, PW_STYLE_PLAIN));
	if (*pw_cmd_duration(task, "_duration_ms", duration, sizeof(duration)))
		printf(" %s %s", pw_task_state_final(state) ? "after" : "for", duration);
	if (kind && strcmp(kind, pw_record_text(task, "state")) != 0)
		printf(" (%s)", kind);
	putchar('\n');
}

/* "2026-11-24T13:50:01.123456Z" as "2026-11-24 13:50:01 UTC". */
static void
put_time(const char *name, const struct pw_record *task, const char *field)
{
	const char *iso = pw_record_text(task, field);
	char text[40];

	if (strlen(iso) < 19)
		return;
	snprintf(text, sizeof(text), "%.10s %.8s UTC", iso, iso + 11);
	put_field(name, text);
}

/* One line for each string of a JSON array; the name stands before the first. */
static void
put_strings(const char *name, const struct pw_record *task, const char *field)
{
	pw_auto_json *array = json_loads(pw_record_text(task, field), 0, NULL);
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		printf("%s%-*s%s ", pw_output_style(1, PW_STYLE_DIM), NAME_WIDTH, i ? "" : name, pw_output_style(1, PW_STYLE_PLAIN));
		pw_cmd_put_text(stdout, json_is_string(item) ? json_string_value(item) : "?");
		putchar('\n');
	}
}

static void
put_versions(const struct pw_record *task)
{
	pw_auto_json *versions = json_loads(pw_record_text(task, "_versions"), 0, NULL);
	const char *label, *name = "Requires";
	json_t *version;

	json_object_foreach(versions, label, version) {
		pw_auto_buf text = PW_BUF_INIT;

		if (pw_buf_addf(&text, "%s >= %s", label, json_is_string(version) ? json_string_value(version) : "(null)") == 0)
			put_field(name, pw_buf_text(&text));
	}
}

void
pw_cmd_put_progress(const struct pw_record *task)
{
	pw_auto_json *reports = json_loads(pw_record_text(task, "progress_reports"), 0, NULL);
	json_t *report;
	size_t i;

	json_array_foreach(reports, i, report) {
		pw_auto_buf line = PW_BUF_INIT;

		if (pw_bar_text(report, &line) == 0)
			put_field(i ? "" : "Progress", pw_buf_text(&line));
	}
}

static void
put_usage(const struct pw_record *task)
{
	char usage[120], cpu[40];
	int64_t cpu_ms = pw_record_int(task, "_cpu_ms", -1), remains = pw_record_int(task, "_remains", 0);

	if (cpu_ms < 0)
		return;
	pw_duration_text(cpu_ms * PW_MS, cpu, sizeof(cpu));
	snprintf(usage, sizeof(usage), "%s of CPU, %lld MiB of memory at most", cpu,
		 (long long)(pw_record_int(task, "_max_rss_kb", 0) + 1023) / 1024);
	put_field("Used", usage);
	if (remains > 0) {
		snprintf(usage, sizeof(usage), "%lld process%s that it left running", (long long)remains, remains == 1 ? "" : "es");
		put_field("Killed", usage);
	}
}

static void
put_error(const struct pw_record *task)
{
	pw_auto_json *error = json_loads(pw_record_text(task, "error"), JSON_DECODE_INT_AS_REAL, NULL);
	const char *traceback = json_string_value(json_object_get(error, "traceback"));

	if (!pw_record_get(task, "error"))
		return;
	put_field("Error", pw_record_get(task, "_reason") ? pw_record_get(task, "_reason") : pw_record_get(task, "error"));
	if (traceback && *traceback) {
		pw_cmd_put_text(stdout, traceback);
		putchar('\n');
	}
}

static void
show(const struct pw_record *task)
{
	put_field("Task", pw_record_get(task, "pulp_id"));
	put_field("Name", pw_record_get(task, "name"));
	put_state(task);
	put_field("Worker", pw_record_get(task, "_worker"));
	put_time("Dispatched", task, "pulp_created");
	put_time("Ready", task, "unblocked_at");
	put_time("Started", task, "started_at");
	put_time("Finished", task, "finished_at");
	put_field("Group", pw_record_get(task, "task_group"));
	put_field("Parent", pw_record_get(task, "parent_task"));
	put_field("Correlation", pw_record_get(task, "logging_cid"));
	put_strings("Children", task, "child_tasks");
	put_strings("Resources", task, "reserved_resources_record");
	put_versions(task);
	put_strings("Created", task, "created_resource_prns");
	put_usage(task);
	pw_cmd_put_progress(task);
	put_error(task);
	put_field("Result", pw_record_get(task, "result"));
}

int
pw_verb_show(int argc, char **argv)
{
	pw_auto_record *task = NULL;
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_open(&db, &err) < 0 || pw_cmd_task_id(db, argv[0], &id, &err) < 0 ||
	    pw_store_get_task(db, &id, pw_cmd_deadline(), &task, &err) < 0)
		return pw_cmd_fail(&err);
	if (pw_cmd_json())
		return pw_cmd_print_record(task, &err) < 0 ? pw_cmd_fail(&err) : EX_OK;
	show(task);
	return EX_OK;
}

static int
print_why(const struct pw_uuid *id, const char *facts, struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;
	enum pw_why why;

	if (pw_why_text(facts, &why, &text, err) < 0)
		return -1;
	if (pw_cmd_json())
		return pw_output_json(json_pack("{s:s, s:s, s:s}", "pulp_id", id->s, "why", pw_why_name(why), "reason",
						pw_buf_text(&text)),
				      err);
	pw_cmd_put_text(stdout, pw_buf_text(&text));
	putchar('\n');
	return 0;
}

int
pw_verb_why(int argc, char **argv)
{
	pw_auto_free char *facts = NULL;
	pw_auto_db *db = NULL;
	struct pw_uuid id;
	struct pw_err err;

	(void)argc;
	if (pw_cmd_open(&db, &err) < 0 || pw_cmd_task_id(db, argv[0], &id, &err) < 0 ||
	    pw_store_why(db, &id, pw_cmd_deadline(), &facts, &err) < 0 ||
	    print_why(&id, facts, &err) < 0)
		return pw_cmd_fail(&err);
	return EX_OK;
}
