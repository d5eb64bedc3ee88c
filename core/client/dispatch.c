/* SPDX-License-Identifier: MIT */
/*
 * The library's dispatch. What is checked here is what would otherwise break the
 * caller's transaction, or reach the database as something else than was meant;
 * the rest the database refuses.
 */
#include <string.h>

#include "base/pep440.h"
#include "client/immediate.h"
#include "client/private.h"
#include "client/versions.h"
#include "crypt/leaves.h"
#include "store/task_store.h"
#include "task/json.h"

int
pw_client_check_json(const char *what, const char *text, json_type type, struct pw_err *err)
{
	return text ? pw_json_check(what, text, strlen(text), type, err) : 0;
}

static int
check_versions(const char *text, struct pw_err *err)
{
	pw_auto_json *versions = NULL;
	const char *label;
	json_t *version;

	if (!text)
		return 0;
	if (pw_json_check("versions", text, strlen(text), JSON_OBJECT, err) < 0)
		return -1;
	versions = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
	if (!versions)
		return pw_err_nomem(err);
	json_object_foreach(versions, label, version)
		if (!json_is_string(version) || !pw_version_valid(json_string_value(version)))
			return pw_err_set(err, PW_ERR_INPUT, "versions: that of %.60s is not a version (PEP 440) as a string", label);
	return 0;
}

size_t
pw_client_count(const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

int
pw_client_take_dispatch(const struct pulp_client_dispatch *given,
			struct pulp_client_dispatch *ret_dispatch, struct pw_err *err)
{
	struct pulp_client_dispatch dispatch = PULP_CLIENT_DISPATCH_INIT;

	if (!given || given->size < sizeof(given->size) + sizeof(given->func))
		return pw_err_set(err, PW_ERR_INPUT, "the size of struct pulp_client_dispatch is not set");
	memcpy(&dispatch, given, given->size < sizeof(dispatch) ? given->size : sizeof(dispatch));
	if (!dispatch.func)
		return pw_err_set(err, PW_ERR_INPUT, "func is missing");
	if (pw_client_check_json("args", dispatch.args, JSON_ARRAY, err) < 0 || pw_client_check_json("kwargs", dispatch.kwargs, JSON_OBJECT, err) < 0)
		return -1;
	*ret_dispatch = dispatch;
	return check_versions(dispatch.versions, err);
}

int
pw_client_look_around(pulp_client *client, struct pw_err *err)
{
	struct pw_settings *settings = NULL;

	if (client->settings)
		return 0;
	if (pw_settings_new(&settings, err) < 0)
		return -1;
	if (pw_settings_load(settings, NULL, err) < 0 ||
	    pw_plugin_set_scan(pw_settings_text(settings, PW_SETTING_plugin_path), &client->plugins,
			       err) < 0) {
		pw_settings_free(settings);
		return -1;
	}
	client->settings = settings;
	return 0;
}

int
pw_client_default_versions(pulp_client *client, const char *func, char **ret_versions,
			   struct pw_err *err)
{
	const struct pw_plugin_meta *plugin;

	if (pw_client_look_around(client, err) < 0)
		return -1;
	plugin = pw_plugin_set_find(client->plugins, func);
	if (plugin && !(*ret_versions = pw_plugin_versions(plugin)))
		return pw_err_nomem(err);
	return 0;
}

static int
dispatch_immediate(pulp_client *client, const struct pw_dispatch *what, struct pw_uuid *ret_id,
		   struct pw_err *err)
{
	pw_auto_free char *conninfo = pw_db_conninfo_like(pw_db_conn(client->db));
	struct pw_immediate job = { .conninfo = conninfo, .guest = pw_db_is_guest(client->db), .what = what };
	struct pw_immediate_result result;
	int ret;

	if (!conninfo)
		return pw_err_nomem(err);
	if (pw_client_look_around(client, err) < 0)
		return -1;
	job.settings = client->settings;
	job.keys = client->keys;
	ret = pw_immediate_dispatch(&job, &result, err);
	*ret_id = result.id;
	return ret;
}

static int
dispatch_deferred(pulp_client *client, struct pw_dispatch *what, struct pw_uuid *ret_id,
		  struct pw_err *err)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	pw_auto_free char *versions = NULL;
	struct pw_dispatched dispatched;
	int sealed;

	if (!what->versions && pw_client_default_versions(client, what->func, &versions, err) < 0)
		return -1;
	if (versions)
		what->versions = versions;
	sealed = pw_leaves_seal_arguments(client->keys, what->args, what->kwargs, &args, &kwargs,
					  err);
	if (sealed < 0)
		return -1;
	if (sealed) {
		what->args = pw_buf_text(&args);
		what->kwargs = pw_buf_text(&kwargs);
		what->sealed = true;
	}
	if (pw_store_dispatch(client->db, what, pw_client_deadline(client), &dispatched, err) < 0)
		return -1;
	*ret_id = dispatched.id;
	return 0;
}

int
pulp_client_dispatch(pulp_client *client, const struct pulp_client_dispatch *dispatch,
		     char id[PULP_CLIENT_ID_SIZE], struct pulp_client_error *error)
{
	struct pulp_client_dispatch given = PULP_CLIENT_DISPATCH_INIT;
	struct pw_uuid group, cid, made = { "" };
	struct pw_err err;
	int ret;

	id[0] = '\0';
	if (pw_client_take_dispatch(dispatch, &given, &err) < 0 ||
	    (given.group && pw_client_check_uuid(given.group, &group, &err) < 0) ||
	    (given.correlation_id && pw_client_check_uuid(given.correlation_id, &cid, &err) < 0))
		return pw_client_fail(&err, error);
	if ((given.immediate || pw_leaves_in_arguments(given.args, given.kwargs)) &&
	    pw_client_keys(client, &err) < 0)
		return pw_client_fail_keys(&err, error);

	struct pw_dispatch what = {
		.func = given.func,
		.args = given.args,
		.kwargs = given.kwargs,
		.correlation_id = given.correlation_id,
		.group = given.group ? group.s : NULL,
		.exclusive = given.exclusive,
		.exclusive_count = pw_client_count(given.exclusive),
		.shared = given.shared,
		.shared_count = pw_client_count(given.shared),
		.versions = given.versions,
		.immediate = given.immediate,
		.no_deferred = given.no_deferred,
	};
	if (pw_client_enter(client, &err) < 0)
		ret = -1;
	else if (given.immediate && !pw_client_in_transaction(client))
		ret = dispatch_immediate(client, &what, &made, &err);
	else
		ret = dispatch_deferred(client, &what, &made, &err);
	memcpy(id, made.s, PULP_CLIENT_ID_SIZE);
	return ret < 0 ? pw_client_fail(&err, error) : 0;
}
