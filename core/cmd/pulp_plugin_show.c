/* SPDX-License-Identifier: MIT */
/* pulp-plugin inspect and list: what plugins say of themselves, read without running any of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/pulp_plugin.h"

static json_t *
task_json(const struct pw_plugin_meta *meta, const struct pw_plugin_task *task)
{
	pw_auto_buf name = PW_BUF_INIT;

	if (pw_buf_addf(&name, "%s.%s", meta->module, task->name) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "name", name.data, "symbol", task->symbol, "doc", task->doc, "immediate",
			 (int)task->immediate, "timeout", task->timeout_ns ? json_real((double)task->timeout_ns / PW_SEC) : json_null(),
			 "memory", task->memory_bytes ? json_integer(task->memory_bytes) : json_null());
}

static json_t *
resource_json(const struct pw_plugin_task *resource)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "type", resource->name, "symbol", resource->symbol, "doc", resource->doc,
			 "timeout", resource->timeout_ns ? json_real((double)resource->timeout_ns / PW_SEC) : json_null(),
			 "memory", resource->memory_bytes ? json_integer(resource->memory_bytes) : json_null());
}

json_t *
plugin_json(const struct pw_plugin_meta *meta)
{
	json_t *tasks = json_array(), *resources = json_array();
	char abi[32];
	int failed = 0;

	for (size_t i = 0; i < meta->task_count; i++)
		failed |= json_array_append_new(tasks, task_json(meta, &meta->tasks[i])) < 0;
	for (size_t i = 0; i < meta->resource_count; i++)
		failed |= json_array_append_new(resources, resource_json(&meta->resources[i])) < 0;
	if (failed) {
		json_decref(tasks);
		json_decref(resources);
		return NULL;
	}
	snprintf(abi, sizeof(abi), "%d.%d", meta->abi_major, meta->abi_minor);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "file", meta->path, "module", meta->module, "label", meta->label,
			 "version", meta->version, "doc", meta->doc, "abi", abi, "tasks", tasks, "resources", resources);
}

/* "32 MiB", or in the largest unit that needs no fraction. */
static const char *
size_text(int64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (unit + 1 < PW_COUNT(units) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, size, "%lld %s", (long long)bytes, units[unit]);
	return buf;
}

static int
add_task(struct pw_table *table, const struct pw_plugin_meta *meta,
	 const struct pw_plugin_task *task, struct pw_err *err)
{
	char timeout[64] = "", memory[64] = "";
	pw_auto_buf name = PW_BUF_INIT;

	if (pw_buf_addf(&name, "%s.%s", meta->module, task->name) < 0)
		return pw_err_nomem(err);
	if (task->timeout_ns)
		pw_duration_text(task->timeout_ns, timeout, sizeof(timeout));
	if (task->memory_bytes)
		size_text(task->memory_bytes, memory, sizeof(memory));
	const char *const cells[] = { name.data, task->immediate ? "yes" : "", timeout, memory, task->doc };

	return pw_table_add(table, cells, 0, PW_STYLE_BOLD, err);
}

static int
print_tasks(const struct pw_plugin_meta *meta, struct pw_err *err)
{
	static const struct pw_column columns[] = {
		{ "TASK", PW_COLUMN_LEFT },   { "IMMEDIATE", PW_COLUMN_LEFT }, { "TIMEOUT", PW_COLUMN_LEFT },
		{ "MEMORY", PW_COLUMN_LEFT }, { "DOC", PW_COLUMN_WRAP },
	};
	struct pw_table *table = NULL;
	int ret;

	if (pw_table_new(columns, PW_COUNT(columns), &table, err) < 0)
		return -1;
	ret = 0;
	for (size_t i = 0; ret == 0 && i < meta->task_count; i++)
		ret = add_task(table, meta, &meta->tasks[i], err);
	if (ret == 0 && meta->task_count)
		ret = pw_table_print(table, err);
	pw_table_free(table);
	return ret;
}

static int
print_resources(const struct pw_plugin_meta *meta, struct pw_err *err)
{
	static const struct pw_column columns[] = { { "RESOURCE", PW_COLUMN_LEFT },
						    { "TIMEOUT", PW_COLUMN_LEFT },
						    { "DOC", PW_COLUMN_WRAP } };
	struct pw_table *table = NULL;
	int ret;

	if (pw_table_new(columns, PW_COUNT(columns), &table, err) < 0)
		return -1;
	ret = 0;
	for (size_t i = 0; ret == 0 && i < meta->resource_count; i++) {
		const struct pw_plugin_task *resource = &meta->resources[i];
		char timeout[64] = "";

		if (resource->timeout_ns)
			pw_duration_text(resource->timeout_ns, timeout, sizeof(timeout));
		const char *const cells[] = { resource->name, timeout, resource->doc };

		ret = pw_table_add(table, cells, 0, PW_STYLE_BOLD, err);
	}
	if (ret == 0 && meta->resource_count) {
		putchar('\n');
		ret = pw_table_print(table, err);
	}
	pw_table_free(table);
	return ret;
}

