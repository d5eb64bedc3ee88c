/* SPDX-License-Identifier: MIT */
/*
 * Fernet: one text sealed with one key, as Python's "cryptography" does it.
 * A token is base64 of: version 0x80, the time in seconds (64 bit, big endian),
 * IV (16 bytes), AES-128-CBC with PKCS#7, HMAC-SHA256 over all of that. Tokens do not age here.
 */
#ifndef PW_CRYPT_FERNET_H
#define PW_CRYPT_FERNET_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PW_FERNET_IV 16

/* As its file has it: 16 bytes that sign, 16 that encrypt. */
struct pw_fernet_key {
	unsigned char sign[16], encrypt[16];
};

/* Reads a key, 44 characters of base64, urlsafe or plain. Says nothing of its text. */
int pw_fernet_key_parse(const char *text, size_t len, struct pw_fernet_key *ret_key, struct pw_err *err) PW_MUSTCHECK;
/* Appends the token of LEN bytes. No IV is ever used twice: see pw_keyring_seal. */
int pw_fernet_seal(const struct pw_fernet_key *key, uint64_t seconds, const unsigned char iv[PW_FERNET_IV],
		   const char *text, size_t len, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/*
 * Appends what is in a token and returns the number of the first of COUNT keys that it was sealed with. PW_ERR_INPUT if it
 * is no token or of none of these keys; BUF is then as before.
 */
int pw_fernet_open(const struct pw_fernet_key *keys, int count, const char *token, size_t len, struct pw_buf *buf,
		   struct pw_err *err) PW_MUSTCHECK;

#endif
