/* SPDX-License-Identifier: MIT */
/*
 * Loads a plugin as a zygote does, with all its checks, in this process:
 *
 *	load FILE                            prints each task and resource with "ok" or what is wrong with it
 *	load FILE TASK KWARGS [STOP-AFTER]   runs one task with a fake worker and prints what it says;
 *	                                     it is told to stop after so many progress reports
 *	load FILE TYPE ID                    asks the resource of that type about the object
 *
 * Notes may be made to change between reading and loading by READ_FROM, the file they are read from instead.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pulp/plugin.h>

#include "plugin/loaded.h"
#include "plugin/meta.h"

static const char ended[] = "ended";
static long reports, stop_after = -1;

static pulp_end
api_result(pulp_context *ctx, const char *json)
{
	(void)ctx;
	printf("result %s\n", json ? json : "nothing");
	return (pulp_end){ ended };
}

static pulp_end
api_fail(pulp_context *ctx, const char *format, va_list ap)
{
	(void)ctx;
	printf("fail ");
	vprintf(format, ap);
	printf("\n");
	return (pulp_end){ ended };
}

static void
api_log(pulp_context *ctx, int level, const char *format, va_list ap)
{
	(void)ctx;
	printf("log %d ", level);
	vprintf(format, ap);
	printf("\n");
}

static int
api_should_stop(pulp_context *ctx)
{
	(void)ctx;
	return stop_after >= 0 && reports >= stop_after;
}

static int
api_progress(pulp_context *ctx, const struct pulp_progress *progress)
{
	(void)ctx;
	printf("progress %s '%s' %s %lld/%lld\n", progress->code, progress->message, progress->state, (long long)progress->done,
	       (long long)progress->total);
	reports++;
	return 0;
}

static int
api_request(pulp_context *ctx, const char *operation, const char *json, const char **reply)
{
	(void)ctx;
	printf("request %s %s\n", operation, json);
	if (reply)
		*reply = "{\"pulp_id\": \"01930000-0000-7000-8000-000000000000\"}";
	return getenv("REFUSE") ? -1 : 0;
}

static const char *
api_last_error(pulp_context *ctx)
{
	(void)ctx;
	return "refused";
}

static const struct pulp_api api = {
	.size = sizeof(api), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR, .result = api_result, .fail = api_fail, .log = api_log,
	.should_stop = api_should_stop, .progress = api_progress, .request = api_request, .last_error = api_last_error,
};

static int
run(const struct pulp_task *task, const char *name, const char *kwargs, const char *resource)
{
	pulp_context ctx = {
		.size = sizeof(ctx), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR, .api = &api, .args = "[]", .kwargs = kwargs,
		.id = "01930000-0000-7000-8000-000000000001", .name = name, .logging_cid = "cid", .directory = ".", .state_directory = ".",
		.resource = resource,
	};

	if (task->run(&ctx).said == ended)
		return 0;
	printf("it did not say how it ended\n");
	return 1;
}

static int
check(void *handle, const struct pw_plugin_meta *meta, const struct pw_plugin_task *task)
{
	struct pw_err err;
	bool good = pw_plugin_task_symbol(handle, meta, task, &err) != NULL;

	printf("%s: %s\n", task->name, good ? "ok" : err.text);
	return !good;
}

static int
check_all(void *handle, const struct pw_plugin_meta *meta)
{
	int status = 0;

	for (size_t i = 0; i < meta->task_count; i++)
		status |= check(handle, meta, &meta->tasks[i]);
	for (size_t i = 0; i < meta->resource_count; i++)
		status |= check(handle, meta, &meta->resources[i]);
	return status;
}

int
main(int argc, char **argv)
{
	const char *read_from = getenv("READ_FROM");
	const struct pulp_task *descriptor = NULL;
	const struct pw_plugin_task *task = NULL;
	struct pw_plugin_meta *meta = NULL;
	struct pw_err err;
	int status = 1;
	void *handle;

	if (argc < 2 || argc == 3)
		return 64;
	if (pw_plugin_meta_read(read_from ? read_from : argv[1], &meta, &err) < 0) {
		printf("%s\n", err.text);
		return 1;
	}
	handle = pw_plugin_open(argv[1], &err);
	if (!handle)
		printf("%s\n", err.text);
	else if (pw_plugin_check_loaded(handle, meta, &err) < 0)
		printf("%s\n", err.text);
	else if (argc == 2)
		status = check_all(handle, meta);
	else if (!(task = pw_plugin_meta_task(meta, argv[2])) &&
		 !(task = pw_plugin_meta_resource(meta, argv[2])))
		printf("no task %s\n", argv[2]);
	else if (!(descriptor = pw_plugin_task_symbol(handle, meta, task, &err)))
		printf("%s\n", err.text);
	if (argc > 4)
		stop_after = atol(argv[4]);
	if (descriptor)
		status = run(descriptor, argv[2], task->resource ? "{}" : argv[3], task->resource ? argv[3] : NULL);
	pw_plugin_meta_free(meta);
	return status;
}
