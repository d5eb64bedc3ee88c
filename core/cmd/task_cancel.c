/* SPDX-License-Identifier: MIT */
/* pulp-task cancel: several tasks, each for itself; one that cannot be canceled does not keep the others from it. */
#include <stdlib.h>
#include <sysexits.h>

#include "cmd/task.h"
#include "store/task_store.h"

#define ENDED_OTHERWISE 1

/* Cancels one. What is worse counts: an error before "had ended otherwise" before success. */
static int
cancel(struct pw_db *db, const char *text, struct pw_uuid *ret_id, enum pw_task_state *ret_state,
       struct pw_err *err)
{
	if (pw_cmd_task_id(db, text, ret_id, err) < 0)
		return -1;
	return pw_store_cancel_task(db, ret_id, pw_cmd_deadline(), ret_state, err);
}

static int
worse(int a, int b)
{
	return a > b ? a : b;
}

static int
say(const struct pw_uuid *id, enum pw_task_state state)
{
	bool good = state == PW_TASK_canceled || state == PW_TASK_canceling;

	if (!pw_cmd_json())
		printf("%s %s%s%s%s\n", id->s, pw_output_style(1, pw_cmd_state_style(state)), pw_task_state_name(state),
		       pw_output_style(1, PW_STYLE_PLAIN), good ? "" : " (it had ended before)");
	return good ? EX_OK : ENDED_OTHERWISE;
}

int
pw_verb_cancel(int argc, char **argv)
{
	pw_auto_records tasks = PW_RECORDS_INIT;
	pw_auto_db *db = NULL;
	enum pw_task_state state;
	struct pw_uuid id;
	struct pw_err err;
	int status = EX_OK;

	tasks.items = calloc((size_t)argc, sizeof(struct pw_record *));
	if (!tasks.items)
		return pw_cmd_fail((pw_err_nomem(&err), &err));
	if (pw_cmd_open(&db, &err) < 0)
		return pw_cmd_fail(&err);
	for (int i = 0; i < argc; i++) {
		if (cancel(db, argv[i], &id, &state, &err) < 0) {
			status = worse(status, pw_cmd_fail(&err));
			if (pw_db_state(db) == PW_DB_LOST)
				return status;
			continue;
		}
		status = worse(status, say(&id, state));
		if (pw_cmd_json() && pw_store_get_task(db, &id, pw_cmd_deadline(),
						       &tasks.items[tasks.count], &err) == 0)
			tasks.count++;
	}
	if (pw_cmd_json() && pw_cmd_print_records(&tasks, &err) < 0)
		return pw_cmd_fail(&err);
	return status;
}
