/* SPDX-License-Identifier: MIT */
/*
 * pulp/client.h: dispatch tasks, wait for them, cancel them. C99 or C++11;
 * link with what "pkg-config --libs pulp-client" says. See pulp-client(3).
 *
 *	struct pulp_client_error error = PULP_CLIENT_ERROR_INIT;
 *	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;
 *	char id[PULP_CLIENT_ID_SIZE];
 *	pulp_client *client;
 *
 *	dispatch.func = "example.greet";
 *	dispatch.kwargs = "{\"name\": \"world\"}";
 *	if (pulp_client_open("dbname=pulp", &client, &error) < 0 ||
 *	    pulp_client_dispatch(client, &dispatch, id, &error) < 0)
 *		errx(1, "%s", error.text);
 *
 * Calls return 0, or -1 with *error filled; error may be NULL. A handle is for
 * one thread at a time; several handles, several threads. The library touches
 * no signal and writes nothing to standard error. It starts a thread and a process for
 * an immediate task only, both of which are gone when the call returns.
 *
 * History: 1.0: all that is here.
 */
#ifndef PULP_CLIENT_H
#define PULP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <pulp/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_conn; /* libpq's PGconn */

typedef struct pulp_client pulp_client;
typedef struct pulp_client_task pulp_client_task; /* a task as it was when it was asked for */
typedef struct pulp_client_schedules pulp_client_schedules; /* schedules, likewise */

/* Connects. CONNINFO: a libpq connection string or URI, "" for libpq's environment. Give *client to pulp_client_close. */
int pulp_client_open(const char *conninfo, pulp_client **client, struct pulp_client_error *error);
/*
 * Uses a connection of the caller's, who closes it after pulp_client_close, and uses it
 * no other way meanwhile while a call is under way. Where a transaction is open, what is done becomes part of it.
 */
int pulp_client_open_conn(struct pg_conn *conn, pulp_client **client, struct pulp_client_error *error);
void pulp_client_close(pulp_client *client);
/* How long one statement may take, in milliseconds (60000 at first; -1: for ever). */
void pulp_client_set_timeout(pulp_client *client, int64_t timeout_ms);
/*
 * Takes the keys that encrypt arguments from FILE, which must be there. Without this call: from the file that the setting
 * db_encryption_key names (PULP_DB_ENCRYPTION_KEY, or the configuration file), else from Pulp's own (/etc/pulp/certs/database_fields.symmetric.key), and only where that is absent none are
 * encrypted. Those are read when a task with arguments is first dispatched.
 */
int pulp_client_set_key_file(pulp_client *client, const char *file, struct pulp_client_error *error);

/*
 * Dispatches a task and writes its id to ID. It may run before the call has returned; in a transaction, once that is committed.
 *
 * An immediate one is run here, by this host's plugin of its module, over a connection of its own, and has ended when the
 * call returns. Where a resource is taken it waits, or, with no_deferred, ends as canceled at once. Where this host cannot run it (no such plugin,
 * one that is too old, a transaction open on the connection) it is left to a worker, or, with no_deferred, refused with SQLSTATE
 * 0A000. The settings plugin_path, working_directory, state_directory and task_prefer_defer are those of pulp-worker.conf(5).
 * ID is written also where the call fails after the task was made; else it is "".
 */
int pulp_client_dispatch(pulp_client *client, const struct pulp_client_dispatch *dispatch, char id[PULP_CLIENT_ID_SIZE],
			 struct pulp_client_error *error);
/*
 * Dispatches COUNT tasks in one transaction, the caller's or one of its own: all, or none. Where one of them is wrong the error
 * begins with its number ("task 1: ..."). Writes their ids to IDS, in the same order; where it fails all are "". They are left to
 * workers, so that no_deferred is refused. Many times as fast as so many single calls; a hundred at a time will do, since at a
 * live Pulp all their resources are locked together until the transaction ends.
 */
int pulp_client_dispatch_many(pulp_client *client, const struct pulp_client_dispatch *const *dispatches, size_t count,
			      char (*ids)[PULP_CLIENT_ID_SIZE], struct pulp_client_error *error);
/* Cancels a task. *state (may be NULL): canceled, canceling, or the state in which it had ended already, which is no failure. */
int pulp_client_cancel(pulp_client *client, const char *id, enum pulp_client_state *state, struct pulp_client_error *error);
/* Cancels all waiting and running members of a group. *count (may be NULL): how many those were. */
int pulp_client_cancel_group(pulp_client *client, const char *group, int64_t *count, struct pulp_client_error *error);
/* Says that no more tasks will come to a group; nothing keeps anybody to it. */
int pulp_client_finish_group(pulp_client *client, const char *group, struct pulp_client_error *error);
int pulp_client_create_group(pulp_client *client, const char *description, char id[PULP_CLIENT_ID_SIZE],
			     struct pulp_client_error *error);
