/* SPDX-License-Identifier: MIT */
/* The plugin of the tutorial in pulp-plugin(7), which shows it whole. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <pulp/plugin.h>

PULP_PLUGIN("example", "c_example", "1.0.0", "The tutorial's plugin");

/* Ends a task with a JSON value, which it takes. */
static pulp_end
give(pulp_context *ctx, json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	pulp_end end = text ? pulp_result(ctx, text) :
			      pulp_fail(ctx, "the result is no JSON");

	free(text);
	json_decref(value);
	return end;
}

PULP_TASK(greet, "Greet somebody: name" PULP_IMMEDIATE PULP_TIMEOUT(5s))
{
	json_t *kwargs = json_loads(ctx->kwargs, 0, NULL);
	const char *name = "world";
	pulp_end end;

	if (json_unpack(kwargs, "{s?s}", "name", &name) < 0)
		end = pulp_fail(ctx, "name must be a string");
	else
		end = give(ctx, json_sprintf("Hello, %s!", name));
	json_decref(kwargs);
	return end;
}

/* A process runs one task, once: this is that task's alone. */
static json_int_t files, bytes;

static int
count(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)at;
	if (type == FTW_F) {
		files++;
		bytes += st->st_size;
	}
	return 0;
}

/* Dispatched as example.files.count: two underscores are a dot. */
PULP_TASK(files__count, "Count files: path" PULP_TIMEOUT(1h) PULP_MEMORY(1G))
{
	json_t *kwargs = json_loads(ctx->kwargs, 0, NULL);
	const char *path;
	pulp_end end;

	if (json_unpack(kwargs, "{s:s}", "path", &path) < 0)
		end = pulp_fail(ctx, "path is missing");
	else if (nftw(path, count, 16, FTW_PHYS) < 0)
		end = pulp_fail(ctx, "%s: %s", path, strerror(errno));
	else
		end = give(ctx, json_pack("{s:I, s:I}", "files", files,
					  "bytes", bytes));
	json_decref(kwargs);
	return end;
}

PULP_TASK(countdown, "Count down: from" PULP_TIMEOUT(10m))
{
	const struct timespec tenth = { 0, 100000000 };
	json_t *kwargs = json_loads(ctx->kwargs, 0, NULL);
	json_int_t from = 10, done;

	if (json_unpack(kwargs, "{s?I}", "from", &from) < 0 || from < 0)
		return pulp_fail(ctx, "from must be a number from 0 on");
	json_decref(kwargs);
	for (done = 0; done < from; done++) {
		if (pulp_should_stop(ctx)) {
			pulp_log(ctx, PULP_WARNING, "%lld to go",
				 (long long)(from - done));
			return pulp_fail(ctx, "stopped");
		}
		pulp_progress(ctx, "countdown", "Counting", done, from);
		nanosleep(&tenth, NULL);
	}
	pulp_progress(ctx, "countdown", "Counting", from, from);
	return pulp_result(ctx, "\"lift-off\"");
}

/* Its children run on their own; nobody waits for them here. */
PULP_TASK(greet__all, "Dispatch a greeting for each of: names")
{
	json_t *kwargs = json_loads(ctx->kwargs, 0, NULL);
	json_t *tasks = json_array(), *name;
	size_t i;

	json_array_foreach(json_object_get(kwargs, "names"), i, name) {
		json_t *task = json_pack("{s:s, s:{s:O}}",
					 "func", "example.greet",
					 "kwargs", "name", name);
		char *request = json_dumps(task, 0);
		const char *reply;

		if (!request || pulp_dispatch(ctx, request, &reply) < 0)
			return pulp_fail(ctx, "task %zu: %s", i,
					 pulp_last_error(ctx));
		json_array_append_new(tasks, json_loads(reply, 0, NULL));
		free(request);
		json_decref(task);
	}
	json_decref(kwargs);
	return give(ctx, tasks);
}
