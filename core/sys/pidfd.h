/* SPDX-License-Identifier: MIT */
/* Process descriptors: a process that cannot be mistaken for another one of the same number. */
#ifndef PW_SYS_PIDFD_H
#define PW_SYS_PIDFD_H

#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

/* Returns a descriptor (close on exec), or -1. */
int pw_pidfd_open(pid_t pid, struct pw_err *err) PW_MUSTCHECK;
/* Returns 0; 0 too if the process has ended; -1 with errno set. */
int pw_pidfd_signal(int pidfd, int signal);
/* Waits until the process has ended (it may stay a zombie). Returns 1 if it has, 0 if the deadline passed first. */
int pw_pidfd_wait(int pidfd, int64_t deadline_ns);
/* Reaps the process if it is a child of ours and has ended. Returns 1 and its wait status; 0 if not (yet). */
int pw_pidfd_reap(int pidfd, int *ret_status);

#endif
