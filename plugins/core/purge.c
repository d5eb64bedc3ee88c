/* SPDX-License-Identifier: MIT */
/*
 * Asks the worker for one batch after the other and adds up what it says. Runs
 * in the task child, which has no database: each batch is a transaction of the
 * worker, so a purge of any size holds no lock for long and needs no memory.
 */
#include "core/purge.h"

#include <stdio.h>
#include <string.h>

#include "common/args.h"

struct purge {
	pulp_context *ctx;
	json_t *request; /* with "after": where the batch before ended */
	json_t *deleted; /* kind -> count, in the order in which they came */
	json_int_t total, failed;
};

static void
report(struct purge *purge, const char *code, const char *message, const char *state,
       json_int_t done)
{
	bool over = strcmp(state, "completed") == 0;
	struct pulp_progress progress = {
		sizeof(progress), code, message, state, done, over ? done : -1, NULL,
	};

	pulp_progress_report(purge->ctx, &progress);
}

static void
report_all(struct purge *purge, const char *state)
{
	const char *kind;
	json_t *count;

	report(purge, "purge.tasks.total", "Purged objects of all kinds", state, purge->total);
	json_object_foreach(purge->deleted, kind, count) {
		char code[200], message[200];

		snprintf(code, sizeof(code), "purge.tasks.key.%s", kind);
		snprintf(message, sizeof(message), "Purged objects of kind %s", kind);
		report(purge, code, message, state, json_integer_value(count));
	}
	if (purge->failed)
		report(purge, "purge.tasks.error", "Tasks that could not be purged", state, purge->failed);
}

static int
bad_reply(const char *what, struct pw_err *err)
{
	return pw_err_set(err, PW_ERR_PROTO, "the worker's answer to purge_batch is not understood: %s", what);
}

/* Adds one batch's counts; *ret_count is their sum. */
static int
add_deleted(struct purge *purge, const json_t *deleted, json_int_t *ret_count, struct pw_err *err)
{
	const char *kind;
	json_t *count;

	*ret_count = 0;
	if (!json_is_object(deleted))
		return bad_reply("deleted is not an object", err);
	json_object_foreach((json_t *)(uintptr_t)deleted, kind, count) {
		json_int_t n = json_integer_value(count);

		if (!json_is_integer(count) || n < 0 || strlen(kind) > 100)
			return bad_reply("deleted has no good counts", err);
		*ret_count += n;
		n += json_integer_value(json_object_get(purge->deleted, kind));
		if (json_object_set_new(purge->deleted, kind, json_integer(n)) < 0)
			return pw_err_nomem(err);
	}
	purge->total += *ret_count;
	return 0;
}

/* 1: there is more to do. */
static int
one_batch(struct purge *purge, struct pw_err *err)
{
	pw_auto_free char *request = json_dumps(purge->request, JSON_COMPACT);
	pw_auto_json *answer = NULL;
	const json_t *failed, *more;
	json_t *after;
	const char *text;
	json_error_t error;
	json_int_t count;

	if (!request)
		return pw_err_nomem(err);
	if (pulp_request(purge->ctx, "purge_batch", request, &text) < 0)
		return pw_err_set(err, PW_ERR_DB, "%s", pulp_last_error(purge->ctx));
	answer = json_loads(text, 0, &error);
	if (!answer)
		return bad_reply(error.text, err);
	failed = json_object_get(answer, "failed");
	more = json_object_get(answer, "more");
	if (!json_is_integer(failed) || json_integer_value(failed) < 0 || !json_is_boolean(more))
		return bad_reply("failed or more is missing", err);
	if (add_deleted(purge, json_object_get(answer, "deleted"), &count, err) < 0)
		return -1;
	purge->failed += json_integer_value(failed);
	if (!json_is_true(more))
		return 0;
	after = json_object_get(answer, "after");
	if (after && json_object_set(purge->request, "after", after) < 0)
		return pw_err_nomem(err);
	/* Without a place to go on from one in which nothing was deleted is the last, or the same tasks would fail for ever. */
	return after || count > 0;
}

static int
loop(struct purge *purge, struct pw_err *err)
{
	int rc;

	do {
		if (pulp_should_stop(purge->ctx))
			return pw_err_set(err, PW_ERR_TIMEOUT,
					  "stopped; %lld tasks were purged before",
					  (long long)json_integer_value(json_object_get(purge->deleted, "core.Task")));
		report_all(purge, "running");
		rc = one_batch(purge, err);
	} while (rc == 1);
	return rc;
}

int
pw_purge(pulp_context *ctx, const char *request, json_t **ret_result, struct pw_err *err)
{
	struct purge purge = { .ctx = ctx, .request = json_loads(request, 0, NULL), .deleted = json_pack("{s:i}", "core.Task", 0) };
	json_t *result;
	int rc = -1;

	if (!purge.deleted || !purge.request)
		pw_err_nomem(err);
	else
		rc = loop(&purge, err);
	json_decref(purge.request);
	report_all(&purge, rc == 0 ? "completed" : pulp_should_stop(ctx) ? "canceled" : "failed");
	if (rc < 0) {
		json_decref(purge.deleted);
		return -1;
	}
	result = json_pack("{s:o, s:I}", "deleted", purge.deleted, "failed", purge.failed);
	if (!result)
		return pw_err_nomem(err);
	*ret_result = result;
	return 0;
}