static int
print_meta(const struct pw_plugin_meta *meta, struct pw_err *err)
{
	printf("file:     %s\nmodule:   %s\nlabel:    %s\n", meta->path, meta->module, meta->label);
	printf("version:  %s\nABI:      %d.%d\n", meta->version, meta->abi_major, meta->abi_minor);
	printf("doc:      %s\ntasks:    %zu\n", meta->doc, meta->task_count);
	if (meta->resource_count)
		printf("resources: %zu\n", meta->resource_count);
	if (meta->task_count)
		putchar('\n');
	return print_tasks(meta, err) < 0 ? -1 : print_resources(meta, err);
}

int
pulp_plugin_inspect(int argc, char **argv)
{
	struct pw_plugin_meta *meta = NULL;
	struct pw_err err;
	int ret;

	(void)argc;
	if (pw_plugin_meta_read(argv[0], &meta, &err) < 0) {
		int status = pw_cli_fail(&err);

		if (err.kind == PW_ERR_INPUT)
			return EX_DATAERR;
		return status == EX_OSERR ? EX_NOINPUT : status;
	}
	ret = pulp_plugin_options.json ? pw_output_json(plugin_json(meta), &err) :
					 print_meta(meta, &err);
	pw_plugin_meta_free(meta);
	return ret < 0 ? pw_cli_fail(&err) : EX_OK;
}

static json_t *
set_json(const struct pw_plugin_set *set)
{
	json_t *all = json_array();
	int failed = 0;

	for (size_t i = 0; i < set->count; i++) {
		json_t *plugin = plugin_json(set->plugins[i]);

		failed |= !plugin || json_object_set_new(plugin, "problem", json_null()) < 0;
		failed |= json_array_append_new(all, plugin) < 0;
	}
	for (size_t i = 0; i < set->problem_count; i++)
		failed |= json_array_append_new(all, json_pack("{s:s, s:n, s:n, s:n, s:n, s:n, s:[], s:[], s:s}", "file", set->problems[i].path,
							       "module", "label", "version", "doc", "abi", "tasks", "resources", "problem",
							       set->problems[i].text)) < 0;
	if (failed) {
		json_decref(all);
		return NULL;
	}
	return all;
}

static int
print_set(const struct pw_plugin_set *set, struct pw_err *err)
{
	static const struct pw_column columns[] = {
		{ "MODULE", PW_COLUMN_LEFT }, { "LABEL", PW_COLUMN_LEFT }, { "VERSION", PW_COLUMN_LEFT },
		{ "TASKS", PW_COLUMN_RIGHT }, { "DOC", PW_COLUMN_CUT },	   { "FILE", PW_COLUMN_WRAP },
	};
	struct pw_table *table = NULL;
	int ret;

	if (pw_table_new(columns, PW_COUNT(columns), &table, err) < 0)
		return -1;
	ret = 0;
	for (size_t i = 0; ret == 0 && i < set->count; i++) {
		const struct pw_plugin_meta *meta = set->plugins[i];
		char tasks[24];

		snprintf(tasks, sizeof(tasks), "%zu", meta->task_count);
		const char *const cells[] = { meta->module, meta->label, meta->version, tasks, meta->doc, meta->path };

		ret = pw_table_add(table, cells, 0, PW_STYLE_BOLD, err);
	}
	if (ret == 0 && set->count)
		ret = pw_table_print(table, err);
	pw_table_free(table);
	if (set->count == 0 && set->problem_count == 0)
		pw_cli_warn("no plugins in %s", pulp_plugin_path());
	for (size_t i = 0; i < set->problem_count; i++)
		pw_cli_warn("%s", set->problems[i].text);
	return ret;
}

int
pulp_plugin_list(int argc, char **argv)
{
	struct pw_plugin_set *set = NULL;
	struct pw_err err;
	int ret;

	(void)argc;
	(void)argv;
	if (pw_plugin_set_scan(pulp_plugin_path(), &set, &err) < 0)
		return pw_cli_fail(&err);
	ret = pulp_plugin_options.json ? pw_output_json(set_json(set), &err) : print_set(set, &err);
	pw_plugin_set_free(set);
	return ret < 0 ? pw_cli_fail(&err) : EX_OK;
}
