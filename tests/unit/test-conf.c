/* SPDX-License-Identifier: MIT */
/* The settings: sources, their order, every kind of value by table, the file's grammar, and the places. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "conf/ini.h"
#include "conf/settings.h"
#include "lib/tap.h"

static char dir[] = "/tmp/test-conf-XXXXXX", file[64];

static void
clean_environment(void)
{
	static const char *const names[] = { "PULP_CONFIG", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE",
		"PGUSER", "STATE_DIRECTORY", "XDG_STATE_HOME", "PULP_DATABASE", "PULP_PLUGIN_PATH", "PULP_SLOTS",
		"PULP_WORKER_TTL", "PULP_TASK_GRACE_INTERVAL", "PULP_WORKING_DIRECTORY", "PULP_WORKER_NAME_TEMPLATE",
		"PULP_POLL_INTERVAL", "PULP_CANCEL_TERM_AFTER", "PULP_CANCEL_KILL_AFTER", "PULP_TASK_LOG_LIMIT",
		"PULP_STATE_DIRECTORY", "PULP_TRUSTED_PLUGINS", "PULP_LOG_LEVEL" };

	for (size_t i = 0; i < PW_COUNT(names); i++)
		unsetenv(names[i]);
	setenv("PULP_CONFIG", "/dev/null", 1);
}

static void
write_file(const char *text, size_t len)
{
	FILE *f = fopen(file, "w");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f))
		bail("%s: %s", file, strerror(errno));
}

static void
test_values(void)
{
	static const struct {
		enum pw_setting which;
		const char *text;
		int64_t want;
		const char *error; /* NULL: fine */
	} rows[] = {
		{ PW_SETTING_slots, "4", 4, NULL },
		{ PW_SETTING_slots, "10000", 10000, NULL },
		{ PW_SETTING_slots, "0", 0, "--slots: '0' is out of range, allowed is 1 to 10000" },
		{ PW_SETTING_slots, "-3", 0, "out of range" },
		{ PW_SETTING_slots, "10001", 0, "out of range" },
		{ PW_SETTING_slots, "99999999999999999999", 0, "not a number" },
		{ PW_SETTING_slots, "", 0, "--slots: a value is missing" },
		{ PW_SETTING_slots, " 4", 0, "not a number" },
		{ PW_SETTING_slots, "4 # four", 0, "not a number" },
		{ PW_SETTING_slots, "0x10", 0, "not a number" },
		{ PW_SETTING_slots, "four", 0, "not a number" },
		{ PW_SETTING_worker_ttl, "30", 30 * PW_SEC, NULL },
		{ PW_SETTING_worker_ttl, "1", PW_SEC, NULL },
		{ PW_SETTING_worker_ttl, "2m", 120 * PW_SEC, NULL },
		{ PW_SETTING_worker_ttl, "1d", 86400 * PW_SEC, NULL },
		{ PW_SETTING_worker_ttl, "999ms", 0, "--worker-ttl: '999ms' is out of range, allowed is 1.0 s to 1 d" },
		{ PW_SETTING_worker_ttl, "0", 0, "out of range" },
		{ PW_SETTING_worker_ttl, "25h", 0, "out of range" },
		{ PW_SETTING_worker_ttl, "soon", 0, "is not a duration" },
		{ PW_SETTING_worker_ttl, "30 parsecs", 0, "is not a duration" },
		{ PW_SETTING_worker_ttl, "-1", 0, "is not a duration" },
		{ PW_SETTING_poll_interval, "100ms", 100 * PW_MS, NULL },
		{ PW_SETTING_poll_interval, "0.1", 100 * PW_MS, NULL },
		{ PW_SETTING_poll_interval, "99ms", 0, "allowed is 100 ms to 1 h" },
		{ PW_SETTING_task_grace_interval, "0", 0, NULL },
		{ PW_SETTING_task_grace_interval, "366d", 0, "out of range" },
		{ PW_SETTING_cancel_term_after, "0", 0, NULL },
		{ PW_SETTING_task_log_limit, "0", 0, NULL },
		{ PW_SETTING_task_log_limit, "64M", INT64_C(64) << 20, NULL },
		{ PW_SETTING_task_log_limit, "512k", 512 << 10, NULL },
		{ PW_SETTING_task_log_limit, "65M", 0, "out of range" },
		{ PW_SETTING_task_log_limit, "1 lot", 0, "is not a size" },
		{ PW_SETTING_log_level, "debug", 0, NULL },
		{ PW_SETTING_log_level, "loud", 0, "'loud' is not a level" },
		{ PW_SETTING_database, "embedded", 0, "lacks its colon" },
		{ PW_SETTING_database, "", 0, "a value is missing" },
		{ PW_SETTING_database, "host=\xff", 0, "not UTF-8" },
		{ PW_SETTING_trusted_plugins, "", 0, NULL },
	};

	for (size_t i = 0; i < PW_COUNT(rows); i++) {
		struct pw_settings *settings = NULL;
		struct pw_err err = { 0 };
		int failed;

		if (pw_settings_new(&settings, &err) < 0)
			bail("%s", err.text);
		failed = pw_settings_set_option(settings, rows[i].which, rows[i].text, &err);
		if (rows[i].error) {
			ok(failed < 0 && err.kind == PW_ERR_INPUT && strstr(err.text, rows[i].error), "row %zu: %s", i, err.text);
			is_str(pw_settings_source(settings, rows[i].which), "default", "and nothing was changed");
		} else {
			is_int(pw_settings_int(settings, rows[i].which), rows[i].want, "%s '%s'", pw_setting_name(rows[i].which), rows[i].text);
			is_str(pw_settings_text(settings, rows[i].which), rows[i].text, "its text");
			is_str(pw_settings_source(settings, rows[i].which), "option", "its source");
		}
		pw_settings_free(settings);
	}
}

