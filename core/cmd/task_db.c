/* SPDX-License-Identifier: MIT */
/*
 * pulp-task db install, uninstall, check, rotate-key and stop. Runs in pulp-task only. What
 * is done to a database is in store/migrate.h and embedded/embedded.h; here it
 * is said.
 */
#include "cmd/task_db.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cmd/cli.h"
#include "cmd/output.h"
#include "cmd/task_db_rotate.h"
#include "embedded/embedded.h"
#include "embedded/open.h"
#include "store/migrate.h"

struct request {
	struct pw_settings *settings;
	bool json, yes;
};

static int
fail(const struct pw_err *err)
{
	int status = pw_cli_fail(err);

	return strcmp(err->sqlstate, "42501") == 0 ? EX_NOPERM : status;
}

/* Connects; *conninfo is the caller's to free. */
static int
connect_db(const struct request *request, char **conninfo, struct pw_db **db, struct pw_err *err)
{
	int started = pw_database_open(request->settings, "pulp-task", conninfo, err);

	if (started < 0)
		return -1;
	if (started)
		pw_cli_warn("started a private PostgreSQL: %s", *conninfo);
	return pw_db_connect(*conninfo, "pulp-task", db, err);
}

/* The setting asks for the private server: its folder. NULL: it does not. */
static const char *
embedded_dir(const struct request *request)
{
	const char *dir;

	return pw_database_is_embedded(pw_settings_text(request->settings, PW_SETTING_database),
				       &dir) ?
		       dir :
		       NULL;
}

static void
say_installed(const struct pw_schema_info *before, const struct pw_schema_info *after)
{
	switch (before->state) {
	case PW_SCHEMA_NONE:
	case PW_SCHEMA_PULP:
		printf("installed the schema (number %d) in database %s%s\n", after->number, after->database,
		       before->contract ? ", beside the tables that are there" : "");
		break;
	case PW_SCHEMA_OLD:
		if (before->number < after->number)
			printf("brought the schema in database %s from number %d to %d\n", after->database,
			       before->number, after->number);
		else
			printf("made the functions in database %s anew\n", after->database);
		break;
	default:
		printf("the schema in database %s is up to date (number %d)\n", after->database, after->number);
	}
}

static int
print_changed(const char *what, const struct pw_schema_info *info, int count, struct pw_err *err)
{
	return pw_output_json(json_pack("{s:s, s:i, s:i}", "database", info->database, "number", info->number,
					what, count),
			      err);
}

static int
install(const struct request *request, struct pw_db *db, const char *conninfo, struct pw_err *err)
{
	struct pw_schema_info before, after;
	int applied = 0;

	(void)conninfo;
	if (pw_schema_check(db, &before, err) < 0 || pw_schema_install(db, &applied, err) < 0 ||
	    pw_schema_check(db, &after, err) < 0)
		return -1;
	if (request->json)
		return print_changed("applied", &after, applied, err);
	say_installed(&before, &after);
	return 0;
}

static int
uninstall(const struct request *request, struct pw_db *db, const char *conninfo, struct pw_err *err)
{
	struct pw_schema_info before;
	int nothing;

	(void)conninfo;
	if (pw_schema_check(db, &before, err) < 0)
		return -1;
	nothing = pw_schema_uninstall(db, err);
	if (nothing < 0)
		return -1;
	if (request->json)
		return print_changed("dropped", &before, !nothing, err);
	if (nothing)
		printf("there is no schema of ours in database %s\n", before.database);
	else
		printf("dropped our schema and triggers from database %s; its tasks are all there\n", before.database);
	return 0;
}

static const char *
state_name(enum pw_schema_state state)
{
	static const char *const names[] = {
		[PW_SCHEMA_NONE] = "missing", [PW_SCHEMA_PULP] = "missing", [PW_SCHEMA_OLD] = "old",
		[PW_SCHEMA_CURRENT] = "current", [PW_SCHEMA_NEW] = "new",
	};

	return names[state];
}

static int
print_json(const struct pw_schema_info *info, const char *conninfo, const char *keys,
	   struct pw_err *err)
{
	return pw_output_json(json_pack("{s:s, s:s, s:s?, s:b, s:s, s:i, s:i, s:b, s:b, s:s?, s:s}",
					"server_version", info->server_version, "database", info->database,
					"conninfo", conninfo, "live_pulp", info->live_pulp,
					"schema", state_name(info->state), "number", info->number,
					"known", info->known, "functions_current", info->functions_current,
					"contract_tables", info->contract,
					"hstore", *info->hstore ? info->hstore : NULL,
					"arguments", keys),
			      err);
}

