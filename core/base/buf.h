/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer. Its contents are always followed by a NUL byte that
 * does not count, so a buffer of text can be used as a string.
 */
#ifndef PW_BASE_BUF_H
#define PW_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"

struct pw_buf {
	char *data; /* NULL while empty and unused */
	size_t len, cap;
};

#define PW_BUF_INIT { NULL, 0, 0 }
#define pw_auto_buf PW_CLEANUP(pw_buf_done) struct pw_buf

/* Frees the memory; the buffer may be used again. */
void pw_buf_done(struct pw_buf *buf);
/* Empties it and keeps the memory. */
void pw_buf_clear(struct pw_buf *buf);
/* Each returns 0, or -1 when out of memory (the buffer is then as before). */
int pw_buf_reserve(struct pw_buf *buf, size_t more) PW_MUSTCHECK;
int pw_buf_add(struct pw_buf *buf, const void *data, size_t len) PW_MUSTCHECK;
int pw_buf_adds(struct pw_buf *buf, const char *text) PW_MUSTCHECK;
int pw_buf_addc(struct pw_buf *buf, char c) PW_MUSTCHECK;
int pw_buf_addf(struct pw_buf *buf, const char *fmt, ...) PW_PRINTF(2, 3) PW_MUSTCHECK;
int pw_buf_vaddf(struct pw_buf *buf, const char *fmt, va_list ap) PW_MUSTCHECK;
/* Removes the first LEN bytes (at most what there is). */
void pw_buf_drop(struct pw_buf *buf, size_t len);
/* The text so far, "" if there is none. Borrowed. */
const char *pw_buf_text(const struct pw_buf *buf);
/* The text as a malloc'ed string that the caller frees; NULL when out of memory. The buffer is empty afterwards. */
char *pw_buf_steal(struct pw_buf *buf) PW_MUSTCHECK;

#endif
