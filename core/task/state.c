/* SPDX-License-Identifier: MIT */
/*
 * The state machine of tasks, as tables made from states.def. Decides what may
 * follow what; the statements in core/sql do it, and a test compares the two.
 * Pure; in every program and in the client library.
 */
#include "task/state.h"

#include <string.h>

#include "base/text.h"

static const struct {
	const char *name, *meaning;
	bool final;
} states[PW_TASK_STATE_COUNT] = {
#define STATE(id, final, meaning) { #id, meaning, final },
#include "task/states.def"
};

static const char *const events[PW_TASK_EVENT_COUNT] = {
#define EVENT(id, meaning) #id,
#include "task/states.def"
};

static const struct {
	enum pw_task_state from;
	enum pw_task_event event;
	enum pw_task_state to;
} moves[] = {
#define MOVE(from, event, to, comment) { PW_TASK_##from, PW_TASK_EVENT_##event, PW_TASK_##to },
#include "task/states.def"
};

enum pw_task_state
pw_task_state_next(enum pw_task_state from, enum pw_task_event event)
{
	for (size_t i = 0; i < PW_COUNT(moves); i++)
		if (moves[i].from == from && moves[i].event == event)
			return moves[i].to;
	return PW_TASK_UNKNOWN;
}

static bool
known(enum pw_task_state state)
{
	return state >= 0 && state < PW_TASK_STATE_COUNT;
}

bool
pw_task_state_final(enum pw_task_state state)
{
	return known(state) && states[state].final;
}

const char *
pw_task_state_name(enum pw_task_state state)
{
	return known(state) ? states[state].name : "unknown";
}

const char *
pw_task_state_meaning(enum pw_task_state state)
{
	return known(state) ? states[state].meaning : "A state that this program does not know";
}

const char *
pw_task_event_name(enum pw_task_event event)
{
	return event < PW_TASK_EVENT_COUNT ? events[event] : "unknown";
}

enum pw_task_state
pw_task_state_of(const char *name)
{
	for (int i = 0; i < PW_TASK_STATE_COUNT; i++)
		if (strcmp(states[i].name, name) == 0)
			return (enum pw_task_state)i;
	return PW_TASK_UNKNOWN;
}

int
pw_task_state_parse(const char *name, enum pw_task_state *ret_state, struct pw_err *err)
{
	static const char *const names[] = {
#define STATE(id, final, meaning) #id,
#include "task/states.def"
		NULL
	};
	enum pw_task_state state = pw_task_state_of(name);
	const char *closest;

	if (state != PW_TASK_UNKNOWN) {
		*ret_state = state;
		return 0;
	}
	closest = pw_text_closest(name, names);
	if (closest)
		return pw_err_set(err, PW_ERR_INPUT, "'%.60s' is not a state; did you mean '%s'?", name, closest);
	return pw_err_set(err, PW_ERR_INPUT,
			  "'%.60s' is not a state: waiting, running, canceling, completed, failed, canceled, skipped", name);
}
