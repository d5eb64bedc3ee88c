/* SPDX-License-Identifier: MIT */
/*
 * pulp-worker: reads the settings, finds the database, and becomes the
 * supervisor. Everything that goes wrong before that is said on standard error,
 * with a status of sysexits.h.
 */
#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/log.h"
#include "cmd/cli.h"
#include "embedded/open.h"
#include "supervisor/supervisor.h"

#define NAME_MAX_BYTES 200

static struct {
	const char *value[PW_SETTING_COUNT];
	const char *config, *pid_file;
	bool burst, auxiliary, check_config;
} opt;

static char hostname[HOST_NAME_MAX + 1];

/* The settings from all their sources; also what a reload does. */
static int
load_settings(void *arg PW_UNUSED, struct pw_settings **ret_settings, struct pw_err *err)
{
	struct pw_settings *settings;

	if (pw_settings_new(&settings, err) < 0)
		return -1;
	for (int i = 0; i < PW_SETTING_COUNT; i++)
		if (opt.value[i] &&
		    pw_settings_set_option(settings, (enum pw_setting)i, opt.value[i], err) < 0)
			goto fail;
	if (pw_settings_load(settings, opt.config, err) < 0)
		goto fail;
	*ret_settings = settings;
	return 0;
fail:
	pw_settings_free(settings);
	return -1;
}

/* The canonical name of this machine, its plain name where none can be found. */
static void
find_fqdn(char *fqdn, size_t size)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *found = NULL;

	if (getaddrinfo(hostname, NULL, &hints, &found) == 0 && found && found->ai_canonname)
		snprintf(fqdn, size, "%s", found->ai_canonname);
	else
		snprintf(fqdn, size, "%s", hostname);
	if (found)
		freeaddrinfo(found);
}

/* {pid}, {hostname} and {fqdn} are filled in; any other word in braces is refused. */
static int
make_name(const char *template, char *name, size_t size, struct pw_err *err)
{
	pw_auto_buf buf = PW_BUF_INIT;
	char fqdn[NI_MAXHOST];

	for (const char *p = template; *p;) {
		int bad;

		if (strncmp(p, "{pid}", 5) == 0) {
			bad = pw_buf_addf(&buf, "%d", (int)getpid());
			p += 5;
		} else if (strncmp(p, "{hostname}", 10) == 0) {
			bad = pw_buf_adds(&buf, hostname);
			p += 10;
		} else if (strncmp(p, "{fqdn}", 6) == 0) {
			find_fqdn(fqdn, sizeof(fqdn));
			bad = pw_buf_adds(&buf, fqdn);
			p += 6;
		} else if (*p == '{' || *p == '}') {
			return pw_err_set(err, PW_ERR_CONFIG, "worker_name_template '%s': only {pid}, {hostname} and {fqdn} are known", template);
		} else {
			bad = pw_buf_addc(&buf, *p++);
		}
		if (bad < 0)
			return pw_err_nomem(err);
	}
	if (!buf.len || buf.len > NAME_MAX_BYTES || strchr(buf.data, '/') || buf.data[0] == '.')
		return pw_err_set(err, PW_ERR_CONFIG, "worker name '%.80s' is no name of a directory: 1 to %d bytes, no '/', no leading dot",
				  pw_buf_text(&buf), NAME_MAX_BYTES);
	snprintf(name, size, "%s", buf.data);
	return 0;
}

static int
write_pid_file(struct pw_err *err)
{
	FILE *file;

	if (!opt.pid_file)
		return 0;
	file = fopen(opt.pid_file, "we");
	if (!file)
		return pw_err_errno(err, "%s", opt.pid_file);
	fprintf(file, "%d\n", (int)getpid());
	if (fclose(file) != 0)
		return pw_err_errno(err, "%s", opt.pid_file);
	return 0;
}

static void
print_settings(const struct pw_settings *settings)
{
	for (int i = 0; i < PW_SETTING_COUNT; i++) {
		const char *value = pw_settings_text(settings, (enum pw_setting)i);

		printf("%-22s %s  (%s)\n", pw_setting_name((enum pw_setting)i),
		       i == PW_SETTING_database && value ? "(set)" : value ? value :
									     "-",
		       pw_settings_source(settings, (enum pw_setting)i));
	}
}

static int
check_keys(const struct pw_settings *settings, struct pw_err *err)
{
	pw_auto_keyring *keys = NULL;

	return pw_supervisor_keys(settings, &keys, err);
}

/* SETTINGS become the supervisor's. */
static int
supervise(struct pw_settings *settings, struct pw_err *err)
{
	struct pw_supervisor_config config = { .burst = opt.burst, .auxiliary = opt.auxiliary, .host = hostname, .reload = load_settings };
	pw_auto_free char *conninfo = NULL;
	char name[NAME_MAX_BYTES + 1];
	int opened = -1;

	if (make_name(pw_settings_text(settings, PW_SETTING_worker_name_template), name,
		      sizeof(name), err) < 0 ||
	    write_pid_file(err) < 0 ||
	    (opened = pw_database_open(settings, "pulp-worker", &conninfo, err)) < 0) {
		pw_settings_free(settings);
		return -1;
	}
	if (opened)
		pw_log_info(NULL, "database.started", "database=%s msg=\"started the private PostgreSQL\"",
			    pw_log_quote(pw_settings_text(settings, PW_SETTING_database)));
	config.conninfo = conninfo;
	config.name = name;
	return pw_supervisor_main(&config, settings, err);
}

