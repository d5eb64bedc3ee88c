/* SPDX-License-Identifier: MIT */
/* What to purge: the arguments of core.purge, checked, as the worker wants them asked. */
#ifndef PLUGINS_CORE_ORDER_H
#define PLUGINS_CORE_ORDER_H

#include <jansson.h>

#include "base/err.h"

/* KWARGS is an object. *ret_request is the request's text, which the caller frees. */
int pw_purge_order(const json_t *kwargs, char **ret_request, struct pw_err *err) PW_MUSTCHECK;

#endif
