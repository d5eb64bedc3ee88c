/* SPDX-License-Identifier: MIT */
/*
 * What tasks ask of the database. Each is one SQL function in a transaction of its own, on the side link, never in a turn and
 * never under its lock. Its error is the answer to that request alone; when the database is the trouble it is asked again, and its number
 * sees to it that nothing happens twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

struct pw_request {
	struct pw_task *task; /* NULL once it has ended */
	struct pw_uuid id;
	uint32_t number;
	char *operation, *json;
	bool sealed; /* its arguments are encrypted */
	bool sent;
	struct pw_request *next;
};

static void
request_free(struct pw_request *request)
{
	free(request->operation);
	free(request->json);
	free(request);
}

static void
answer(struct pw_request *request, bool ok, const char *text)
{
	if (request->task && request->task->run)
		pw_run_reply(request->task->run, request->number, ok, text);
}

/* purge_batch deletes tasks of everybody: only for plugins that the operator trusts. */
static bool
granted(struct pw_supervisor *s, const char *operation, const char *module)
{
	return strcmp(operation, "purge_batch") != 0 || pw_settings_lists(s->settings, PW_SETTING_trusted_plugins, module);
}

void
pw_requests_add(struct pw_task *task, uint32_t number, const char *operation, const char *json)
{
	struct pw_supervisor *s = task->s;
	struct pw_request *request, **end = &s->requests;
	pw_auto_buf sealed = PW_BUF_INIT;
	struct pw_err err;
	int done;

	if (!granted(s, operation, task->host->module)) {
		pw_run_reply(task->run, number, false, "this plugin is not trusted with that request (setting trusted_plugins)");
		return;
	}
	done = pw_arguments_seal(s, operation, json, &sealed, &err);
	if (done < 0) {
		pw_run_reply(task->run, number, false, err.text);
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request || !(request->operation = strdup(operation)) ||
	    !(request->json = done ? pw_buf_steal(&sealed) : strdup(json)))
		abort();
	request->sealed = done;
	request->task = task;
	request->id = task->id;
	request->number = number;
	while (*end)
		end = &(*end)->next;
	*end = request;
	pw_side_next(s);
}

static void
on_answer(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;
	struct pw_request *request = s->requests;

	request->sent = false;
	if (err && pw_db_error_is_transient(err) && request->task)
		return; /* it stays the first and is asked again */
	if (err)
		answer(request, false, err->text);
	else
		answer(request, PQgetvalue(result, 0, 0)[0] == 't', PQgetvalue(result, 0, 1));
	s->requests = request->next;
	request_free(request);
}

bool
pw_requests_next(struct pw_supervisor *s)
{
	struct pw_request *request;
	char number[16];

	while ((request = s->requests) && !request->task) {
		s->requests = request->next;
		request_free(request);
	}
	if (!request)
		return false;
	snprintf(number, sizeof(number), "%u", request->number);
	request->sent = pw_side_send(
		s, pw_sql_task_request,
		PW_DB_PARAMS(s->me.s, request->id.s, number, request->operation, request->json,
			     request->sealed ? "true" : "false"),
		5 * 60 * PW_SEC, on_answer);
	return request->sent;
}

void
pw_requests_drop(struct pw_supervisor *s, struct pw_task *task)
{
	for (struct pw_request **at = &s->requests; *at;) {
		struct pw_request *request = *at;

		if (request->task == task)
			request->task = NULL;
		if (request->task || request->sent) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		request_free(request);
	}
}

void
pw_requests_free(struct pw_supervisor *s)
{
	while (s->requests) {
		struct pw_request *request = s->requests;

		s->requests = request->next;
		request_free(request);
	}
}
