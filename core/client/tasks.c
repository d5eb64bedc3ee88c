/* SPDX-License-Identifier: MIT */
/*
 * The library's calls about tasks. What is checked here is what would
 * otherwise break the caller's transaction, or reach the database as something
 * else than was meant; the rest the database refuses. Nothing is retried.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/private.h"
#include "store/task_store.h"

#define PAUSE_MIN (50 * PW_MS)
#define PAUSE_MAX (1 * PW_SEC)

/* The public numbers are those of the table. */
#define STATE(id, final, meaning) _Static_assert(PW_TASK_##id >= 0, #id);
#include "task/states.def"
_Static_assert((int)PULP_CLIENT_WAITING == (int)PW_TASK_waiting &&
		       (int)PULP_CLIENT_RUNNING == (int)PW_TASK_running &&
		       (int)PULP_CLIENT_CANCELING == (int)PW_TASK_canceling &&
		       (int)PULP_CLIENT_COMPLETED == (int)PW_TASK_completed &&
		       (int)PULP_CLIENT_FAILED == (int)PW_TASK_failed &&
		       (int)PULP_CLIENT_CANCELED == (int)PW_TASK_canceled &&
		       (int)PULP_CLIENT_SKIPPED == (int)PW_TASK_skipped && PW_TASK_STATE_COUNT == 7,
	       "pulp/types.h and states.def disagree");

int
pw_client_check_uuid(const char *text, struct pw_uuid *ret_id, struct pw_err *err)
{
	return text ? pw_uuid_parse(text, ret_id, err) : pw_err_set(err, PW_ERR_INPUT, "an id is missing");
}

bool
pw_client_in_transaction(pulp_client *client)
{
	return PQtransactionStatus(pw_db_conn(client->db)) > PQTRANS_ACTIVE &&
	       PQstatus(pw_db_conn(client->db)) == CONNECTION_OK;
}

int
pulp_client_cancel(pulp_client *client, const char *id, enum pulp_client_state *state,
		   struct pulp_client_error *error)
{
	enum pw_task_state after;
	struct pw_uuid uuid;
	struct pw_err err;

	if (pw_client_check_uuid(id, &uuid, &err) < 0 || pw_client_enter(client, &err) < 0 ||
	    pw_store_cancel_task(client->db, &uuid, pw_client_deadline(client), &after, &err) < 0)
		return pw_client_fail(&err, error);
	if (state)
		*state = (enum pulp_client_state)after;
	return 0;
}

int
pulp_client_cancel_group(pulp_client *client, const char *group, int64_t *count,
			 struct pulp_client_error *error)
{
	struct pw_uuid uuid;
	int64_t canceled;
	struct pw_err err;
	int64_t deadline_ns = pw_client_deadline(client);

	if (pw_client_check_uuid(group, &uuid, &err) < 0 || pw_client_enter(client, &err) < 0 ||
	    pw_store_cancel_group(client->db, &uuid, deadline_ns, &canceled, &err) < 0)
		return pw_client_fail(&err, error);
	if (count)
		*count = canceled;
	return 0;
}

int
pulp_client_finish_group(pulp_client *client, const char *group, struct pulp_client_error *error)
{
	struct pw_uuid uuid;
	struct pw_err err;

	if (pw_client_check_uuid(group, &uuid, &err) < 0 ||
	    pw_store_finish_group(client->db, &uuid, pw_client_deadline(client), &err) < 0)
		return pw_client_fail(&err, error);
	return 0;
}

int
pulp_client_create_group(pulp_client *client, const char *description, char id[PULP_CLIENT_ID_SIZE],
			 struct pulp_client_error *error)
{
	struct pw_uuid uuid;
	struct pw_err err;

	if (pw_client_enter(client, &err) < 0 ||
	    pw_store_create_group(client->db, description ? description : "", pw_client_deadline(client), &uuid, &err) < 0)
		return pw_client_fail(&err, error);
	memcpy(id, uuid.s, PULP_CLIENT_ID_SIZE);
	return 0;
}

static int
get(pulp_client *client, const struct pw_uuid *id, pulp_client_task **ret_task, struct pw_err *err)
{
	pulp_client_task *task = calloc(1, sizeof(*task));

	if (!task)
		return pw_err_nomem(err);
	if (pw_store_get_task(client->db, id, pw_client_deadline(client), &task->record, err) < 0) {
		free(task);
		return -1;
	}
	*ret_task = task;
	return 0;
}

int
pulp_client_get(pulp_client *client, const char *id, pulp_client_task **task,
		struct pulp_client_error *error)
{
	struct pw_uuid uuid;
	struct pw_err err;

	if (pw_client_check_uuid(id, &uuid, &err) < 0 || pw_client_enter(client, &err) < 0 ||
	    get(client, &uuid, task, &err) < 0)
		return pw_client_fail(&err, error);
	return 0;
}

/* 1: it has ended, 0: it has not. */
static int
has_ended(pulp_client *client, const struct pw_uuid *id, struct pw_err *err)
{
	pw_auto_records tasks = PW_RECORDS_INIT;

	if (pw_store_watch_tasks(client->db, id, 1, pw_client_deadline(client), &tasks, err) < 0)
		return -1;
	if (tasks.count == 0)
		return pw_err_set(err, PW_ERR_NOTFOUND, "there is no task %s", id->s);
	return pw_task_state_final(pw_record_state(tasks.items[0]));
}

/* Nobody is notified of endings: the database is asked, often at first, then less. 0: it has ended, 1: the deadline has passed. */
static int
wait_for_end(pulp_client *client, const struct pw_uuid *id, int64_t deadline_ns, struct pw_err *err)
{
	int64_t pause_ns = PAUSE_MIN;

	for (;;) {
		int ended = has_ended(client, id, err);
		int64_t next_ns = pw_now_ns() + pause_ns;

		if (ended)
			return ended < 0 ? -1 : 0;
		if (pw_now_ns() >= deadline_ns)
			return 1;
		pause_ns = pause_ns * 3 / 2 < PAUSE_MAX ? pause_ns * 3 / 2 : PAUSE_MAX;
		if (pw_db_wait(client->db, next_ns < deadline_ns ? next_ns : deadline_ns, err) < 0)
			return -1;
	}
}

int
pulp_client_wait(pulp_client *client, const char *id, int64_t timeout_ms, pulp_client_task **task,
		 struct pulp_client_error *error)
{
	bool for_ever = timeout_ms < 0 || timeout_ms > INT64_MAX / 2 / PW_MS;
	int64_t deadline_ns = for_ever ? PW_NEVER : pw_now_ns() + timeout_ms * PW_MS;
	struct pw_uuid uuid;
	struct pw_err err;
	int over;

	if (pw_client_check_uuid(id, &uuid, &err) < 0)
		return pw_client_fail(&err, error);
	if (pw_client_in_transaction(client)) {
		pw_err_set(&err, PW_ERR_INPUT, "a transaction is open: what is dispatched in it cannot run before it is committed");
		return pw_client_fail(&err, error);
	}
	over = pw_client_enter(client, &err) < 0 ? -1 :
						   wait_for_end(client, &uuid, deadline_ns, &err);
	if (over < 0 || (task && get(client, &uuid, task, &err) < 0))
		return pw_client_fail(&err, error);
	return over;
}
