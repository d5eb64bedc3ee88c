/* SPDX-License-Identifier: MIT */
/* Runs of tasks, good and hostile, in the real pulp-zygote: how each ends, and that nothing is left of it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/tap.h"
#include "proto/message.h"
#include "proto/steps.h"
#include "unit/exec-fixture.h"

#define ANY (-1)

static bool
is_gone(const char *pid)
{
	return pid && kill((pid_t)atoi(pid), 0) < 0 && errno == ESRCH;
}

/* --- how a run ends --- */

static void
test_endings(void)
{
	static const struct {
		const char *task;
		enum pw_outcome_kind kind;
		int number;
		const char *text;
	} table[] = {
		{ "result", PW_OUTCOME_COMPLETED, 0, "[1,2]" },
		{ "done", PW_OUTCOME_COMPLETED, 0, NULL },
		{ "files.nested", PW_OUTCOME_COMPLETED, 0, "\"nested\"" },
		{ "fail", PW_OUTCOME_FAILED, 0, "it is 12 degrees too hot" },
		{ "fail_latin1", PW_OUTCOME_FAILED, 0, "caf?! caf\xc3\xa9" },
		{ "changes_its_mind", PW_OUTCOME_COMPLETED, 0, "\"first\"" },
		{ "forged_end", PW_OUTCOME_EXITED, 0, NULL },
		{ "crash", PW_OUTCOME_SIGNALED, SIGSEGV, NULL },
		{ "aborts", PW_OUTCOME_SIGNALED, SIGABRT, NULL },
		{ "exit3", PW_OUTCOME_EXITED, 3, NULL },
		{ "exit0", PW_OUTCOME_EXITED, 0, NULL },
		{ "exit205", PW_OUTCOME_EXITED, 205, NULL },
		{ "big_result", PW_OUTCOME_RESULT_TOO_LARGE, 16 << 20, NULL },
		{ "fork_returns", PW_OUTCOME_COMPLETED, 0, "\"the parent\"" },
		{ "garbage", PW_OUTCOME_PROTOCOL, 0, "what came is not a frame" },
		{ "half_frame", PW_OUTCOME_PROTOCOL, 0, "its last message is cut off" },
		{ "half_crash", PW_OUTCOME_SIGNALED, SIGKILL, NULL },
		{ "too_long", PW_OUTCOME_PROTOCOL, 0, "a frame of 2147483647 bytes is longer than the limit of 16842752" },
		{ "flood", PW_OUTCOME_PROTOCOL, 0, "what came is not a frame" },
		{ "ready_again", PW_OUTCOME_PROTOCOL, 0, "said READY twice" },
		{ "unknown", PW_OUTCOME_PROTOCOL, 0, "message 255 is not one that a task may send" },
		{ "close_channel", PW_OUTCOME_PROTOCOL, 0, "closed its channel" },
		{ "close_and_end", PW_OUTCOME_EXITED, PW_CHANNEL_LOST_EXIT, NULL },
		{ "close_all", PW_OUTCOME_EXITED, 7, NULL },
		{ "deep", PW_OUTCOME_COMPLETED, 0, NULL },
		{ "wide", PW_OUTCOME_COMPLETED, 0, NULL },
		{ "bad_calls", PW_OUTCOME_COMPLETED, 0, NULL },
		{ "requests", PW_OUTCOME_COMPLETED, 0, "[2]" },
		{ "threads", PW_OUTCOME_COMPLETED, 0, NULL },
		{ "no_such_task", PW_OUTCOME_SETUP, PW_STEP_TASK, (const char *)"*" },
	};
	struct fixture f;
	int before = count_fds(), fds;

	fixture_open(&f, "unruly", "unruly");
	fixture_wait(&f, &f.hellos, "HELLO");
	fds = count_fds();
	for (size_t i = 0; i < PW_COUNT(table); i++) {
		struct seen seen = { .fixture = NULL };

		fixture_run(&f, &seen, table[i].task);
		is_int(seen.outcome.kind, table[i].kind, "%s: how it ends", table[i].task);
		is_int(seen.outcome.number, table[i].number, "%s: the number", table[i].task);
		if (!table[i].text || strcmp(table[i].text, "*") != 0)
			is_str(seen.text, table[i].text, "%s: the text", table[i].task);
		is_int(seen.started, table[i].kind != PW_OUTCOME_SETUP, "%s: whether it was started", table[i].task);
		ok(!seen.directory_left, "%s: its directory is gone at its end", table[i].task);
		is_int(count_fds(), fds, "%s: no descriptor is left", table[i].task);
		seen_done(&seen);
	}
	closed(&f, "endings");
	is_str(f.why, "ended as it was told to", "the host ends when it is drained");
	is_int(count_fds(), before, "no descriptor is left");
}

