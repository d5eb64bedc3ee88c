/* SPDX-License-Identifier: MIT */
/* A task in the library's hands: what it says of itself. Nothing here asks the database. */
#include <stdlib.h>

#include "client/private.h"

void
pulp_client_task_free(pulp_client_task *task)
{
	if (!task)
		return;
	pw_record_free(task->record);
	free(task->json);
	free(task);
}

enum pulp_client_state
pulp_client_task_state(const pulp_client_task *task)
{
	return (enum pulp_client_state)pw_record_state(task->record);
}

int
pulp_client_state_is_final(enum pulp_client_state state)
{
	return pw_task_state_final((enum pw_task_state)state);
}

const char *
pulp_client_state_name(enum pulp_client_state state)
{
	return pw_task_state_name((enum pw_task_state)state);
}

const char *
pulp_client_task_id(const pulp_client_task *task)
{
	return pw_record_text(task->record, "pulp_id");
}

const char *
pulp_client_task_name(const pulp_client_task *task)
{
	return pw_record_text(task->record, "name");
}

const char *
pulp_client_task_result(const pulp_client_task *task)
{
	return pw_record_get(task->record, "result");
}

const char *
pulp_client_task_reason(const pulp_client_task *task)
{
	const char *reason = pw_record_get(task->record, "_reason");

	return reason ? reason : pw_record_get(task->record, "error");
}

const char *
pulp_client_task_field(const pulp_client_task *task, const char *name)
{
	return name[0] == '_' ? NULL : pw_record_get(task->record, name);
}

const char *
pulp_client_task_json(pulp_client_task *task)
{
	pw_auto_buf json = PW_BUF_INIT;

	if (!task->json && pw_record_json(task->record, 0, &json) == 0)
		task->json = pw_buf_steal(&json);
	return task->json;
}
