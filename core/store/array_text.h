/* SPDX-License-Identifier: MIT */
/*
 * A PostgreSQL array literal under construction: {"a","b",NULL}. Every element
 * is quoted, so any text is safe.
 */
#ifndef PW_STORE_ARRAY_TEXT_H
#define PW_STORE_ARRAY_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct pw_array {
	struct pw_buf text;
	size_t count;
	bool closed; /* pw_array_text has been called: only pw_array_clear may follow */
	bool failed; /* out of memory on the way: what follows is dropped */
};

void pw_array_clear(struct pw_array *array);
void pw_array_done(struct pw_array *array);
/* NULL becomes SQL NULL. */
void pw_array_add(struct pw_array *array, const char *element);
void pw_array_add_int(struct pw_array *array, int64_t element);
/* Ends the literal and gives it; NULL when out of memory at any point. Borrowed until the next clear. */
const char *pw_array_text(struct pw_array *array);

#endif
