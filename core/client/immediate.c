/* SPDX-License-Identifier: MIT */
/*
 * Dispatches an immediate task and finds out what becomes of it. In a thread of
 * the caller's process, which lives as long as the plugin host that it starts
 * (a host dies with the thread that started it), with a connection of
 * its own: the caller's, its transaction and its signals are not touched.
 *
 *	register -> dispatch, owned by us -> decide, with everybody's pass -> run, or leave it -> unregister
 *
 * Should the process die on the way its app status row grows old, and the
 * workers' clean-up does with the task what it does with those of a lost worker.
 */
#include "client/immediate.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/immediate_private.h"
#include "client/versions.h"
#include "crypt/leaves.h"
#include "db/conn.h"
#include "sched/requirement.h"
#include "sql/sql.h"

#define DECIDE_WITHIN (3 * PW_SEC)
#define LOOK_AGAIN (20 * PW_MS)

static int
query(struct pw_caller *caller, const char *sql, const struct pw_db_params *params,
      PGresult **ret_result, struct pw_err *err)
{
	return pw_db_exec(caller->db, sql, params, pw_now_ns() + PW_CALLER_STATEMENT, ret_result,
			  err);
}

/* A plugin that is older than what the task demands must not run it: by the rule of the workers. */
static bool
new_enough(const struct pw_plugin_meta *plugin, const char *versions)
{
	const struct pw_offer offer = { plugin->module, plugin->label, plugin->version };
	struct pw_requirement *requirement;
	pw_auto_free char *detail = NULL;
	bool served;

	if (asprintf(&detail, "{\"versions\": %s}", versions ? versions : "{}") < 0 ||
	    pw_requirement_new(0, plugin->module, detail, &requirement, NULL) < 0)
		return false;
	pw_requirement_match(requirement, &offer, 1);
	served = requirement->offer == 0;
	pw_requirement_free(requirement);
	return served;
}

static int
enrol(struct pw_caller *caller, struct pw_err *err)
{
	pw_auto_result *result = NULL;
	char host[65] = "localhost", ttl[32];

	gethostname(host, sizeof(host) - 1);
	caller->me = pw_uuid_new();
	snprintf(caller->name, sizeof(caller->name), "immediate-%d-%.8s@%.40s", (int)getpid(), caller->me.s + 28, host);
	caller->ttl_ns = pw_settings_ns(caller->job->settings, PW_SETTING_worker_ttl);
	snprintf(ttl, sizeof(ttl), "%.3f", (double)caller->ttl_ns / PW_SEC);
	caller->beat_ns = pw_now_ns();
	if (query(caller, pw_sql_register_caller,
		  PW_DB_PARAMS(caller->name, ttl, caller->plugin->module, caller->plugin->label,
			       caller->plugin->version),
		  &result, err) < 0)
		return -1;
	caller->me = pw_uuid_of(PQgetvalue(result, 0, 0));
	return query(caller, pw_sql_listen_cancel, NULL, NULL, err);
}

static int
insert(struct pw_caller *caller, struct pw_err *err)
{
	const struct pw_dispatch *what = caller->sealed;
	pw_auto_free char *exclusive = pw_db_array(what->exclusive, what->exclusive_count);
	pw_auto_free char *shared = pw_db_array(what->shared, what->shared_count);
	pw_auto_free char *known = what->versions ? NULL : pw_plugin_versions(caller->plugin);
	pw_auto_result *result = NULL;

	if (!exclusive || !shared || (!what->versions && !known))
		return pw_err_nomem(err);
	if (query(caller, pw_sql_dispatch_immediate,
		  PW_DB_PARAMS(what->func, what->args ? what->args : "[]", what->kwargs ? what->kwargs : "{}", what->group,
			       exclusive, shared, what->versions ? what->versions : known, what->no_deferred ? "f" : "t", caller->me.s, what->correlation_id, what->sealed ? "t" : "f"),
		  &result, err) < 0)
		return -1;
	caller->id = pw_uuid_of(PQgetvalue(result, 0, 0));
	caller->cid = strdup(PQgetvalue(result, 0, 1));
	return caller->cid ? 0 : pw_err_nomem(err);
}

/* *RET_OUTCOME: as decide_immediate says, without "again". */
static int
decide(struct pw_caller *caller, char *outcome, size_t size, struct pw_err *err)
{
	int64_t deadline_ns = pw_now_ns() + DECIDE_WITHIN;

	for (;;) {
		pw_auto_result *result = NULL;
		bool last = pw_now_ns() >= deadline_ns;

		if (query(caller, pw_sql_decide_immediate, PW_DB_PARAMS(caller->me.s, caller->id.s, last ? "t" : "f"), &result, err) < 0)
			return -1;
		snprintf(outcome, size, "%s", PQgetvalue(result, 0, 0));
		if (strcmp(outcome, "again") != 0)
			return 0;
		if (pw_db_wait(caller->db, pw_now_ns() + LOOK_AGAIN, err) < 0)
			return -1;
	}
}

static int
follow(struct pw_caller *caller, enum pw_immediate_end *ret_end, struct pw_err *err)
{
	char outcome[16];

	if (insert(caller, err) < 0 || decide(caller, outcome, sizeof(outcome), err) < 0)
		return -1;
	*ret_end = PW_IMMEDIATE_CANCELED;
	if (strcmp(outcome, "run") == 0) {
		*ret_end = PW_IMMEDIATE_RAN;
		return pw_caller_run(caller, err);
	}
	if (strcmp(outcome, "canceling") == 0)
		return pw_caller_end(caller, pw_ending_of_reason(&caller->id, "canceled", "canceled", NULL), err);
	if (strcmp(outcome, "canceled") != 0)
		*ret_end = PW_IMMEDIATE_DEFERRED;
	return 0;
}

