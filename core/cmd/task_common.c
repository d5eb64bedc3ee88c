/* SPDX-License-Identifier: MIT */
/*
 * What the verbs of pulp-task have in common: settings, the connection, how
 * tasks are named, how errors become exit statuses. Runs in pulp-task only;
 * its state is static, since a process has one command line.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/task.h"
#include "embedded/open.h"
#include "store/migrate.h"
#include "store/task_store.h"

#define STATEMENT_TIMEOUT (60 * PW_SEC)
#define PREFIX_MIN 8

static struct pw_settings *settings;
static const char *config_file;
static bool want_json, loaded;

static int
set_setting(int which, const char *value, struct pw_err *err)
{
	if (!settings && pw_settings_new(&settings, err) < 0)
		return -1;
	return pw_settings_set_option(settings, (enum pw_setting)which, value, err);
}

const struct pw_cli_option pw_cmd_options[] = {
	{ .name = "json", .help = "print JSON", .flag = &want_json },
	{ .name = "database", .value = "CONNINFO", .help = "where the database is (PULP_DATABASE)", .call = set_setting,
	  .which = PW_SETTING_database },
	{ .name = "config", .value = "FILE", .help = "read this configuration file (PULP_CONFIG)", .text = &config_file },
	{ .name = "state-directory", .value = "DIR", .help = "where the embedded database is", .call = set_setting,
	  .which = PW_SETTING_state_directory },
	{ .name = "db-encryption-key", .value = "FILE", .help = "the file with the keys that encrypt arguments", .call = set_setting,
	  .which = PW_SETTING_db_encryption_key },
	{ .name = "log-level", .value = "LEVEL", .help = "error, warning, info or debug", .call = set_setting,
	  .which = PW_SETTING_log_level },
	{ .name = NULL },
};

bool
pw_cmd_json(void)
{
	return want_json;
}

int
pw_cmd_settings(struct pw_settings **ret_settings, struct pw_err *err)
{
	if (!settings && pw_settings_new(&settings, err) < 0)
		return -1;
	if (!loaded && pw_settings_load(settings, config_file, err) < 0)
		return -1;
	if (!loaded)
		pw_log_init("pulp-task", pw_settings_text(settings, PW_SETTING_log_level));
	loaded = true;
	*ret_settings = settings;
	return 0;
}

void
pw_cmd_done(void)
{
	settings = pw_settings_free(settings);
}

void
pw_cmd_close(struct pw_db **db)
{
	*db = pw_db_close(*db);
}

int64_t
pw_cmd_deadline(void)
{
	return pw_now_ns() + STATEMENT_TIMEOUT;
}

int
pw_cmd_open(struct pw_db **ret_db, struct pw_err *err)
{
	struct pw_settings *in_force;
	pw_auto_free char *conninfo = NULL;
	pw_auto_db *db = NULL;
	int started;

	if (pw_cmd_settings(&in_force, err) < 0)
		return -1;
	started = pw_database_open(in_force, "pulp-task", &conninfo, err);
	if (started < 0)
		return -1;
	if (started)
		pw_cli_warn("started a private PostgreSQL: %s", conninfo);
	if (pw_db_connect(conninfo, "pulp-task", &db, err) < 0 || pw_schema_enter(db, false, err) < 0)
		return -1;
	*ret_db = pw_steal_ptr(&db);
	return 0;
}

int
pw_cmd_fail(const struct pw_err *err)
{
	int status = pw_cli_fail(err);

	if (err->kind != PW_ERR_DB)
		return status;
	return strcmp(err->sqlstate, "42501") == 0 ? EX_NOPERM :
	       pw_db_error_is_transient(err)	   ? EX_TEMPFAIL :
						     status;
}

/* Whether TEXT could be the beginning of a UUID as we print it. */
static bool
is_prefix(const char *text)
{
	size_t n = strlen(text);

	if (n < PREFIX_MIN || n > 35)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
			return false;
	}
	return true;
}

