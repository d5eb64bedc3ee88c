/* SPDX-License-Identifier: MIT */
/*
 * The plugins of this worker and their hosts. One process per plugin: what a plugin does to its process it does to itself alone. A
 * host that dies is started again with back-off; one that never says HELLO is quarantined until its file changes or the worker
 * reloads. A reload starts the new version beside the old, which drains.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "exec/state_directory.h"
#include "sql/sql.h"
#include "supervisor/internal.h"
#include "sys/children.h"

#define REST_MOST (60 * PW_SEC)
#define FAILURES_MOST 5
#define ORPHANS_WITHIN (2 * PW_SEC)

static void host_launch(struct pw_plugin_host *host);

static void
host_forget(struct pw_plugin_host *host)
{
	struct pw_supervisor *s = host->s;

	for (struct pw_plugin_host **at = &s->hosts; *at; at = &(*at)->next)
		if (*at == host) {
			*at = host->next;
			break;
		}
	host->rest = pw_timer_free(host->rest);
	pw_host_free(host->host);
	free(host->module);
	free(host->state_directory);
	free(host);
}

static void
on_hello(void *arg, struct pw_host *process PW_UNUSED)
{
	struct pw_plugin_host *host = arg;

	if (host->phase != PW_HOST_STARTING)
		return;
	host->phase = PW_HOST_UP;
	host->failures = 0;
	pw_log_info(NULL, "plugin.up", "module=%s version=%s pid=%d path=%s", host->module, host->meta->version,
		    pw_host_pid(host->host), pw_log_quote(host->meta->path));
	pw_turns_kick(host->s);
	pw_resources_kick(host->s);
}

static void
host_rest(struct pw_plugin_host *host, bool said_hello, const char *why)
{
	int64_t wait = PW_SEC;

	host->failures++;
	if (!said_hello && host->failures >= FAILURES_MOST) {
		host->phase = PW_HOST_QUARANTINED;
		pw_log_error(NULL, "plugin.quarantined", "module=%s path=%s msg=%s", host->module,
			     pw_log_quote(host->meta->path), pw_log_quote(why));
		pw_resources_kick(host->s);
		return;
	}
	for (int i = 1; i < host->failures && wait < REST_MOST; i++)
		wait *= 2;
	host->phase = PW_HOST_RESTING;
	pw_timer_set(host->rest, pw_now_ns() + wait);
	pw_log_warning(NULL, "plugin.died", "module=%s again_in_ms=%lld msg=%s", host->module, (long long)(wait / PW_MS),
		       pw_log_quote(why));
}

static bool
is_host(const struct pw_supervisor *s, pid_t pid)
{
	for (const struct pw_plugin_host *host = s->hosts; host; host = host->next)
		if (host->host && pw_host_pid(host->host) == pid)
			return true;
	return false;
}

/*
 * What a dead host leaves becomes ours, since we are a subreaper: every child of ours that is no host is the
 * remains of a task, whatever it made of its environment. Killed, and what it had forked in turn, until none is left.
 */
static void
kill_orphans(struct pw_supervisor *s)
{
	int64_t deadline_ns = pw_now_ns() + ORPHANS_WITHIN;
	struct pw_children children;
	bool found = true;
	int killed = 0;

	pw_children_init(&children);
	while (found && pw_now_ns() < deadline_ns && pw_children_list(&children, NULL) == 0) {
		found = false;
		for (size_t i = 0; i < children.count; i++) {
			if (is_host(s, children.pids[i]))
				continue;
			found = true;
			kill(children.pids[i], SIGKILL);
			killed += waitpid(children.pids[i], NULL, 0) > 0;
		}
	}
	pw_children_done(&children);
	if (killed)
		pw_log_warning(NULL, "plugin.remains", "processes=%d msg=\"left by tasks of a plugin host that died, killed\"", killed);
}

static void
on_gone(void *arg, struct pw_host *process, const char *why)
{
	struct pw_plugin_host *host = arg;
	bool said_hello = host->phase == PW_HOST_UP;

	host->host = NULL;
	kill_orphans(host->s);
	if (host->phase == PW_HOST_DRAINING) {
		pw_log_info(NULL, "plugin.drained", "module=%s", host->module);
		host_forget(host);
	} else {
		host_rest(host, said_hello, why);
	}
	pw_host_free(process); /* WHY is its own */
}

static const struct pw_host_ops host_ops = { .on_hello = on_hello, .on_gone = on_gone };