static int
connect_db(const struct pw_immediate *job, struct pw_db **ret_db, struct pw_err *err)
{
	if (pw_db_connect(job->conninfo, "pulp-immediate", ret_db, err) < 0)
		return -1;
	if (!job->guest || pw_db_guest(*ret_db, pw_now_ns() + PW_CALLER_STATEMENT, err) == 0)
		return 0;
	*ret_db = pw_db_close(*ret_db);
	return -1;
}

struct thread {
	struct pw_caller caller;
	enum pw_immediate_end end;
	int ret;
	struct pw_err err;
};

static void *
thread_main(void *arg)
{
	struct thread *thread = arg;
	struct pw_caller *caller = &thread->caller;

	thread->ret = connect_db(caller->job, &caller->db, &thread->err);
	if (thread->ret == 0)
		thread->ret = enrol(caller, &thread->err);
	if (thread->ret == 0) {
		thread->ret = follow(caller, &thread->end, &thread->err);
		/* where this fails the clean-up does it */
		(void)!query(caller, pw_sql_unregister_worker, PW_DB_PARAMS(caller->me.s), NULL,
			     NULL);
	}
	free(caller->cid);
	caller->db = pw_db_close(caller->db);
	return NULL;
}

static int
in_thread(struct thread *thread, struct pw_err *err)
{
	sigset_t all, old;
	pthread_t id;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* the thread handles none of the caller's signals */
	failed = pthread_create(&id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failed)
		return pw_err_set(err, PW_ERR_OS, "a thread for an immediate task: %s", strerror(failed));
	pthread_join(id, NULL);
	if (thread->ret < 0 && err)
		*err = thread->err;
	return thread->ret;
}

/* Why this host cannot run it; NULL: it can. */
static const char *
unfit(const struct pw_immediate *job, const struct pw_plugin_meta *plugin)
{
	if (!plugin)
		return "no plugin of this host has its module";
	if (!new_enough(plugin, job->what->versions))
		return "this host has no plugin of the version that it needs";
	return NULL;
}

/* As an ordinary dispatch: the database refuses what it cannot do. */
static int
leave_to_worker(const struct pw_immediate *job, const struct pw_dispatch *sealed, bool immediate,
		struct pw_uuid *ret_id, struct pw_err *err)
{
	struct pw_dispatch what = *sealed;
	struct pw_dispatched dispatched;
	struct pw_db *db;
	int ret;

	what.immediate = immediate;
	if (connect_db(job, &db, err) < 0)
		return -1;
	ret = pw_store_dispatch(db, &what, pw_now_ns() + PW_CALLER_STATEMENT, &dispatched, err);
	pw_db_close(db);
	if (ret == 0)
		*ret_id = dispatched.id;
	return ret;
}

/* In this process, or by a worker. */
static int
place(const struct pw_immediate *job, const struct pw_dispatch *sealed,
      const struct pw_plugin_set *plugins, struct pw_immediate_result *ret_result,
      struct pw_err *err)
{
	struct thread thread = { .caller = { .job = job, .sealed = sealed, .plugin = pw_plugin_set_find(plugins, job->what->func) } };
	const char *dot = strchr(job->what->func, '.');
	int ret;

	if (!dot) /* the database says so, in its own words */
		return leave_to_worker(job, sealed, true, &ret_result->id, err);
	ret_result->why = unfit(job, thread.caller.plugin);
	if (ret_result->why && !job->what->no_deferred)
		return leave_to_worker(job, sealed, true, &ret_result->id, err);
	if (ret_result->why)
		return pw_err_set(err, PW_ERR_INPUT, "the immediate task %.200s cannot be run: %s, and it may not be deferred",
				  job->what->func, ret_result->why);
	thread.caller.rest = dot + 1;
	thread.caller.task = pw_plugin_meta_task(thread.caller.plugin, dot + 1);
	ret = in_thread(&thread, err);
	*ret_result = (struct pw_immediate_result){ thread.caller.id, thread.end, "a resource that it needs is taken" };
	return ret;
}

int
pw_immediate_dispatch(const struct pw_immediate *job, struct pw_immediate_result *ret_result,
		      struct pw_err *err)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	struct pw_dispatch sealed = *job->what;
	struct pw_plugin_set *plugins;
	int ret = pw_leaves_seal_arguments(job->keys, sealed.args, sealed.kwargs, &args, &kwargs,
					   err);

	*ret_result = (struct pw_immediate_result){ { "" }, PW_IMMEDIATE_DEFERRED, "task_prefer_defer says so" };
	if (ret < 0)
		return -1;
	if (ret > 0) {
		sealed.args = pw_buf_text(&args);
		sealed.kwargs = pw_buf_text(&kwargs);
		sealed.sealed = true;
	}
	if (pw_settings_int(job->settings, PW_SETTING_task_prefer_defer) && !sealed.no_deferred)
		return leave_to_worker(job, &sealed, false, &ret_result->id, err);
	if (pw_plugin_set_scan(pw_settings_text(job->settings, PW_SETTING_plugin_path), &plugins,
			       err) < 0)
		return -1;
	ret = place(job, &sealed, plugins, ret_result, err);
	pw_plugin_set_free(plugins);
	return ret;
}
