/* SPDX-License-Identifier: MIT */
/*
 * How our programs print: tables that fit the terminal, tab-separated lines
 * where there is none, one JSON document, and colour where it is wanted.
 */
#ifndef PW_CMD_OUTPUT_H
#define PW_CMD_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* --color. Returns -1 for anything but auto, always and never. */
int pw_output_set_color(const char *when);
/* Whether to colour what goes to FD: by --color; else if it is a terminal, TERM is not dumb and NO_COLOR is unset or empty. */
bool pw_output_color(int fd);

enum pw_style {
	PW_STYLE_PLAIN,
	PW_STYLE_BOLD,
	PW_STYLE_DIM,
	PW_STYLE_RED,
	PW_STYLE_GREEN,
	PW_STYLE_YELLOW,
	PW_STYLE_COUNT
};
/* The escape sequence that begins (PLAIN: ends) a style on FD, or "". */
const char *pw_output_style(int fd, enum pw_style style);

/* A column; widths are worked out. */
struct pw_column {
	const char *title;
	enum {
		PW_COLUMN_LEFT,	 /* as wide as its widest cell */
		PW_COLUMN_RIGHT, /* numbers */
		PW_COLUMN_CUT,	 /* cut where the terminal is too narrow; several share what room there is */
		PW_COLUMN_WRAP,	 /* as CUT, but goes on in further lines */
	} how;
};

struct pw_table;

int pw_table_new(const struct pw_column *columns, size_t count, struct pw_table **ret_table, struct pw_err *err) PW_MUSTCHECK;
struct pw_table *pw_table_free(struct pw_table *table);
/* As many cells as there are columns; NULL is an empty one. They are copied. STYLE colours the cell of column STYLED (-1: none). */
int pw_table_add(struct pw_table *table, const char *const *cells, int styled, enum pw_style style, struct pw_err *err) PW_MUSTCHECK;
/* On standard output. Without a terminal: the titles and the rows as tab-separated lines, uncut. */
int pw_table_print(struct pw_table *table, struct pw_err *err) PW_MUSTCHECK;

/* Prints one document on standard output (indented on a terminal) and takes the reference, also when it fails. NULL counts as out of memory. */
int pw_output_json(json_t *document, struct pw_err *err) PW_MUSTCHECK;

#endif
