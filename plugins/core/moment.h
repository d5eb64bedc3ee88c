/* SPDX-License-Identifier: MIT */
/* A moment as people and programs write it: ISO 8601 with a time zone. */
#ifndef PLUGINS_CORE_MOMENT_H
#define PLUGINS_CORE_MOMENT_H

#include "base/err.h"

/* Refuses all but "2026-11-24T13:50[:01[.5]]" (or a blank for the T), followed by Z or +HH[[:]MM] or -HH[[:]MM]. */
int pw_moment_check(const char *text, struct pw_err *err) PW_MUSTCHECK;

#endif
