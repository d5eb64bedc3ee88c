/* SPDX-License-Identifier: MIT */
/*
 * Arguments at rest: JSON whose leaves are Fernet tokens, as Pulp keeps the
 * arguments of tasks and schedules. Arrays, objects and their keys stay in clear; every other value
 * (also null, numbers and booleans) becomes the string of a token over its JSON text.
 *
 * All of these take JSON as text and change nothing in it but the leaves, so that no number loses a digit.
 * On failure BUF holds no more than it did before.
 */
#ifndef PW_CRYPT_LEAVES_H
#define PW_CRYPT_LEAVES_H

#include "base/buf.h"
#include "base/err.h"
#include "crypt/keyring.h"

/* Appends JSON with its leaves sealed. PW_ERR_INPUT where it is no JSON. */
int pw_leaves_seal(const struct pw_keyring *keys, const char *json, size_t len, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/*
 * The arguments of one task, on their way out: NULL stands for none. Returns 1 if they are sealed in the two buffers, also where
 * that needed no key since they have no leaf; 0 where there is no key (KEYS is NULL).
 */
int pw_leaves_seal_arguments(const struct pw_keyring *keys, const char *args, const char *kwargs, struct pw_buf *ret_args,
			     struct pw_buf *ret_kwargs, struct pw_err *err) PW_MUSTCHECK;
/* Whether there is anything to seal in the arguments of a task. */
bool pw_leaves_in_arguments(const char *args, const char *kwargs);
/* Appends JSON with its leaves opened. PW_ERR_INPUT where a leaf is no token of these keys, or a token holds no JSON. */
int pw_leaves_open(const struct pw_keyring *keys, const char *json, size_t len, struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;
/*
 * Appends JSON with those tokens made anew that are not of the first key. Returns 1 if there were any, else 0.
 * PLAIN: its leaves are in clear and are all sealed.
 */
int pw_leaves_rotate(const struct pw_keyring *keys, bool plain, const char *json, size_t len, struct pw_buf *buf,
		     struct pw_err *err) PW_MUSTCHECK;
/* Appends an object, of whose members only those named in MEMBERS (ends with NULL) are sealed, and not if they are null: a request with arguments in it. */
int pw_leaves_seal_members(const struct pw_keyring *keys, const char *json, size_t len, const char *const *members,
			   struct pw_buf *buf, struct pw_err *err) PW_MUSTCHECK;

#endif
