/* SPDX-License-Identifier: MIT */
/* What a program wrote to one of its outputs: all of it, or its head and its tail. */
#ifndef PLUGINS_EXEC_CAPTURE_H
#define PLUGINS_EXEC_CAPTURE_H

#include <stdint.h>

#include "base/buf.h"

#define PW_CAPTURE_HALF 32768

struct pw_capture {
	uint64_t total; /* all bytes that ever came */
	char head[PW_CAPTURE_HALF];
	char tail[PW_CAPTURE_HALF]; /* a ring: byte number n, counted after the head, stands at n modulo its size */
};

void pw_capture_add(struct pw_capture *capture, const char *data, size_t len);
/* Appends it as UTF-8, with a line in the middle that says how much was left out. -1: out of memory. */
int pw_capture_text(const struct pw_capture *capture, struct pw_buf *buf) PW_MUSTCHECK;
/* Appends its last line that is not blank, as UTF-8, at most LIMIT bytes of it. -1: out of memory. */
int pw_capture_last_line(const struct pw_capture *capture, size_t limit, struct pw_buf *buf) PW_MUSTCHECK;
/* Writes the same bytes as they came, head and tail, to a descriptor. Best effort. */
void pw_capture_replay(const struct pw_capture *capture, int fd);

#endif
