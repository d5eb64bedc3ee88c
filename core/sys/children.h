/* SPDX-License-Identifier: MIT */
/* The children of a process, and the killing of processes that were left behind. */
#ifndef PW_SYS_CHILDREN_H
#define PW_SYS_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The children of the calling thread. Opened once, asked often. */
struct pw_children {
	int fd; /* of /proc/thread-self/children; -1 where the kernel has none: then /proc is searched */
	pid_t *pids;
	size_t count, cap;
};

void pw_children_init(struct pw_children *children);
void pw_children_done(struct pw_children *children);
/* Fills pids and count, zombies included. */
int pw_children_list(struct pw_children *children, struct pw_err *err) PW_MUSTCHECK;

/* Calls FN for each process of the machine until it returns false. */
void pw_process_each(bool (*fn)(void *arg, pid_t pid), void *arg);
/*
 * Kills every process that MATCH is true for (it is asked twice, the second time with a pidfd open, so that
 * no other process of the same number can be hit), reaps it if it is a child of ours, and looks again until none
 * is left or the deadline passes. The caller and its ancestors are spared. KILLED (may be NULL) is told of each, right
 * after MATCH was asked about it. Returns how many were killed.
 */
int pw_processes_kill(bool (*match)(void *arg, pid_t pid), void (*killed)(void *arg, pid_t pid), void *arg, int64_t deadline_ns);

#endif
