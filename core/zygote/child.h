/* SPDX-License-Identifier: MIT */
/* A task child, from the fork to its _exit. */
#ifndef PW_ZYGOTE_CHILD_H
#define PW_ZYGOTE_CHILD_H

#include <sys/types.h>

#include "proto/message.h"
#include "zygote/load.h"

struct pw_child_start {
	const struct pw_msg_spawn *spawn;
	const struct pw_loaded *plugin;
	char *id_env;			/* where the id goes */
	pid_t zygote;
	int channel, output, directory; /* as they came from the worker */
};

/* Called in the forked process; all signals are blocked. */
PW_NORETURN void pw_child_main(const struct pw_child_start *start);

#endif
