/* SPDX-License-Identifier: MIT */
/* The one plugin of this zygote: mapped once, never unloaded. */
#ifndef PW_ZYGOTE_LOAD_H
#define PW_ZYGOTE_LOAD_H

#include <stdbool.h>

#include "base/err.h"

struct pulp_task;
struct pw_plugin_meta;

struct pw_loaded {
	void *handle;
	struct pw_plugin_meta *meta;
};

/*
 * Reads the plugin's notes, maps it and checks that it is what was read: MODULE is the module it must have, DIGEST
 * (may be NULL) the digest of its notes in hexadecimal as the worker read them. A plugin that starts a thread or a
 * process while it is mapped is refused.
 */
int pw_load_plugin(const char *path, const char *module, const char *digest, struct pw_loaded *ret_loaded,
		   struct pw_err *err) PW_MUSTCHECK;
/* The checked descriptor of the task NAME (without the module; dots in place), or of the RESOURCE of that type; or NULL. */
const struct pulp_task *pw_load_task(const struct pw_loaded *loaded, const char *name, bool resource,
				     struct pw_err *err) PW_MUSTCHECK;

#endif
