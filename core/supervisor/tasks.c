/* SPDX-License-Identifier: MIT */
/*
 * A task in the supervisor: claimed, its arguments fetched, started, heard, ended, its ending written, forgotten. What is
 * known of its row changes only in the database; here is what its child does. Between its end and the writing of it
 * what it made and did not complete is deleted (resources.c). A task stays until its ending has been written or is
 * known to be somebody else's business.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/internal.h"

struct pw_task *
pw_task_find(struct pw_supervisor *s, const char *id)
{
	for (struct pw_task *task = s->tasks; task; task = task->next)
		if (strcmp(task->id.s, id) == 0)
			return task;
	return NULL;
}

int
pw_task_active(const struct pw_supervisor *s)
{
	int count = 0;

	for (const struct pw_task *task = s->tasks; task; task = task->next)
		count += task->phase != PW_TASK_ENDED;
	return count;
}

int
pw_task_unwritten(const struct pw_supervisor *s)
{
	int count = 0;

	for (const struct pw_task *task = s->tasks; task; task = task->next)
		count += task->ending != NULL;
	return count;
}

void
pw_task_forget(struct pw_supervisor *s, struct pw_task *task)
{
	for (struct pw_task **at = &s->tasks; *at; at = &(*at)->next)
		if (*at == task) {
			*at = task->next;
			break;
		}
	pw_requests_drop(s, task);
	pw_resources_drop(task);
	pw_reports_done(&task->reports);
	pw_output_done(&task->output);
	pw_ending_free(task->ending);
	free(task->name);
	free(task->cid);
	free(task);
}

const char *
pw_task_correlation(void *supervisor, const char *id)
{
	const struct pw_task *task = pw_task_find(supervisor, id);

	return task ? task->cid : NULL;
}

void
pw_tasks_free(struct pw_supervisor *s)
{
	while (s->tasks)
		pw_task_forget(s, s->tasks);
}

/* --- what the child says --- */

static void
on_started(void *arg, struct pw_run *run PW_UNUSED)
{
	struct pw_task *task = arg;

	pw_log_info(task->id.s, "task.started", "name=%s", pw_log_quote(task->name));
}

static void
on_progress(void *arg, struct pw_run *run PW_UNUSED, const struct pw_progress *progress)
{
	struct pw_task *task = arg;
	int refused = pw_reports_put(&task->reports, progress, NULL);

	if (refused < 0)
		abort();
	if (refused) {
		pw_log_debug(task->id.s, "report.refused", "code=%s msg=\"too many progress reports\"", pw_log_quote(progress->code));
		return;
	}
	pw_turns_flush(task->s, pw_reports_due(&task->reports));
}

static void
on_output(void *arg, struct pw_run *run PW_UNUSED, const char *data, size_t len)
{
	struct pw_task *task = arg;

	if (pw_output_add(&task->output, data, len) == 0 && pw_output_waiting(&task->output))
		pw_turns_flush(task->s, 0);
}

static void
on_request(void *arg, struct pw_run *run PW_UNUSED, uint32_t number, const char *operation,
	   const char *json)
{
	pw_requests_add(arg, number, operation, json);
}

static void
on_end(void *arg, struct pw_run *run PW_UNUSED, const struct pw_outcome *outcome)
{
	struct pw_task *task = arg;
	struct pw_supervisor *s = task->s;
	struct pw_ending *ending;

	task->run = NULL;
	if (task->cause == PW_CAUSE_LOST) {
		pw_log_warning(task->id.s, "task.lost", "msg=\"it was taken away from this worker; its child is gone\"");
		pw_task_forget(s, task);
		pw_turns_kick(s);
		pw_side_next(s);
		return;
	}
	/* we stood still, and the host kept the lease */
	if (task->cause == PW_CAUSE_NONE && outcome->kind != PW_OUTCOME_FAILED &&
	    pw_now_ns() >= s->lease_until_ns)
		task->cause = PW_CAUSE_LEASE;
	if (task->immediate && task->cause == PW_CAUSE_NONE && outcome->kind == PW_OUTCOME_TIMEOUT)
		ending = pw_ending_of_overlong(&task->id, task->name, outcome->number);
	else
		ending = pw_ending_of_outcome(&task->id, task->host->module, outcome, task->cause);
	if (!ending)
		abort();
	pw_task_end(task, ending);
}

static const struct pw_run_ops run_ops = {
	.on_started = on_started,
	.on_progress = on_progress,
	.on_output = on_output,
	.on_request = on_request,
	.on_end = on_end,
};

/* --- from claim to ending --- */

void
pw_task_end(struct pw_task *task, struct pw_ending *ending)
{
	task->ending = ending;
	pw_requests_drop(task->s, task);
	if (!pw_resources_begin(task))
		pw_task_over(task);
}

