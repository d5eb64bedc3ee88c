/* SPDX-License-Identifier: MIT */
/*
 * UUIDs. They travel as text, lower case with dashes: that is how the database
 * prints them, how notifications carry them and how people type them.
 */
#ifndef PW_BASE_UUID_H
#define PW_BASE_UUID_H

#include <stdbool.h>

#include "base/err.h"

struct pw_uuid {
	char s[37]; /* "" = none */
};

/* A new UUIDv7 (time-ordered; libuuid supplies the random part). */
struct pw_uuid pw_uuid_new(void);
/* Reads a UUID with or without dashes, in either case. */
int pw_uuid_parse(const char *text, struct pw_uuid *ret_uuid, struct pw_err *err) PW_MUSTCHECK;
bool pw_uuid_equal(const struct pw_uuid *a, const struct pw_uuid *b);
bool pw_uuid_none(const struct pw_uuid *uuid);
/* Copies a text that is known to be one (from the database); anything else becomes "none". */
struct pw_uuid pw_uuid_of(const char *text);

#endif
