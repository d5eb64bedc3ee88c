/* SPDX-License-Identifier: MIT */
/* Tables, JSON and colour on standard output. Runs in the programs' main process only. */
#include "cmd/output.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;

static const struct {
	const char *sequence, *name; /* the name is libsmartcols' */
} styles[PW_STYLE_COUNT] = {
	[PW_STYLE_PLAIN] = { "\033[0m", NULL },	  [PW_STYLE_BOLD] = { "\033[1m", "\033[1m" },
	[PW_STYLE_DIM] = { "\033[2m", "\033[2m" }, [PW_STYLE_RED] = { "\033[31m", "red" },
	[PW_STYLE_GREEN] = { "\033[32m", "green" }, [PW_STYLE_YELLOW] = { "\033[33m", "yellow" },
};

struct pw_table {
	struct libscols_table *scols;
	size_t columns;
};

int
pw_output_set_color(const char *when)
{
	if (strcmp(when, "auto") == 0)
		color = COLOR_AUTO;
	else if (strcmp(when, "always") == 0)
		color = COLOR_ALWAYS;
	else if (strcmp(when, "never") == 0)
		color = COLOR_NEVER;
	else
		return -1;
	return 0;
}

bool
pw_output_color(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (color != COLOR_AUTO)
		return color == COLOR_ALWAYS;
	return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0 && isatty(fd);
}

const char *
pw_output_style(int fd, enum pw_style style)
{
	return pw_output_color(fd) ? styles[style].sequence : "";
}

struct pw_table *
pw_table_free(struct pw_table *table)
{
	if (!table)
		return NULL;
	scols_unref_table(table->scols);
	free(table);
	return NULL;
}

static int
fill_columns(struct pw_table *table, const struct pw_column *columns, size_t count)
{
	static const int flags[] = {
		[PW_COLUMN_LEFT] = 0,
		[PW_COLUMN_RIGHT] = SCOLS_FL_RIGHT,
		[PW_COLUMN_CUT] = SCOLS_FL_TRUNC,
		[PW_COLUMN_WRAP] = SCOLS_FL_WRAP,
	};

	table->columns = count;
	table->scols = scols_new_table();
	if (!table->scols)
		return -1;
	scols_table_enable_colors(table->scols, pw_output_color(STDOUT_FILENO));
	for (size_t i = 0; i < count; i++)
		if (!scols_table_new_column(table->scols, columns[i].title,
					    columns[i].how >= PW_COLUMN_CUT ? 0.1 : 0,
					    flags[columns[i].how]))
			return -1;
	return 0;
}

int
pw_table_new(const struct pw_column *columns, size_t count, struct pw_table **ret_table,
	     struct pw_err *err)
{
	struct pw_table *table = calloc(1, sizeof(*table));

	if (!table || fill_columns(table, columns, count) < 0) {
		pw_table_free(table);
		return pw_err_nomem(err);
	}
	*ret_table = table;
	return 0;
}

int
pw_table_add(struct pw_table *table, const char *const *cells, int styled, enum pw_style style,
	     struct pw_err *err)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (!line)
		return pw_err_nomem(err);
	for (size_t i = 0; i < table->columns; i++)
		if (scols_line_set_data(line, i, cells[i] ? cells[i] : "") < 0)
			return pw_err_nomem(err);
	if (styled >= 0 && styles[style].name &&
	    scols_cell_set_color(scols_line_get_cell(line, (size_t)styled), styles[style].name) < 0)
		return pw_err_nomem(err);
	return 0;
}

/* A cell must not look like two. */
static void
put_cell(const char *cell, char end)
{
	for (; cell && *cell; cell++)
		putchar((unsigned char)*cell < ' ' || *cell == 0x7f ? ' ' : *cell);
	putchar(end);
}

static void
print_plain(struct pw_table *table)
{
	struct libscols_iter *rows = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line;

	for (size_t i = 0; i < table->columns; i++)
		put_cell(scols_column_get_name(scols_table_get_column(table->scols, i)),
			 i + 1 < table->columns ? '\t' : '\n');
	while (rows && scols_table_next_line(table->scols, rows, &line) == 0)
		for (size_t i = 0; i < table->columns; i++)
			put_cell(scols_cell_get_data(scols_line_get_cell(line, i)),
				 i + 1 < table->columns ? '\t' : '\n');
	scols_free_iter(rows);
}

int
pw_table_print(struct pw_table *table, struct pw_err *err)
{
	if (!isatty(STDOUT_FILENO)) {
		print_plain(table);
		return 0;
	}
	fflush(stdout);
	return scols_print_table(table->scols) < 0 ? pw_err_nomem(err) : 0;
}

int
pw_output_json(json_t *document, struct pw_err *err)
{
	size_t flags = JSON_ENCODE_ANY | (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : 0);
	pw_auto_free char *text = document ? json_dumps(document, flags) : NULL;

	json_decref(document);
	if (!text)
		return pw_err_nomem(err);
	puts(text);
	return 0;
}
