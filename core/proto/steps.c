/* SPDX-License-Identifier: MIT */
/* The names of the set-up steps. */
#include "proto/steps.h"

#include <stddef.h>

const char *
pw_step_name(unsigned step)
{
	static const char *const names[] = {
#define PW_STEP(NAME, name, what) name,
#include "proto/steps.def"
#undef PW_STEP
	};

	return step < PW_STEP_COUNT ? names[step] : NULL;
}
