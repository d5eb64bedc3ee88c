/* SPDX-License-Identifier: MIT */
/*
 * Runs one immediate task: a small supervisor for a single child, in the thread
 * of immediate.c. What the child says goes to the database as a supervisor's
 * does, by turns that claim nothing; between them the loop waits for
 * the child, for a cancel, and for the time to write.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "client/immediate_private.h"
#include "crypt/leaves.h"
#include "exec/state_directory.h"
#include "exec/zygote_path.h"
#include "sql/sql.h"
#include "sys/loop.h"

#define FLUSH_EVERY (500 * PW_MS)
#define HELLO_WITHIN (10 * PW_SEC)
#define WRITE_WITHIN (30 * PW_SEC)
#define REQUEST_WITHIN (60 * PW_SEC)
#define LOOK_AGAIN (20 * PW_MS)

/* --- what goes to the database --- */

static void
on_written(void *arg, const char *task PW_UNUSED, const char *outcome)
{
	struct pw_caller *caller = arg;

	caller->written = pw_turn_written(outcome);
	caller->lost = strcmp(outcome, "lost") == 0;
}

static void
on_cancel_row(void *arg, const char *task PW_UNUSED)
{
	struct pw_caller *caller = arg;

	caller->canceled = true;
}

static void
on_lost_row(void *arg, const char *task PW_UNUSED)
{
	struct pw_caller *caller = arg;

	caller->lost = true;
}

static const struct pw_turn_ops turn_ops = { .ended = on_written, .cancel = on_cancel_row, .lost = on_lost_row };

static void
fill_turn(struct pw_caller *caller, bool last)
{
	const struct pw_ending *e = caller->ending;
	struct pw_report *r = NULL;
	char *text;
	int number;

	pw_turn_clear(&caller->turn);
	while ((number = pw_output_take(&caller->output, &text)) > 0) {
		pw_turn_add_log(&caller->turn, caller->id.s, number, text);
		free(text);
	}
	while ((r = pw_reports_take(&caller->reports, r, pw_now_ns(), last)))
		pw_turn_add_report(&caller->turn, &(struct pw_turn_report){ .id = r->id.s,
									    .task = caller->id.s,
									    .code = r->code,
									    .message = r->message,
									    .state = r->state,
									    .suffix = r->suffix,
									    .total = r->total,
									    .done = r->done });
	if (last)
		pw_turn_add_ending(&caller->turn,
				   &(struct pw_turn_ending){ .task = e->task.s,
							     .state = e->state,
							     .kind = e->kind,
							     .result = e->result,
							     .error = e->error,
							     .remains = e->remains,
							     .max_rss_kb = e->max_rss_kb,
							     .cpu_ms = e->cpu_ms });
	else
		pw_turn_add_look(&caller->turn, caller->id.s);
}

static int
take_turn(struct pw_caller *caller, bool last, struct pw_err *err)
{
	const char *values[PW_TURN_PARAMS];
	pw_auto_result *result = NULL;
	char numbers[2][16];

	fill_turn(caller, last);
	if (pw_turn_params(&caller->turn, caller->me.s, 0, INT_MAX, false, numbers, values) < 0)
		return pw_err_nomem(err);
	if (pw_db_exec(caller->db, pw_sql_turn, &(struct pw_db_params){ PW_TURN_PARAMS, values },
		       pw_now_ns() + PW_CALLER_STATEMENT, &result, err) < 0)
		return -1;
	pw_turn_read(result, &turn_ops, caller);
	return 0;
}

/* The last turn, as often as somebody else holds the row. */
static int
write_ending(struct pw_caller *caller, struct pw_err *err)
{
	int64_t deadline_ns = pw_now_ns() + WRITE_WITHIN;

	pw_output_close(&caller->output);
	while (!caller->written && !caller->lost) {
		if (take_turn(caller, true, err) < 0)
			return -1;
		if (caller->written || caller->lost)
			break;
		if (pw_now_ns() >= deadline_ns)
			return pw_err_set(err, PW_ERR_TIMEOUT, "the row of task %s is held by somebody: its ending could not be written", caller->id.s);
		if (pw_db_wait(caller->db, pw_now_ns() + LOOK_AGAIN, err) < 0)
			return -1;
	}
	return caller->written ? 0 : pw_err_set(err, PW_ERR_BUSY, "task %s was taken away from this process while it ran", caller->id.s);
}