static void
test_sizes(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;
	char *args = malloc((64 << 20) + 2);
	struct pw_run *run;
	struct pw_err err;

	memset(args, ' ', 64 << 20);
	args[0] = '[';
	args[(64 << 20) - 1] = ']';
	args[64 << 20] = '\0';
	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "lengths");
	spec.args = args;
	fixture_begin(&f, &seen, &spec);
	fixture_wait(&f, &seen.ends, "64 MiB of arguments");
	is_str(seen.text, "[67108864, 2]", "64 MiB of arguments arrive");
	seen_done(&seen);
	args[64 << 20] = ' ';
	args[(64 << 20) + 1] = '\0';
	spec = fixture_spec(&f, "lengths");
	spec.args = args;
	ok(pw_run_start(f.host, &spec, NULL, NULL, &run, &err) < 0 && err.kind == PW_ERR_INPUT, "one byte more is refused");
	fixture_run(&f, &seen, "max_result");
	is_int(seen.outcome.kind, PW_OUTCOME_COMPLETED, "a result of 16 MiB arrives");
	is_int(seen.outcome.text_len, 16 << 20, "all of it");
	seen_done(&seen);
	free(args);
	closed(&f, "sizes");
}

/* --- what a run leaves --- */

static void
test_remains(void)
{
	static const struct {
		const char *task;
		int remains;
	} table[] = { { "daemon", 1 }, { "daemon_clean", 1 }, { "many_left", ANY } };
	struct fixture f;

	fixture_open(&f, "unruly", "unruly");
	for (size_t i = 0; i < PW_COUNT(table); i++) {
		struct seen seen = { .fixture = NULL };

		fixture_run(&f, &seen, table[i].task);
		is_int(seen.outcome.kind, PW_OUTCOME_COMPLETED, "%s: completes", table[i].task);
		if (table[i].remains != ANY) {
			is_int(seen.outcome.remains, table[i].remains, "%s: what it left is counted", table[i].task);
			ok(is_gone(seen.text), "%s: and dead before on_end", table[i].task);
		} else {
			ok(seen.outcome.remains >= 20 && seen.outcome.remains <= 40, "%s: what it left is counted (%d)",
			   table[i].task, seen.outcome.remains);
		}
		seen_done(&seen);
	}
	closed(&f, "remains");
}

/* A daemon of one task is not charged to another, nor does another's end kill what a live task has forked. */
static void
test_remains_of_others(void)
{
	struct fixture f;
	struct seen waits = { .cancel_on_start = false }, daemon = { .fixture = NULL }, done = { .fixture = NULL };
	struct pw_run_spec spec;

	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "stubborn_family");
	fixture_begin(&f, &waits, &spec);
	while (waits.output_len < 16) /* "waiting\n" of both */
		if (pw_loop_once(f.loop, PW_NEVER, NULL) < 0)
			bail("loop");
	fixture_run(&f, &daemon, "daemon");
	is_int(daemon.outcome.remains, 1, "one daemon");
	fixture_run(&f, &done, "done");
	is_int(done.outcome.remains, 0, "no remains of another task");
	is_int(waits.ends, 0, "the task with a fork of its own goes on");
	pw_run_kill(waits.run);
	fixture_wait(&f, &waits.ends, "the killed one");
	is_int(waits.outcome.kind, PW_OUTCOME_SIGNALED, "killed");
	ok(waits.outcome.remains <= 1, "its fork was in its group");
	seen_done(&waits);
	seen_done(&daemon);
	seen_done(&done);
	closed(&f, "remains of others");
}

/* --- being told to end --- */

