/* SPDX-License-Identifier: MIT */
/*
 * Arguments and results of the tasks that ship. Runs in the task child. Knows
 * no particular task: each brings the list of its names and checks the values.
 */
#include "common/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

void
pw_json_cleanup(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

const char *
pw_args_type(const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int
parse(const char *text, const char *what, json_t **ret, struct pw_err *err)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json)
		return pw_err_set(err, PW_ERR_INPUT, "%s: %s", what, error.text);
	*ret = json;
	return 0;
}

static int
refuse_unknown(const char *name, const char *const *known, struct pw_err *err)
{
	pw_auto_buf names = PW_BUF_INIT;
	const char *closest = pw_text_closest(name, known);

	if (closest)
		return pw_err_set(err, PW_ERR_INPUT, "unknown argument '%s', did you mean '%s'?", name, closest);
	for (size_t i = 0; known[i]; i++)
		if (pw_buf_addf(&names, "%s%s", i ? ", " : "", known[i]) < 0)
			return pw_err_nomem(err);
	return pw_err_set(err, PW_ERR_INPUT, "unknown argument '%s' (there are: %s)", name, pw_buf_text(&names));
}

static bool
is_known(const char *name, const char *const *known)
{
	for (size_t i = 0; known[i]; i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

int
pw_args_parse(const pulp_context *ctx, const char *const *known, json_t **ret_kwargs,
	      struct pw_err *err)
{
	pw_auto_json *args = NULL, *kwargs = NULL;
	const char *name;
	void *next;
	json_t *value;

	if (parse(ctx->args, "args", &args, err) < 0 || parse(ctx->kwargs, "kwargs", &kwargs, err) < 0)
		return -1;
	if (!json_is_array(args) || !json_is_object(kwargs))
		return pw_err_set(err, PW_ERR_INPUT, "args must be an array and kwargs an object");
	if (json_array_size(args) > 0)
		return pw_err_set(err, PW_ERR_INPUT, "takes keyword arguments only, but %zu positional were given",
				  json_array_size(args));
	json_object_foreach_safe(kwargs, next, name, value) {
		if (!is_known(name, known))
			return refuse_unknown(name, known, err);
		if (json_is_null(value))
			json_object_del(kwargs, name);
	}
	*ret_kwargs = pw_steal_ptr(&kwargs);
	return 0;
}

bool
pw_args_is_text(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

int
pw_args_string(const json_t *kwargs, const char *name, bool required, const char **ret_text,
	       struct pw_err *err)
{
	const json_t *value = json_object_get(kwargs, name);

	if (!value && required)
		return pw_err_set(err, PW_ERR_INPUT, "argument '%s' is missing", name);
	if (value && !json_is_string(value))
		return pw_err_set(err, PW_ERR_INPUT, "argument '%s' must be a string, not %s", name,
				  pw_args_type(value));
	if (value && !pw_args_is_text(value))
		return pw_err_set(err, PW_ERR_INPUT, "argument '%s' holds a NUL character", name);
	*ret_text = json_string_value(value);
	return 0;
}

pulp_end
pw_args_result(pulp_context *ctx, json_t *value)
{
	pw_auto_free char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(value);
	if (!text)
		return pulp_fail(ctx, "out of memory for the result");
	return pulp_result(ctx, text);
}
