/* SPDX-License-Identifier: MIT */
/*
 * Arguments at rest, in the supervisor, which alone has the keys: plugin hosts
 * and children see arguments in clear and nothing else. A task whose arguments cannot be decrypted ends, the worker goes on.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/leaves.h"
#include "supervisor/internal.h"

int
pw_supervisor_keys(const struct pw_settings *settings, struct pw_keyring **ret_keys,
		   struct pw_err *err)
{
	return pw_keyring_load(pw_settings_text(settings, PW_SETTING_db_encryption_key),
			       pw_settings_is_default(settings, PW_SETTING_db_encryption_key),
			       ret_keys, err);
}

void
pw_arguments_start(struct pw_task *task, bool plain, const struct pw_run_spec *what)
{
	const struct pw_keyring *keys = task->s->keys;
	pw_auto_buf clear_args = PW_BUF_INIT, clear_kwargs = PW_BUF_INIT;
	struct pw_run_spec spec = *what;
	char reason[1200];
	struct pw_err err;

	if (!keys || plain) {
		pw_task_start(task, what);
		return;
	}
	if (pw_leaves_open(keys, what->args, strlen(what->args), &clear_args, &err) == 0 &&
	    pw_leaves_open(keys, what->kwargs, strlen(what->kwargs), &clear_kwargs, &err) == 0) {
		spec.args = pw_buf_text(&clear_args);
		spec.kwargs = pw_buf_text(&clear_kwargs);
		pw_task_start(task, &spec);
		return;
	}
	snprintf(reason, sizeof(reason), "Arguments cannot be decrypted: %s.", err.text);
	pw_task_refuse(task, reason);
}

int
pw_arguments_seal(struct pw_supervisor *s, const char *operation, const char *json,
		  struct pw_buf *buf, struct pw_err *err)
{
	static const char *const members[] = { "args", "kwargs", NULL };

	if (!s->keys || strcmp(operation, "dispatch") != 0)
		return 0;
	return pw_leaves_seal_members(s->keys, json, strlen(json), members, buf, err) < 0 ? -1 : 1;
}
