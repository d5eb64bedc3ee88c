/* SPDX-License-Identifier: MIT */
/* Urlsafe base64 (RFC 4648, section 5), always with padding: what Fernet's keys and tokens are written in. */
#ifndef PW_CRYPT_BASE64_H
#define PW_CRYPT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* How long LEN bytes are as text, and how many bytes a text of LEN characters holds at most. */
#define PW_BASE64_LEN(len) (((len) + 2) / 3 * 4)
#define PW_BASE64_ROOM(len) ((len) / 4 * 3)

/* Writes PW_BASE64_LEN(LEN) characters to TEXT, no NUL behind them. */
void pw_base64_encode(const unsigned char *data, size_t len, char *text);
/*
 * Writes the bytes to DATA (PW_BASE64_ROOM(LEN) of room) and returns true; false if TEXT is anything but the one way in
 * which bytes are written. PLAIN: + and / are taken too.
 */
bool pw_base64_decode(const char *text, size_t len, bool plain, unsigned char *data, size_t *ret_len);

#endif