static int
run(int argc PW_UNUSED, char **argv PW_UNUSED)
{
	struct pw_settings *settings;
	struct pw_err err;

	if (gethostname(hostname, sizeof(hostname)) < 0)
		snprintf(hostname, sizeof(hostname), "localhost");
	if (load_settings(NULL, &settings, &err) < 0)
		return pw_cli_fail(&err);
	if (opt.check_config) {
		int status = check_keys(settings, &err) < 0 ? pw_cli_fail(&err) : EX_OK;

		print_settings(settings);
		pw_settings_free(settings);
		return status;
	}
	if (pw_log_init("pulp-worker", pw_settings_text(settings, PW_SETTING_log_level)) < 0) {
		pw_err_set(&err, PW_ERR_CONFIG, "log_level is none of error, warning, info, debug");
		pw_settings_free(settings);
		return pw_cli_fail(&err);
	}
	if (supervise(settings, &err) < 0) {
		if (opt.pid_file)
			unlink(opt.pid_file);
		return pw_cli_fail(&err);
	}
	if (opt.pid_file)
		unlink(opt.pid_file);
	return EX_OK;
}

static const char *
libraries(void)
{
	static char text[80];
	int v = PQlibVersion();

	snprintf(text, sizeof(text), "libpq %d.%d, jansson %s", v / 10000, v % 10000, jansson_version_str());
	return text;
}

#define SETTING(name_, option_, value_, help_) \
	{ .name = option_, .value = value_, .help = help_, .text = &opt.value[PW_SETTING_##name_] }

static const struct pw_cli_option options[] = {
	SETTING(slots, "slots", "N", "run at most N tasks at once (default: the number of CPUs)"),
	{ .name = "burst", .help = "end when nothing is left to do", .flag = &opt.burst },
	{ .name = "auxiliary", .help = "leave housekeeping (who may run, clean-up, schedules) to other workers", .flag = &opt.auxiliary },
	SETTING(database, "database", "CONNINFO", "a libpq connection string or URI, or embedded: (or embedded:DIR)"),
	SETTING(plugin_path, "plugin-path", "DIRS", "where plugins are, separated by colons"),
	SETTING(working_directory, "working-directory", "DIR", "where the worker makes its directory"),
	SETTING(state_directory, "state-directory", "DIR", "where plugins and the embedded database keep their data"),
	SETTING(worker_name_template, "worker-name-template", "TEXT", "name of the worker; {pid}, {hostname}, {fqdn} are filled in"),
	SETTING(worker_name_template, "name-template", "TEXT", "the same"),
	SETTING(worker_ttl, "worker-ttl", "TIME", "how long a silent worker counts as alive (default: 30 s)"),
	SETTING(task_grace_interval, "task-grace-interval", "TIME", "how long tasks may go on after SIGINT (default: 600 s)"),
	SETTING(poll_interval, "poll-interval", "TIME", "how often to look when nothing was heard (default: 5 s)"),
	SETTING(cancel_term_after, "cancel-term-after", "TIME", "from a cancel to SIGTERM (default: 1 s)"),
	SETTING(cancel_kill_after, "cancel-kill-after", "TIME", "from a cancel to SIGKILL (default: 5 s)"),
	SETTING(task_log_limit, "task-log-limit", "SIZE", "how much output of a task is kept (default: 1M)"),
	SETTING(writable_paths, "writable-paths", "PATHS", "what tasks may write to besides their own directories"),
	SETTING(trusted_plugins, "trusted-plugins", "MODULES", "modules that may ask the worker to purge (default: core)"),
	SETTING(db_encryption_key, "db-encryption-key", "FILE", "the file with the keys that encrypt arguments"),
	SETTING(metrics_file, "metrics-file", "FILE", "where to write how many tasks wait and for how long, for Prometheus"),
	SETTING(log_level, "log-level", "LEVEL", "error, warning, info or debug"),
	{ .name = "config", .value = "FILE", .help = "the configuration file (default: " PULP_SYSCONF_DIR "/pulp/pulp-worker.conf)", .text = &opt.config },
	{ .name = "check-config", .help = "print the settings in force and where each comes from, and end", .flag = &opt.check_config },
	{ .name = "pid", .value = "FILE", .help = "write the process id to FILE", .text = &opt.pid_file },
	{ .name = NULL },
};

static const struct pw_cli_verb verbs[] = {
	{ .name = "", .help = "Run tasks from the database.", .options = options, .run = run },
	{ .name = NULL },
};

static const struct pw_cli_program program = {
	.name = "pulp-worker",
	.help = "Takes tasks from PostgreSQL and runs each in a process of its own.",
	.verbs = verbs,
	.libraries = libraries,
};

int
main(int argc, char **argv)
{
	return pw_cli_main(&program, argc, argv);
}