int
pw_caller_end(struct pw_caller *caller, struct pw_ending *ending, struct pw_err *err)
{
	int ret;

	if (!ending)
		return pw_err_nomem(err);
	caller->ending = ending;
	ret = write_ending(caller, err);
	caller->ending = pw_ending_free(ending);
	pw_turn_done(&caller->turn);
	return ret;
}

/* --- while it runs --- */

/* The database is the trouble, or memory: the child is stopped, and the workers' clean-up ends the task. */
static void
fail(struct pw_caller *caller, const struct pw_err *err)
{
	if (caller->failed.kind == PW_ERR_NONE)
		caller->failed = *err;
	caller->watch = pw_watch_free(caller->watch);
	pw_timer_set(caller->flush, PW_NEVER);
	if (caller->run)
		pw_run_kill(caller->run);
	else
		pw_host_kill(caller->host);
}

static void
obey(struct pw_caller *caller)
{
	if (!caller->run)
		return;
	if (caller->lost)
		pw_run_kill(caller->run);
	else if (caller->canceled)
		pw_run_cancel(caller->run);
}

static void
beat(struct pw_caller *caller)
{
	pw_auto_result *result = NULL;
	int64_t sent_ns = pw_now_ns();
	struct pw_err err;

	if (sent_ns - caller->beat_ns < caller->ttl_ns / 3)
		return;
	if (pw_db_exec(caller->db, pw_sql_heartbeat, PW_DB_PARAMS(caller->me.s),
		       sent_ns + PW_CALLER_STATEMENT, &result, &err) < 0) {
		fail(caller, &err);
		return;
	}
	if (PQgetvalue(result, 0, 0)[0] != 't') {
		caller->lost = true;
		obey(caller);
		return;
	}
	caller->beat_ns = sent_ns;
	pw_host_lease(caller->host, sent_ns + caller->ttl_ns);
}

static void
on_flush(void *arg)
{
	struct pw_caller *caller = arg;
	struct pw_err err;

	pw_timer_set(caller->flush, pw_now_ns() + FLUSH_EVERY);
	if (take_turn(caller, false, &err) < 0) {
		fail(caller, &err);
		return;
	}
	beat(caller);
	obey(caller);
}

static void
on_socket(void *arg, uint32_t events PW_UNUSED)
{
	struct pw_caller *caller = arg;
	struct pw_err err;
	PGnotify *notify;

	if (pw_db_wait(caller->db, pw_now_ns(), &err) < 0) {
		fail(caller, &err);
		return;
	}
	while ((notify = pw_db_notification(caller->db))) {
		if (strcmp(notify->extra, caller->id.s) == 0)
			caller->canceled = true;
		PQfreemem(notify);
	}
	obey(caller);
}

static void
on_progress(void *arg, struct pw_run *run PW_UNUSED, const struct pw_progress *progress)
{
	struct pw_caller *caller = arg;
	struct pw_err err;

	if (pw_reports_put(&caller->reports, progress, &err) < 0)
		fail(caller, &err);
}

static void
on_output(void *arg, struct pw_run *run PW_UNUSED, const char *data, size_t len)
{
	struct pw_caller *caller = arg;

	(void)!pw_output_add(&caller->output, data, len);
}

