/* SPDX-License-Identifier: MIT */
/* One content on its way into the store. */
#ifndef PLUGINS_FILE_PARTIAL_H
#define PLUGINS_FILE_PARTIAL_H

#include "file/digest.h"
#include "file/store.h"

#define PW_PARTIAL_NAME 128

struct pw_partial {
	int fd;		      /* -1: not open */
	char name[PW_PARTIAL_NAME]; /* below partial/ */
	const char *sha256;   /* as promised; borrowed */
	int64_t size;	      /* as promised */
	int64_t have;	      /* bytes so far, all of them in the digest */
	int64_t received;     /* of these, written since it was opened, and what was thrown away */
	struct pw_digest *digest;
	bool is_private;      /* goes away if it is not finished */
};

#define PW_PARTIAL_INIT { -1, "", NULL, 0, 0, 0, NULL, false }

/*
 * Opens the partial download of a content, locked, and takes into account what
 * an earlier task has left of it. Returns 1 if another task is writing it. OWNER
 * NULL is the usual one; else it is a second one, private to the task of that id, for
 * when the usual one is busy.
 */
int pw_partial_open(const struct pw_store *store, const char *sha256, int64_t size, const char *owner,
		    struct pw_partial *partial, struct pw_err *err) PW_MUSTCHECK;
/* Appends. More than the promised size is refused. */
int pw_partial_add(struct pw_partial *partial, const char *data, size_t len, struct pw_err *err) PW_MUSTCHECK;
/* Throws away what is there and begins anew. */
int pw_partial_restart(struct pw_partial *partial, struct pw_err *err) PW_MUSTCHECK;
/*
 * All is there: compares size and hash, and starts the writing to disk. What is not
 * what was promised is thrown away.
 */
int pw_partial_verify(struct pw_partial *partial, struct pw_err *err) PW_MUSTCHECK;
/* Waits until a verified one is on disk, and moves it into the store. */
int pw_partial_commit(struct pw_partial *partial, struct pw_store *store, struct pw_err *err) PW_MUSTCHECK;
/* Closes it; what is not whole stays for a later task, unless it is private. */
void pw_partial_done(struct pw_partial *partial, const struct pw_store *store);

#endif
