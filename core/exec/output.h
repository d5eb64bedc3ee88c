/* SPDX-License-Identifier: MIT */
/*
 * What a task prints: its first half of the limit goes to the log as it comes,
 * the last half is kept in memory and follows when the task has ended; between
 * them a line says how much was left out. Pure but for memory.
 */
#ifndef PW_EXEC_OUTPUT_H
#define PW_EXEC_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct pw_output {
	int64_t limit;	     /* bytes kept in all */
	int64_t head;	     /* bytes given out or pending so far */
	int64_t left_out;    /* bytes dropped between head and tail */
	struct pw_buf pending; /* of the head, not yet taken */
	struct pw_buf tail;  /* at most limit / 2 and a bit */
	int parts;	     /* numbers given out */
	bool closed;
};

void pw_output_init(struct pw_output *output, int64_t limit);
void pw_output_done(struct pw_output *output);
/* Others have given out PARTS numbers: the next one is higher. */
void pw_output_go_on(struct pw_output *output, int parts);
/* Returns -1 when out of memory (the data is then counted as left out). */
int pw_output_add(struct pw_output *output, const char *data, size_t len);
/* The task has ended: what is in the tail may be taken too. */
void pw_output_close(struct pw_output *output);
/* Whether pw_output_take would give something. */
bool pw_output_waiting(const struct pw_output *output);
/*
 * The next part as valid UTF-8, at most 64 KiB; the caller frees *ret_text. Returns its number from 1 on, 0 if
 * there is none, -1 when out of memory.
 */
int pw_output_take(struct pw_output *output, char **ret_text);

#endif
