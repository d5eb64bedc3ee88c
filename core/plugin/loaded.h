/* SPDX-License-Identifier: MIT */
/*
 * What is checked of a plugin once it is mapped, in a process that may be lost
 * by it: the zygote, or the child of pulp-plugin check.
 */
#ifndef PW_PLUGIN_LOADED_H
#define PW_PLUGIN_LOADED_H

#include "base/err.h"

struct pulp_task;
struct pw_plugin_meta;
struct pw_plugin_task;

/*
 * Maps a plugin as a zygote does, whole at once and with no names shared; its constructors run. Never unmapped. NULL with
 * dlerror's text, which names the file.
 */
void *pw_plugin_open(const char *path, struct pw_err *err) PW_MUSTCHECK;

/* That the mapped notes are those that were read: "FILE: file changed since it was read". DL_HANDLE is what pw_plugin_open gave. */
int pw_plugin_check_loaded(void *dl_handle, const struct pw_plugin_meta *meta, struct pw_err *err) PW_MUSTCHECK;

/*
 * The descriptor of a task or resource that is among META's. NULL with *err ("FILE: what") where the symbol is missing, is not the
 * plugin's own, is no task descriptor, or disagrees with the note. Borrowed from the plugin, which is never unloaded.
 */
const struct pulp_task *pw_plugin_task_symbol(void *dl_handle, const struct pw_plugin_meta *meta, const struct pw_plugin_task *task,
					      struct pw_err *err) PW_MUSTCHECK;

#endif
