/* SPDX-License-Identifier: MIT */
/*
 * pulp-task purge: dispatches core.purge and waits for it. Deletes nothing
 * itself: a worker does, in batches. What is old is told by the database's clock.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/task.h"
#include "store/task_store.h"
#include "task/json.h"

#define DEFAULT_AGE "30d" /* as in Pulp's REST */

static struct {
	const char *finished_before, *older_than, *timeout;
	struct pw_cli_list states;
	bool no_wait;
} options;

const struct pw_cli_option pw_verb_purge_options[] = {
	{ .name = "finished-before", .value = "TIME", .help = "those that finished before it (UTC unless it says otherwise)",
	  .text = &options.finished_before },
	{ .name = "older-than", .value = "DURATION", .help = "those that finished longer ago (default " DEFAULT_AGE ")",
	  .text = &options.older_than },
	{ .name = "state", .value = "STATE", .help = "those in this final state (may be repeated; default completed)",
	  .list = &options.states },
	{ .name = "no-wait", .help = "print the id of the task that purges, and do not wait for it", .flag = &options.no_wait },
	{ .name = "timeout", .value = "DURATION", .help = "wait no longer than this", .text = &options.timeout },
	{ .name = NULL },
};

/* The states as a JSON array; NULL with *err where one is none, or not a final one. */
static json_t *
read_states(struct pw_err *err)
{
	pw_auto_json *states = json_array();
	enum pw_task_state state;

	for (size_t i = 0; i < options.states.count; i++) {
		if (pw_task_state_parse(options.states.items[i], &state, err) < 0) {
			pw_err_prefix(err, "--state");
			return NULL;
		}
		if (!pw_task_state_final(state)) {
			pw_err_set(err, PW_ERR_INPUT, "--state: tasks that are %s cannot be purged: completed, failed, canceled, skipped can",
				   options.states.items[i]);
			return NULL;
		}
		json_array_append_new(states, json_string(options.states.items[i]));
	}
	if (options.states.count == 0)
		json_array_append_new(states, json_string("completed"));
	return pw_steal_ptr(&states);
}

/* The task's keyword arguments. The caller frees. */
static int
make_kwargs(struct pw_db *db, int64_t age_ns, char **ret_kwargs, struct pw_err *err)
{
	pw_auto_free char *limit = NULL;
	pw_auto_json *kwargs = NULL;
	json_t *states = read_states(err);

	if (!states)
		return -1;
	if (pw_store_purge_limit(db, options.finished_before, age_ns, pw_cmd_deadline(), &limit,
				 err) < 0) {
		json_decref(states);
		return pw_err_prefix(err, "--finished-before");
	}
	kwargs = json_pack("{s:s, s:o}", "finished_before", limit, "states", states);
	*ret_kwargs = kwargs ? json_dumps(kwargs, JSON_COMPACT) : NULL;
	return *ret_kwargs ? 0 : pw_err_nomem(err);
}

static int
finish(struct pw_db **db, const struct pw_dispatched *dispatched, int64_t deadline_ns)
{
	pw_auto_record *task = NULL;
	struct pw_err err;
	int status = EX_OK;

	if (options.no_wait && !pw_cmd_json())
		puts(dispatched->id.s);
	if (!options.no_wait)
		status = pw_cmd_wait(db, &dispatched->id, 1, deadline_ns,
				     pw_cmd_json() ? stderr : stdout);
	/* Without a terminal the counts have been printed as they came. */
	if (!pw_cmd_waited(status) ||
	    (!pw_cmd_json() && (options.no_wait || !isatty(STDOUT_FILENO))))
		return status;
	if (pw_store_get_task(*db, &dispatched->id, pw_cmd_deadline(), &task, &err) < 0)
		return pw_cmd_fail(&err);
	if (!pw_cmd_json())
		pw_cmd_put_progress(task);
	else if (pw_cmd_print_record(task, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}

int
pw_verb_purge(int argc, char **argv)
{
	int64_t age_ns, deadline_ns;
	pw_auto_free char *kwargs = NULL;
	struct pw_dispatched dispatched;
	pw_auto_db *db = NULL;
	struct pw_err err;

	(void)argc;
	(void)argv;
	if (options.finished_before && options.older_than)
		return pw_cli_usage("--finished-before and --older-than say the same thing: give one of them");
	if (options.timeout && options.no_wait)
		return pw_cli_usage("--timeout has no meaning with --no-wait");
	if (pw_duration_parse(options.older_than ? options.older_than : DEFAULT_AGE, 86400 * PW_SEC,
			      &age_ns, &err) < 0)
		return pw_cmd_fail((pw_err_prefix(&err, "--older-than"), &err));
	if (pw_cmd_timeout(options.timeout, &deadline_ns, &err) < 0 || pw_cmd_open(&db, &err) < 0 ||
	    make_kwargs(db, age_ns, &kwargs, &err) < 0)
		return pw_cmd_fail(&err);

	const struct pw_dispatch dispatch = { .func = "core.purge", .kwargs = kwargs };
	if (pw_cmd_dispatch(db, &dispatch, &dispatched, &err) < 0)
		return pw_cmd_fail(&err);
	if (!dispatched.served)
		pw_cli_warn("warning: no live worker has the module core; the purge waits for one that has");
	return finish(&db, &dispatched, deadline_ns);
}