static void
on_request(void *arg, struct pw_run *run, uint32_t number, const char *operation, const char *json)
{
	struct pw_caller *caller = arg;
	static const char *const members[] = { "args", "kwargs", NULL };
	const struct pw_keyring *keys = strcmp(operation, "dispatch") == 0 ? caller->job->keys : NULL;
	pw_auto_result *result = NULL;
	pw_auto_buf sealed = PW_BUF_INIT;
	char text[16];
	struct pw_err err;

	if (strcmp(operation, "purge_batch") == 0 &&
	    !pw_settings_lists(caller->job->settings, PW_SETTING_trusted_plugins,
			       caller->plugin->module)) {
		pw_run_reply(run, number, false, "this plugin is not trusted with that request (setting trusted_plugins)");
		return;
	}
	if (keys && pw_leaves_seal_members(keys, json, strlen(json), members, &sealed, &err) < 0) {
		pw_run_reply(run, number, false, err.text);
		return;
	}
	snprintf(text, sizeof(text), "%u", number);
	if (pw_db_exec(caller->db, pw_sql_task_request, PW_DB_PARAMS(caller->me.s, caller->id.s, text, operation, keys ? pw_buf_text(&sealed) : json, keys ? "true" : "false"),
		       pw_now_ns() + REQUEST_WITHIN, &result, &err) < 0) {
		pw_run_reply(run, number, false, err.text);
		fail(caller, &err);
		return;
	}
	pw_run_reply(run, number, PQgetvalue(result, 0, 0)[0] == 't', PQgetvalue(result, 0, 1));
}

static void
on_end(void *arg, struct pw_run *run PW_UNUSED, const struct pw_outcome *outcome)
{
	struct pw_caller *caller = arg;

	caller->run = NULL;
	if (outcome->kind == PW_OUTCOME_TIMEOUT && !caller->canceled)
		caller->ending = pw_ending_of_overlong(&caller->id, caller->job->what->func,
						       outcome->number);
	else
		caller->ending =
			pw_ending_of_outcome(&caller->id, caller->plugin->module, outcome,
					     caller->canceled ? PW_CAUSE_CANCEL : PW_CAUSE_NONE);
	pw_host_drain(caller->host);
}

static const struct pw_run_ops run_ops = {
	.on_progress = on_progress,
	.on_output = on_output,
	.on_request = on_request,
	.on_end = on_end,
};

static void
on_hello(void *arg, struct pw_host *host)
{
	struct pw_caller *caller = arg;
	const struct pw_settings *settings = caller->job->settings;
	const struct pw_dispatch *what = caller->job->what;
	const struct pw_run_spec spec = {
		.id = caller->id,
		.name = what->func,
		.task = caller->rest,
		.args = what->args ? what->args : "[]",
		.kwargs = what->kwargs ? what->kwargs : "{}",
		.group = what->group,
		.logging_cid = caller->cid,
		.worker_name = caller->name,
		.directory = pw_worker_directory_path(caller->directory),
		.state_directory = caller->state_directory,
		.writable = pw_settings_text(settings, PW_SETTING_writable_paths),
		.timeout_ns = caller->task->timeout_ns,
		.immediate = true,
		.memory_bytes = caller->task->memory_bytes,
		.term_after_ns = pw_settings_ns(settings, PW_SETTING_cancel_term_after),
		.kill_after_ns = pw_settings_ns(settings, PW_SETTING_cancel_kill_after),
	};
	struct pw_err err;

	if (pw_run_start(host, &spec, &run_ops, caller, &caller->run, &err) < 0) {
		char text[1200];

		snprintf(text, sizeof(text), "Task setup failed at step start: %s.", err.text);
		caller->ending = pw_ending_of_reason(&caller->id, "failed", "setup", text);
		pw_host_drain(host);
	}
}

static void
on_gone(void *arg, struct pw_host *host PW_UNUSED, const char *why PW_UNUSED)
{
	struct pw_caller *caller = arg;
	char text[200];

	if (!caller->ending) {
		snprintf(text, sizeof(text), "Plugin host of %.100s died.", caller->plugin->module);
		caller->ending = pw_ending_of_reason(&caller->id, "failed", "host", text);
	}
	pw_loop_stop(caller->loop);
}

static const struct pw_host_ops host_ops = { .on_hello = on_hello, .on_gone = on_gone };

