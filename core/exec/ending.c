/* SPDX-License-Identifier: MIT */
/*
 * Endings. Whether a task that was canceled ends as canceled is decided where it is written, by the row's own state
 * (finish_tasks): a cancel that this process has not heard of yet counts as much as one that it has.
 */
#include "exec/ending.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define REASON_MAX 4096

struct pw_ending *
pw_ending_free(struct pw_ending *ending)
{
	if (ending) {
		free(ending->result);
		free(ending->error);
		free(ending);
	}
	return NULL;
}

static struct pw_ending *
ending_new(const struct pw_uuid *task, const char *state, const char *kind)
{
	struct pw_ending *ending = calloc(1, sizeof(*ending));

	if (ending) {
		ending->task = *task;
		ending->state = state;
		ending->kind = kind;
	}
	return ending;
}

/* {KEY: text} and, for a description, the empty traceback of a language that has none. Any bytes become valid text. */
static char *
error_json(const char *key, const char *text, size_t len)
{
	pw_auto_buf clean = PW_BUF_INIT;
	char *dump = NULL;
	json_t *error;

	if (pw_utf8_clean(&clean, text, len) < 0)
		return NULL;
	error = json_pack("{s:s%}", key, pw_buf_text(&clean), clean.len);
	if (error && strcmp(key, "description") == 0)
		json_object_set_new(error, "traceback", json_string(""));
	if (error)
		dump = json_dumps(error, 0);
	json_decref(error);
	return dump;
}

struct pw_ending *
pw_ending_of_reason(const struct pw_uuid *task, const char *state, const char *kind,
		    const char *reason)
{
	struct pw_ending *ending = ending_new(task, state, kind);

	if (ending && reason) {
		ending->error = error_json("reason", reason, strlen(reason));
		if (!ending->error)
			return pw_ending_free(ending);
	}
	return ending;
}

static struct pw_ending *
failure(const struct pw_uuid *task, const char *text, size_t len)
{
	struct pw_ending *ending = ending_new(task, "failed", "failed");

	if (ending && !(ending->error = error_json("description", text, len)))
		return pw_ending_free(ending);
	return ending;
}

struct pw_ending *
pw_ending_of_failure(const struct pw_uuid *task, const char *description)
{
	return failure(task, description, strlen(description));
}

/* As failure, with one of the original's error codes. */
static PW_PRINTF(4, 5) struct pw_ending *failure_with_code(const struct pw_uuid *task,
							   const char *kind, const char *code,
							   const char *fmt, ...)
{
	struct pw_ending *ending = ending_new(task, "failed", kind);
	char text[REASON_MAX];
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error = json_pack("{s:s+++, s:s, s:s}", "description", "[", code, "] ", text, "traceback", "", "error_code", code);
	if (ending && error)
		ending->error = json_dumps(error, 0);
	json_decref(error);
	return ending && !ending->error ? pw_ending_free(ending) : ending;
}

struct pw_ending *
pw_ending_of_overlong(const struct pw_uuid *task, const char *name, int seconds)
{
	return failure_with_code(task, "timeout", "PLP0024", "Immediate task %s (type: %s) timed out after %d seconds.", task->s,
				 name, seconds);
}

struct pw_ending *
pw_ending_of_misconfigured(const struct pw_uuid *task, const char *name)
{
	return failure_with_code(task, "failed", "PLP0023",
				 "Task type '%s' is misconfigured: Immediate tasks must be declared PULP_IMMEDIATE.", name);
}

/* A result is passed on as the text it is; it only has to be JSON, of any size of number. */
static struct pw_ending *
completed(const struct pw_uuid *task, const struct pw_outcome *outcome)
{
	struct pw_ending *ending;
	json_t *value;

	if (outcome->text) {
		value = json_loadb(outcome->text, outcome->text_len,
				   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
		if (!value)
			return pw_ending_of_reason(task, "failed", "protocol", "Result is not valid JSON.");
		json_decref(value);
	}
	ending = ending_new(task, "completed", "completed");
	if (ending && outcome->text &&
	    !(ending->result = strndup(outcome->text, outcome->text_len)))
		return pw_ending_free(ending);
	return ending;
}

static struct pw_ending *
died(const struct pw_uuid *task, const char *module, const struct pw_outcome *outcome)
{
	const char *text = outcome->text ? outcome->text : "";
	char reason[REASON_MAX];

	switch (outcome->kind) {
	case PW_OUTCOME_EXITED:
		snprintf(reason, sizeof(reason), "Task process died unexpectedly with exitcode %d.", outcome->number);
		return pw_ending_of_reason(task, "failed", "exit", reason);
	case PW_OUTCOME_SIGNALED:
		if (outcome->oom)
			return pw_ending_of_reason(task, "failed", "oom", "Killed by signal 9. The host was out of memory.");
		snprintf(reason, sizeof(reason), "Killed by signal %d.", outcome->number);
		return pw_ending_of_reason(task, "failed", "signal", reason);
	case PW_OUTCOME_SETUP:
		snprintf(reason, sizeof(reason), "Task setup failed at step %s.", text);
		return pw_ending_of_reason(task, "failed", "setup", reason);
	case PW_OUTCOME_PROTOCOL:
		snprintf(reason, sizeof(reason), "Task broke the protocol: %s.", text);
		return pw_ending_of_reason(task, "failed", "protocol", reason);
	case PW_OUTCOME_TIMEOUT:
		snprintf(reason, sizeof(reason), "Task timed out after %d seconds.", outcome->number);
		return pw_ending_of_reason(task, "failed", "timeout", reason);
	case PW_OUTCOME_RESULT_TOO_LARGE:
		snprintf(reason, sizeof(reason), "Result is larger than %d bytes.", outcome->number);
		return pw_ending_of_reason(task, "failed", "protocol", reason);
	default:
		snprintf(reason, sizeof(reason), "Plugin host of %s died.", module);
		return pw_ending_of_reason(task, "failed", "host", reason);
	}
}

struct pw_ending *
pw_ending_of_outcome(const struct pw_uuid *task, const char *module,
		     const struct pw_outcome *outcome, enum pw_cause cause)
{
	struct pw_ending *ending;

	if (cause == PW_CAUSE_CANCEL) /* the row is canceling, and there is no way back from that */
		ending = pw_ending_of_reason(task, "canceled", "canceled", NULL);
	else if (outcome->kind == PW_OUTCOME_COMPLETED)
		ending = completed(task, outcome);
	else if (cause == PW_CAUSE_SHUTDOWN)
		ending = pw_ending_of_reason(task, "failed", "shutdown", "Aborted during worker shutdown.");
	else if (cause == PW_CAUSE_LEASE)
		ending = pw_ending_of_reason(task, "failed", "lost", "Worker has gone missing.");
	else if (outcome->kind == PW_OUTCOME_FAILED)
		ending = failure(task, outcome->text, outcome->text_len);
	else
		ending = died(task, module, outcome);
	if (!ending)
		return NULL;
	ending->remains = outcome->remains;
	ending->max_rss_kb = outcome->usage.ru_maxrss;
	ending->cpu_ms = (outcome->usage.ru_utime.tv_sec + outcome->usage.ru_stime.tv_sec) * 1000 +
			 (outcome->usage.ru_utime.tv_usec + outcome->usage.ru_stime.tv_usec) / 1000;
	return ending;
}
