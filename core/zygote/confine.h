/* SPDX-License-Identifier: MIT */
/* Where a task child may write. */
#ifndef PW_ZYGOTE_CONFINE_H
#define PW_ZYGOTE_CONFINE_H

#include "base/err.h"

/*
 * From now on this process and all that it forks may write only below the current directory, below STATE_DIRECTORY (may
 * be NULL) and below the paths of WRITABLE (separated by colons, may be NULL; those that do not exist are left out).
 * Does nothing where the kernel cannot see to it. After PR_SET_NO_NEW_PRIVS.
 */
int pw_confine(const char *state_directory, const char *writable, struct pw_err *err) PW_MUSTCHECK;

#endif
