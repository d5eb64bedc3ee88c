/* SPDX-License-Identifier: MIT */
/*
 * Which folders outside are publications of ours: publications/SHA256-OF-PATH
 * below the state directory names the folders that were put at that path. A folder
 * that is not named there was made by somebody else, and is never replaced.
 */
#ifndef PLUGINS_FILE_PUBLICATION_H
#define PLUGINS_FILE_PUBLICATION_H

#include <stdbool.h>

#include "file/store.h"

#define PW_PUBLICATION_ID 64

struct pw_publication {
	int fd; /* the record, locked: one task at a time publishes to a path */
	char ours[2][PW_PUBLICATION_ID]; /* the folders that may stand there, "" for none */
};

#define PW_PUBLICATION_INIT { -1, { "", "" } }

/* Takes the lock, or fails at once if another task has it, and reads the record. */
int pw_publication_open(const struct pw_store *store, const char *path, struct pw_publication *publication,
			struct pw_err *err) PW_MUSTCHECK;
void pw_publication_done(struct pw_publication *publication);
/* What tells a folder from another that may later have the same name: inode and time of birth. */
int pw_publication_id(int folder, char id[PW_PUBLICATION_ID], struct pw_err *err) PW_MUSTCHECK;
bool pw_publication_is_ours(const struct pw_publication *publication, const char *id);
/* Records FIRST and SECOND ("" for none) as ours, on disk. */
int pw_publication_record(struct pw_publication *publication, const char *path, const char *first, const char *second,
			  struct pw_err *err) PW_MUSTCHECK;

#endif
