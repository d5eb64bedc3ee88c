/* SPDX-License-Identifier: MIT */
/* The states of a task and how they follow each other: see states.def. Pure. */
#ifndef PW_TASK_STATE_H
#define PW_TASK_STATE_H

#include <stdbool.h>

#include "base/err.h"

enum pw_task_state {
	PW_TASK_UNKNOWN = -1, /* a state that a newer Pulp may have */
#define STATE(id, final, meaning) PW_TASK_##id,
#include "task/states.def"
	PW_TASK_STATE_COUNT
};

enum pw_task_event {
#define EVENT(id, meaning) PW_TASK_EVENT_##id,
#include "task/states.def"
	PW_TASK_EVENT_COUNT
};

/* The state after the event; PW_TASK_UNKNOWN if it changes nothing. */
enum pw_task_state pw_task_state_next(enum pw_task_state from, enum pw_task_event event);
bool pw_task_state_final(enum pw_task_state state);
/* As the database writes it; "unknown" for PW_TASK_UNKNOWN. */
const char *pw_task_state_name(enum pw_task_state state);
const char *pw_task_event_name(enum pw_task_event event);
/* One line for people. */
const char *pw_task_state_meaning(enum pw_task_state state);
/* PW_TASK_UNKNOWN if there is none of this name. */
enum pw_task_state pw_task_state_of(const char *name);
/* The same for what a person typed: PW_ERR_INPUT, with what was perhaps meant. */
int pw_task_state_parse(const char *name, enum pw_task_state *ret_state, struct pw_err *err) PW_MUSTCHECK;

#endif