/* What loading a file says: the error's text, or "" if all is well. */
static const char *
load_text(const char *text, size_t len)
{
	static struct pw_err err;
	struct pw_settings *settings = NULL;

	write_file(text, len);
	err = (struct pw_err){ 0 };
	if (pw_settings_new(&settings, &err) < 0)
		bail("%s", err.text);
	if (pw_settings_load(settings, file, &err) < 0 && err.kind != PW_ERR_CONFIG)
		bail("kind %d: %s", err.kind, err.text);
	pw_settings_free(settings);
	return err.text;
}

static void
test_file_errors(void)
{
	static const struct {
		const char *text, *error; /* the error begins "FILE:" */
	} rows[] = {
		{ "", NULL },
		{ "\n\n# a comment\n; another\n  # and one\n", NULL },
		{ "[pulp-worker]\nslots = 2", NULL },
		{ "slots=2\r\nworker_ttl\t=\t7 s  \r\n", NULL },
		{ "\xef\xbb\xbfslots = 2\n", NULL },
		{ "database = \"host=/tmp # dbname=x;y\"\n", NULL },
		{ "trusted_plugins =\n", NULL },
		{ "slots =\ndatabase =\n", NULL },
		{ "slot = 2\n", "1:1: unknown key 'slot', did you mean 'slots'?" },
		{ "\n  worker-ttl = 2\n", "2:3: unknown key 'worker-ttl', did you mean 'worker_ttl'?" },
		{ "xyzzy_plugh_zork = 2\n", "1:1: unknown key 'xyzzy_plugh_zork'" },
		{ "slots 2\n", "1:1: expected 'key = value'" },
		{ " = 2\n", "1:2: there is no key before the =" },
		{ "slots = none\n", "1:9: slots: 'none' is not a number" },
		{ "slots = 2\n\nslots = 3\n", "3:1: 'slots' was given in line 1 already" },
		{ "# x\nworker_ttl = 10ms\n", "2:14: worker_ttl: '10ms' is out of range" },
		{ "[worker]\n", "1:1: unknown section" },
		{ "[]\n", "1:1: unknown section" },
		{ "[\n", "1:1: a section's name ends with ]" },
		{ "[pulp-worker\n", "1:1: a section's name ends with ]" },
		{ "database = \"host=/tmp\n", "1:12: the closing quote is missing" },
		{ "database = \"\n", "1:12: the closing quote is missing" },
		{ "database = \"a\"b\"\n", "1:12: a value in quotes may not hold a quote" },
		{ "slots = \xc3\x28\n", "1:1: not UTF-8 text" },
	};

	for (size_t i = 0; i < PW_COUNT(rows); i++) {
		const char *got = load_text(rows[i].text, strlen(rows[i].text));
		size_t n = strlen(file);

		if (rows[i].error)
			ok(strncmp(got, file, n) == 0 && got[n] == ':' &&
				   strncmp(got + n + 1, rows[i].error, strlen(rows[i].error)) == 0,
			   "row %zu: %s", i, got);
		else
			is_str(got, "", "row %zu is fine", i);
	}
	ok(strstr(load_text("slots = 2\0\n", 11), ":1:1: not UTF-8 text"), "a NUL is refused");
}

