/* SPDX-License-Identifier: MIT */
/*
 * Being alive: registration, heartbeat, and the lease that it renews. Also the clean-up after those that are alive no more.
 *
 * The lease: others may take our tasks over once our heartbeat is older than our ttl. So the last heartbeat that got
 * through, counted from when it was SENT, says how long our children may go on without the database. The hosts are told
 * too, and keep it should this process stand still.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pep440.h"
#include "sql/sql.h"
#include "supervisor/internal.h"

#define CLEAN_EVERY (5 * PW_SEC)

struct registration {
	struct pw_array modules, labels, versions, keys;
	char ttl[32], pid[16], slots[16];
	const char *values[9];
};

/* The parameters of register_worker. */
static void
fill_registration(struct pw_supervisor *s, struct registration *r)
{
	*r = (struct registration){ 0 };
	for (size_t i = 0; i < s->plugins->count; i++) {
		const struct pw_plugin_meta *meta = s->plugins->plugins[i];
		pw_auto_free char *key = NULL;

		if (pw_version_key(meta->version, &key, NULL) < 0)
			abort(); /* it was checked when it was read */
		pw_array_add(&r->modules, meta->module);
		pw_array_add(&r->labels, meta->label);
		pw_array_add(&r->versions, meta->version);
		pw_array_add(&r->keys, key);
	}
	snprintf(r->ttl, sizeof(r->ttl), "%.3f", (double)s->ttl_ns / PW_SEC);
	snprintf(r->pid, sizeof(r->pid), "%d", (int)getpid());
	snprintf(r->slots, sizeof(r->slots), "%d", s->slots);
	memcpy(r->values,
	       ((const char *[]){ s->config.name, r->ttl, s->config.host, r->pid, r->slots,
				  pw_array_text(&r->modules), pw_array_text(&r->labels),
				  pw_array_text(&r->versions), pw_array_text(&r->keys) }),
	       sizeof(r->values));
}

static void
registration_done(struct registration *r)
{
	pw_array_done(&r->modules);
	pw_array_done(&r->labels);
	pw_array_done(&r->versions);
	pw_array_done(&r->keys);
}

static void
lease_renewed(struct pw_supervisor *s)
{
	if (s->lease_over && s->cleaning_due)
		pw_turns_kick(s);
	s->lease_over = false;
	s->lease_until_ns = s->beat_sent_ns + s->ttl_ns;
	pw_timer_set(s->lease, s->lease_until_ns);
	pw_hosts_renew_lease(s);
}

int
pw_beat_register(struct pw_supervisor *s, struct pw_db *db, struct pw_err *err)
{
	pw_auto_result *result = NULL;
	struct registration r;
	int ret;

	s->beat_sent_ns = pw_now_ns();
	fill_registration(s, &r);
	ret = pw_db_exec(db, pw_sql_register_worker,
			 &(struct pw_db_params){ PW_COUNT(r.values), r.values },
			 pw_now_ns() + PW_STATEMENT_TIMEOUT, &result, err);
	registration_done(&r);
	if (ret < 0 && strcmp(err->sqlstate, "25006") == 0)
		return pw_err_set(err, PW_ERR_CONFIG, "the database is read-only for us (a standby, or default_transaction_read_only is on): "
						      "a worker has to write");
	if (ret < 0)
		return pw_err_prefix(err, "register this worker");
	s->me = pw_uuid_of(PQgetvalue(result, 0, 0));
	pw_log_info(NULL, "worker.registered", "id=%s name=%s", s->me.s, pw_log_quote(s->config.name));
	return 0;
}

static void
on_registered(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	s->beat_under_way = false;
	if (err) {
		if (!pw_db_error_is_transient(err))
			pw_log_error(NULL, "register.failed", "msg=%s", pw_log_quote(err->text));
		s->register_due = true;
		return;
	}
	s->me = pw_uuid_of(PQgetvalue(result, 0, 0));
	pw_log_info(NULL, "worker.registered", "id=%s name=%s msg=\"again, under a new id\"", s->me.s, pw_log_quote(s->config.name));
	lease_renewed(s);
	s->look_all = true;
	pw_turns_kick(s);
}

/* Somebody declared this worker dead: its tasks are not its own any more. */
static void
row_gone(struct pw_supervisor *s)
{
	pw_log_warning(NULL, "worker.declared_dead", "id=%s msg=\"stopping its tasks and registering anew\"", s->me.s);
	s->me = (struct pw_uuid){ "" };
	s->register_due = true;
	for (struct pw_task *task = s->tasks, *next; task; task = next) {
		next = task->next;
		if (task->phase == PW_TASK_ENDED)
			pw_task_ended(task, "lost");
		else
			pw_task_lost(task);
	}
}

static void
on_beat(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	s->beat_under_way = false;
	if (err) {
		pw_log_debug(NULL, "worker.beat_failed", "msg=%s", pw_log_quote(err->text));
		s->beat_due = true;
		return;
	}
	if (PQgetvalue(result, 0, 0)[0] == 't') {
		pw_log_debug(NULL, "worker.beat", "id=%s", s->me.s);
		lease_renewed(s);
	} else if (s->phase != PW_WORKER_LEAVING) {
		row_gone(s);
	}
}

