/* SPDX-License-Identifier: MIT */
/* Versions as PEP 440 defines them: the whole grammar, normalisation and order. */
#ifndef PW_BASE_PEP440_H
#define PW_BASE_PEP440_H

#include <stdbool.h>

#include "base/err.h"

/* Whether TEXT is a version. */
bool pw_version_valid(const char *text);
/* *ret_order < 0, 0, > 0 as a is older than, equal to, newer than b. PW_ERR_INPUT names the one that is no version. */
int pw_version_compare(const char *a, const char *b, int *ret_order, struct pw_err *err) PW_MUSTCHECK;
/* The normal form, e.g. "1.0rc1" for "v1.0-RC.1"; the caller frees. */
int pw_version_normal(const char *text, char **ret_normal, struct pw_err *err) PW_MUSTCHECK;
/*
 * A text that sorts, byte by byte, as the versions do: equal keys for equal versions. For columns that a database
 * orders. The caller frees. Numbers of more than 9999 digits are refused.
 */
int pw_version_key(const char *text, char **ret_key, struct pw_err *err) PW_MUSTCHECK;

#endif
