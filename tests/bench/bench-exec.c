/* SPDX-License-Identifier: MIT */
/*
 * How many tasks that do nothing run a second, 1, 4 and 16 at a time, against the
 * least that a process with a directory and a session of its own can cost:
 * mkdir, fork, setsid, chdir, _exit, wait, rmdir. One line a width:
 *
 *	width tasks/s bare/s ratio
 *
 *	bench-exec [SECONDS] (of each part; default 2)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/host.h"
#include "exec/run.h"
#include "sys/loop.h"

static char directory[] = "/tmp/pulp-bench-XXXXXX";
static int running, done, width;
static int64_t until;
static struct pw_host *host;
static int gone;

static void start_more(void);

static PW_NORETURN void
die(const char *what)
{
	fprintf(stderr, "bench-exec: %s\n", what);
	exit(70);
}

/* --- the bare loop --- */

static double
bare(int64_t for_ns)
{
	int64_t began = pw_now_ns();
	int count = 0;

	for (running = 0;;) {
		char path[100];
		pid_t pid;

		for (; running < width && pw_now_ns() < began + for_ns; running++) {
			snprintf(path, sizeof(path), "%s/%d", directory, count + running);
			if (mkdir(path, 0700) < 0 || (pid = fork()) < 0)
				die("fork");
			if (pid == 0)
				_exit(setsid() < 0 || chdir(path) < 0);
		}
		if (running == 0)
			break;
		wait(NULL);
		/* In the order of their start: which one ended does not matter here. */
		snprintf(path, sizeof(path), "%s/%d", directory, count);
		if (rmdir(path) < 0)
			die("rmdir");
		count++;
		running--;
	}
	return (double)count * 1e9 / (double)(pw_now_ns() - began);
}

/* --- through the plugin host --- */

static void
on_end(void *arg, struct pw_run *run, const struct pw_outcome *outcome)
{
	(void)arg;
	(void)run;
	if (outcome->kind != PW_OUTCOME_COMPLETED)
		die("a task did not complete");
	running--;
	done++;
	start_more();
}

static const struct pw_run_ops run_ops = { .on_end = on_end };

static void
start_more(void)
{
	struct pw_run_spec spec = { .name = "unruly.done", .task = "done", .args = "[]", .kwargs = "{}", .directory = directory };
	struct pw_run *run;
	struct pw_err err;

	for (; running < width && pw_now_ns() < until; running++) {
		spec.id = pw_uuid_new();
		if (pw_run_start(host, &spec, &run_ops, NULL, &run, &err) < 0)
			die(err.text);
	}
}

static void
on_gone(void *arg, struct pw_host *which, const char *why)
{
	(void)arg;
	(void)why;
	host = pw_host_free(which);
	gone = 1;
}

static double
through_host(struct pw_loop *loop, int64_t for_ns)
{
	int64_t began = pw_now_ns();
	struct pw_err err;

	done = running = 0;
	until = began + for_ns;
	start_more();
	while (running > 0)
		if (pw_loop_once(loop, PW_NEVER, &err) < 0)
			die(err.text);
	return (double)done * 1e9 / (double)(pw_now_ns() - began);
}

int
main(int argc, char **argv)
{
	static const struct pw_host_ops ops = { .on_gone = on_gone };
	static const int widths[] = { 1, 4, 16 };
	const char *top = getenv("top_builddir");
	int64_t for_ns = (int64_t)((argc > 1 ? atof(argv[1]) : 2) * 1e9);
	char zygote[4096], plugin[4096];
	struct pw_host_config config = { .zygote_path = zygote, .plugin_path = plugin, .module = "unruly",
					 .hello_within_ns = 10 * PW_SEC };
	struct pw_loop *loop;
	struct pw_err err;

	snprintf(zygote, sizeof(zygote), "%s/pulp-zygote", top ? top : ".");
	snprintf(plugin, sizeof(plugin), "%s/tests/plugins/.libs/unruly.so", top ? top : ".");
	config.worker_id = pw_uuid_new();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!mkdtemp(directory) || pw_loop_new(&loop, &err) < 0 ||
	    pw_host_start(loop, &config, &ops, NULL, &host, &err) < 0)
		die(err.text);
	for (size_t i = 0; i < PW_COUNT(widths); i++) {
		double ours, theirs;

		width = widths[i];
		through_host(loop, for_ns / 10); /* warm */
		theirs = bare(for_ns / 2);
		ours = through_host(loop, for_ns);
		theirs = (theirs + bare(for_ns / 2)) / 2;
		printf("%5d %7.0f %7.0f %5.2f\n", width, ours, theirs, ours / theirs);
	}
	pw_host_drain(host);
	while (!gone)
		if (pw_loop_once(loop, PW_NEVER, &err) < 0)
			die(err.text);
	pw_loop_free(loop);
	return rmdir(directory) < 0 ? 71 : 0;
}
