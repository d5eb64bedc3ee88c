/* SPDX-License-Identifier: MIT */
/* What the verbs of pulp-task share, and the verbs themselves, one file each. */
#ifndef PW_CMD_TASK_H
#define PW_CMD_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/uuid.h"
#include "cmd/cli.h"
#include "cmd/output.h"
#include "conf/settings.h"
#include "crypt/keyring.h"
#include "db/conn.h"
#include "store/task_store.h"
#include "task/json.h"
#include "task/record.h"

/* Options of every verb: --database, --config, --state-directory, --log-level, --json. */
extern const struct pw_cli_option pw_cmd_options[];
/* Whether --json was given. */
bool pw_cmd_json(void);
/* The settings, options included. Borrowed. */
int pw_cmd_settings(struct pw_settings **ret_settings, struct pw_err *err) PW_MUSTCHECK;
void pw_cmd_done(void);

/* Connects to the database and makes sure that the schema is the one that this program knows. */
int pw_cmd_open(struct pw_db **ret_db, struct pw_err *err) PW_MUSTCHECK;
#define pw_auto_db PW_CLEANUP(pw_cmd_close) struct pw_db
void pw_cmd_close(struct pw_db **db);
/* How long one statement may take. */
int64_t pw_cmd_deadline(void);
/* Says what went wrong; the exit status. */
int pw_cmd_fail(const struct pw_err *err);

/* The key ring of the settings; NULL where there is none. */
int pw_cmd_keys(struct pw_keyring **ret_keys, struct pw_err *err) PW_MUSTCHECK;
/* Dispatches with the arguments encrypted, if there is a key; without a correlation id with that of the environment. */
int pw_cmd_dispatch(struct pw_db *db, const struct pw_dispatch *dispatch, struct pw_dispatched *ret_dispatched,
		    struct pw_err *err) PW_MUSTCHECK;

/* The correlation id that was given (GIVEN may be NULL), the environment's, or "". */
int pw_cmd_correlation_id(const char *given, struct pw_uuid *ret_id, struct pw_err *err) PW_MUSTCHECK;

/* A task as people name it: a UUID, or at least 8 characters of its beginning if no other task begins so. */
int pw_cmd_task_id(struct pw_db *db, const char *text, struct pw_uuid *ret_id, struct pw_err *err) PW_MUSTCHECK;
/* A group: its whole UUID. */
int pw_cmd_group_id(const char *text, struct pw_uuid *ret_id, struct pw_err *err) PW_MUSTCHECK;

/* JSON on standard output: one object, one array. */
int pw_cmd_print_record(const struct pw_record *record, struct pw_err *err) PW_MUSTCHECK;
int pw_cmd_print_records(const struct pw_records *records, struct pw_err *err) PW_MUSTCHECK;

/* The tasks as they are now, as one array. */
int pw_cmd_print_these(struct pw_db *db, const struct pw_uuid *ids, size_t count, struct pw_err *err) PW_MUSTCHECK;

/* Text that others have written, so that it cannot act on a terminal: control characters become visible ones. */
void pw_cmd_put_text(FILE *file, const char *text);
/* The size of the terminal on FD, 80 by 24 where it is not known; RET_ROWS may be NULL. */
int pw_cmd_columns(int fd, int *ret_rows);
/* Milliseconds of a field as people read them; "" if it is null. Returns buf. */
char *pw_cmd_duration(const struct pw_record *record, const char *field, char *buf, size_t size);
enum pw_style pw_cmd_state_style(enum pw_task_state state);

/* Prints the progress reports of a task, in words. */
void pw_cmd_put_progress(const struct pw_record *task);
/* Prints a table of tasks: id, name, state, age, duration, worker or reason. */
int pw_cmd_print_tasks(const struct pw_records *tasks, struct pw_err *err) PW_MUSTCHECK;

/*
 * Waits for the end of these tasks and shows their progress on FILE. Returns the exit status. Where
 * the database went away meanwhile, *DB is another connection afterwards, or NULL.
 */
int pw_cmd_wait(struct pw_db **db, const struct pw_uuid *ids, size_t count, int64_t deadline_ns, FILE *file);
/* Whether this exit status of pw_cmd_wait means that it could wait, however that went. */
bool pw_cmd_waited(int status);
/* Reads --timeout: *ret_deadline_ns is PW_NEVER for NULL. */
int pw_cmd_timeout(const char *text, int64_t *ret_deadline_ns, struct pw_err *err) PW_MUSTCHECK;

/* What --args or --kwargs mean: the JSON itself, or where it is (@FILE, -); NULL: an empty one. */
int pw_cmd_read_json(const char *option, const char *value, json_type type, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/* Appends all of standard input; more than LIMIT bytes are refused. */
int pw_cmd_read_stdin(size_t limit, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/* Says so where no live worker has the module of FUNC. */
void pw_cmd_warn_unserved(const char *func, const struct pw_dispatched *dispatched);

extern const struct pw_cli_option pw_verb_dispatch_options[], pw_verb_dispatch_many_options[], pw_verb_list_options[], pw_verb_wait_options[],
	pw_verb_logs_options[], pw_verb_purge_options[], pw_verb_group_create_options[], pw_verb_schedule_add_options[];
int pw_verb_dispatch(int argc, char **argv);
int pw_verb_dispatch_many(int argc, char **argv);
int pw_verb_show(int argc, char **argv);
int pw_verb_list(int argc, char **argv);
int pw_verb_wait(int argc, char **argv);
int pw_verb_cancel(int argc, char **argv);
int pw_verb_why(int argc, char **argv);
int pw_verb_logs(int argc, char **argv);
int pw_verb_purge(int argc, char **argv);
int pw_verb_workers(int argc, char **argv);
int pw_verb_group_create(int argc, char **argv);
int pw_verb_group_show(int argc, char **argv);
int pw_verb_group_finish(int argc, char **argv);
int pw_verb_group_cancel(int argc, char **argv);
int pw_verb_schedule_add(int argc, char **argv);
int pw_verb_schedule_list(int argc, char **argv);
int pw_verb_schedule_show(int argc, char **argv);
int pw_verb_schedule_remove(int argc, char **argv);
int pw_verb_schedule_run(int argc, char **argv);

#endif