static void
test_cancel(void)
{
	static const struct {
		const char *task;
		enum pw_outcome_kind kind;
		int number;
		int64_t at_least_ns;
	} table[] = {
		{ "cooperative", PW_OUTCOME_COMPLETED, 0, 0 },
		{ "waits", PW_OUTCOME_SIGNALED, SIGTERM, 100 * PW_MS },
		{ "stubborn", PW_OUTCOME_SIGNALED, SIGKILL, 300 * PW_MS },
		{ "stubborn_family", PW_OUTCOME_SIGNALED, SIGKILL, 300 * PW_MS },
	};
	struct fixture f;

	fixture_open(&f, "unruly", "unruly");
	for (size_t i = 0; i < PW_COUNT(table); i++) {
		struct seen seen = { .cancel_on_output = true };
		int64_t began = pw_now_ns(), took;

		fixture_run(&f, &seen, table[i].task);
		took = pw_now_ns() - began;
		is_int(seen.outcome.kind, table[i].kind, "%s: canceled", table[i].task);
		is_int(seen.outcome.number, table[i].number, "%s: by which rung", table[i].task);
		ok(seen.outcome.canceled, "%s: says that it was canceled", table[i].task);
		ok(took >= table[i].at_least_ns, "%s: not before its time", table[i].task);
		seen_done(&seen);
	}
	closed(&f, "cancel");
}

static void
test_cancel_early(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;

	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "waits");
	spec.kill_after_ns = 3600 * PW_SEC;
	fixture_begin(&f, &seen, &spec);
	pw_run_cancel(seen.run);
	pw_run_cancel(seen.run);
	fixture_wait(&f, &seen.ends, "its end");
	is_int(seen.outcome.kind, PW_OUTCOME_SIGNALED, "canceled before GO: killed at once");
	is_int(seen.started, 0, "and never started");
	ok(seen.outcome.canceled, "it says that it was canceled");
	seen_done(&seen);
	closed(&f, "early cancel");
}

static void
test_timeout(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;

	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "stubborn");
	spec.timeout_ns = 50 * PW_MS;
	fixture_begin(&f, &seen, &spec);
	fixture_wait(&f, &seen.ends, "its time limit");
	is_int(seen.outcome.kind, PW_OUTCOME_TIMEOUT, "a time limit ends a stubborn task");
	is_int(seen.outcome.number, 1, "seconds, rounded up");
	ok(!seen.outcome.canceled, "it was not canceled");
	seen_done(&seen);
	closed(&f, "timeout");
}

/* --- what a run gives on its way --- */

static void
test_output(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };

	fixture_open(&f, "unruly", "unruly");
	fixture_run(&f, &seen, "prints");
	is_int(seen.output_len, 10000000, "10 MB of output arrive");
	seen_done(&seen);
	fixture_run(&f, &seen, "speaks");
	is_str(pw_buf_text(&seen.output), "one\nwarning: two 2\nthree\nfour without an end, five\nsix",
	       "output and log lines come in order");
	seen_done(&seen);
	fixture_run(&f, &seen, "speaks_elsewhere");
	is_str(pw_buf_text(&seen.output), "error: still heard\n", "a log line needs no standard error");
	seen_done(&seen);
	fixture_run(&f, &seen, "reports");
	is_int(seen.outcome.kind, PW_OUTCOME_COMPLETED, "reports: completes");
	ok(seen.progress_count >= 3 && seen.progress_count <= 20, "1000 reports are folded to %d", seen.progress_count);
	ok(strncmp(pw_buf_text(&seen.progress), "a 1/2000 running -\n", 19) == 0, "the first is sent");
	ok(strstr(pw_buf_text(&seen.progress), "\na 1000/2000 running -\n") != NULL, "and the last");
	ok(strstr(pw_buf_text(&seen.progress), "\nb 3/-1 failed files\n") != NULL, "a new code at once");
	seen_done(&seen);
	closed(&f, "output");
}