void
pw_task_over(struct pw_task *task)
{
	const struct pw_ending *ending = task->ending;

	task->phase = PW_TASK_ENDED;
	pw_output_close(&task->output);
	pw_reports_again(&task->reports);
	pw_log_debug(task->id.s, "task.over", "name=%s state=%s kind=%s", pw_log_quote(task->name), ending->state, ending->kind);
	pw_turns_kick(task->s);
}

/* The row has the last word: somebody may have canceled the task before this worker heard of it. */
static void
tell_end(const struct pw_task *task, const char *state)
{
	const struct pw_ending *e = task->ending;
	bool as_said = strcmp(state, e->state) == 0;
	const char *kind = strcmp(state, "canceled") == 0 ? "canceled" : e->kind, *name = "", *value = "";

	if (!as_said) {
		name = " said=";
		value = e->state;
	} else if (e->error) {
		name = " error=";
		value = pw_log_quote(e->error);
	}
	pw_log_info(task->id.s, "task.ended",
		    "name=%s state=%s kind=%s cpu_ms=%lld max_rss_kb=%lld remains=%d%s%s",
		    pw_log_quote(task->name), state, kind, (long long)e->cpu_ms,
		    (long long)e->max_rss_kb, e->remains, name, value);
}

void
pw_task_ended(struct pw_task *task, const char *outcome)
{
	if (strcmp(outcome, "locked") == 0) {
		pw_log_debug(task->id.s, "ending.locked", "msg=\"somebody's open transaction holds the row, retrying\"");
		return;
	}
	if (strcmp(outcome, "lost") == 0)
		pw_log_warning(task->id.s, "ending.lost", "state=%s kind=%s msg=\"the task was not this worker's any more: its ending was dropped\"",
			       task->ending->state, task->ending->kind);
	else
		tell_end(task, outcome);
	pw_task_forget(task->s, task);
}

static void
end_with_reason(struct pw_task *task, const char *state, const char *kind, const char *reason)
{
	struct pw_ending *ending = pw_ending_of_reason(&task->id, state, kind, reason);

	if (!ending)
		abort();
	pw_task_end(task, ending);
}

static void
end_with_failure(struct pw_task *task, const char *description)
{
	struct pw_ending *ending = pw_ending_of_failure(&task->id, description);

	if (!ending)
		abort();
	pw_task_end(task, ending);
}

static void
cancel_abandoned_task(struct pw_task *task, const char *final_state, const char *reason)
{
	pw_log_info(task->id.s, "task.cleanup", "state=%s%s%s", final_state, reason ? " reason=" : "",
		    reason ? pw_log_quote(reason) : "");
	task->ran = true;
	end_with_reason(task, final_state, reason ? "lost" : "canceled", reason);
}

void
pw_task_refuse(struct pw_task *task, const char *reason)
{
	task->fetching = false;
	if (task->phase == PW_TASK_CLAIMED)
		end_with_reason(task, "failed", "setup", reason);
}

void
pw_task_claimed(struct pw_supervisor *s, const struct pw_turn_claim *claim, bool adopted)
{
	struct pw_task *task;

	if (pw_task_find(s, claim->task))
		return; /* adopted and answered at once */
	task = calloc(1, sizeof(*task));
	if (!task || !(task->name = strdup(claim->name)) || !(task->cid = strdup(claim->cid)))
		abort();
	task->s = s;
	task->id = pw_uuid_of(claim->task);
	pw_output_init(&task->output, pw_settings_int(s->settings, PW_SETTING_task_log_limit));
	task->next = s->tasks;
	s->tasks = task;
	if (adopted)
		pw_log_info(task->id.s, "task.adopted", "msg=\"claimed by a turn whose answer was lost\"");
	if (strcmp(claim->what, "canceling") == 0) {
		cancel_abandoned_task(task, "canceled", NULL);
	} else if (strcmp(claim->what, "abandoned") == 0) {
		cancel_abandoned_task(task, "failed", "Worker has gone missing.");
	} else {
		pw_log_debug(task->id.s, "task.claimed", "name=%s", pw_log_quote(task->name));
		pw_stop_stay(s);
		if (s->phase >= PW_WORKER_KILLING) /* claimed by the turn that was under way then */
			task->cause = PW_CAUSE_SHUTDOWN;
		if (claim->args)
			pw_arguments_start(task, claim->plain,
					   &(struct pw_run_spec){ .args = claim->args,
								  .kwargs = claim->kwargs,
								  .group = claim->group,
								  .logging_cid = task->cid,
								  .immediate = claim->immediate });
		else
			s->fetch_due = true;
	}
}

