/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a task, read strictly: the plugins that ship take keyword
 * arguments only, and refuse one they do not know, one of a wrong type and one
 * that is missing, each with a text for whoever dispatched the task.
 */
#ifndef PLUGINS_COMMON_ARGS_H
#define PLUGINS_COMMON_ARGS_H

#include <stdbool.h>

#include <jansson.h>

#include <pulp/plugin.h>

#include "base/err.h"

void pw_json_cleanup(json_t **json);
#define pw_auto_json PW_CLEANUP(pw_json_cleanup) json_t

/*
 * Parses the task's arguments. KNOWN: the names it takes, ended by NULL. *ret_kwargs is an object that
 * the caller owns, without the members that were null: they count as not given.
 */
int pw_args_parse(const pulp_context *ctx, const char *const *known, json_t **ret_kwargs,
		  struct pw_err *err) PW_MUSTCHECK;
/* A string that must not hold a NUL. *ret_text is NULL if it was not given and not REQUIRED; it lives as long as KWARGS. */
int pw_args_string(const json_t *kwargs, const char *name, bool required, const char **ret_text,
		   struct pw_err *err) PW_MUSTCHECK;
/* Whether a JSON string is one that C can hold: no NUL inside. False for anything else too. */
bool pw_args_is_text(const json_t *value);
/* JSON's name for the type of VALUE: "an array", "a string", ... */
const char *pw_args_type(const json_t *value);

/* Ends the task with VALUE, which it takes, as the result; or as failed if there is no memory for it. */
pulp_end pw_args_result(pulp_context *ctx, json_t *value) PW_MUSTCHECK;

#endif
