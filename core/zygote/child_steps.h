/* SPDX-License-Identifier: MIT */
/* The set-up of a task child: named steps in a fixed order (proto/steps.def). */
#ifndef PW_ZYGOTE_CHILD_STEPS_H
#define PW_ZYGOTE_CHILD_STEPS_H

#include "proto/frame.h"
#include "zygote/child.h"

struct pw_child {
	const struct pw_child_start *start;
	int channel;
	const struct pulp_task *task;
	struct pw_frame_stream in; /* holds the GO */
	struct pw_msg_go go;	   /* borrowed from IN */
};

/* Does all steps; a failing one is reported and ends the process. */
void pw_child_set_up(struct pw_child *child);

#endif
