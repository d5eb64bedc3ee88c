/* SPDX-License-Identifier: MIT */
/* Lock files of workers, and what workers that live no more have left. */
#ifndef PW_EXEC_WORKER_LOCK_H
#define PW_EXEC_WORKER_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/uuid.h"

/* Whether FD is still the file of that name. */
bool pw_worker_lock_is_current(int dir_fd, const char *lock_name, int fd);
/* The worker's id that the lock file holds, or none. */
struct pw_uuid pw_worker_lock_read_id(int fd);
/* Kills the processes of this user whose PULP_WORKER_ID is one of these. Returns how many. */
int pw_worker_remains_kill(const struct pw_uuid *ids, size_t count);

#endif
