/* SPDX-License-Identifier: MIT */
/* The directory of a worker: WORKING_DIRECTORY/<name>, and the lock beside it (WORKING_DIRECTORY/.<name>.lock). */
#ifndef PW_EXEC_WORKER_DIRECTORY_H
#define PW_EXEC_WORKER_DIRECTORY_H

#include "base/err.h"
#include "base/uuid.h"

struct pw_worker_directory;

/* The absolute path of a worker's directory. Refused (PW_ERR_INPUT): empty, a '/', a leading dot, longer than 200 bytes. The caller frees it. */
int pw_get_worker_path(const char *working_directory, const char *name, char **ret_path, struct pw_err *err) PW_MUSTCHECK;
/*
 * Takes the lock (PW_ERR_BUSY if another worker of that name lives: nothing is
 * touched then), deletes what an earlier worker of that name left and creates
 * the directory, mode 0700. The lock file holds ID, so that what a killed worker left can be told from what lives.
 */
int pw_worker_directory_create(const char *working_directory, const char *name, const struct pw_uuid *id,
			       struct pw_worker_directory **ret_directory, struct pw_err *err) PW_MUSTCHECK;
const char *pw_worker_directory_path(const struct pw_worker_directory *directory);
/* Removes directories whose lock nobody holds any more. Best effort; returns how many. */
int pw_worker_directory_sweep(const char *working_directory);
/* Deletes the directory and the lock. NULL is fine. Returns NULL. */
struct pw_worker_directory *pw_worker_directory_delete(struct pw_worker_directory *directory);
/* Kills processes of this user whose PULP_WORKER_ID names a worker that lives no more (its lock is free). Returns how many. */
int pw_worker_directory_kill_remains(const char *working_directory);

#endif