static void
test_file_missing(void)
{
	pw_auto_free char *missing = NULL;
	struct pw_settings *settings = NULL;
	struct pw_err err;
	char *big = malloc((1 << 20) + 2);

	if (pw_settings_new(&settings, &err) < 0 || !big || asprintf(&missing, "%s/missing", dir) < 0)
		bail("out of memory");
	ok(pw_settings_load(settings, missing, &err) < 0 && err.kind == PW_ERR_CONFIG && strstr(err.text, missing), "named but missing: %s", err.text);
	setenv("PULP_CONFIG", missing, 1);
	ok(pw_settings_load(settings, NULL, &err) < 0 && err.kind == PW_ERR_CONFIG, "named by PULP_CONFIG but missing");
	setenv("PULP_CONFIG", dir, 1);
	ok(pw_settings_load(settings, NULL, &err) < 0 && err.kind == PW_ERR_CONFIG, "a directory: %s", err.text);
	setenv("PULP_CONFIG", "/dev/null", 1);
	is_int(pw_settings_load(settings, NULL, &err), 0, "an empty file is a file");
	memset(big, '\n', (1 << 20) + 1);
	big[(1 << 20) + 1] = '\0';
	ok(strstr(load_text(big, (1 << 20) + 1), "larger than"), "a file without end is refused");
	free(big);
	pw_settings_free(settings);
}

static void
test_sources(void)
{
	struct pw_settings *settings = NULL;
	struct pw_err err = { 0 };
	char want[80];
	static const char text[] = "[pulp-worker]\nslots = 3\nworker_ttl = 40\npoll_interval = 2\n";

	write_file(text, strlen(text));
	setenv("PULP_WORKER_TTL", "50", 1);
	setenv("PULP_POLL_INTERVAL", "3", 1);
	setenv("PULP_LOG_LEVEL", "", 1);
	setenv("PULP_TRUSTED_PLUGINS", "", 1);
	if (pw_settings_new(&settings, &err) < 0 || pw_settings_set_option(settings, PW_SETTING_poll_interval, "4", &err) < 0 ||
	    pw_settings_load(settings, file, &err) < 0)
		bail("%s", err.text);
	snprintf(want, sizeof(want), "%s:2", file);
	is_int(pw_settings_int(settings, PW_SETTING_slots), 3, "the file is before the default");
	is_str(pw_settings_source(settings, PW_SETTING_slots), want, "and says where");
	is_int(pw_settings_ns(settings, PW_SETTING_worker_ttl), 50 * PW_SEC, "the environment is before the file");
	is_str(pw_settings_source(settings, PW_SETTING_worker_ttl), "environment", "and says so");
	is_int(pw_settings_ns(settings, PW_SETTING_poll_interval), 4 * PW_SEC, "an option is before both, even if set first");
	is_str(pw_settings_source(settings, PW_SETTING_poll_interval), "option", "and says so");
	is_str(pw_settings_text(settings, PW_SETTING_log_level), "info", "an empty variable counts as unset");
	is_str(pw_settings_text(settings, PW_SETTING_trusted_plugins), "", "but an empty list is a list");
	is_str(pw_settings_text(settings, PW_SETTING_database), NULL, "no default, no value");
	is_int(pw_settings_int(settings, PW_SETTING_task_log_limit), 1 << 20, "a default is parsed too");
	setenv("PULP_SLOTS", "many", 1);
	ok(pw_settings_load(settings, file, &err) < 0 && err.kind == PW_ERR_CONFIG &&
		   strcmp(err.text, "PULP_SLOTS: 'many' is not a number") == 0,
	   "a bad variable: %s", err.text);
	pw_settings_free(settings);
	clean_environment();
}

