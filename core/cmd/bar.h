/* SPDX-License-Identifier: MIT */
/* Progress reports as lines: with a bar that fits a width, or in words. Pure. */
#ifndef PW_CMD_BAR_H
#define PW_CMD_BAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* REPORT: {message, code, state, total, done, suffix}. Appends "Downloading files: 450 of 1000 files (45 %)". -1 when out of memory. */
int pw_bar_text(const json_t *report, struct pw_buf *buf) PW_MUSTCHECK;
/* The same with a bar, in exactly WIDTH columns or fewer; BLOCKS: with characters beyond ASCII. */
int pw_bar_line(const json_t *report, int width, bool blocks, struct pw_buf *buf) PW_MUSTCHECK;

/* How many columns a text takes; control characters and what is not text count as one. */
int pw_text_width(const char *text);
/* Appends as much of TEXT as fits WIDTH columns, ending in "..." or "…" where it was cut; control characters become '?'. Returns the columns used, -1 when out of memory. */
int pw_text_fit(const char *text, int width, bool blocks, struct pw_buf *buf) PW_MUSTCHECK;

#endif
