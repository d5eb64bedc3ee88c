/* SPDX-License-Identifier: MIT */
/* SHA-256, as the 64 lower-case hexadecimal digits that name a file's content. */
#ifndef PLUGINS_FILE_DIGEST_H
#define PLUGINS_FILE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PW_SHA256_TEXT 65

struct pw_digest; /* one being computed */

struct pw_digest *pw_digest_new(struct pw_err *err) PW_MUSTCHECK;
struct pw_digest *pw_digest_free(struct pw_digest *digest);
/* Begins anew. */
int pw_digest_clear(struct pw_digest *digest, struct pw_err *err) PW_MUSTCHECK;
int pw_digest_add(struct pw_digest *digest, const void *data, size_t len, struct pw_err *err) PW_MUSTCHECK;
/* Gives the result; the digest must then be cleared or freed. */
int pw_digest_text(struct pw_digest *digest, char text[PW_SHA256_TEXT], struct pw_err *err) PW_MUSTCHECK;
/* That of one piece of memory. */
int pw_digest_of(const void *data, size_t len, char text[PW_SHA256_TEXT], struct pw_err *err) PW_MUSTCHECK;

#endif
