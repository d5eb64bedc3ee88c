/* SPDX-License-Identifier: MIT */
/* core.purge: removes finished tasks, a batch at a time. */
#ifndef PLUGINS_CORE_PURGE_H
#define PLUGINS_CORE_PURGE_H

#include <jansson.h>

#include <pulp/plugin.h>

#include "base/err.h"

/* REQUEST: the text of each batch's request. *ret_result is the task's result, owned by the caller. */
int pw_purge(pulp_context *ctx, const char *request, json_t **ret_result, struct pw_err *err) PW_MUSTCHECK;

#endif
