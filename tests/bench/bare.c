/* SPDX-License-Identifier: MIT */
/*
 * What no supervisor can beat: bare COUNT PARALLEL DIR runs COUNT times
 * mkdir, fork, setsid, chdir, _exit, wait, rmdir, PARALLEL at a time, and prints
 * how many a second that makes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static pid_t pids[64]; /* by slot */

static void
begin(int slot)
{
	pid_t pid;

	char name[32];

	snprintf(name, sizeof(name), "%d", slot);
	if (mkdir(name, 0700) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		setsid();
		_exit(chdir(name) < 0);
	}
	pids[slot] = pid;
}

/* The slot of a child that has ended. */
static int
slot_of(pid_t pid)
{
	for (int i = 0; i < 64; i++)
		if (pids[i] == pid)
			return i;
	abort();
}

int
main(int argc, char **argv)
{
	int count, parallel, begun = 0, ended = 0;
	double start;

	if (argc != 4 || chdir(argv[3]) < 0 || atoi(argv[2]) > 64)
		return 64;
	count = atoi(argv[1]);
	parallel = atoi(argv[2]);
	start = now();
	for (; begun < parallel; begun++)
		begin(begun);
	for (; ended < count; ended++) {
		char name[32];
		int status, slot = slot_of(wait(&status));

		if (status != 0)
			abort();
		snprintf(name, sizeof(name), "%d", slot);
		if (rmdir(name) < 0)
			abort();
		pids[slot] = 0;
		if (begun < count) {
			begin(slot);
			begun++;
		}
	}
	printf("%.1f\n", count / (now() - start));
	return 0;
}
