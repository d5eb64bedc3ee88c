/* SPDX-License-Identifier: MIT */
/*
 * The private PostgreSQL behind PULP_DATABASE=embedded: (or embedded:DIR).
 * The first program that needs it makes, starts and installs it; it outlives
 * whoever started it and ends with pw_embedded_stop.
 */
#ifndef PW_EMBEDDED_EMBEDDED_H
#define PW_EMBEDDED_EMBEDDED_H

#include <stdbool.h>

#include "base/err.h"

/* Makes and starts what is missing, at most 30 s, and gives the libpq connection string. *ret_started tells whether this call started it. Caller frees. */
int pw_embedded_open(const char *dir, const char *state_directory, char **ret_conninfo, bool *ret_started, struct pw_err *err) PW_MUSTCHECK;
/* Stops it (fast shutdown) and waits; returns 1 if there was nothing to stop. */
int pw_embedded_stop(const char *dir, const char *state_directory, struct pw_err *err) PW_MUSTCHECK;

#endif
