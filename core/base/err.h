/* SPDX-License-Identifier: MIT */
/*
 * Errors: a fixed-size record that is filled once, where the error arises,
 * and gets one prefix per layer on its way up. Nothing here allocates, so
 * reporting an error cannot fail, and a record may be copied or sent as it is.
 *
 * Convention of the tree: int f(..., struct pw_err *err) returns 0 on success
 * and -1 with *err filled; a value above 0 only where its comment says so.
 */
#ifndef PW_BASE_ERR_H
#define PW_BASE_ERR_H

#include <stdarg.h>

#include "base/attr.h"

enum pw_err_kind {
	PW_ERR_NONE,
	PW_ERR_OS,	/* a system call failed; os_errno says how */
	PW_ERR_NOMEM,	/* out of memory */
	PW_ERR_INPUT,	/* what somebody gave us is wrong */
	PW_ERR_CONFIG,	/* a setting is wrong or missing */
	PW_ERR_DB,	/* PostgreSQL refused; sqlstate says how */
	PW_ERR_DB_LOST,	/* PostgreSQL cannot be reached, or the connection broke */
	PW_ERR_PROTO,	/* a peer broke the protocol */
	PW_ERR_TIMEOUT, /* a deadline passed */
	PW_ERR_NOTFOUND, /* no such task, group, plugin, ... */
	PW_ERR_BUSY,	/* somebody else holds it */
	PW_ERR_BUG,	/* an invariant of ours is broken */
	PW_ERR_COUNT
};

struct pw_err {
	enum pw_err_kind kind;
	int os_errno;	   /* 0 unless kind is PW_ERR_OS */
	char sqlstate[6];  /* "" unless the database gave one */
	const char *hint;  /* a constant: a second line that says what to do; NULL if there is none */
	char text[1024];   /* one line, without full stop or newline */
};

/* Fills *err (which may be NULL: then nothing is kept). Returns -1, so that a failing function can "return pw_err_set(...)". */
int pw_err_set(struct pw_err *err, enum pw_err_kind kind, const char *fmt, ...) PW_PRINTF(3, 4);
int pw_err_vset(struct pw_err *err, enum pw_err_kind kind, const char *fmt, va_list ap);

/* As pw_err_set with PW_ERR_OS and the present errno, whose text is appended: "open x: No such file or directory". */
int pw_err_errno(struct pw_err *err, const char *fmt, ...) PW_PRINTF(2, 3);

/* Out of memory. */
int pw_err_nomem(struct pw_err *err);

/* Puts "prefix: " before the text. Returns -1. */
int pw_err_prefix(struct pw_err *err, const char *fmt, ...) PW_PRINTF(2, 3);

/* The exit status (sysexits.h) that a program reports for this kind of error. */
int pw_err_exit_status(const struct pw_err *err);

#endif