static int
prepare(struct pw_caller *caller, struct pw_err *err)
{
	const struct pw_settings *settings = caller->job->settings;
	pw_auto_free char *working = pw_settings_working_directory(settings, err);
	pw_auto_free char *state = working ? pw_settings_state_directory(settings, err) : NULL;
	const struct pw_uuid lock = pw_uuid_new();
	char zygote[4096];
	const struct pw_host_config config = {
		.zygote_path = zygote,
		.plugin_path = caller->plugin->path,
		.module = caller->plugin->module,
		.digest = caller->plugin->digest,
		.worker_id = lock,
		.hello_within_ns = HELLO_WITHIN,
	};

	if (!state ||
	    pw_worker_directory_create(working, caller->name, &lock, &caller->directory, err) < 0)
		return -1;
	caller->state_directory = pw_state_directory_make(state, caller->plugin->module, err);
	if (!caller->state_directory || pw_zygote_path(zygote, sizeof(zygote), err) < 0 ||
	    pw_loop_new(&caller->loop, err) < 0)
		return -1;
	if (pw_timer_add(caller->loop, "flush", on_flush, caller, &caller->flush, err) < 0)
		return -1;
	pw_timer_set(caller->flush, pw_now_ns() + FLUSH_EVERY);
	if (pw_watch_new(caller->loop, "database", PQsocket(pw_db_conn(caller->db)), EPOLLIN, on_socket, caller, &caller->watch, err) < 0 ||
	    pw_host_start(caller->loop, &config, &host_ops, caller, &caller->host, err) < 0)
		return -1;
	pw_host_lease(caller->host, caller->beat_ns + caller->ttl_ns);
	return 0;
}

/* The child's life, until nothing of it is left. */
static int
supervise(struct pw_caller *caller, struct pw_err *err)
{
	char text[1200];
	int ret = 0;

	if (prepare(caller, err) < 0) {
		snprintf(text, sizeof(text), "Task setup failed at step start: %s.", err ? err->text : "");
		caller->ending = pw_ending_of_reason(&caller->id, "failed", "setup", text);
	} else {
		ret = pw_loop_run(caller->loop, err);
	}
	caller->host = pw_host_free(caller->host);
	caller->watch = pw_watch_free(caller->watch);
	caller->flush = pw_timer_free(caller->flush);
	caller->loop = pw_loop_free(caller->loop);
	caller->directory = pw_worker_directory_delete(caller->directory);
	free(caller->state_directory);
	return ret;
}

/* A task that this plugin does not have, or does not let be immediate: no child is needed to find out. */
static struct pw_ending *
refusal(const struct pw_caller *caller)
{
	char text[600];

	if (!caller->task) {
		snprintf(text, sizeof(text), "module '%s' has no task '%.400s'", caller->plugin->module, caller->rest);
		return pw_ending_of_failure(&caller->id, text);
	}
	return pw_ending_of_misconfigured(&caller->id, caller->job->what->func);
}

int
pw_caller_run(struct pw_caller *caller, struct pw_err *err)
{
	int ret;

	pw_output_init(&caller->output,
		       pw_settings_int(caller->job->settings, PW_SETTING_task_log_limit));
	if (!caller->task || !caller->task->immediate) {
		ret = pw_caller_end(caller, refusal(caller), err);
	} else {
		ret = supervise(caller, err);
		if (ret == 0 && caller->failed.kind != PW_ERR_NONE) {
			pw_err_set(err, caller->failed.kind,
				   "%s while task %s ran here, so it was stopped; "
				   "a worker ends it when the row of this process has grown old: %s",
				   caller->failed.kind == PW_ERR_NOMEM ? "memory was short" : "the database was lost", caller->id.s,
				   caller->failed.text);
			ret = -1;
		}
		if (ret == 0)
			ret = pw_caller_end(caller, caller->ending, err);
		else
			pw_ending_free(caller->ending);
	}
	pw_output_done(&caller->output);
	pw_reports_done(&caller->reports);
	return ret;
}
