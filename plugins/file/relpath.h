/* SPDX-License-Identifier: MIT */
/* Relative paths as they stand in a PULP_MANIFEST: what is safe to create below a folder, and their order. */
#ifndef PLUGINS_FILE_RELPATH_H
#define PLUGINS_FILE_RELPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PW_RELPATH_MAX 2048	 /* bytes of a path */
#define PW_RELPATH_NAME_MAX 255	 /* bytes of one component */
#define PW_RELPATH_DEPTH_MAX 64	 /* components */

/* Refuses what could leave the folder or cannot stand in a manifest, and says why. */
int pw_relpath_check(const char *path, size_t len, struct pw_err *err) PW_MUSTCHECK;
/* An order in which what lies below a folder follows directly on the folder's own name. */
int pw_relpath_compare(const char *a, const char *b);
/* Whether B lies below A, seen as a folder. */
bool pw_relpath_below(const char *a, const char *b);

#endif
