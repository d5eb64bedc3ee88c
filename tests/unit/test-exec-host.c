/* SPDX-License-Identifier: MIT */
/* Plugin hosts: plugins that misbehave when they are mapped, and hosts that die with tasks running. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/tap.h"
#include "sys/children.h"
#include "sys/environ.h"
#include "sys/rmtree.h"
#include "unit/exec-fixture.h"

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* --- plugins that misbehave when they are mapped --- */

/* AFTER: the run is started when the host has died already, and the loop has not heard of it. */
static void
test_constructors(bool after)
{
	static const struct {
		const char *plugin, *why;
	} table[] = {
		{ "ctor-hang", "was silent for 200 ms before HELLO: what it says" },
		{ "ctor-crash", "died of signal 11 before HELLO: what it says" },
		{ "ctor-exit", "ended with status 5 before HELLO: what it says" },
		{ "ctor-thread", "ctor-thread.so: starts a thread when it is loaded: what it says" },
		{ "ctor-process", "ctor-process.so: starts a process when it is loaded: what it says" },
		{ "no-such-plugin", "no-such-plugin.so: No such file or directory" },
	};
	int fds = count_fds();

	for (size_t i = 0; i < PW_COUNT(table); i++) {
		struct fixture f;
		struct seen seen = { .fixture = NULL };
		struct pw_run_spec spec;

		fixture_open(&f, NULL, NULL);
		fixture_start_host(&f, table[i].plugin, "ctor", i == 0 ? 200 * PW_MS : 20 * PW_SEC);
		spec = fixture_spec(&f, "done");
		if (after && i > 0) {
			siginfo_t info;

			waitid(P_PID, (id_t)pw_host_pid(f.host), &info, WEXITED | WNOWAIT);
		}
		fixture_begin(&f, &seen, &spec);
		fixture_wait(&f, &f.gones, table[i].plugin);
		ok(ends_with(f.why, table[i].why), "%s: %s", table[i].plugin, f.why);
		is_int(f.hellos, 0, "%s: no HELLO", table[i].plugin);
		is_int(seen.ends, 1, "%s: the run that waited ends before", table[i].plugin);
		is_int(seen.outcome.kind, PW_OUTCOME_HOST_DIED, "%s: and says why", table[i].plugin);
		seen_done(&seen);
		closed(&f, table[i].plugin);
	}
	is_int(count_fds(), fds, "no descriptor is left");
}

static void
test_wrong_plugin(void)
{
	unsigned char digest[8] = { 1, 2, 3 };
	char zygote[4096], plugin[4096];
	struct fixture f;
	struct pw_host_config config = { .zygote_path = zygote, .plugin_path = plugin, .module = "unruly",
					 .worker_id = pw_uuid_new(), .hello_within_ns = 20 * PW_SEC };
	struct pw_host *host;
	struct pw_err err;

	fixture_open(&f, "unruly", "another");
	fixture_wait(&f, &f.gones, "its end");
	ok(ends_with(f.why, "unruly.so: file changed since it was read"), "another module is not served: %s", f.why);
	snprintf(zygote, sizeof(zygote), "%s/pulp-zygote", getenv("top_builddir"));
	snprintf(plugin, sizeof(plugin), "%s/tests/plugins/.libs/unruly.so", getenv("top_builddir"));
	config.digest = digest;
	f.gones = 0;
	if (pw_host_start(f.loop, &config, &fixture_host_ops, &f, &f.host, &err) < 0)
		bail("%s", err.text);
	fixture_wait(&f, &f.gones, "its end");
	ok(ends_with(f.why, "unruly.so: file changed since it was read"), "nor another version: %s", f.why);
	config.zygote_path = "/nowhere/pulp-zygote";
	ok(pw_host_start(f.loop, &config, &fixture_host_ops, &f, &host, &err) < 0 && strstr(err.text, "No such file"),
	   "no program, no host: %s", err.text);
	closed(&f, "wrong plugin");
}

/* --- hosts that die --- */

static void
wait_output(struct fixture *f, struct seen *seen, size_t len)
{
	while (seen->output_len < len)
		if (pw_loop_once(f->loop, pw_now_ns() + 60 * PW_SEC, NULL) < 0)
			bail("loop");
}

static bool
has_id(void *arg, pid_t pid)
{
	char id[64];
	struct seen **seen = arg;

	for (int i = 0; i < 4; i++)
		if (pw_environ_of_pid(pid, "PULP_TASK_ID", id, sizeof(id)) && strcmp(id, (*seen)[i].text) == 0)
			printf("# process %d of a task lives\n", (int)pid), *seen = NULL;
	return *seen != NULL;
}

