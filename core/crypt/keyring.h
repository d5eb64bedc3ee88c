/* SPDX-License-Identifier: MIT */
/*
 * The key ring: the keys of one file, one a line, blank lines and lines that
 * begin with # left out. The first one seals, each opens. The keys lie in memory that is neither swapped
 * nor dumped, where the kernel allows that, and are wiped when the ring goes.
 */
#ifndef PW_CRYPT_KEYRING_H
#define PW_CRYPT_KEYRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Where Pulp keeps them. */
#define PW_KEYRING_FILE "/etc/pulp/certs/database_fields.symmetric.key"

struct pw_keyring;

/*
 * Reads FILE. *ret_keys is NULL where there is no such file and MAY_LACK is set. PW_ERR_CONFIG for everything that is
 * wrong with the file or in it, with its name and line and without a word of its contents.
 */
int pw_keyring_load(const char *file, bool may_lack, struct pw_keyring **ret_keys, struct pw_err *err) PW_MUSTCHECK;
struct pw_keyring *pw_keyring_free(struct pw_keyring *keys);
#define pw_auto_keyring PW_CLEANUP(pw_keyring_cleanup) struct pw_keyring
void pw_keyring_cleanup(struct pw_keyring **keys);

int pw_keyring_count(const struct pw_keyring *keys); /* 0 for NULL */
/* Appends a token of LEN bytes, made now with the first key. */
int pw_keyring_seal(const struct pw_keyring *keys, const char *text, size_t len, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/* Appends what is in a token; the number of its key, 0 for the first. -1 with PW_ERR_INPUT: not a token of these keys. */
int pw_keyring_open(const struct pw_keyring *keys, const char *token, size_t len, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;

#endif
