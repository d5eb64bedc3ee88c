/* SPDX-License-Identifier: MIT */
/* The set-up steps of a task child, as numbers and names; the child does them, the worker reports them. */
#ifndef PW_PROTO_STEPS_H
#define PW_PROTO_STEPS_H

enum pw_step {
#define PW_STEP(NAME, name, what) PW_STEP_##NAME,
#include "proto/steps.def"
#undef PW_STEP
	PW_STEP_COUNT
};

/* A step that failed and could not say so: 200 + its number. */
#define PW_STEP_EXIT_BASE 200
/* The child could not tell its ending: the channel was gone. */
#define PW_CHANNEL_LOST_EXIT 199

/* NULL for a number that is none. */
const char *pw_step_name(unsigned step);

#endif
