/* SPDX-License-Identifier: MIT */
/* A plugin that misbehaves while it is being mapped; CTOR is what it does then. */
#include <pulp/plugin.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

PULP_PLUGIN("ctor", "c_ctor", "1.0.0", "Misbehaves when it is loaded");

#define HANG 1
#define CRASH 2
#define EXIT 3
#define THREAD 4
#define PROCESS 5

PULP_TASK(done, "Ends")
{
	return pulp_done(ctx);
}

static void *
forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

__attribute__((constructor)) static void
at_load(void)
{
	pthread_t thread;

	fprintf(stderr, "what it\nsays\n");
	if (CTOR == HANG)
		forever(NULL);
	if (CTOR == CRASH)
		raise(SIGSEGV);
	if (CTOR == EXIT)
		exit(5);
	if (CTOR == THREAD)
		pthread_create(&thread, NULL, forever, NULL);
	if (CTOR == PROCESS && fork() == 0)
		forever(NULL);
}
