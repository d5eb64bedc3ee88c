/* SPDX-License-Identifier: MIT */
/*
 * Small helpers for what is dispatched: names of resources, UUIDs as
 * arguments. They work on JSON as text, so that what is there already stays as
 * it is, to the digit. Pure but for memory.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/uuid.h"
#include "client/private.h"
#include "task/json.h"

static bool
is_label(const char *text)
{
	if (!text || !*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

char *
pulp_prn(const char *app_label, const char *model, const char *uuid)
{
	pw_auto_buf buf = PW_BUF_INIT;
	struct pw_uuid id;

	if (!is_label(app_label) || !is_label(model) || !uuid || pw_uuid_parse(uuid, &id, NULL) < 0)
		return NULL;
	if (pw_buf_addf(&buf, "prn:%s.", app_label) < 0)
		return NULL;
	for (; *model; model++)
		if (pw_buf_addc(&buf, (char)tolower((unsigned char)*model)) < 0)
			return NULL;
	return pw_buf_addf(&buf, ":%s", id.s) < 0 ? NULL : pw_buf_steal(&buf);
}

/* Puts ENTRY before the bracket that ends TEXT, which is known to be good JSON. */
static char *
put_entry(const char *text, const char *entry)
{
	pw_auto_buf buf = PW_BUF_INIT;
	size_t end = strlen(text), last;

	while (!strchr("]}", text[end - 1]))
		end--;
	last = --end;
	while (strchr(" \t\r\n", text[last - 1]))
		last--;
	if (pw_buf_add(&buf, text, last) < 0 || (!strchr("[{", text[last - 1]) && pw_buf_adds(&buf, ", ") < 0) ||
	    pw_buf_adds(&buf, entry) < 0 || pw_buf_addc(&buf, text[end]) < 0)
		return NULL;
	return pw_buf_steal(&buf);
}

static int
replace(char **text, const char *empty, const char *entry, struct pw_err *err)
{
	char *fresh = put_entry(*text ? *text : empty, entry);

	if (!fresh)
		return pw_err_nomem(err);
	free(*text);
	*text = fresh;
	return 0;
}

static int
add_uuid(char **args, const char *uuid, struct pw_err *err)
{
	char entry[sizeof(struct pw_uuid) + 4];
	struct pw_uuid id;

	if (!uuid)
		return pw_err_set(err, PW_ERR_INPUT, "a UUID is missing");
	if (pw_uuid_parse(uuid, &id, err) < 0 || (*args && pw_json_check("args", *args, strlen(*args), JSON_ARRAY, err) < 0))
		return -1;
	snprintf(entry, sizeof(entry), "\"%s\"", id.s);
	return replace(args, "[]", entry, err);
}

static int
check_key(const char *kwargs, const char *key, struct pw_err *err)
{
	pw_auto_json *object = NULL;

	if (!key || !pw_utf8_valid(key, strlen(key)))
		return pw_err_set(err, PW_ERR_INPUT, "the key is missing or not UTF-8");
	if (!kwargs)
		return 0;
	if (pw_json_check("kwargs", kwargs, strlen(kwargs), JSON_OBJECT, err) < 0)
		return -1;
	object = json_loads(kwargs, JSON_DECODE_INT_AS_REAL, NULL);
	if (!object)
		return pw_err_nomem(err);
	return json_object_get(object, key) ? pw_err_set(err, PW_ERR_INPUT, "kwargs has the key %.100s already", key) : 0;
}

static int
set_uuid(char **kwargs, const char *key, const char *uuid, struct pw_err *err)
{
	pw_auto_buf entry = PW_BUF_INIT;
	struct pw_uuid id;

	if (!uuid)
		return pw_err_set(err, PW_ERR_INPUT, "a UUID is missing");
	if (pw_uuid_parse(uuid, &id, err) < 0 || check_key(*kwargs, key, err) < 0)
		return -1;
	if (pw_json_quote(key, &entry) < 0 || pw_buf_addf(&entry, ": \"%s\"", id.s) < 0)
		return pw_err_nomem(err);
	return replace(kwargs, "{}", pw_buf_text(&entry), err);
}

int
pulp_client_args_add_uuid(char **args, const char *uuid, struct pulp_client_error *error)
{
	struct pw_err err;

	return add_uuid(args, uuid, &err) < 0 ? pw_client_fail(&err, error) : 0;
}

int
pulp_client_kwargs_set_uuid(char **kwargs, const char *key, const char *uuid,
			    struct pulp_client_error *error)
{
	struct pw_err err;

	return set_uuid(kwargs, key, uuid, &err) < 0 ? pw_client_fail(&err, error) : 0;
}