static void
host_launch(struct pw_plugin_host *host)
{
	struct pw_supervisor *s = host->s;
	struct pw_host_config config = {
		.zygote_path = s->config.zygote_path,
		.plugin_path = host->meta->path,
		.module = host->module,
		.digest = host->meta->digest,
		.worker_id = s->incarnation,
		.hello_within_ns = PW_HELLO_WITHIN,
	};
	struct pw_err err;

	host->phase = PW_HOST_STARTING;
	if (pw_host_start(s->loop, &config, &host_ops, host, &host->host, &err) < 0) {
		host->host = NULL;
		host_rest(host, false, err.text);
		return;
	}
	pw_host_lease(host->host, s->lease_until_ns);
}

void
pw_hosts_renew_lease(struct pw_supervisor *s)
{
	for (struct pw_plugin_host *host = s->hosts; host; host = host->next)
		if (host->host)
			pw_host_lease(host->host, s->lease_until_ns);
}

static void
rested(void *arg)
{
	struct pw_plugin_host *host = arg;

	if (host->phase == PW_HOST_RESTING)
		host_launch(host);
}

static char *
make_state_directory(struct pw_supervisor *s, const char *module)
{
	struct pw_err err;
	char *path = pw_state_directory_make(s->state_directory, module, &err);

	if (!path)
		pw_log_warning(NULL, "plugin.state", "module=%s msg=%s", module, pw_log_quote(err.text));
	return path;
}

static void
host_add(struct pw_supervisor *s, const struct pw_plugin_meta *meta)
{
	struct pw_plugin_host *host = calloc(1, sizeof(*host));

	if (!host || !(host->module = strdup(meta->module)))
		abort();
	host->s = s;
	host->meta = meta;
	host->state_directory = make_state_directory(s, meta->module);
	host->rest = pw_timer_new(s->loop, "plugin rest", rested, host);
	host->next = s->hosts;
	s->hosts = host;
	host_launch(host);
}

