/* SPDX-License-Identifier: MIT */
/* Where pulp-zygote is. */
#ifndef PW_EXEC_ZYGOTE_PATH_H
#define PW_EXEC_ZYGOTE_PATH_H

#include <stddef.h>

#include "base/err.h"

/* Found from where this code was loaded: a program in bin or sbin, a library in lib or lib/<machine>, also below a DESTDIR; or in a build tree. */
int pw_zygote_path(char *path, size_t size, struct pw_err *err) PW_MUSTCHECK;

#endif
