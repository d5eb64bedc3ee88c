/* SPDX-License-Identifier: MIT */
/*
 * A task child: set-up, the task's function (or that of a resource of its), its ending, _exit. Runs in the
 * process that the zygote forked, and never returns from it, nor calls exit: the
 * handlers that a plugin may have registered belong to the zygote's copy.
 */
#include "zygote/child.h"

#include <stdio.h>
#include <unistd.h>

#include <pulp/plugin.h>

#include "zygote/api.h"
#include "zygote/child_steps.h"

void
pw_child_main(const struct pw_child_start *start)
{
	struct pw_child child = { .start = start, .channel = start->channel };
	struct pw_api api;
	pulp_end end;

	pw_child_set_up(&child);
	/* What a task prints is seen while it runs, and in one order. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	pw_api_init(&api, child.channel, &child.in, &child.go);
	api.context.resource = start->spawn->resource;
	end = child.task->run(&api.context);
	_exit(pw_api_end(&api, end));
}
