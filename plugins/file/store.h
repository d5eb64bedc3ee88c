/* SPDX-License-Identifier: MIT */
/*
 * The plugin's state directory:
 *
 *	content/ab/cdef...		a file, named by its sha256, mode 0444
 *	partial/abcdef...		a download that is not whole yet, locked by who writes it
 *	repositories/NAME/...		see repository.h
 *	publications/...		see publication.h
 *	published/NAME/			where publications go by default
 *
 * Any number of tasks may use it at once. What stands under content/ is whole
 * and verified, for it is put there by a rename after it was written to disk.
 */
#ifndef PLUGINS_FILE_STORE_H
#define PLUGINS_FILE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pw_store {
	int fd;			/* the state directory */
	int content, partial;	/* these two */
	unsigned char touched[32]; /* a bit for each folder of content/ that has not been synced yet */
};

#define PW_STORE_INIT { -1, -1, -1, { 0 } }
#define PW_STORE_NAME 66 /* "ab/cdef...", ended by a NUL */

/* Opens what there is and makes what is missing. */
int pw_store_open(const char *directory, struct pw_store *store, struct pw_err *err) PW_MUSTCHECK;
void pw_store_done(struct pw_store *store);
/* Opens a folder below FD, making it (0700) if it is missing; its descriptor goes to *ret_fd. */
int pw_store_folder(int fd, const char *name, int *ret_fd, struct pw_err *err) PW_MUSTCHECK;

/* The name of a content below content/. */
void pw_store_name(const char *sha256, char name[PW_STORE_NAME]);
/*
 * Whether a content is there with the right size. The hash was verified when it came and is not
 * computed again; a wrong size is taken as damage, and the content as missing.
 */
bool pw_store_has(const struct pw_store *store, const char *sha256, int64_t size);
/* Renames partial/NAME, which must be on disk, to its place, over whatever is there. */
int pw_store_take(struct pw_store *store, const char *partial_name, const char *sha256, struct pw_err *err) PW_MUSTCHECK;
/* Writes the folders of content/ that got new names to disk. */
int pw_store_flush(struct pw_store *store, struct pw_err *err) PW_MUSTCHECK;
/* Removes partial downloads that nobody has touched for a week and nobody holds. Best effort. */
void pw_store_sweep(const struct pw_store *store);

#endif
