/* SPDX-License-Identifier: MIT */
/*
 * delete_incomplete_resources: a task that did not complete may have noted objects as created that it never finished. Its
 * plugin says of each of its types how to tell and how to delete (PULP_RESOURCE); that is called here, object by object, each
 * in a child of the plugin's host like a task, after the task's own processes are gone and before its ending is written, so while
 * it still holds its resources.
 *
 * Whatever fails here is told and counted, and changes nothing about the ending; all of it has a deadline. Types that
 * the plugin has not declared are left alone, and so is what tasks of other plugins have made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"
#include "supervisor/internal.h"

#define OBJECTS_MOST 10000	  /* of one task */
#define ONE_WITHIN (30 * PW_SEC)  /* unless its type says otherwise */
#define ALL_WITHIN (60 * PW_SEC)  /* of one task */
#define LAST_WITHIN (3 * PW_SEC)  /* the same, when the worker is about to leave */

struct object {
	char *type;
	struct pw_uuid id;
};

struct pw_cleaning {
	struct object *objects;
	size_t count, next;
	bool asked, known; /* what there is */
	int64_t deadline_ns;
	int deleted, complete, left;
	char why[600]; /* of the last that was left */
};

/* --- what there is --- */

bool
pw_resources_begin(struct pw_task *task)
{
	struct pw_supervisor *s = task->s;
	const struct pw_plugin_host *host;

	if (!task->ran || strcmp(task->ending->state, "completed") == 0)
		return false;
	host = pw_hosts_expect(s, task->name);
	if (host && host->meta->resource_count == 0)
		return false;
	task->cleaning = calloc(1, sizeof(*task->cleaning));
	if (!task->cleaning)
		abort();
	task->phase = PW_TASK_CLEANING;
	s->cleaning_due = true;
	pw_turns_kick(s);
	return true;
}

static void
add_object(struct pw_cleaning *cleaning, const char *type, const char *id)
{
	struct object *more =
		realloc(cleaning->objects, (cleaning->count + 1) * sizeof(*more));

	if (!more || !(more[cleaning->count].type = strdup(type)))
		abort();
	more[cleaning->count].id = pw_uuid_of(id);
	cleaning->objects = more;
	cleaning->count++;
}

static void
on_resources(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;
	bool again = err && pw_db_error_is_transient(err);
	int rows = err ? 0 : PQntuples(result);

	for (int row = 0; row < rows; row++) {
		struct pw_task *task = pw_task_find(s, PQgetvalue(result, row, 0));

		if (!task || !task->cleaning || !task->cleaning->asked || task->cleaning->known)
			continue;
		add_object(task->cleaning, PQgetvalue(result, row, 1), PQgetvalue(result, row, 2));
		pw_output_go_on(&task->output, atoi(PQgetvalue(result, row, 3)));
	}
	for (struct pw_task *task = s->tasks; task; task = task->next) {
		struct pw_cleaning *cleaning = task->cleaning;

		if (!cleaning || !cleaning->asked || cleaning->known)
			continue;
		cleaning->asked = !again;
		cleaning->known = !again;
		cleaning->deadline_ns =
			pw_now_ns() + (s->phase >= PW_WORKER_KILLING ? LAST_WITHIN : ALL_WITHIN);
		if (err && !again)
			pw_log_error(task->id.s, "resources.unread", "msg=%s", pw_log_quote(err->text));
	}
	s->cleaning_due |= again;
	pw_resources_kick(s);
}

