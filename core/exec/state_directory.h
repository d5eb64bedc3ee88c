/* SPDX-License-Identifier: MIT */
/* A plugin's own directory, kept between tasks. */
#ifndef PW_EXEC_STATE_DIRECTORY_H
#define PW_EXEC_STATE_DIRECTORY_H

#include "base/err.h"

/* <STATE>/plugins/<MODULE>, made where it is missing (0700; what is above it 0711). The caller frees it. NULL: it cannot be made. */
char *pw_state_directory_make(const char *state, const char *module, struct pw_err *err);

#endif
