/* SPDX-License-Identifier: MIT */
/* Three tasks that nobody would want in his own process. The demo compiles this against the installed tree and installs it. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <pulp/plugin.h>

PULP_PLUGIN("trouble", "c_trouble", "1.0", "Tasks that misbehave");

PULP_TASK(crash, "Write through a null pointer")
{
	volatile int *nowhere = NULL;

	*nowhere = 1;
	return pulp_done(ctx);
}

PULP_TASK(stubborn, "Ignore SIGTERM and everything else that can be ignored")
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	pulp_progress(ctx, "stubborn", "Not listening", 0, -1);
	for (;;)
		pause();
	return pulp_done(ctx);
}

PULP_TASK(daemon, "Leave a daemon behind, forked twice, in a session of its own")
{
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			for (;;)
				pause();
		_exit(0);
	}
	return pulp_result(ctx, "\"left a daemon\"");
}
