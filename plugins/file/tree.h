/* SPDX-License-Identifier: MIT */
/* A tree of files out of the store. */
#ifndef PLUGINS_FILE_TREE_H
#define PLUGINS_FILE_TREE_H

#include <pulp/plugin.h>

#include "file/manifest.h"
#include "file/store.h"

/*
 * Fills an empty folder with the files of a manifest (links to the store where that can be, else copies, 0444
 * in folders of 0755) and with the manifest itself. Fails if a content is missing or has not its size, and
 * when the task is to stop.
 */
int pw_tree_fill(pulp_context *ctx, const struct pw_store *store, const struct pw_manifest *manifest, int folder,
		 int64_t *ret_bytes, struct pw_err *err) PW_MUSTCHECK;
/* Removes a file or a whole folder; no symbolic link is followed. What is not there is removed already. */
int pw_tree_remove(int parent, const char *name, struct pw_err *err) PW_MUSTCHECK;

#endif