static int
say_ambiguous(const char *text, const struct pw_records *ids, struct pw_err *err)
{
	pw_auto_buf list = PW_BUF_INIT;

	for (size_t i = 0; i < ids->count && i < 10; i++)
		if (pw_buf_addf(&list, "%s%s", i ? ", " : "", pw_record_text(ids->items[i], "pulp_id")) < 0)
			return pw_err_nomem(err);
	return pw_err_set(err, PW_ERR_INPUT, "more than one task begins with %s: %s%s", text, pw_buf_text(&list),
			  ids->count > 10 ? ", ..." : "");
}

int
pw_cmd_task_id(struct pw_db *db, const char *text, struct pw_uuid *ret_id, struct pw_err *err)
{
	pw_auto_records ids = PW_RECORDS_INIT;

	if (pw_uuid_parse(text, ret_id, NULL) == 0)
		return 0;
	if (!is_prefix(text))
		return pw_err_set(err, PW_ERR_INPUT, "'%.60s' is not the id of a task: a UUID, or at least %d characters of its beginning",
				  text, PREFIX_MIN);
	if (pw_store_find_tasks(db, text, pw_cmd_deadline(), &ids, err) < 0)
		return -1;
	if (ids.count == 0)
		return pw_err_set(err, PW_ERR_NOTFOUND, "no task begins with %s", text);
	if (ids.count > 1)
		return say_ambiguous(text, &ids, err);
	*ret_id = pw_uuid_of(pw_record_text(ids.items[0], "pulp_id"));
	return 0;
}

int
pw_cmd_group_id(const char *text, struct pw_uuid *ret_id, struct pw_err *err)
{
	if (pw_uuid_parse(text, ret_id, NULL) < 0)
		return pw_err_set(err, PW_ERR_INPUT, "'%.60s' is not the id of a task group: it is a UUID", text);
	return 0;
}

int
pw_cmd_print_record(const struct pw_record *record, struct pw_err *err)
{
	pw_auto_buf json = PW_BUF_INIT;

	if (pw_record_json(record, 0, &json) < 0)
		return pw_err_nomem(err);
	puts(pw_buf_text(&json));
	return 0;
}

int
pw_cmd_print_records(const struct pw_records *records, struct pw_err *err)
{
	pw_auto_buf json = PW_BUF_INIT;

	if (pw_records_json(records, &json) < 0)
		return pw_err_nomem(err);
	puts(pw_buf_text(&json));
	return 0;
}

void
pw_cmd_put_text(FILE *file, const char *text)
{
	bool terminal = isatty(fileno(file));

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (terminal && (c < ' ' || c == 0x7f) && c != '\n' && c != '\t')
			fprintf(file, "\\x%02x", c);
		else if (terminal && c == 0xc2 && (unsigned char)text[1] >= 0x80 &&
			 (unsigned char)text[1] < 0xa0)
			fprintf(file, "\\x%02x", (unsigned char)*++text); /* C1: some terminals obey these too */
		else
			putc(c, file);
	}
}

int
pw_cmd_columns(int fd, int *ret_rows)
{
	struct winsize size = { 0 };
	bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;

	if (ret_rows)
		*ret_rows = known ? size.ws_row : 24;
	return known ? size.ws_col : 80;
}

char *
pw_cmd_duration(const struct pw_record *record, const char *field, char *buf, size_t size)
{
	int64_t ms = pw_record_int(record, field, -1);

	buf[0] = '\0';
	return ms < 0 ? buf : pw_duration_text(ms * PW_MS, buf, size);
}

enum pw_style
pw_cmd_state_style(enum pw_task_state state)
{
	switch (state) {
	case PW_TASK_completed:
		return PW_STYLE_GREEN;
	case PW_TASK_failed:
		return PW_STYLE_RED;
	case PW_TASK_canceling:
	case PW_TASK_canceled:
		return PW_STYLE_YELLOW;
	case PW_TASK_running:
		return PW_STYLE_BOLD;
	default:
		return PW_STYLE_PLAIN;
	}
}