static char *
places_fresh(char *(*fn)(const struct pw_settings *, struct pw_err *), const char *database,
	     struct pw_err *err)
{
	struct pw_settings *settings = NULL;
	char *result;

	if (pw_settings_new(&settings, err) < 0 ||
	    (database &&
	     pw_settings_set_option(settings, PW_SETTING_database, database, err) < 0) ||
	    pw_settings_load(settings, NULL, err) < 0)
		bail("%s", err->text);
	result = fn(settings, err);
	pw_settings_free(settings);
	return result;
}

#define place(fn, want, ...)                                              \
	do {                                                              \
		pw_auto_free char *got_place = places_fresh(fn, NULL, &err); \
		is_str(got_place, want, __VA_ARGS__);                     \
	} while (0)

static void
test_state_directory(void)
{
	struct pw_err err = { 0 };

	setenv("HOME", "/home/x", 1);
	if (geteuid() == 0) {
		place(pw_settings_state_directory, "/var/lib/pulp-worker", "root's state directory");
		if (seteuid(65534) < 0)
			bail("seteuid: %s", strerror(errno));
	}
	place(pw_settings_state_directory, "/home/x/.local/state/pulp-worker", "HOME");
	setenv("XDG_STATE_HOME", "relative", 1);
	place(pw_settings_state_directory, "/home/x/.local/state/pulp-worker", "a relative XDG_STATE_HOME is ignored");
	setenv("XDG_STATE_HOME", "/xdg", 1);
	place(pw_settings_state_directory, "/xdg/pulp-worker", "XDG_STATE_HOME");
	setenv("STATE_DIRECTORY", "/sys1:/sys2", 1);
	place(pw_settings_state_directory, "/sys1", "STATE_DIRECTORY, the first of several");
	place(pw_settings_working_directory, "/sys1/tmp", "the working directory's default cannot be written");
	setenv("PULP_WORKING_DIRECTORY", "/nowhere/at/all", 1);
	place(pw_settings_working_directory, "/nowhere/at/all", "one that was named is taken as it is");
	setenv("PULP_STATE_DIRECTORY", "/mine", 1);
	place(pw_settings_state_directory, "/mine", "PULP_STATE_DIRECTORY");
	if (getuid() == 0 && seteuid(0) < 0)
		bail("seteuid: %s", strerror(errno));
	place(pw_settings_state_directory, "/mine", "for root too");
	unsetenv("PULP_WORKING_DIRECTORY");
	if (getuid() == 0)
		place(pw_settings_working_directory, "/var/lib/pulp/tmp", "root can write the default");
	clean_environment();
}

static void
test_database(void)
{
	struct pw_err err = { 0 };
	const char *embedded_dir = NULL;
	pw_auto_free char *named = places_fresh(pw_settings_database, "dbname=x", &err);

	is_str(named, "dbname=x", "the setting");
	place(pw_settings_database, NULL, "nothing configured");
	ok(err.kind == PW_ERR_CONFIG && strstr(err.text, "postgresql://"), "%s", err.text);
	ok(err.hint && strstr(err.hint, "PULP_DATABASE=embedded:"), "the other thing that one can do");
	setenv("PGHOST", "", 1);
	place(pw_settings_database, NULL, "an empty PGHOST names none");
	setenv("PGSERVICE", "pulp", 1);
	place(pw_settings_database, "", "libpq's environment");
	ok(pw_database_is_embedded("embedded:", &embedded_dir) && !*embedded_dir, "embedded:");
	ok(pw_database_is_embedded("embedded:/x y", &embedded_dir) && strcmp(embedded_dir, "/x y") == 0, "embedded:DIR");
	ok(!pw_database_is_embedded("dbname=embedded:", &embedded_dir) && !pw_database_is_embedded("", &embedded_dir) &&
		   !pw_database_is_embedded(NULL, &embedded_dir),
	   "nothing else is");
	clean_environment();
}

int
main(void)
{
	clean_environment();
	if (!mkdtemp(dir))
		bail("mkdtemp: %s", strerror(errno));
	chmod(dir, 0755);
	snprintf(file, sizeof(file), "%s/conf", dir);
	test_values();
	test_file_errors();
	test_file_missing();
	test_sources();
	test_state_directory();
	test_database();
	unlink(file);
	is_int(rmdir(dir), 0, "nothing is left");
	return tap_done();
}