/* kill -9 of a zygote with four tasks, two of them with forks: all end, and nothing of them lives. */
static void
test_killed(bool by_owner)
{
	static const char *const tasks[] = { "waits", "stubborn", "stubborn_family", "stubborn_family" };
	struct seen seen[4] = { { .fixture = NULL } }, *all = seen;
	char ids[4][40];
	struct fixture f;
	int fds = count_fds();

	fixture_open(&f, "unruly", "unruly");
	for (int i = 0; i < 4; i++) {
		struct pw_run_spec spec = fixture_spec(&f, tasks[i]);

		snprintf(ids[i], sizeof(ids[i]), "%s", spec.id.s);
		fixture_begin(&f, &seen[i], &spec);
	}
	for (int i = 0; i < 4; i++)
		wait_output(&f, &seen[i], i < 2 ? 8 : 16);
	is_int(pw_host_running(f.host), 4, "four tasks run");
	if (by_owner)
		pw_host_kill(f.host);
	else
		kill(pw_host_pid(f.host), SIGKILL);
	fixture_wait(&f, &f.gones, "the end of the host");
	for (int i = 0; i < 4; i++) {
		is_int(seen[i].outcome.kind, PW_OUTCOME_HOST_DIED, "%s: its host died", tasks[i]);
		is_str(seen[i].text, by_owner ? "was killed" : "died of signal 9", "%s: and how", tasks[i]);
		ok(seen[i].ends == 1 && !seen[i].directory_left, "%s: ended once, before the host was gone", tasks[i]);
		free(seen[i].text);
		seen[i].text = ids[i];
	}
	is_int(seen[2].outcome.remains, 1, "the fork of a task is found and counted");
	pw_process_each(has_id, &all);
	ok(all != NULL, "no process of any task lives");
	for (int i = 0; i < 4; i++) {
		seen[i].text = NULL;
		seen_done(&seen[i]);
	}
	closed(&f, "killed");
	is_int(count_fds(), fds, "no descriptor is left");
}

static void
test_killed_by_task(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };

	fixture_open(&f, "unruly", "unruly");
	fixture_run(&f, &seen, "kills_host");
	is_int(seen.outcome.kind, PW_OUTCOME_HOST_DIED, "a task that kills its zygote ends with it");
	fixture_wait(&f, &f.gones, "the end of the host");
	is_str(f.why, "died of signal 9", "and the host is gone");
	seen_done(&seen);
	closed(&f, "killed by a task");
}

/* A zygote that is stopped reports nothing: it is given up 10 s after the KILL. */
static void
test_stopped(void)
{
	struct fixture f;
	struct seen seen = { .cancel_on_output = true };

	if (!getenv("PULP_TEST_LONG")) {
		skip("only with PULP_TEST_LONG", "a stopped zygote is given up");
		return;
	}
	fixture_open(&f, "unruly", "unruly");
	fixture_run(&f, &seen, "stops_host");
	is_int(seen.outcome.kind, PW_OUTCOME_HOST_DIED, "a stopped zygote is given up");
	is_str(seen.text, "did not report the end of a task within 10 s of its KILL", "and why");
	fixture_wait(&f, &f.gones, "the end of the host");
	seen_done(&seen);
	closed(&f, "stopped");
}

static void
test_drain(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec, late;
	struct pw_run *run;
	struct pw_err err;

	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "waits");
	late = fixture_spec(&f, "done");
	spec.task = "waits";
	fixture_begin(&f, &seen, &spec);
	wait_output(&f, &seen, 8);
	pw_host_drain(f.host);
	ok(pw_run_start(f.host, &late, NULL, NULL, &run, &err) < 0 && err.kind == PW_ERR_BUSY, "no new run while draining");
	is_int(f.gones, 0, "the host waits for its run");
	pw_run_kill(seen.run);
	fixture_wait(&f, &f.gones, "the end of the host");
	is_int(seen.ends, 1, "which ended before it");
	is_str(f.why, "ended as it was told to", "then it ended");
	seen_done(&seen);
	closed(&f, "drain");
}

/* Freed in the midst of it, without waiting for anything. */
static void
test_freed(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;
	int fds = count_fds();
	char path[200];

	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "waits");
	fixture_begin(&f, &seen, &spec);
	wait_output(&f, &seen, 8);
	f.host = pw_host_free(f.host);
	is_int(seen.ends, 0, "a host that is freed makes no call");
	snprintf(path, sizeof(path), "%s/%s", f.directory, spec.id.s);
	ok(access(path, F_OK) < 0, "but clears its runs away");
	seen_done(&seen);
	closed(&f, "freed");
	is_int(count_fds(), fds, "no descriptor is left");
}

/* The worker is killed: zygote and child die with it. */
static void
test_worker_killed(void)
{
	int fds[2], status;
	pid_t worker;
	struct pw_children children;
	char directory[sizeof(((struct fixture *)0)->directory)];

	if (pipe(fds) < 0)
		bail("pipe");
	worker = fork();
	if (worker == 0) {
		struct fixture f;
		struct seen seen = { .fixture = NULL };
		struct pw_run_spec spec;

		fixture_open(&f, "unruly", "unruly");
		spec = fixture_spec(&f, "stubborn");
		fixture_begin(&f, &seen, &spec);
		wait_output(&f, &seen, 8);
		if (write(fds[1], f.directory, sizeof(f.directory)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	if (read(fds[0], directory, sizeof(directory)) != (ssize_t)sizeof(directory))
		bail("the worker did not start");
	kill(worker, SIGKILL);
	waitpid(worker, &status, 0);
	/* We are a subreaper: the zygote becomes ours, and ends when it has cleared its children away. */
	ok(waitpid(-1, &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the zygote ends with the worker");
	ok(waitpid(-1, &status, 0) < 0 && errno == ECHILD, "and so did its child");
	pw_children_init(&children);
	ok(pw_children_list(&children, NULL) == 0 && children.count == 0, "nothing else is left");
	pw_children_done(&children);
	ok(pw_rmtree(AT_FDCWD, directory, NULL) == 0, "its directory can be removed");
	close(fds[0]);
}

int
main(void)
{
	if (!fixture_possible()) {
		printf("1..0 # SKIP no process descriptors here (valgrind knows none)\n");
		return 0;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	test_constructors(false);
	test_constructors(true);
	test_wrong_plugin();
	test_killed(false);
	test_killed(true);
	test_killed_by_task();
	test_stopped();
	test_drain();
	test_freed();
	test_worker_killed();
	return tap_done();
}
