/* SPDX-License-Identifier: MIT */
/* The input of pulp-task dispatch-many: JSON Lines, a task each, in the words of pulp_worker.dispatch. */
#ifndef PW_CMD_TASK_LINES_H
#define PW_CMD_TASK_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "plugin/meta.h"

struct pw_line {
	const char *text; /* without blanks at its ends */
	size_t len;
	int number;	  /* in the file */
	size_t resources; /* that it names */
	const struct pw_plugin_meta *plugin; /* whose version it gets; NULL: it has its own, or this host has none */
	bool group, correlation_id;	     /* it has one */
};

struct pw_lines {
	const char *name; /* of the file, for messages */
	struct pw_buf input;
	struct pw_plugin_set *plugins;
	struct pw_line *items;
	size_t count;
	bool secret; /* there is something in arguments */
};

/*
 * Reads FILE ("-": standard input), and checks all that can be checked without the database: PW_ERR_INPUT with the line, and
 * the column where the JSON is wrong. Give *LINES, all zero at first, to pw_lines_done in any case.
 */
int pw_lines_read(struct pw_lines *lines, const char *file, const char *plugin_path, struct pw_err *err) PW_MUSTCHECK;
void pw_lines_done(struct pw_lines *lines);

#endif
