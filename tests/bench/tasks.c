/* SPDX-License-Identifier: MIT */
/* Tasks that do next to nothing, to measure what is around them. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <pulp/plugin.h>

PULP_PLUGIN("bench", "c_bench", "1.0", "Tasks to measure with");

PULP_TASK(noop, "Nothing")
{
	return pulp_done(ctx);
}

PULP_TASK(clock, "When its first instruction ran: nanoseconds of the system's clock")
{
	struct timespec ts;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(text, sizeof(text), "%lld", (long long)ts.tv_sec * 1000000000 + ts.tv_nsec);
	return pulp_result(ctx, text);
}

PULP_TASK(hold, "Run until canceled")
{
	while (!pulp_should_stop(ctx))
		pause();
	return pulp_done(ctx);
}
