/* SPDX-License-Identifier: MIT */
/* Dispatching in pulp-task: the key ring, read only by verbs that need it, and arguments that leave this process encrypted. */
#include <stdlib.h>
#include <string.h>

#include "client/immediate.h"
#include "client/versions.h"
#include "cmd/task.h"
#include "crypt/leaves.h"

int
pw_cmd_keys(struct pw_keyring **ret_keys, struct pw_err *err)
{
	struct pw_settings *settings;

	if (pw_cmd_settings(&settings, err) < 0)
		return -1;
	return pw_keyring_load(pw_settings_text(settings, PW_SETTING_db_encryption_key),
			       pw_settings_is_default(settings, PW_SETTING_db_encryption_key),
			       ret_keys, err);
}

int
pw_cmd_correlation_id(const char *given, struct pw_uuid *ret_id, struct pw_err *err)
{
	const char *environment = getenv("PULP_CORRELATION_ID");

	*ret_id = (struct pw_uuid){ "" };
	if (given)
		return pw_uuid_parse(given, ret_id, err) < 0 ? pw_err_prefix(err, "--correlation-id") : 0;
	if (!environment || !*environment || pw_uuid_parse(environment, ret_id, err) == 0)
		return 0;
	if (err->kind == PW_ERR_INPUT)
		err->kind = PW_ERR_CONFIG;
	return pw_err_prefix(err, "PULP_CORRELATION_ID");
}

/* Over a connection of its own, before anything else is said. */
static int
dispatch_immediate(struct pw_db *db, const struct pw_dispatch *dispatch,
		   struct pw_dispatched *ret_dispatched, struct pw_err *err)
{
	pw_auto_free char *conninfo = pw_db_conninfo_like(pw_db_conn(db));
	struct pw_immediate job = { .conninfo = conninfo, .guest = pw_db_is_guest(db), .what = dispatch };
	pw_auto_keyring *keys = NULL;
	struct pw_settings *settings;
	struct pw_immediate_result result;
	int ret;

	*ret_dispatched = (struct pw_dispatched){ .served = true };
	if (!conninfo)
		return pw_err_nomem(err);
	if (pw_cmd_settings(&settings, err) < 0 || pw_cmd_keys(&keys, err) < 0)
		return -1;
	job.settings = settings;
	job.keys = keys;
	ret = pw_immediate_dispatch(&job, &result, err);
	ret_dispatched->id = result.id;
	if (ret == 0 && result.end == PW_IMMEDIATE_DEFERRED)
		pw_cli_warn("not run here, but left to a worker: %s", result.why);
	return ret;
}

int
pw_cmd_dispatch(struct pw_db *db, const struct pw_dispatch *dispatch,
		struct pw_dispatched *ret_dispatched, struct pw_err *err)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	struct pw_dispatch what = *dispatch;
	pw_auto_free char *versions = NULL;
	struct pw_settings *settings;
	pw_auto_keyring *keys = NULL;
	struct pw_uuid id;
	int done;

	if (pw_cmd_correlation_id(dispatch->correlation_id, &id, err) < 0 ||
	    pw_cmd_settings(&settings, err) < 0)
		return -1;
	if (!what.correlation_id && id.s[0])
		what.correlation_id = getenv("PULP_CORRELATION_ID");
	if (what.immediate)
		return dispatch_immediate(db, &what, ret_dispatched, err);
	if (!what.versions && pw_known_versions(settings, what.func, &versions, err) < 0)
		return -1;
	if (versions)
		what.versions = versions;
	if (pw_leaves_in_arguments(what.args, what.kwargs) && pw_cmd_keys(&keys, err) < 0)
		return -1;
	done = pw_leaves_seal_arguments(keys, what.args, what.kwargs, &args, &kwargs, err);
	if (done < 0)
		return -1;
	if (done) {
		what.args = pw_buf_text(&args);
		what.kwargs = pw_buf_text(&kwargs);
		what.sealed = true;
	}
	what.look = true;
	return pw_store_dispatch(db, &what, pw_cmd_deadline(), ret_dispatched, err);
}
