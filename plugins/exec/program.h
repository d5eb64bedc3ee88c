/* SPDX-License-Identifier: MIT */
/* A program that runs: its process and our ends of its three pipes. */
#ifndef PLUGINS_EXEC_PROGRAM_H
#define PLUGINS_EXEC_PROGRAM_H

#include <sys/types.h>

#include "base/err.h"
#include "exec/order.h"

struct pw_program {
	pid_t pid;   /* also its process group; -1 once it was waited for */
	int pidfd;   /* readable when it has ended */
	int in;	     /* -1: it reads /dev/null, or all was written */
	int out, err; /* -1 once at their end */
};

#define PW_PROGRAM_INIT { -1, -1, -1, -1, -1 }

/*
 * Starts it in DIRECTORY, in a process group of its own, with nothing open but 0, 1 and 2; it is
 * killed when this process ends. Our ends of the pipes do not block. That there is no such program, or
 * that it may not be run, is this function's error.
 */
int pw_program_start(const struct pw_order *order, const char *directory, struct pw_program *program,
		     struct pw_err *err) PW_MUSTCHECK;
/* TERM (and CONT, lest it be stopped) to its group. */
void pw_program_terminate(const struct pw_program *program);
/* Waits for its end and gives its wait status. */
int pw_program_reap(struct pw_program *program, int *ret_status, struct pw_err *err) PW_MUSTCHECK;
/* Closes one of its descriptors, if it is open, and sets it to -1. */
void pw_program_close(int *fd);
/* Closes everything; what still runs is killed and waited for. */
void pw_program_done(struct pw_program *program);

#endif