bool
pw_beat_next(struct pw_supervisor *s)
{
	if (s->beat_under_way)
		return false;
	if (s->register_due && pw_task_active(s) == 0) {
		struct registration r;

		fill_registration(s, &r);
		s->beat_sent_ns = pw_now_ns();
		s->beat_under_way =
			pw_side_send(s, pw_sql_register_worker,
				     &(struct pw_db_params){ PW_COUNT(r.values), r.values },
				     s->ttl_ns, on_registered);
		registration_done(&r);
		s->register_due = !s->beat_under_way;
		return s->beat_under_way;
	}
	if (!s->beat_due || pw_uuid_none(&s->me))
		return false;
	s->beat_sent_ns = pw_now_ns();
	s->beat_under_way = pw_side_send(s, pw_sql_heartbeat, PW_DB_PARAMS(s->me.s),
					 s->ttl_ns / 3 + PW_SEC, on_beat);
	s->beat_due = !s->beat_under_way;
	return s->beat_under_way;
}

/* Over the other link, while something that takes long has this one. */
static void
beat_aside(struct pw_supervisor *s)
{
	if (s->beat_under_way || pw_uuid_none(&s->me))
		return;
	s->beat_sent_ns = pw_now_ns();
	s->beat_under_way = pw_link_send(s->turns, pw_sql_heartbeat, PW_DB_PARAMS(s->me.s),
					 s->ttl_ns / 3 + PW_SEC, on_beat, s);
	s->beat_due = !s->beat_under_way;
}

static void
on_cleaned(void *arg, const PGresult *result, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err) {
		if (!pw_db_error_is_transient(err))
			pw_log_error(NULL, "cleanup.failed", "msg=%s", pw_log_quote(err->text));
		return;
	}
	for (int row = 0; row < PQntuples(result); row++)
		pw_log_info(NULL, "cleanup.removed",
			    "id=%s type=%s name=%s msg=\"Cleanup record of missing process.\"",
			    PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
			    pw_log_quote(PQgetvalue(result, row, 2)));
	if (PQntuples(result))
		pw_turns_kick(s);
}

static void
on_modules(void *arg, const PGresult *result PW_UNUSED, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		s->modules_due = pw_db_error_is_transient(err);
}

static bool
send_modules(struct pw_supervisor *s)
{
	struct registration r;
	bool sent;

	fill_registration(s, &r);
	sent = pw_side_send(
		s, pw_sql_set_worker_modules,
		PW_DB_PARAMS(s->me.s, r.values[5], r.values[6], r.values[7], r.values[8], r.slots),
		PW_STATEMENT_TIMEOUT, on_modules);
	registration_done(&r);
	s->modules_due = !sent;
	return sent;
}

bool
pw_beat_others(struct pw_supervisor *s)
{
	if (s->modules_due && send_modules(s))
		return true;
	if (!s->clean_due || s->phase >= PW_WORKER_KILLING)
		return false;
	s->clean_due = false;
	return pw_side_send(s, pw_sql_app_worker_cleanup, NULL, PW_STATEMENT_TIMEOUT, on_cleaned);
}

void
pw_beat_modules_changed(struct pw_supervisor *s)
{
	s->modules_due = true;
	pw_side_next(s);
}

static void
beat_now(void *arg)
{
	struct pw_supervisor *s = arg;
	int64_t now = pw_now_ns();

	pw_timer_set(s->beat, now + (s->ttl_ns / 3 < CLEAN_EVERY ? s->ttl_ns / 3 : CLEAN_EVERY));
	if (now - s->beat_sent_ns >= s->ttl_ns / 3 - 50 * PW_MS)
		s->beat_due = true;
	if (now >= s->clean_due_ns && !s->config.auxiliary) {
		s->clean_due = true;
		s->clean_due_ns = now + CLEAN_EVERY - PW_SEC + arc4random_uniform(1000) * PW_MS;
	}
	pw_side_next(s);
	/* a long request must not make this worker look dead */
	if (s->beat_due && now - s->beat_sent_ns > s->ttl_ns / 2 && pw_link_idle(s->turns))
		beat_aside(s);
}

static void
lease_is_over(void *arg)
{
	struct pw_supervisor *s = arg;
	int active = pw_task_active(s);

	s->lease_over = true;
	pw_log_error(NULL, "lease.over", "tasks=%d msg=\"no heartbeat got through for the worker's ttl: others may take its tasks, stopping them\"", active);
	for (struct pw_task *task = s->tasks; task; task = task->next)
		pw_task_kill(task, PW_CAUSE_LEASE);
}

int
pw_beat_new(struct pw_supervisor *s, struct pw_err *err)
{
	s->beat = pw_timer_new(s->loop, "heartbeat", beat_now, s);
	s->lease = pw_timer_new(s->loop, "lease", lease_is_over, s);
	pw_timer_set(s->beat, pw_now_ns());
	lease_renewed(s);
	return pw_side_new(s, err);
}

void
pw_beat_free(struct pw_supervisor *s)
{
	pw_side_free(s);
	s->beat = pw_timer_free(s->beat);
	s->lease = pw_timer_free(s->lease);
}
