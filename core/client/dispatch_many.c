/* SPDX-License-Identifier: MIT */
/*
 * Many tasks in one statement: the caller's structs become one JSON text in the
 * words of pulp_worker.dispatch, with args and kwargs already encrypted. The others are texts of the
 * caller's, which JSON would change silently where they are not UTF-8: so they are looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/private.h"
#include "crypt/leaves.h"
#include "store/task_store.h"
#include "task/json.h"

static int
add_text(struct pw_buf *buf, const char *name, const char *text)
{
	return text && (pw_buf_addf(buf, ",\"%s\":", name) < 0 || pw_json_quote(text, buf) < 0) ? -1 : 0;
}

/* TEXT is JSON already. */
static int
add_json(struct pw_buf *buf, const char *name, const char *text)
{
	return text ? pw_buf_addf(buf, ",\"%s\":%s", name, text) : 0;
}

static int
add_list(struct pw_buf *buf, const char *name, const char *const *list)
{
	if (!list)
		return 0;
	if (pw_buf_addf(buf, ",\"%s\":[", name) < 0)
		return -1;
	for (size_t i = 0; list[i]; i++)
		if ((i && pw_buf_addc(buf, ',') < 0) || pw_json_quote(list[i], buf) < 0)
			return -1;
	return pw_buf_addc(buf, ']');
}

/* Returns 1 if its arguments are sealed, also because there is nothing in them; 0 where they are in clear. */
static int
add_task(pulp_client *client, const struct pulp_client_dispatch *given, struct pw_buf *buf,
	 struct pw_err *err)
{
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	pw_auto_free char *versions = NULL;
	const char *put_args = given->args, *put_kwargs = given->kwargs;
	int sealed;

	if (!given->versions &&
	    pw_client_default_versions(client, given->func, &versions, err) < 0)
		return -1;
	sealed = pw_leaves_seal_arguments(client->keys, put_args, put_kwargs, &args, &kwargs, err);
	if (sealed < 0)
		return -1;
	if (sealed) {
		put_args = pw_buf_text(&args);
		put_kwargs = pw_buf_text(&kwargs);
	}
	if (pw_buf_adds(buf, "{\"func\":") < 0 || pw_json_quote(given->func, buf) < 0 ||
	    add_json(buf, "args", put_args) < 0 || add_json(buf, "kwargs", put_kwargs) < 0 ||
	    add_text(buf, "task_group", given->group) < 0 ||
	    add_list(buf, "exclusive_resources", given->exclusive) < 0 ||
	    add_list(buf, "shared_resources", given->shared) < 0 ||
	    add_json(buf, "versions", versions ? versions : given->versions) < 0 ||
	    add_text(buf, "correlation_id", given->correlation_id) < 0 ||
	    (given->immediate && pw_buf_adds(buf, ",\"immediate\":true") < 0) ||
	    pw_buf_addc(buf, '}') < 0)
		return pw_err_nomem(err);
	return sealed;
}

static int
check_text(const char *what, const char *text, struct pw_err *err)
{
	return pw_utf8_valid(text, strlen(text)) ? 0 : pw_err_set(err, PW_ERR_INPUT, "%s: not UTF-8", what);
}

static int
check_texts(const char *what, const char *const *list, struct pw_err *err)
{
	for (; list && *list; list++)
		if (check_text(what, *list, err) < 0)
			return -1;
	return 0;
}

static int
take_task(const struct pulp_client_dispatch *dispatch, struct pulp_client_dispatch *ret_given,
	  struct pw_err *err)
{
	struct pw_uuid id;

	if (pw_client_take_dispatch(dispatch, ret_given, err) < 0 ||
	    (ret_given->group && pw_client_check_uuid(ret_given->group, &id, err) < 0) ||
	    (ret_given->correlation_id &&
	     pw_client_check_uuid(ret_given->correlation_id, &id, err) < 0))
		return -1;
	if (ret_given->no_deferred)
		return pw_err_set(err, PW_ERR_INPUT, "no_deferred: many at once are left to workers");
	if (check_text("func", ret_given->func, err) < 0 ||
	    check_texts("exclusive", ret_given->exclusive, err) < 0 ||
	    check_texts("shared", ret_given->shared, err) < 0)
		return -1;
	return 0;
}

/* Checks all of them. *ret_secret: there are arguments to encrypt. */
static int
take_tasks(const struct pulp_client_dispatch *const *dispatches, size_t count,
	   struct pulp_client_dispatch *given, bool *ret_secret, struct pw_err *err)
{
	*ret_secret = false;
	for (size_t i = 0; i < count; i++) {
		if (take_task(dispatches[i], &given[i], err) < 0)
			return pw_err_prefix(err, "task %zu", i + 1);
		*ret_secret |= pw_leaves_in_arguments(given[i].args, given[i].kwargs);
	}
	return 0;
}

static int
write_tasks(pulp_client *client, const struct pulp_client_dispatch *given, size_t count,
	    struct pw_buf *buf, bool *ret_sealed, struct pw_err *err)
{
	*ret_sealed = true;
	for (size_t i = 0; i < count; i++) {
		int sealed;

		if (pw_buf_addc(buf, i ? ',' : '[') < 0)
			return pw_err_nomem(err);
		sealed = add_task(client, &given[i], buf, err);
		if (sealed < 0)
			return pw_err_prefix(err, "task %zu", i + 1);
		*ret_sealed &= sealed;
	}
	return pw_buf_addc(buf, ']') < 0 ? pw_err_nomem(err) : 0;
}

int
pulp_client_dispatch_many(pulp_client *client, const struct pulp_client_dispatch *const *dispatches,
			  size_t count, char (*ids)[PULP_CLIENT_ID_SIZE],
			  struct pulp_client_error *error)
{
	pw_auto_free struct pulp_client_dispatch *given = calloc(count + 1, sizeof(*given));
	pw_auto_records rows = PW_RECORDS_INIT;
	pw_auto_buf tasks = PW_BUF_INIT;
	struct pw_err err;
	bool secret, sealed;

	for (size_t i = 0; i < count; i++)
		ids[i][0] = '\0';
	if (!given)
		return pw_client_fail((pw_err_nomem(&err), &err), error);
	if (take_tasks(dispatches, count, given, &secret, &err) < 0)
		return pw_client_fail(&err, error);
	if (secret && pw_client_keys(client, &err) < 0)
		return pw_client_fail_keys(&err, error);
	if (count == 0)
		return 0;
	if (write_tasks(client, given, count, &tasks, &sealed, &err) < 0 ||
	    pw_client_enter(client, &err) < 0 ||
	    pw_store_dispatch_many(client->db, pw_buf_text(&tasks), sealed, 1, false,
				   pw_client_deadline(client), &rows, &err) < 0)
		return pw_client_fail(&err, error);
	for (size_t i = 0; i < rows.count && i < count; i++)
		memcpy(ids[i], pw_dispatched_of(rows.items[i]).id.s, PULP_CLIENT_ID_SIZE);
	return 0;
}
