/* SPDX-License-Identifier: MIT */
/*
 * The children of a zygote: the tasks it runs and the remains of those that
 * ended. Any child that is no task child was left behind by a task: it is killed
 * before the task's end is told.
 */
#ifndef PW_ZYGOTE_REAP_H
#define PW_ZYGOTE_REAP_H

#include <stdbool.h>
#include <sys/resource.h>

#include "sys/children.h"

struct pw_reap_task {
	char id[37];
	pid_t pid;
	bool ended; /* reaped: its pid may not be signalled any more */
	int status;
	int remains; /* processes of it that were killed */
	struct rusage usage;
};

struct pw_reap {
	struct pw_reap_task *tasks;
	size_t task_count, task_cap;
	struct pw_reap_remain {
		pid_t pid;
		char id[37]; /* the task that it says it belongs to; "" if it does not say */
	} *remains;	     /* killed and not yet reaped */
	size_t remain_count, remain_cap;
	struct pw_children children;
};

void pw_reap_init(struct pw_reap *reap);
/* Aborts when out of memory. */
void pw_reap_add(struct pw_reap *reap, const char *id, pid_t pid);
/* The task of that id that has not ended, or NULL. */
struct pw_reap_task *pw_reap_find(struct pw_reap *reap, const char *id);
/*
 * The one wait loop: reaps all that has ended, kills what ended tasks left, and calls TELL for each ended task of
 * which nothing is left; it is then forgotten. To be called for every SIGCHLD.
 */
void pw_reap_turn(struct pw_reap *reap, void (*tell)(void *arg, const struct pw_reap_task *task), void *arg);
/* Sends KILL to every task that has not ended: the child and its group. */
void pw_reap_kill_tasks(struct pw_reap *reap);
/* Kills every child and waits until none is left. */
void pw_reap_kill_all(struct pw_reap *reap);

#endif
