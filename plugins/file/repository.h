/* SPDX-License-Identifier: MIT */
/*
 * Repositories and their versions, below the plugin's state directory:
 *
 *	repositories/NAME/versions/N/manifest	never changes once it is there
 *	repositories/NAME/latest		a symbolic link to versions/N
 *	repositories/NAME/lock			held while a version is added
 */
#ifndef PLUGINS_FILE_REPOSITORY_H
#define PLUGINS_FILE_REPOSITORY_H

#include "file/manifest.h"
#include "file/store.h"

struct pw_change {
	long version;	      /* the latest now */
	size_t added, removed; /* against the one before; both 0: no version was made, unless there was none */
};

/* Refuses a name that is not [A-Za-z0-9][A-Za-z0-9._-]{0,99}. */
int pw_repository_check(const char *name, struct pw_err *err) PW_MUSTCHECK;
/* Reads the latest version; *ret_version is 0 and the manifest empty if there is none. The manifest is to be freed on failure too. */
int pw_repository_latest(const struct pw_store *store, const char *name, long *ret_version,
			 struct pw_manifest *manifest, struct pw_err *err) PW_MUSTCHECK;
/*
 * Makes MANIFEST the latest version, unless it has what the latest has. Every content must be in the store, on
 * disk. ID, the task's, names what is not finished. Waits for another task that is just doing the same.
 */
int pw_repository_add(const struct pw_store *store, const char *name, const char *id,
		      const struct pw_manifest *manifest, struct pw_change *ret_change, struct pw_err *err) PW_MUSTCHECK;

#endif