static bool
same_file(const struct pw_plugin_meta *a, const struct pw_plugin_meta *b)
{
	return strcmp(a->path, b->path) == 0 && a->inode == b->inode &&
	       a->file_size == b->file_size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

/* New tasks go elsewhere; the running ones go on. */
static void
host_drain(struct pw_plugin_host *host)
{
	host->phase = PW_HOST_DRAINING;
	host->meta = NULL;
	pw_timer_set(host->rest, PW_NEVER);
	if (host->host)
		pw_host_drain(host->host);
	else
		host_forget(host);
}

static void
make_offers(struct pw_supervisor *s)
{
	free(s->offers);
	s->offers = calloc(s->plugins->count + 1, sizeof(*s->offers));
	if (!s->offers)
		abort();
	for (size_t i = 0; i < s->plugins->count; i++)
		s->offers[i] = (struct pw_offer){ s->plugins->plugins[i]->module, s->plugins->plugins[i]->label,
						  s->plugins->plugins[i]->version };
	pw_hosts_match(s);
}

static int
scan(struct pw_supervisor *s, struct pw_plugin_set **ret_set, struct pw_err *err)
{
	if (pw_plugin_set_scan(pw_settings_text(s->settings, PW_SETTING_plugin_path), ret_set,
			       err) < 0)
		return -1;
	for (size_t i = 0; i < (*ret_set)->problem_count; i++)
		pw_log_error(NULL, "plugin.refused", "msg=%s", pw_log_quote((*ret_set)->problems[i].text));
	return 0;
}

int
pw_hosts_start(struct pw_supervisor *s, struct pw_err *err)
{
	if (scan(s, &s->plugins, err) < 0)
		return -1;
	make_offers(s);
	return 0;
}

/* After the loop exists. Keeps the hosts of files that did not change; a quarantined one gets another chance. */
static void
adjust(struct pw_supervisor *s)
{
	for (struct pw_plugin_host *host = s->hosts, *next; host; host = next) {
		const struct pw_plugin_meta *same = NULL;

		next = host->next;
		if (host->phase == PW_HOST_DRAINING)
			continue;
		for (size_t i = 0; i < s->plugins->count; i++)
			if (same_file(s->plugins->plugins[i], host->meta))
				same = s->plugins->plugins[i];
		if (!same || host->phase == PW_HOST_QUARANTINED)
			host_drain(host);
		else
			host->meta = same;
	}
	for (size_t i = 0; i < s->plugins->count; i++) {
		const struct pw_plugin_host *host = s->hosts;

		while (host && host->meta != s->plugins->plugins[i])
			host = host->next;
		if (!host)
			host_add(s, s->plugins->plugins[i]);
	}
}

void
pw_hosts_reload(struct pw_supervisor *s)
{
	struct pw_plugin_set *old = s->plugins, *fresh;
	struct pw_err err;

	if (s->hosts_started) {
		if (scan(s, &fresh, &err) < 0) {
			pw_log_error(NULL, "reload.failed", "msg=%s", pw_log_quote(err.text));
			return;
		}
		s->plugins = fresh;
		make_offers(s);
		adjust(s);
		pw_plugin_set_free(old);
		pw_beat_modules_changed(s);
		s->modules_unsaid = s->guest;
	} else { /* the first time: the files have just been read */
		s->hosts_started = true;
		adjust(s);
	}
	pw_turns_kick(s);
}

void
pw_hosts_forget_requirements(struct pw_supervisor *s)
{
	for (size_t i = 0; i < s->requirement_count; i++)
		pw_requirement_free(s->requirements[i]);
	free(s->requirements);
	s->requirements = NULL;
	s->requirement_count = 0;
	s->known = 0;
}

void
pw_hosts_free(struct pw_supervisor *s)
{
	while (s->hosts)
		host_forget(s->hosts);
	pw_hosts_forget_requirements(s);
	free(s->offers);
	s->offers = NULL;
	s->plugins = pw_plugin_set_free(s->plugins);
}

/* --- who serves what --- */

static struct pw_plugin_host *
host_of_module(struct pw_supervisor *s, const char *module, size_t len)
{
	for (struct pw_plugin_host *host = s->hosts; host; host = host->next)
		if (host->phase == PW_HOST_UP && strlen(host->module) == len &&
		    memcmp(host->module, module, len) == 0)
			return host;
	return NULL;
}

struct pw_plugin_host *
pw_hosts_find(struct pw_supervisor *s, const char *function_name)
{
	return host_of_module(s, function_name, strcspn(function_name, "."));
}

struct pw_plugin_host *
pw_hosts_expect(struct pw_supervisor *s, const char *function_name)
{
	size_t len = strcspn(function_name, ".");

	for (struct pw_plugin_host *host = s->hosts; host; host = host->next)
		if (host->phase != PW_HOST_DRAINING && host->phase != PW_HOST_QUARANTINED &&
		    strlen(host->module) == len && memcmp(host->module, function_name, len) == 0)
			return host;
	return NULL;
}

bool
pw_hosts_serve(struct pw_supervisor *s, const struct pw_requirement *requirement)
{
	return requirement->offer >= 0 &&
	       host_of_module(s, requirement->module, strlen(requirement->module));
}

void
pw_hosts_match(struct pw_supervisor *s)
{
	for (size_t i = 0; i < s->requirement_count; i++)
		pw_requirement_match(s->requirements[i], s->offers, s->plugins->count);
}

void
pw_hosts_add_requirement(struct pw_supervisor *s, int id, const char *module, const char *detail)
{
	struct pw_requirement *requirement, **grown;
	struct pw_err err;

	if (id <= s->known)
		return;
	s->known = id;
	if (pw_requirement_new(id, module, detail, &requirement, &err) < 0) {
		pw_log_error(NULL, "requirement.unread", "id=%d msg=%s", id, pw_log_quote(err.text));
		return;
	}
	grown = realloc(s->requirements, (s->requirement_count + 1) * sizeof(*grown));
	if (!grown)
		abort();
	s->requirements = grown;
	s->requirements[s->requirement_count++] = requirement;
	pw_requirement_match(requirement, s->offers, s->plugins->count);
	if (requirement->faulty)
		pw_log_warning(NULL, "requirement.faulty", "module=%s versions=%s msg=\"no version that PEP 440 knows: such tasks wait\"",
			       pw_log_quote(module), pw_log_quote(detail));
	else
		pw_log_debug(NULL, "requirement.new", "id=%d module=%s served=%d", id, pw_log_quote(module), requirement->offer >= 0);
}

static void
on_said(void *arg, const PGresult *result PW_UNUSED, const struct pw_err *err)
{
	struct pw_supervisor *s = arg;

	if (err)
		s->modules_unsaid = true;
}

bool
pw_hosts_say_modules(struct pw_supervisor *s)
{
	struct pw_array modules = { 0 };

	for (size_t i = 0; i < s->plugins->count; i++)
		pw_array_add(&modules, s->plugins->plugins[i]->module);
	s->modules_unsaid = !pw_link_send(s->turns, pw_sql_session_modules,
					  PW_DB_PARAMS(pw_array_text(&modules)),
					  PW_STATEMENT_TIMEOUT, on_said, s);
	pw_array_done(&modules);
	return !s->modules_unsaid;
}
