/* SPDX-License-Identifier: MIT */
/*
 * The table of functions that stands in a task's context once its ending has been
 * told: a thread that the task left behind may still call. It does nothing but
 * say so in the task's output; the process ends a moment later.
 */
#include <stdio.h>
#include <unistd.h>

#include "zygote/api_state.h"

static void
complain(const char *call)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "pulp: %s was called after the task had ended\n", call);

	(void)!write(STDERR_FILENO, text, (size_t)n); /* where that fails too there is nobody to tell */
}

static pulp_end
late_result(pulp_context *ctx PW_UNUSED, const char *json PW_UNUSED)
{
	complain("pulp_result");
	return (pulp_end){ NULL };
}

static pulp_end
late_fail(pulp_context *ctx PW_UNUSED, const char *format PW_UNUSED, va_list ap PW_UNUSED)
{
	complain("pulp_fail");
	return (pulp_end){ NULL };
}

static void
late_log(pulp_context *ctx PW_UNUSED, int level PW_UNUSED, const char *format PW_UNUSED,
	 va_list ap PW_UNUSED)
{
	complain("pulp_log");
}

static int
late_should_stop(pulp_context *ctx PW_UNUSED)
{
	return 1;
}

static int
late_progress(pulp_context *ctx PW_UNUSED, const struct pulp_progress *progress PW_UNUSED)
{
	complain("pulp_progress");
	return -1;
}

static int
late_request(pulp_context *ctx PW_UNUSED, const char *operation PW_UNUSED,
	     const char *json PW_UNUSED, const char **reply PW_UNUSED)
{
	complain("pulp_request");
	return -1;
}

static const char *
late_last_error(pulp_context *ctx PW_UNUSED)
{
	return "the task has ended";
}

const struct pulp_api pw_api_late = {
	.size = sizeof(struct pulp_api), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR,
	.result = late_result, .fail = late_fail, .log = late_log, .should_stop = late_should_stop,
	.progress = late_progress, .request = late_request, .last_error = late_last_error,
};
