/* SPDX-License-Identifier: MIT */
/*
 * pulp-task: what people and scripts do with tasks. This is the table of its
 * verbs; each has a file of its own. Never runs a task, and never loads a plugin.
 */
#include <jansson.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>

#include "cmd/task.h"
#include "cmd/task_db.h"

static bool yes;

static const struct pw_cli_option uninstall_options[] = {
	{ .name = "yes", .help = "really do it", .flag = &yes },
	{ .name = NULL },
};

/* The verbs of db have a main of their own, with options of their own. */
static int
db(const char *verb)
{
	static char json_option[] = "--json", yes_option[] = "--yes";
	char *argv[4] = { (char *)verb };
	struct pw_settings *settings;
	struct pw_err err;
	int argc = 1;

	if (pw_cmd_settings(&settings, &err) < 0)
		return pw_cmd_fail(&err);
	if (pw_cmd_json())
		argv[argc++] = json_option;
	if (yes)
		argv[argc++] = yes_option;
	return pw_task_db_main(argc, argv, settings);
}

#define DB_VERB(name)                                           \
	static int db_##name(int argc PW_UNUSED, char **argv PW_UNUSED) \
	{                                                       \
		return db(#name);                               \
	}
DB_VERB(install)
DB_VERB(uninstall)
DB_VERB(check)
DB_VERB(stop)

static int
db_rotate_key(int argc PW_UNUSED, char **argv PW_UNUSED)
{
	return db("rotate-key");
}

static const char *
libraries(void)
{
	static char text[64];
	int version = PQlibVersion();

	snprintf(text, sizeof(text), "libpq %d.%d, jansson %s", version / 10000, version % 10000, jansson_version_str());
	return text;
}

static const struct pw_cli_verb verbs[] = {
	{ "dispatch", "FUNC", 1, 1, "have a task run: FUNC is <module>.<name>", pw_verb_dispatch_options, pw_verb_dispatch },
	{ "dispatch-many", "FILE", 1, 1, "dispatch a task for each line of a file (-: standard input)", pw_verb_dispatch_many_options,
	  pw_verb_dispatch_many },
	{ "show", "TASK", 1, 1, "show all about one task", NULL, pw_verb_show },
	{ "list", NULL, 0, 0, "list tasks, newest first", pw_verb_list_options, pw_verb_list },
	{ "wait", "TASK...", 1, -1, "wait for the end of tasks and show their progress", pw_verb_wait_options, pw_verb_wait },
	{ "cancel", "TASK...", 1, -1, "cancel tasks", NULL, pw_verb_cancel },
	{ "why", "TASK", 1, 1, "say why a task is not running", NULL, pw_verb_why },
	{ "logs", "TASK", 1, 1, "print what a task has said and printed", pw_verb_logs_options, pw_verb_logs },
	{ "purge", NULL, 0, 0, "delete finished tasks", pw_verb_purge_options, pw_verb_purge },
	{ "group create", NULL, 0, 0, "make a task group", pw_verb_group_create_options, pw_verb_group_create },
	{ "group show", "GROUP", 1, 1, "show a task group and its members", NULL, pw_verb_group_show },
	{ "group finish", "GROUP", 1, 1, "say that no more tasks will come to a task group", NULL, pw_verb_group_finish },
	{ "group cancel", "GROUP", 1, 1, "cancel all members of a task group", NULL, pw_verb_group_cancel },
	{ "schedule add", "NAME FUNC", 2, 2, "have a task dispatched again and again, or later", pw_verb_schedule_add_options,
	  pw_verb_schedule_add },
	{ "schedule list", NULL, 0, 0, "list the schedules", NULL, pw_verb_schedule_list },
	{ "schedule show", "SCHEDULE", 1, 1, "show a schedule", NULL, pw_verb_schedule_show },
	{ "schedule remove", "SCHEDULE...", 1, -1, "remove schedules; their tasks stay", NULL, pw_verb_schedule_remove },
	{ "schedule run", "SCHEDULE", 1, 1, "dispatch a schedule's task now, out of turn", NULL, pw_verb_schedule_run },
	{ "workers", NULL, 0, 0, "list the workers", NULL, pw_verb_workers },
	{ "db install", NULL, 0, 0, "install our schema or bring it up to date", NULL, db_install },
	{ "db check", NULL, 0, 0, "show what stands in the database", NULL, db_check },
	{ "db uninstall", NULL, 0, 0, "drop our schema and triggers", uninstall_options, db_uninstall },
	{ "db rotate-key", NULL, 0, 0, "encrypt all arguments with the first key", NULL, db_rotate_key },
	{ "db stop", NULL, 0, 0, "stop the private PostgreSQL of embedded:", NULL, db_stop },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};

static const struct pw_cli_program program = {
	.name = "pulp-task",
	.help = "Dispatch tasks, watch them, cancel them",
	.verbs = verbs,
	.options = pw_cmd_options,
	.libraries = libraries,
	.more = "TASK is the id of a task, or at least 8 characters of its beginning; SCHEDULE a name or an id.",
};

int
main(int argc, char **argv)
{
	int status;

	signal(SIGPIPE, SIG_DFL); /* whoever started us may have had it ignored */
	status = pw_cli_main(&program, argc, argv);
	pw_cmd_done();
	return status;
}
