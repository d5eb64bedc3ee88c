/* SPDX-License-Identifier: MIT */
/* The supervisor's life: look at the database, take the directory, register, loop, leave. See internal.h for who does what. */
#include "supervisor/supervisor.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "exec/zygote_path.h"
#include "supervisor/internal.h"
#include "store/migrate.h"
#include "sys/sdnotify.h"

static int
register_first(struct pw_supervisor *s, struct pw_err *err)
{
	struct pw_db *db;
	int ret;

	if (pw_db_connect(s->config.conninfo, "pulp-worker", &db, err) < 0)
		return -1;
	ret = pw_schema_enter(db, false, err); /* before anything is touched */
	s->guest = pw_db_is_guest(db);
	if (ret == 0 && s->guest)
		pw_log_info(NULL, "worker.guest", "msg=\"this Pulp lacks our schema: we go by Pulp's own algorithms, keep no output of tasks and dispatch no schedules\"");
	if (ret == 0) /* from here on a signal is answered by leaving in order */
		ret = pw_stop_watch(s, err);
	if (ret == 0)
		ret = pw_worker_directory_create(s->working_directory, s->config.name,
						 &s->incarnation, &s->directory, err);
	if (ret == 0)
		ret = pw_beat_register(s, db, err);
	pw_db_close(db);
	return ret;
}

/* What earlier workers of this host left: processes, then directories. */
static void
sweep(struct pw_supervisor *s)
{
	int killed = pw_worker_directory_kill_remains(s->working_directory);
	int removed = pw_worker_directory_sweep(s->working_directory);

	if (killed > 0 || removed > 0)
		pw_log_warning(NULL, "worker.swept", "processes=%d directories=%d msg=\"left by workers that are gone\"", killed, removed);
}

/* Reload, pause and resume wait until the loop runs: by default they would end a worker that is still starting. */
static void
hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int
start(struct pw_supervisor *s, struct pw_err *err)
{
	s->incarnation = pw_uuid_new();
	s->slots = (int)pw_settings_int(s->settings, PW_SETTING_slots);
	s->ttl_ns = pw_settings_ns(s->settings, PW_SETTING_worker_ttl);
	if (pw_supervisor_keys(s->settings, &s->keys, err) < 0)
		return -1;
	s->state_directory = pw_settings_state_directory(s->settings, err);
	s->working_directory = pw_settings_working_directory(s->settings, err);
	if (!s->state_directory || !s->working_directory)
		return -1;
	pw_fd_raise_limit();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	hold_signals();
	if (pw_loop_new(&s->loop, err) < 0)
		return -1;
	if (pw_hosts_start(s, err) < 0 || register_first(s, err) < 0)
		return -1;
	sweep(s);
	if (pw_turns_new(s, err) < 0 || pw_beat_new(s, err) < 0)
		return -1;
	pw_claims_new(s);
	pw_schedules_new(s);
	pw_resources_new(s);
	pw_metrics_new(s);
	pw_hosts_reload(s);
	pw_log_info(NULL, "worker.started", "name=%s slots=%d plugins=%zu ttl_s=%lld", pw_log_quote(s->config.name), s->slots,
		    s->plugins->count, (long long)(s->ttl_ns / PW_SEC));
	pw_sdnotify_ready();
	pw_stop_status(s);
	return 0;
}

static void
finish(struct pw_supervisor *s)
{
	if (s->loop) {
		pw_hosts_free(s);
		pw_tasks_free(s);
		pw_requests_free(s);
		pw_schedules_free(s);
		pw_resources_free(s);
		pw_metrics_free(s);
		pw_claims_free(s);
		pw_turns_free(s);
		pw_beat_free(s);
		pw_stop_free(s);
		s->loop = pw_loop_free(s->loop);
	} else {
		pw_plugin_set_free(s->plugins);
		free(s->offers);
	}
	s->directory = pw_worker_directory_delete(s->directory);
	pw_settings_free(s->settings);
	pw_keyring_free(s->keys);
	free(s->state_directory);
	free(s->working_directory);
}

int
pw_supervisor_main(const struct pw_supervisor_config *config, struct pw_settings *settings,
		   struct pw_err *err)
{
	struct pw_supervisor s = { .config = *config, .settings = settings };
	char zygote[PATH_MAX];
	int ret;

	s.config.zygote_path = zygote;
	pw_log_set_correlation(pw_task_correlation, &s);
	ret = pw_zygote_path(zygote, sizeof(zygote), err);
	if (ret == 0)
		ret = start(&s, err);
	if (ret == 0) {
		ret = pw_loop_run(s.loop, err);
		pw_log_info(NULL, "worker.stopped", "msg=\"Worker %s was shut down.\"", config->name);
	}
	finish(&s);
	pw_log_set_correlation(NULL, NULL);
	return ret;
}
