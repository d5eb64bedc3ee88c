/* SPDX-License-Identifier: MIT */
/*
 * rm -rf: any depth, any path length, unreadable folders are made readable,
 * symbolic links are removed and never followed, other file systems mounted below are
 * left alone. It can be done in pieces, so that a loop is not held up by a big tree.
 */
#ifndef PW_SYS_RMTREE_H
#define PW_SYS_RMTREE_H

#include "base/err.h"

struct pw_rmtree;

/*
 * Prepares the removal of NAME below directory DIR_FD (AT_FDCWD: NAME may be a path). *ret_rm is NULL when nothing is left
 * to be done: it did not exist, was no directory and is unlinked, or was empty.
 */
int pw_rmtree_new(int dir_fd, const char *name, struct pw_rmtree **ret_rm, struct pw_err *err) PW_MUSTCHECK;
/* Removes up to ENTRIES of it. Returns 1 if there is more to do, 0 when all is gone, -1 when something could not be removed: *err names the first, and how many. */
int pw_rmtree_step(struct pw_rmtree *rm, int entries, struct pw_err *err) PW_MUSTCHECK;
struct pw_rmtree *pw_rmtree_free(struct pw_rmtree *rm);

/* All of it at once. */
int pw_rmtree(int dir_fd, const char *name, struct pw_err *err) PW_MUSTCHECK;

#endif
