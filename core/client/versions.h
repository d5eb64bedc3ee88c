/* SPDX-License-Identifier: MIT */
/* What a dispatcher knows of the plugin that its task is written for. */
#ifndef PW_CLIENT_VERSIONS_H
#define PW_CLIENT_VERSIONS_H

#include "conf/settings.h"
#include "plugin/meta.h"

/*
 * The versions of a task for which nobody named any (Pulp's rule: at least the one that the dispatcher has): {"label": "version"} of
 * the plugin in plugin_path that has the function's module. *ret_versions is NULL where there is none; the caller frees it.
 */
int pw_known_versions(const struct pw_settings *settings, const char *func, char **ret_versions, struct pw_err *err) PW_MUSTCHECK;
char *pw_plugin_versions(const struct pw_plugin_meta *plugin); /* NULL when out of memory */

#endif