void
pw_task_fill_run(const struct pw_task *task, const struct pw_plugin_task *what,
		 struct pw_run_spec *spec)
{
	const struct pw_supervisor *s = task->s;

	spec->id = task->id;
	spec->name = task->name;
	spec->worker_name = s->config.name;
	spec->directory = pw_worker_directory_path(s->directory);
	spec->state_directory = task->host->state_directory;
	spec->writable = pw_settings_text(s->settings, PW_SETTING_writable_paths);
	spec->timeout_ns = what->timeout_ns;
	spec->memory_bytes = what->memory_bytes;
	spec->term_after_ns = pw_settings_ns(s->settings, PW_SETTING_cancel_term_after);
	spec->kill_after_ns = pw_settings_ns(s->settings, PW_SETTING_cancel_kill_after);
}

/* Finds its host and its task there. Ends the task and returns false where it cannot be started. */
static bool
fill_spec(struct pw_task *task, struct pw_run_spec *spec)
{
	const char *rest = strchr(task->name, '.');
	const struct pw_plugin_task *found;
	char text[600];

	if (!rest) { /* a row that no dispatch made */
		snprintf(text, sizeof(text), "function name '%.400s' has no dot", task->name);
		end_with_failure(task, text);
		return false;
	}
	task->host = pw_hosts_find(task->s, task->name);
	if (!task->host) {
		snprintf(text, sizeof(text), "Plugin host of %.*s died.", (int)(rest - task->name), task->name);
		end_with_reason(task, "failed", "host", text);
		return false;
	}
	found = pw_plugin_meta_task(task->host->meta, rest + 1);
	if (!found) {
		snprintf(text, sizeof(text), "module '%s' has no task '%.400s'", task->host->module, rest + 1);
		end_with_failure(task, text);
		return false;
	}
	if (spec->immediate && !found->immediate) {
		struct pw_ending *ending = pw_ending_of_misconfigured(&task->id, task->name);

		if (!ending)
			abort();
		pw_task_end(task, ending);
		return false;
	}
	spec->task = rest + 1;
	pw_task_fill_run(task, found, spec);
	return true;
}

void
pw_task_start(struct pw_task *task, const struct pw_run_spec *what)
{
	struct pw_run_spec spec = *what;
	struct pw_err err;
	char text[1200];

	task->immediate = spec.immediate;
	task->fetching = false;
	if (task->phase != PW_TASK_CLAIMED)
		return;
	if (task->cause != PW_CAUSE_NONE) { /* canceled, or the worker stops, before it began */
		if (task->cause == PW_CAUSE_SHUTDOWN)
			end_with_reason(task, "failed", "shutdown", "Aborted during worker shutdown.");
		else if (task->cause == PW_CAUSE_LEASE)
			end_with_reason(task, "failed", "lost", "Worker has gone missing.");
		else
			end_with_reason(task, "canceled", "canceled", NULL);
		return;
	}
	if (!fill_spec(task, &spec))
		return;
	if (pw_run_start(task->host->host, &spec, &run_ops, task, &task->run, &err) < 0) {
		snprintf(text, sizeof(text), "Task setup failed at step start: %s.", err.text);
		end_with_reason(task, "failed", "setup", text);
		return;
	}
	task->phase = PW_TASK_RUNNING;
	task->ran = true;
}

/* One whose ending is known has nothing to be canceled; but where the worker stops nothing more is begun for it. */
static void
hurry(struct pw_task *task, enum pw_cause cause)
{
	if (cause == PW_CAUSE_CANCEL)
		return;
	pw_resources_give_up(task);
	if (cause == PW_CAUSE_LOST)
		task->cause = cause;
	if (task->run)
		pw_run_kill(task->run);
}

void
pw_task_cancel(struct pw_task *task, enum pw_cause cause)
{
	if (task->ending) {
		hurry(task, cause);
		return;
	}
	if (task->cause == PW_CAUSE_NONE || cause == PW_CAUSE_LOST) {
		task->cause = cause;
		if (cause == PW_CAUSE_CANCEL)
			pw_log_info(task->id.s, "task.cancel", "name=%s", pw_log_quote(task->name));
	}
	if (task->phase == PW_TASK_RUNNING)
		pw_run_cancel(task->run);
}

void
pw_task_kill(struct pw_task *task, enum pw_cause cause)
{
	if (task->ending) {
		hurry(task, cause);
		return;
	}
	if (task->cause == PW_CAUSE_NONE || cause == PW_CAUSE_LOST)
		task->cause = cause;
	if (task->phase == PW_TASK_RUNNING)
		pw_run_kill(task->run);
}

void
pw_task_lost(struct pw_task *task)
{
	pw_task_kill(task, PW_CAUSE_LOST);
	if (!task->run)
		pw_task_forget(task->s, task);
}
