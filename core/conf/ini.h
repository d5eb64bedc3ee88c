/* SPDX-License-Identifier: MIT */
/* The configuration file's grammar: "key = value" lines, comments, one section. Knows no setting. */
#ifndef PW_CONF_INI_H
#define PW_CONF_INI_H

#include <stddef.h>

#include "base/err.h"

struct pw_ini_entry {
	const char *key, *value; /* both end with a NUL and live as long as the call */
	int line, key_column, value_column; /* from 1, in bytes */
};

/*
 * Called for each entry, in order. On failure it sets *column to where the
 * fault is (key_column or value_column) and *err to what it is.
 */
typedef int pw_ini_entry_fn(void *arg, const struct pw_ini_entry *entry, int *column, struct pw_err *err);

/* TEXT is changed in place and must have room for a NUL behind LEN bytes. Errors: PW_ERR_CONFIG, "NAME:line:column: what". */
int pw_ini_parse(const char *name, char *text, size_t len, pw_ini_entry_fn *fn, void *arg, struct pw_err *err) PW_MUSTCHECK;

#endif
