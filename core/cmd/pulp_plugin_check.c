/* SPDX-License-Identifier: MIT */
/* pulp-plugin check: all that is wrong with a plugin file, as far as reading it and loading it once can show. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/pulp_plugin.h"
#include "plugin/symbols.h"

#define TRIAL_TIME "10s"

void
check_add(struct check *check, const char *fmt, ...)
{
	char **more = realloc(check->problems, (check->count + 1) * sizeof(*more));
	pw_auto_buf text = PW_BUF_INIT;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = pw_buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (more)
		check->problems = more;
	if (ret < 0 || !more || !(more[check->count] = pw_buf_steal(&text)))
		check->nomem = true;
	else
		check->count++;
}

void
check_done(struct check *check)
{
	for (size_t i = 0; i < check->count; i++)
		free(check->problems[i]);
	free(check->problems);
	pw_plugin_meta_free(check->meta);
	pw_buf_done(&check->output);
	*check = (struct check)CHECK_INIT;
}

json_t *
check_json(const struct check *check)
{
	json_t *problems = json_array();

	for (size_t i = 0; i < check->count; i++)
		if (json_array_append_new(problems, json_string(check->problems[i])) < 0) {
			json_decref(problems);
			return NULL;
		}
	return problems;
}

void
check_print(const struct check *check, const char *shown)
{
	for (size_t i = 0; i < check->count; i++)
		pw_cli_warn("%s: %s", shown, check->problems[i]);
	if (check->output.len == 0)
		return;
	pw_cli_warn("%s: while it was loaded it said:", shown);
	/* Its bytes may be anything, and must not steer the terminal. */
	for (size_t i = 0; i < check->output.len; i++) {
		char c = check->output.data[i];

		if (i == 0 || check->output.data[i - 1] == '\n')
			fputs("  | ", stderr);
		if (((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			c = '?';
		fputc(c, stderr);
	}
	if (check->output.data[check->output.len - 1] != '\n')
		fputc('\n', stderr);
}

static void
add_problem(const char *text, void *arg)
{
	check_add(arg, "%s", text);
}

static bool
has_symbol(const struct pw_plugin_task *tasks, size_t count, const char *symbol)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tasks[i].symbol, symbol) == 0)
			return true;
	return false;
}

/* A symbol without its note: a worker never reaches it. */
static void
add_stray(const char *symbol, void *arg)
{
	struct check *check = arg;
	const struct pw_plugin_meta *meta = check->meta;

	if (meta && (has_symbol(meta->tasks, meta->task_count, symbol) ||
		     has_symbol(meta->resources, meta->resource_count, symbol)))
		return;
	check_add(check, "symbol %.100s has no note: was it stripped, or not made by %s?", symbol,
		  strncmp(symbol, "pulp_task_", 10) == 0 ? "PULP_TASK" : "PULP_RESOURCE");
}

int
check_plugin(const char *path, struct check *check, struct pw_err *err)
{
	const char *timeout = pulp_plugin_options.timeout;
	int64_t timeout_ns;
	int loadable;

	if (pw_duration_parse(timeout ? timeout : TRIAL_TIME, PW_SEC, &timeout_ns, err) < 0)
		return -1;
	loadable = pw_plugin_meta_problems(path, add_problem, check);
	if (check->count == 0 && pw_plugin_meta_read(path, &check->meta, err) < 0)
		return -1;
	if (check->meta && check->meta->task_count == 0)
		check_add(check, "it offers no task");
	if (check->meta || loadable == 0) {
		/* With bad notes their symbols would all be strays: that says nothing new, but without any note it does. */
		if (check->meta || (check->count == 1 && strncmp(check->problems[0], "no pulp notes", 13) == 0)) {
			pw_plugin_symbols(path, "pulp_task_", add_stray, check);
			pw_plugin_symbols(path, "pulp_resource_", add_stray, check);
		}
		if (trial_run(path, timeout_ns, check, err) < 0)
			return -1;
	}
	return check->nomem ? pw_err_nomem(err) : 0;
}

/* What plugin code printed, fit for JSON: its bytes may be anything. */
static json_t *
output_json(const struct check *check)
{
	const char *text = pw_buf_text(&check->output);

	if (pw_utf8_valid(text, check->output.len))
		return json_stringn(text, check->output.len);
	pw_auto_buf ascii = PW_BUF_INIT;

	for (size_t i = 0; i < check->output.len; i++)
		if (pw_buf_addc(&ascii, (unsigned char)text[i] < 0x80 ? text[i] : '?') < 0)
			return NULL;
	return json_string(pw_buf_text(&ascii));
}

static json_t *
report_json(const struct check *check, const char *path)
{
	const struct pw_plugin_meta *meta = check->meta;

	return json_pack("{s:s, s:b, s:s?, s:s?, s:o, s:o}", "file", path, "ok", check->count == 0, "module", meta ? meta->module : NULL,
			 "version", meta ? meta->version : NULL, "problems", check_json(check), "output", output_json(check));
}

int
pulp_plugin_check(int argc, char **argv)
{
	struct check check = CHECK_INIT;
	struct pw_err err;
	int status = EX_OK;

	(void)argc;
	if (access(argv[0], R_OK) < 0) {
		pw_err_errno(&err, "%s", argv[0]);
		status = pw_cli_fail(&err);
		return status == EX_OSERR ? EX_NOINPUT : status;
	}
	if (check_plugin(argv[0], &check, &err) < 0)
		status = pw_cli_fail(&err);
	else if (pulp_plugin_options.json && pw_output_json(report_json(&check, argv[0]), &err) < 0)
		status = pw_cli_fail(&err);
	else if (check.count)
		status = EX_DATAERR;
	if (!pulp_plugin_options.json && (status == EX_OK || status == EX_DATAERR)) {
		check_print(&check, argv[0]);
		if (check.count == 0)
			printf("%s: nothing wrong with %s %s (%zu task%s)\n", argv[0], check.meta->module, check.meta->version,
			       check.meta->task_count, check.meta->task_count == 1 ? "" : "s");
	}
	check_done(&check);
	return status;
}
