/* SPDX-License-Identifier: MIT */
/* Runs transfers, several at once. */
#ifndef PLUGINS_FILE_FETCH_H
#define PLUGINS_FILE_FETCH_H

#include "base/err.h"
#include "file/transfer.h"

#define PW_FETCH_PARALLEL 8

/* Each returns -1 with *err to end it all. */
struct pw_fetch_ops {
	/* Gives the next transfer, NULL if there is none now; asked again whenever one has ended. */
	int (*next)(void *arg, struct pw_transfer **ret_transfer, struct pw_err *err);
	/* One is complete: 0, or 1 to run it again at once. */
	int (*done)(void *arg, struct pw_transfer *transfer, struct pw_err *err);
	/* Called at least four times a second. */
	int (*tick)(void *arg, struct pw_err *err);
};

/* Returns when there is no transfer left, or one failed for good. The transfers stay their owner's. */
int pw_fetch_run(const struct pw_fetch_ops *ops, void *arg, struct pw_err *err) PW_MUSTCHECK;

#endif
