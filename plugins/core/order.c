/* SPDX-License-Identifier: MIT */
/* Checks the arguments of core.purge. Runs in the task child; pure. */
#include "core/order.h"

#include <string.h>

#include "base/text.h"
#include "common/args.h"
#include "core/moment.h"

#define BATCH 1000

static const char *const final_states[] = { "completed", "failed", "canceled", "skipped", NULL };
static const char *const other_states[] = { "waiting", "running", "canceling", NULL };

static bool
is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static int
check_state(const json_t *value, size_t i, struct pw_err *err)
{
	const char *state = json_string_value(value), *closest;

	if (!state || !pw_args_is_text(value))
		return pw_err_set(err, PW_ERR_INPUT, "states[%zu] must be the name of a state, not %s", i,
				  state ? "a string with a NUL" : pw_args_type(value));
	if (is_one_of(state, final_states))
		return 0;
	if (is_one_of(state, other_states))
		return pw_err_set(err, PW_ERR_INPUT,
				  "states[%zu]: '%s' is not a final state: such a task is not over and cannot be purged", i,
				  state);
	closest = pw_text_closest(state, final_states);
	if (closest)
		return pw_err_set(err, PW_ERR_INPUT, "states[%zu]: there is no state '%.50s', did you mean '%s'?", i,
				  state, closest);
	return pw_err_set(err, PW_ERR_INPUT,
			  "states[%zu]: there is no state '%.50s' (final ones: completed, failed, canceled, skipped)", i,
			  state);
}

static int
check_states(const json_t *states, struct pw_err *err)
{
	if (!json_is_array(states))
		return pw_err_set(err, PW_ERR_INPUT, "argument 'states' must be an array of strings, not %s",
				  pw_args_type(states));
	if (json_array_size(states) == 0)
		return pw_err_set(err, PW_ERR_INPUT, "argument 'states' is empty: nothing would be purged");
	for (size_t i = 0; i < json_array_size(states); i++)
		if (check_state(json_array_get(states, i), i, err) < 0)
			return -1;
	return 0;
}

/* Each state once, in our order; without the argument all of them. The caller owns it; NULL: no memory. */
static json_t *
chosen_states(const json_t *states)
{
	json_t *chosen = json_array();

	for (size_t i = 0; chosen && final_states[i]; i++) {
		bool wanted = !states;

		for (size_t j = 0; j < json_array_size(states); j++)
			wanted |= strcmp(json_string_value(json_array_get(states, j)),
					 final_states[i]) == 0;
		if (wanted && json_array_append_new(chosen, json_string(final_states[i])) < 0) {
			json_decref(chosen);
			return NULL;
		}
	}
	return chosen;
}

int
pw_purge_order(const json_t *kwargs, char **ret_request, struct pw_err *err)
{
	const json_t *states = json_object_get(kwargs, "states");
	pw_auto_json *request = NULL;
	const char *before;
	char *text;

	if (pw_args_string(kwargs, "finished_before", true, &before, err) < 0)
		return -1;
	if (pw_moment_check(before, err) < 0)
		return pw_err_prefix(err, "argument 'finished_before'");
	if (states && check_states(states, err) < 0)
		return -1;
	request = json_pack("{s:s, s:o, s:i}", "finished_before", before, "states", chosen_states(states), "limit",
			    BATCH);
	text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	if (!text)
		return pw_err_nomem(err);
	*ret_request = text;
	return 0;
}
