/* SPDX-License-Identifier: MIT */
/* pulp-task db rotate-key. */
#ifndef PW_CMD_TASK_DB_ROTATE_H
#define PW_CMD_TASK_DB_ROTATE_H

#include <stdbool.h>

#include "db/conn.h"

/*
 * Encrypts the arguments of all tasks and schedules with the first key, in short transactions; what is so already is left
 * alone, so it can be stopped and begun again. PW_ERR_CONFIG: there is no key. PW_ERR_INPUT: some could not be
 * decrypted; the others were done.
 */
int pw_rotate_key(struct pw_db *db, bool json, struct pw_err *err) PW_MUSTCHECK;
/* How arguments are stored, for db check: "encrypted (N keys)" or "in clear (...)". PW_ERR_CONFIG: the key file is bad. */
int pw_describe_keys(char *buf, size_t size, struct pw_err *err) PW_MUSTCHECK;

#endif