static void
print_text(const struct pw_schema_info *info, const char *conninfo, const char *keys)
{
	printf("server           PostgreSQL %s\n", info->server_version);
	printf("database         %s\n", info->database);
	if (conninfo)
		printf("connection       %s\n", conninfo);
	printf("kind             %s\n", info->live_pulp ? "of a live Pulp" : "stands alone");
	printf("contract tables  %s\n", info->contract ? "there" : "missing");
	printf("hstore           %s%s\n", *info->hstore ? "in schema " : "not installed", info->hstore);
	if (info->state == PW_SCHEMA_PULP) {
		puts("schema           not installed: programs join as guests");
	} else {
		printf("schema           %s (number %d, this program's is %d)\n", state_name(info->state), info->number,
		       info->known);
		printf("functions        %s\n", info->functions_current ? "current" : "not those of this program");
	}
	printf("arguments        %s\n", keys);
}

static int
check(const struct request *request, struct pw_db *db, const char *conninfo, struct pw_err *err)
{
	struct pw_schema_info info;
	char keys[100];

	if (pw_describe_keys(keys, sizeof(keys), err) < 0 ||
	    pw_schema_check(db, &info, err) < 0)
		return -1;
	if (!embedded_dir(request))
		conninfo = NULL; /* it may hold a password, and whoever asks has it */
	if (!request->json)
		print_text(&info, conninfo, keys);
	else if (print_json(&info, conninfo, keys, err) < 0)
		return -1;
	return pw_schema_enter(db, false, err);
}

static int
rotate_key(const struct request *request, struct pw_db *db, const char *conninfo,
	   struct pw_err *err)
{
	(void)conninfo;
	if (pw_schema_enter(db, false, err) < 0)
		return -1;
	return pw_rotate_key(db, request->json, err);
}

static int
stop(const struct request *request)
{
	const char *dir = embedded_dir(request);
	pw_auto_free char *state = NULL, *database = NULL;
	struct pw_err err;
	int nothing;

	database = pw_settings_database(request->settings, &err);
	if (!database)
		return fail(&err);
	if (!dir)
		return pw_cli_usage("only an embedded database is stopped here, this one is somebody else's");
	state = pw_settings_state_directory(request->settings, &err);
	if (!state)
		return fail(&err);
	nothing = pw_embedded_stop(dir, state, &err);
	if (nothing < 0)
		return fail(&err);
	if (request->json)
		return pw_output_json(json_pack("{s:b}", "stopped", !nothing), &err) < 0 ? fail(&err) : EX_OK;
	puts(nothing ? "there is no private PostgreSQL to stop" : "stopped the private PostgreSQL");
	return EX_OK;
}

typedef int verb_fn(const struct request *request, struct pw_db *db, const char *conninfo,
		    struct pw_err *err);

static int
run(const struct request *request, verb_fn *verb)
{
	pw_auto_free char *conninfo = NULL;
	struct pw_db *db = NULL;
	struct pw_err err;
	int failed = connect_db(request, &conninfo, &db, &err);

	if (failed == 0)
		failed = verb(request, db, conninfo, &err);
	pw_db_close(db);
	return failed < 0 ? fail(&err) : EX_OK;
}

int
pw_task_db_main(int argc, char **argv, struct pw_settings *settings)
{
	static const char *const words[] = { "install", "uninstall", "check", "rotate-key", "stop", NULL };
	struct request request = { .settings = settings };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			request.json = true;
		else if (strcmp(argv[i], "--yes") == 0)
			request.yes = true;
		else
			return pw_cli_usage("'%.60s' is too much", argv[i]);
	}
	if (argc < 1)
		return pw_cli_usage("db install, uninstall, check, rotate-key or stop?");
	if (strcmp(argv[0], "install") == 0)
		return run(&request, install);
	if (strcmp(argv[0], "check") == 0)
		return run(&request, check);
	if (strcmp(argv[0], "rotate-key") == 0)
		return run(&request, rotate_key);
	if (strcmp(argv[0], "stop") == 0)
		return stop(&request);
	if (strcmp(argv[0], "uninstall") != 0)
		return pw_cli_usage_word("verb of db", argv[0], words);
	if (!request.yes)
		return pw_cli_usage("this drops the schema pulp_worker with the queue's state and the output of tasks "
				    "(the tasks themselves stay): say --yes if workers are stopped and you mean it");
	return run(&request, uninstall);
}