bool
pw_resources_next(struct pw_supervisor *s)
{
	struct pw_array ids = { 0 };
	char most[16];
	bool sent = false;

	if (!s->cleaning_due || s->lease_over)
		return false;
	s->cleaning_due = false;
	for (struct pw_task *task = s->tasks; task; task = task->next)
		if (task->cleaning && !task->cleaning->asked)
			pw_array_add(&ids, task->id.s);
	snprintf(most, sizeof(most), "%d", OBJECTS_MOST);
	if (ids.count)
		sent = pw_link_send(s->turns, pw_sql_created_resources,
				    PW_DB_PARAMS(pw_array_text(&ids), s->me.s, most),
				    PW_STATEMENT_TIMEOUT, on_resources, s);
	s->cleaning_due = ids.count && !sent;
	for (struct pw_task *task = s->tasks; sent && task; task = task->next)
		if (task->cleaning)
			task->cleaning->asked = true;
	pw_array_done(&ids);
	return sent;
}

/* --- one object after the other --- */

static void
leave(struct pw_task *task, size_t count, const char *why)
{
	struct pw_cleaning *cleaning = task->cleaning;

	cleaning->left += (int)count;
	task->s->resources_left += (int64_t)count;
	snprintf(cleaning->why, sizeof(cleaning->why), "%s", why);
}

/* This object, and why not: to the worker's log and to the task's. */
static void
failed(struct pw_task *task, const char *why)
{
	const struct object *object = &task->cleaning->objects[task->cleaning->next];
	pw_auto_buf line = PW_BUF_INIT;

	leave(task, 1, why);
	pw_log_warning(task->id.s, "resource.failed", "type=%s id=%s msg=%s", pw_log_quote(object->type), object->id.s,
		       pw_log_quote(why));
	if (pw_buf_addf(&line, "[warning] Delete created resource, failed: %s %s: %s\n", object->type, object->id.s, why) == 0)
		(void)!pw_output_add(&task->output, line.data, line.len);
}

static void
finish(struct pw_task *task)
{
	const struct pw_cleaning *c = task->cleaning;

	if (c->left)
		pw_log_warning(task->id.s, "resources.left",
			       "deleted=%d complete=%d left=%d left_since_start=%lld msg=%s",
			       c->deleted, c->complete, c->left, (long long)task->s->resources_left,
			       pw_log_quote(c->why));
	else if (c->deleted || c->complete)
		pw_log_info(task->id.s, "resources.done", "deleted=%d complete=%d", c->deleted, c->complete);
	pw_resources_drop(task);
	pw_task_over(task);
}

static void
on_output(void *arg, struct pw_run *run PW_UNUSED, const char *data, size_t len)
{
	struct pw_task *task = arg;

	(void)!pw_output_add(&task->output, data, len);
}

static void
on_progress(void *arg PW_UNUSED, struct pw_run *run PW_UNUSED,
	    const struct pw_progress *progress PW_UNUSED)
{
	/* the task is over, and so are its reports */
}

/* Its number would be that of one of the task's own requests, whose answer is kept. */
static void
on_request(void *arg PW_UNUSED, struct pw_run *run, uint32_t number,
	   const char *operation PW_UNUSED, const char *json PW_UNUSED)
{
	pw_run_reply(run, number, false, "the task is over: only its resources are looked at");
}

static void
judge(struct pw_task *task, const struct pw_outcome *outcome)
{
	struct pw_cleaning *cleaning = task->cleaning;
	const struct object *object = &cleaning->objects[cleaning->next];
	const char *said = outcome->kind == PW_OUTCOME_COMPLETED && outcome->text ? outcome->text : "";
	struct pw_ending *ending;

	if (strcmp(said, "\"complete\"") == 0) {
		cleaning->complete++;
	} else if (strcmp(said, "\"deleted\"") == 0) {
		cleaning->deleted++;
		pw_log_info(task->id.s, "resource.deleted", "type=%s id=%s", pw_log_quote(object->type), object->id.s);
	} else if (outcome->kind == PW_OUTCOME_COMPLETED) {
		failed(task, "it said neither complete nor deleted");
	} else if (outcome->kind == PW_OUTCOME_FAILED && outcome->text) {
		failed(task, outcome->text);
	} else {
		ending =
			pw_ending_of_outcome(&task->id, task->host->module, outcome, PW_CAUSE_NONE);
		if (!ending)
			abort();
		failed(task, ending->error ? ending->error : "");
		pw_ending_free(ending);
	}
	cleaning->next++;
}

