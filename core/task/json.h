/* SPDX-License-Identifier: MIT */
/* JSON that people type, and JSON that we write. Pure. */
#ifndef PW_TASK_JSON_H
#define PW_TASK_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends TEXT as a JSON string. Bytes that are not UTF-8 become U+FFFD. -1 when out of memory. */
int pw_json_quote(const char *text, struct pw_buf *buf) PW_MUSTCHECK;

/*
 * Checks that TEXT is one JSON value of this type (JSON_ARRAY or JSON_OBJECT)
 * that the database can hold: UTF-8, no NUL in a string, at most 2048 deep, no
 * key twice. PW_ERR_INPUT says "WHAT:line:column: ..." (WHAT: "--args", a file's name).
 */
int pw_json_check(const char *what, const char *text, size_t len, json_type type, struct pw_err *err) PW_MUSTCHECK;

/* The same of a line of a file (NUMBER: "WHAT:7:12: ..."), whose value *ret_value gives; json_decref it. Its integers are reals, its text is what counts. */
int pw_json_take(const char *what, int number, const char *text, size_t len, json_type type, json_t **ret_value,
		 struct pw_err *err) PW_MUSTCHECK;

#define pw_auto_json PW_CLEANUP(pw_json_cleanup) json_t
void pw_json_cleanup(json_t **json);

#endif
