/* SPDX-License-Identifier: MIT */
/* Starts a program, feeds it and takes what it says until it has ended. */
#ifndef PLUGINS_EXEC_PUMP_H
#define PLUGINS_EXEC_PUMP_H

#include <stdbool.h>

#include <pulp/plugin.h>

#include "exec/capture.h"
#include "exec/order.h"

struct pw_outcome {
	int status; /* as of waitpid */
	bool stopped; /* it was told to stop before it ended */
	struct pw_capture out, err;
};

/* Returns when the program has ended, whoever else still holds its pipes; or fails if it cannot be started. OUTCOME begins zeroed. */
int pw_pump(pulp_context *ctx, const struct pw_order *order, struct pw_outcome *outcome, struct pw_err *err) PW_MUSTCHECK;

#endif
