/* SPDX-License-Identifier: MIT */
/*
 * What somebody who waits for tasks sees: on a terminal a block of lines that
 * is drawn again in place, else one line per change.
 */
#ifndef PW_CMD_VIEW_H
#define PW_CMD_VIEW_H

#include <stdint.h>
#include <stdio.h>

#include "base/uuid.h"
#include "task/record.h"

struct pw_view;

/* FILE stays the caller's. */
int pw_view_new(FILE *file, const struct pw_uuid *ids, size_t count, struct pw_view **ret_view, struct pw_err *err) PW_MUSTCHECK;
/* Shows what has changed; TASKS as pw_store_watch_tasks gives them. Returns 1 if something had, 0 if not, -1 when out of memory. */
int pw_view_update(struct pw_view *view, const struct pw_records *tasks, struct pw_err *err) PW_MUSTCHECK;
/* Takes the block away, so that other text can follow. */
void pw_view_clear(struct pw_view *view);
struct pw_view *pw_view_free(struct pw_view *view);

#endif