/* Give *task to pulp_client_task_free. */
int pulp_client_get(pulp_client *client, const char *id, pulp_client_task **task, struct pulp_client_error *error);
/*
 * Waits until the task has ended, at most TIMEOUT_MS (-1: for ever). Returns 0 when it has, 1 when the time was over first; in
 * both cases *task (if task is not NULL) is the task. Refused while a transaction is open, in which nobody's work can be seen.
 */
int pulp_client_wait(pulp_client *client, const char *id, int64_t timeout_ms, pulp_client_task **task,
		     struct pulp_client_error *error);

void pulp_client_task_free(pulp_client_task *task);
enum pulp_client_state pulp_client_task_state(const pulp_client_task *task);
int pulp_client_state_is_final(enum pulp_client_state state);
/* "waiting", ...; "unknown" */
const char *pulp_client_state_name(enum pulp_client_state state);
/* All texts live as long as the task. */
const char *pulp_client_task_id(const pulp_client_task *task);
const char *pulp_client_task_name(const pulp_client_task *task);
/* JSON text; NULL if it has none. */
const char *pulp_client_task_result(const pulp_client_task *task);
/* What went wrong, in words; NULL if nothing did. */
const char *pulp_client_task_reason(const pulp_client_task *task);
/* Any field of Pulp's REST by its name ("started_at", "progress_reports", "error", ...), a text or JSON text; NULL if it is null or unknown. */
const char *pulp_client_task_field(const pulp_client_task *task, const char *name);
/* The whole task as a JSON object; NULL when out of memory. */
const char *pulp_client_task_json(pulp_client_task *task);

/*
 * Adds a schedule and writes its id to ID. Workers dispatch its task when it is due. It is BAD_ARGUMENT where the name is taken,
 * the time has passed, the expression never fires, or there is no such time zone.
 */
int pulp_client_schedule_add(pulp_client *client, const struct pulp_client_schedule *schedule, char id[PULP_CLIENT_ID_SIZE],
			     struct pulp_client_error *error);
/* WHICH is a schedule's name or its id, here and below. Tasks that it has dispatched stay. */
int pulp_client_schedule_remove(pulp_client *client, const char *which, struct pulp_client_error *error);
/* Dispatches its task now and writes the task's id to ID; when it is due next stays as it is. */
int pulp_client_schedule_run(pulp_client *client, const char *which, char id[PULP_CLIENT_ID_SIZE], struct pulp_client_error *error);
/* All schedules, by name. Give *schedules to pulp_client_schedules_free. */
int pulp_client_schedule_list(pulp_client *client, pulp_client_schedules **schedules, struct pulp_client_error *error);
/* One of them, as a list of one. */
int pulp_client_schedule_get(pulp_client *client, const char *which, pulp_client_schedules **schedules,
			     struct pulp_client_error *error);
void pulp_client_schedules_free(pulp_client_schedules *schedules);
size_t pulp_client_schedules_count(const pulp_client_schedules *schedules);
/*
 * A field of number WHICH (from 0) by its name in Pulp's REST ("name", "task_name", "next_dispatch", "last_task", ...) or ours
 * ("cron", "trouble", ...), a text or JSON text; NULL if it is null or unknown. Texts live as long as the list.
 */
const char *pulp_client_schedules_field(const pulp_client_schedules *schedules, size_t which, const char *name);
/* All of it as a JSON object; NULL when out of memory, or where there is no such number. */
const char *pulp_client_schedules_json(pulp_client_schedules *schedules, size_t which);

/* The name of an object as a resource: "prn:<app_label>.<model>:<uuid>". The caller frees it; NULL for a bad argument or no memory. */
char *pulp_prn(const char *app_label, const char *model, const char *uuid);
/*
 * Puts a UUID into arguments: appends it to the JSON array *args, or sets KEY of the JSON
 * object *kwargs, which must not be there yet. *args and *kwargs are NULL (none so far) or
 * malloc'ed texts; they are replaced, and the caller frees what is there at last.
 */
int pulp_client_args_add_uuid(char **args, const char *uuid, struct pulp_client_error *error);
int pulp_client_kwargs_set_uuid(char **kwargs, const char *key, const char *uuid, struct pulp_client_error *error);

/* The version of the library: PULP_VERSION of <pulp/version.h> when it was built. */
const char *pulp_client_version(void);

#ifdef __cplusplus
}
#endif

#endif
