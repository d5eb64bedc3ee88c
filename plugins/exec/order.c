/* SPDX-License-Identifier: MIT */
/* Checks the arguments of exec.run. Runs in the task child; pure. Does not look whether there is such a program. */
#include "exec/order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "common/args.h"

static int
read_argv(const json_t *argv, struct pw_order *order, struct pw_err *err)
{
	size_t n = json_array_size(argv);

	if (!argv)
		return pw_err_set(err, PW_ERR_INPUT, "argument 'argv' is missing");
	if (!json_is_array(argv))
		return pw_err_set(err, PW_ERR_INPUT, "argument 'argv' must be an array of strings, not %s",
				  pw_args_type(argv));
	if (n == 0)
		return pw_err_set(err, PW_ERR_INPUT, "argument 'argv' is empty: it must name a program");
	order->argv = calloc(n + 1, sizeof(*order->argv));
	if (!order->argv)
		return pw_err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *word = json_array_get(argv, i);

		if (!json_is_string(word))
			return pw_err_set(err, PW_ERR_INPUT, "argv[%zu] must be a string, not %s", i,
					  pw_args_type(word));
		if (!pw_args_is_text(word))
			return pw_err_set(err, PW_ERR_INPUT, "argv[%zu] holds a NUL character", i);
		/* execve promises not to change them; its prototype is older than const. */
		order->argv[i] = (char *)(uintptr_t)json_string_value(word);
	}
	if (!order->argv[0][0])
		return pw_err_set(err, PW_ERR_INPUT, "argv[0] is empty: it must name a program");
	return 0;
}

/* The two by which the worker finds what a task left running. */
static bool
is_reserved(const char *name)
{
	return strcmp(name, "PULP_TASK_ID") == 0 || strcmp(name, "PULP_WORKER_ID") == 0;
}

static int
check_env(const char *name, const json_t *value, struct pw_err *err)
{
	if (!name[0] || strchr(name, '='))
		return pw_err_set(err, PW_ERR_INPUT, "env: '%s' cannot be the name of a variable", name);
	if (is_reserved(name))
		return pw_err_set(err, PW_ERR_INPUT, "env: %s is the worker's own and cannot be set", name);
	if (!json_is_string(value))
		return pw_err_set(err, PW_ERR_INPUT, "env: %s must be a string, not %s", name, pw_args_type(value));
	if (!pw_args_is_text(value))
		return pw_err_set(err, PW_ERR_INPUT, "env: %s holds a NUL character", name);
	return 0;
}

static int
add_env(const char *name, const json_t *value, struct pw_order *order, struct pw_err *err)
{
	pw_auto_buf pair = PW_BUF_INIT;
	char *text;

	if (check_env(name, value, err) < 0)
		return -1;
	if (pw_buf_addf(&pair, "%s=%s", name, json_string_value(value)) < 0)
		return pw_err_nomem(err);
	text = pw_buf_steal(&pair);
	if (!text)
		return pw_err_nomem(err);
	order->env[order->own++] = text;
	return 0;
}

static bool
is_replaced(const char *pair, const json_t *env)
{
	pw_auto_buf name = PW_BUF_INIT;
	size_t len = strcspn(pair, "=");

	return pw_buf_add(&name, pair, len) == 0 &&
	       json_object_get(env, pw_buf_text(&name)) != NULL;
}

static int
read_env(const json_t *env, char *const *inherited, struct pw_order *order, struct pw_err *err)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	if (env && !json_is_object(env))
		return pw_err_set(err, PW_ERR_INPUT, "argument 'env' must be an object of strings, not %s",
				  pw_args_type(env));
	while (inherited[n])
		n++;
	order->env = calloc(n + json_object_size(env) + 1, sizeof(*order->env));
	if (!order->env)
		return pw_err_nomem(err);
	json_object_foreach((json_t *)(uintptr_t)env, name, value) {
		if (add_env(name, value, order, err) < 0)
			return -1;
	}
	n = order->own;
	for (; *inherited; inherited++)
		if (!is_replaced(*inherited, env))
			order->env[n++] = *inherited;
	return 0;
}

int
pw_order_read(const json_t *kwargs, char *const *inherited, struct pw_order *order,
	      struct pw_err *err)
{
	const json_t *in = json_object_get(kwargs, "stdin");

	if (in && !json_is_string(in))
		return pw_err_set(err, PW_ERR_INPUT, "argument 'stdin' must be a string, not %s", pw_args_type(in));
	order->in = json_string_value(in);
	order->in_len = json_string_length(in);
	if (read_argv(json_object_get(kwargs, "argv"), order, err) < 0)
		return -1;
	return read_env(json_object_get(kwargs, "env"), inherited, order, err);
}

void
pw_order_done(struct pw_order *order)
{
	for (size_t i = 0; order->env && i < order->own; i++)
		free(order->env[i]);
	free(order->env);
	free(order->argv);
	*order = (struct pw_order)PW_ORDER_INIT;
}
