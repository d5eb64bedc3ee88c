/* SPDX-License-Identifier: MIT */
/* Bytes from anywhere as text that JSON and a terminal can hold. */
#ifndef PLUGINS_COMMON_CLEAN_H
#define PLUGINS_COMMON_CLEAN_H

#include "base/buf.h"

/* Appends the bytes as UTF-8: each byte that belongs to no well-formed character, and NUL, becomes U+FFFD. -1: out of memory. */
int pw_clean_add(struct pw_buf *buf, const char *data, size_t len) PW_MUSTCHECK;
/* The length without a character that was cut off at the end. */
size_t pw_clean_trim_end(const char *data, size_t len);
/* How many bytes at the start belong to a character that was cut off before them: 0 to 3. */
size_t pw_clean_skip_start(const char *data, size_t len);

#endif