static void
on_end(void *arg, struct pw_run *run PW_UNUSED, const struct pw_outcome *outcome)
{
	struct pw_task *task = arg;
	struct pw_supervisor *s = task->s;

	task->run = NULL;
	if (task->cause == PW_CAUSE_LOST) {
		pw_task_lost(task);
		pw_turns_kick(s);
		pw_side_next(s);
		return;
	}
	judge(task, outcome);
	pw_resources_kick(s);
}

static const struct pw_run_ops run_ops = {
	.on_progress = on_progress,
	.on_output = on_output,
	.on_request = on_request,
	.on_end = on_end,
};

static void
start(struct pw_task *task, const struct pw_plugin_task *type)
{
	struct pw_cleaning *cleaning = task->cleaning;
	int64_t left_ns = cleaning->deadline_ns - pw_now_ns();
	struct pw_run_spec spec = { .task = type->name, .resource = cleaning->objects[cleaning->next].id.s,
				    .args = "[]", .kwargs = "{}" };
	struct pw_err err;

	pw_task_fill_run(task, type, &spec);
	if (!spec.timeout_ns)
		spec.timeout_ns = ONE_WITHIN;
	if (spec.timeout_ns > left_ns)
		spec.timeout_ns = left_ns > 0 ? left_ns : 1; /* 0 would be none */
	if (pw_run_start(task->host->host, &spec, &run_ops, task, &task->run, &err) == 0)
		return;
	failed(task, err.text);
	cleaning->next++;
}

/* As far as it goes now. Returns when to look again at the latest. */
static int64_t
go_on(struct pw_task *task)
{
	struct pw_cleaning *cleaning = task->cleaning;

	while (cleaning->next < cleaning->count) {
		struct pw_plugin_host *host = pw_hosts_expect(task->s, task->name);
		const struct pw_plugin_task *type;

		if (!host || pw_now_ns() >= cleaning->deadline_ns) {
			leave(task, cleaning->count - cleaning->next,
			      host ? "there was no more time" : "this worker has no such plugin");
			break;
		}
		type = pw_plugin_meta_resource(host->meta, cleaning->objects[cleaning->next].type);
		if (!type) {
			cleaning->next++;
			continue;
		}
		if (host->phase != PW_HOST_UP)
			return cleaning->deadline_ns;
		task->host = host;
		start(task, type);
		if (task->run)
			return PW_NEVER;
	}
	finish(task);
	return PW_NEVER;
}

static void
on_timer(void *arg)
{
	struct pw_supervisor *s = arg;
	int64_t next = PW_NEVER;

	for (struct pw_task *task = s->tasks; task; task = task->next)
		if (task->cleaning && task->cleaning->known && !task->run) {
			int64_t at = go_on(task);

			next = at < next ? at : next;
		}
	pw_timer_set(s->cleaning, next);
}

void
pw_resources_kick(struct pw_supervisor *s)
{
	if (s->cleaning)
		pw_timer_set(s->cleaning, 0);
}

void
pw_resources_give_up(struct pw_task *task)
{
	if (task->cleaning && task->cleaning->known)
		task->cleaning->deadline_ns = 0;
	pw_resources_kick(task->s);
}

void
pw_resources_drop(struct pw_task *task)
{
	struct pw_cleaning *cleaning = task->cleaning;

	if (!cleaning)
		return;
	for (size_t i = 0; i < cleaning->count; i++)
		free(cleaning->objects[i].type);
	free(cleaning->objects);
	free(cleaning);
	task->cleaning = NULL;
}

void
pw_resources_new(struct pw_supervisor *s)
{
	s->cleaning = pw_timer_new(s->loop, "resources", on_timer, s);
}

void
pw_resources_free(struct pw_supervisor *s)
{
	s->cleaning = pw_timer_free(s->cleaning);
}
