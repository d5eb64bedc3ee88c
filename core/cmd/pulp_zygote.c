/* SPDX-License-Identifier: MIT */
/*
 * pulp-zygote: the plugin host. Started by pulp-worker and by the client library,
 * never by hand:
 *
 *	pulp-zygote PLUGIN MODULE PARENT-PID [DIGEST]
 *
 * with its control channel as descriptor 3. Links neither libpq nor a JSON
 * library: what is small here is fast to fork.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "zygote/zygote.h"

#define CONTROL_FD 3

int
main(int argc, char **argv)
{
	struct pw_zygote_config config = { .control = CONTROL_FD };
	int type = 0;
	socklen_t len = sizeof(type);

	if (argc < 4 || argc > 5 || getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_SEQPACKET) {
		fprintf(stderr, "pulp-zygote is started by pulp-worker, not by hand\n");
		return EX_USAGE;
	}
	config.plugin = argv[1];
	config.module = argv[2];
	config.parent = (pid_t)atol(argv[3]);
	config.digest = argc > 4 ? argv[4] : NULL;
	/* Not exit: that would run the plugin's destructors, which may do anything, and nobody waits for them. */
	_exit(pw_zygote_run(&config));
}
