/* SPDX-License-Identifier: MIT */
/* What to run: the arguments of exec.run, checked, in the form that execve takes. */
#ifndef PLUGINS_EXEC_ORDER_H
#define PLUGINS_EXEC_ORDER_H

#include <jansson.h>

#include "base/err.h"

struct pw_order {
	char **argv;	  /* ended by NULL; the strings belong to the JSON */
	char **env;	  /* the whole environment, ended by NULL */
	size_t own;	  /* how many at the start of env are ours to free */
	const char *in;	  /* for standard input, or NULL; may hold NULs */
	size_t in_len;
};

#define PW_ORDER_INIT { NULL, NULL, 0, NULL, 0 }

/* KWARGS is an object and must outlive the order. INHERITED: the environment that is added to. */
int pw_order_read(const json_t *kwargs, char *const *inherited, struct pw_order *order, struct pw_err *err) PW_MUSTCHECK;
void pw_order_done(struct pw_order *order);

#endif
