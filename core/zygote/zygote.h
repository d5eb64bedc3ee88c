/* SPDX-License-Identifier: MIT */
/* The fork server of one plugin: the whole of pulp-zygote but its command line. */
#ifndef PW_ZYGOTE_ZYGOTE_H
#define PW_ZYGOTE_ZYGOTE_H

#include <sys/types.h>

struct pw_zygote_config {
	const char *plugin, *module;
	const char *digest; /* of the notes, hexadecimal, or NULL */
	pid_t parent;	    /* who started it: it ends with it */
	int control;	    /* the control channel */
};

/* Serves until its channel closes or it has drained. Returns the exit status of the program. */
int pw_zygote_run(const struct pw_zygote_config *config);

#endif
