/* SPDX-License-Identifier: MIT */
/* Text: validity, sizes, and the closest of several words. */
#ifndef PW_BASE_TEXT_H
#define PW_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Whether LEN bytes are well-formed UTF-8 (no surrogates, no overlong forms, no NUL). */
bool pw_utf8_valid(const char *text, size_t len);
/* Appends the bytes as well-formed UTF-8 without NUL: what is not becomes U+FFFD. Returns -1 when out of memory. */
int pw_utf8_clean(struct pw_buf *buf, const char *text, size_t len) PW_MUSTCHECK;
/* How many bytes at the end of the text begin a sequence that may be completed by what follows (0 to 3). */
size_t pw_utf8_unfinished(const char *text, size_t len);
/* Reads a size in bytes: a number with an optional unit K, M, G or T (1024-based; KiB etc. too). */
int pw_size_parse(const char *text, int64_t *ret_bytes, struct pw_err *err) PW_MUSTCHECK;
/* The word of the NULL-terminated list that is closest to TEXT, or NULL if none is close enough to suggest. */
const char *pw_text_closest(const char *text, const char *const *words);

#endif