static void
test_surroundings(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;
	char want[600];
	const char *out;

	setenv("PGPASSWORD", "secret", 1);
	setenv("LC_TIME", "C", 1);
	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "surroundings");
	spec.group = "the-group";
	spec.state_directory = "/state";
	spec.kwargs = "{\"a\": null}";
	spec.memory_bytes = WITH_ASAN ? 0 : INT64_C(1) << 40;
	fixture_begin(&f, &seen, &spec);
	fixture_wait(&f, &seen.ends, "surroundings");
	out = pw_buf_text(&seen.output);
	is_str(seen.text, "{\"a\": null}", "keyword arguments arrive");
	snprintf(want, sizeof(want), "env PULP_TASK_ID=%s\n", spec.id.s);
	ok(strstr(out, want) != NULL, "the task's id is in its environment");
	ok(strstr(out, "PULP_CORRELATION_ID=cid\n") != NULL, "so is its correlation id");
	snprintf(want, sizeof(want), "env HOME=%s/%s\n", f.directory, spec.id.s);
	ok(strstr(out, want) != NULL, "HOME is its directory");
	snprintf(want, sizeof(want), "env TMPDIR=%s/%s\n", f.directory, spec.id.s);
	ok(strstr(out, want) != NULL, "TMPDIR is its directory");
	snprintf(want, sizeof(want), "cwd %s/%s\n", f.directory, spec.id.s);
	ok(strstr(out, want) != NULL, "it stands in its directory");
	ok(strstr(out, "env PULP_WORKER_ID=") != NULL, "the worker's id is there");
	ok(strstr(out, "env LC_TIME=C\n") != NULL, "the locale goes on");
	ok(strstr(out, "PGPASSWORD") == NULL, "a credential does not");
	ok(strstr(out, "fd 0 null\nfd 1 open\nfd 2 open\nfd 3 open\ncore") != NULL, "it has four descriptors");
	ok(strstr(out, WITH_ASAN ? "core 0 as -1\n" : "core 0 as 1099511627776\n") != NULL, "no core dumps; the limit of its memory");
	ok(strstr(out, "session 1 group 1\n") != NULL, "a session and a group of its own");
	ok(strstr(out, "not as it should be") == NULL, "no signal is blocked or handled");
	snprintf(want, sizeof(want), "context %s unruly.surroundings the-group cid /state\n", spec.id.s);
	ok(strstr(out, want) != NULL, "its context says who it is");
	unsetenv("PGPASSWORD");
	seen_done(&seen);
	closed(&f, "surroundings");
}

static void
test_memory(void)
{
	struct fixture f;
	struct seen seen = { .fixture = NULL };
	struct pw_run_spec spec;

	if (WITH_ASAN) {
		skip("built with the address sanitizer", "limits of the address space");
		return;
	}
	fixture_open(&f, "unruly", "unruly");
	spec = fixture_spec(&f, "allocates");
	spec.memory_bytes = 100 << 20;
	fixture_begin(&f, &seen, &spec);
	fixture_wait(&f, &seen.ends, "allocates");
	is_str(seen.text, "no memory", "a limit of 100 MB refuses 200 MB");
	seen_done(&seen);
	spec = fixture_spec(&f, "allocates");
	spec.memory_bytes = 4096;
	fixture_begin(&f, &seen, &spec);
	fixture_wait(&f, &seen.ends, "allocates");
	ok(seen.outcome.kind != PW_OUTCOME_COMPLETED, "a limit of one page ends it somehow");
	seen_done(&seen);
	closed(&f, "memory");
}

/* --- many --- */

static void
test_many(void)
{
	static const char *const tasks[] = { "done", "crash", "result", "fail", "daemon", "exit3", "wide" };
	static struct seen seen[50];
	struct fixture f;
	int begun = 0, ended = 0, fds;

	fixture_open(&f, "unruly", "unruly");
	fixture_wait(&f, &f.hellos, "HELLO");
	fds = count_fds();
	memset(seen, 0, sizeof(seen));
	while (ended < 50) {
		while (begun < 50 && begun - ended < 8) {
			struct pw_run_spec spec =
				fixture_spec(&f, tasks[begun % (int)PW_COUNT(tasks)]);

			fixture_begin(&f, &seen[begun++], &spec);
		}
		if (pw_loop_once(f.loop, pw_now_ns() + 60 * PW_SEC, NULL) < 0)
			bail("loop");
		ended = 0;
		for (int i = 0; i < begun; i++)
			ended += seen[i].ends;
	}
	for (int i = 0, wrong = 0; i < 50; i++) {
		static const enum pw_outcome_kind kinds[] = { PW_OUTCOME_COMPLETED, PW_OUTCOME_SIGNALED, PW_OUTCOME_COMPLETED,
							      PW_OUTCOME_FAILED, PW_OUTCOME_COMPLETED, PW_OUTCOME_EXITED,
							      PW_OUTCOME_COMPLETED };

		wrong += seen[i].outcome.kind != kinds[i % 7] || seen[i].ends != 1 ||
			 seen[i].directory_left;
		wrong += seen[i].outcome.remains != (i % 7 == 4);
		if (i == 49)
			is_int(wrong, 0, "50 runs, 8 at a time, end as they should");
		seen_done(&seen[i]);
	}
	is_int(count_fds(), fds, "no descriptor is left");
	closed(&f, "many");
}

int
main(void)
{
	if (!fixture_possible()) {
		printf("1..0 # SKIP no process descriptors here (valgrind knows none)\n");
		return 0;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	test_endings();
	test_sizes();
	test_remains();
	test_remains_of_others();
	test_cancel();
	test_cancel_early();
	test_timeout();
	test_output();
	test_surroundings();
	test_memory();
	test_many();
	return tap_done();
}
