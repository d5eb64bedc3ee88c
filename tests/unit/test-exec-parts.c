/* SPDX-License-Identifier: MIT */
/* The parts of the layer exec that need no zygote: the ladder, progress reports, and the directories of workers with their locks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/escalate.h"
#include "exec/reports.h"
#include "exec/worker_directory.h"
#include "lib/tap.h"
#include "sys/pidfd.h"
#include "sys/rmtree.h"

/* --- the ladder --- */

static void
test_ladder(void)
{
	struct pw_escalate e;

	pw_escalate_init(&e, 10, 50, 100);
	is_int(pw_escalate_deadline(&e), PW_NEVER, "nothing is due before the start");
	is_int(pw_escalate_due(&e, 1 << 30), PW_ESCALATE_NOTHING, "however late it is");
	pw_escalate_start(&e, 1000);
	is_int(pw_escalate_deadline(&e), 1000, "the first rung is due at once");
	is_int(pw_escalate_due(&e, 1000), PW_ESCALATE_ASK, "asks");
	is_int(pw_escalate_due(&e, 1000), PW_ESCALATE_NOTHING, "once");
	is_int(pw_escalate_deadline(&e), 1010, "then TERM");
	pw_escalate_start(&e, 1005);
	is_int(pw_escalate_deadline(&e), 1010, "a second start changes nothing");
	is_int(pw_escalate_due(&e, 1009), PW_ESCALATE_NOTHING, "not before its time");
	is_int(pw_escalate_due(&e, 1049), PW_ESCALATE_TERM, "late, but still TERM");
	is_int(pw_escalate_deadline(&e), 1050, "KILL is not later for that");
	is_int(pw_escalate_due(&e, 1050), PW_ESCALATE_KILL, "KILL");
	is_int(pw_escalate_deadline(&e), 1150, "then giving up");
	pw_escalate_kill(&e, 1060);
	is_int(pw_escalate_deadline(&e), 1150, "a KILL after the KILL changes nothing");
	is_int(pw_escalate_due(&e, 1150), PW_ESCALATE_GIVE_UP, "gives up");
	is_int(pw_escalate_deadline(&e), PW_NEVER, "that is the end");

	pw_escalate_init(&e, 10, 50, 100);
	pw_escalate_start(&e, 1000);
	is_int(pw_escalate_due(&e, 2000), PW_ESCALATE_KILL, "a loop that was away for long goes straight to KILL");
	is_int(pw_escalate_due(&e, 2000), PW_ESCALATE_GIVE_UP, "and on");

	pw_escalate_init(&e, 50, 10, 100);
	pw_escalate_start(&e, 1000);
	is_int(pw_escalate_due(&e, 1000), PW_ESCALATE_ASK, "TERM after KILL in the settings: asks");
	is_int(pw_escalate_due(&e, 1010), PW_ESCALATE_KILL, "KILL");
	is_int(pw_escalate_deadline(&e), 1110, "and no TERM after it");

	pw_escalate_init(&e, 10, INT64_MAX, INT64_MAX);
	pw_escalate_start(&e, INT64_MAX / 2);
	is_int(pw_escalate_due(&e, INT64_MAX / 2), PW_ESCALATE_ASK, "a ladder without an end");
	is_int(pw_escalate_due(&e, INT64_MAX - 1), PW_ESCALATE_TERM, "does not overflow");
	pw_escalate_init(&e, 10, 50, 100);
	pw_escalate_kill(&e, 1000);
	is_int(pw_escalate_due(&e, 1000), PW_ESCALATE_KILL, "a KILL needs no start");
	is_int(pw_escalate_deadline(&e), 1100, "and is given up in its time");
}

/* --- progress reports, and those for which there is no memory: the calls come by here (see exec.am) --- */

static int calls_left = -1; /* before one fails; -1: none does */

void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *
__wrap_calloc(size_t count, size_t size)
{
	return calls_left >= 0 && calls_left-- == 0 ? NULL : __real_calloc(count, size);
}

char *
__wrap_strdup(const char *text)
{
	return calls_left >= 0 && calls_left-- == 0 ? NULL : __real_strdup(text);
}

/* Until there is memory; how often there was none. */
static int
put_report(struct pw_reports *reports, const struct pw_progress *progress, const char *before)
{
	struct pw_err err = { 0 };

	for (int fail = 0;; fail++) {
		int done;

		calls_left = fail;
		done = pw_reports_put(reports, progress, &err);
		calls_left = -1;
		if (done == 0)
			return fail;
		if (done > 0 || err.kind != PW_ERR_NOMEM ||
		    (before ? strcmp(reports->first->message, before) != 0 :
			      reports->first != NULL))
			return -1;
	}
}

static void
test_reports(void)
{
	struct pw_progress progress = { .code = "a", .message = "one", .state = "running", .suffix = "s", .done = 1, .total = 5 };
	struct pw_reports reports = { NULL, 0 };
	struct pw_uuid id;
	char code[20];
	int put = 0;

	is_int(put_report(&reports, &progress, NULL), 5, "no memory for a report is an error, and it is not there");
	id = reports.first->id;
	pw_reports_settle(&reports, true);
	reports.first->changed = false;
	progress = (struct pw_progress){ .code = "a", .message = "two", .state = "completed", .done = 5, .total = 5 };
	is_int(put_report(&reports, &progress, "one"), 4, "nor for what changes in it, which is as it was");
	ok(reports.count == 1 && strcmp(reports.first->message, "two") == 0 &&
		   strcmp(reports.first->state, "completed") == 0 && !reports.first->suffix &&
		   reports.first->done == 5 && reports.first->changed &&
		   strcmp(reports.first->id.s, id.s) == 0,
	   "then it is the same report, with the last word");
	for (int i = 0; i < PW_REPORTS_MOST + 5; i++) {
		snprintf(code, sizeof(code), "n%d", i);
		progress.code = code;
		put += pw_reports_put(&reports, &progress, NULL) == 0;
	}
	is_int(put, PW_REPORTS_MOST - 1, "there are not too many of them");
	pw_reports_done(&reports);
	ok(!reports.first && reports.count == 0, "and none at the end");
}

/* --- directories of workers --- */

static char home[] = "/tmp/pulp-test-parts-XXXXXX";

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static void
touch(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0600));
}

static void
test_path(void)
{
	static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "/", NULL };
	struct pw_err err;
	char *path, long_name[256], want[256];

	for (int i = 0; bad[i]; i++)
		ok(pw_get_worker_path(home, bad[i], &path, &err) < 0 && err.kind == PW_ERR_INPUT, "'%s' is refused: %s", bad[i], err.text);
	memset(long_name, 'x', 201);
	long_name[201] = '\0';
	ok(pw_get_worker_path(home, long_name, &path, &err) < 0, "201 bytes are too many");
	if (pw_get_worker_path("/a/b//", "w@host", &path, &err) < 0)
		bail("%s", err.text);
	is_str(path, "/a/b/w@host", "a path");
	free(path);
	if (pw_get_worker_path("rel", "w", &path, &err) < 0)
		bail("%s", err.text);
	snprintf(want, sizeof(want), "%s/rel/w", home);
	is_str(path, want, "a relative one becomes absolute");
	free(path);
}

/* A process that has our mark in its environment and waits. */
static pid_t
marked(const struct pw_uuid *worker)
{
	char variable[64];
	int fds[2], hold[2];
	pid_t pid;
	char c;

	snprintf(variable, sizeof(variable), "PULP_WORKER_ID=%s", worker->s);
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		bail("fork");
	if (pid == 0) {
		char *argv[] = { (char *)"cat", NULL }, *envp[] = { variable, NULL };

		if (pipe(hold) < 0 || dup2(hold[0], 0) < 0)
			_exit(1);
		execve("/bin/cat", argv, envp);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) != 0)
		bail("exec");
	close(fds[0]);
	return pid;
}

static bool
lives(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* In another process: creates the directory and is killed without removing it. */
static void
die_holding(const char *name, const struct pw_uuid *id)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct pw_worker_directory *d;

		if (pw_worker_directory_create("work", name, id, &d, NULL) < 0)
			_exit(1);
		if (chdir(pw_worker_directory_path(d)) < 0)
			_exit(2);
		touch("left");
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		bail("create in a child: %d", WEXITSTATUS(status));
}

static void
test_create(void)
{
	struct pw_uuid a = pw_uuid_new(), b = pw_uuid_new();
	struct pw_worker_directory *one, *two;
	struct stat st;
	struct pw_err err;
	int look;

	ok(pw_worker_directory_create("work", "one", &a, &one, &err) == 0, "created, and its parent");
	ok(stat("work/one", &st) == 0 && (st.st_mode & 07777) == 0700, "mode 0700");
	touch("work/one/file");
	ok(pw_worker_directory_create("work", "one", &b, &two, &err) < 0 && err.kind == PW_ERR_BUSY, "a second of that name is refused: %s", err.text);
	ok(exists("work/one/file"), "and touches nothing");
	ok(pw_worker_directory_create("work", "two", &b, &two, &err) == 0, "another name is no matter");
	is_int(pw_worker_directory_sweep("work"), 0, "the living are not swept");
	ok(exists("work/one/file") && exists("work/.one.lock"), "nothing of theirs is touched");
	pw_worker_directory_delete(two);
	pw_worker_directory_delete(one);
	ok(!exists("work/one") && !exists("work/.one.lock") && !exists("work/two"), "deleted with their locks");
	/* Only looked at: not a worker. */
	touch("work/.one.lock");
	look = open("work/.one.lock", O_RDONLY);
	flock(look, LOCK_SH);
	unlink("work/.one.lock");
	ok(pw_worker_directory_create("work", "one", &a, &one, &err) == 0, "a lock file that has gone does not count");
	pw_worker_directory_delete(one);
	close(look);
	ok(pw_worker_directory_delete(NULL) == NULL, "NULL is fine");
}

static bool
have_pidfds(void)
{
	int fd = pw_pidfd_open(getpid(), NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
test_remains(void)
{
	struct pw_uuid dead = pw_uuid_new(), live = pw_uuid_new(), stranger = pw_uuid_new(),
		       next = pw_uuid_new();
	pid_t of_dead, of_live, of_stranger;
	struct pw_worker_directory *d, *again;
	struct pw_err err;
	int status;

	if (!have_pidfds()) {
		skip("no process descriptors here (valgrind knows none)", "processes that were left behind");
		return;
	}
	die_holding("killed", &dead);
	ok(pw_worker_directory_create("work", "living", &live, &d, &err) == 0, "one that lives");
	of_dead = marked(&dead);
	of_live = marked(&live);
	of_stranger = marked(&stranger);
	is_int(pw_worker_directory_kill_remains("work"), 1, "one process of the killed worker is killed");
	ok(!lives(of_dead), "it is dead");
	ok(lives(of_live) && lives(of_stranger), "those of a living worker and of an unknown one are not touched");
	is_int(pw_worker_directory_kill_remains("work"), 0, "a second time there is none");
	if (mkdir("work/python-worker", 0700) < 0)
		bail("mkdir");
	touch("work/.strange");
	is_int(pw_worker_directory_sweep("work"), 1, "the killed worker's directory is swept");
	ok(!exists("work/killed") && !exists("work/.killed.lock"), "with its lock");
	ok(exists("work/python-worker") && exists("work/.strange") && exists("work/living"), "and nothing else");
	/* The name is taken again before anybody has swept. */
	die_holding("killed", &dead);
	of_dead = marked(&dead);
	ok(pw_worker_directory_create("work", "killed", &next, &again, &err) == 0, "the next of that name takes over");
	ok(!lives(of_dead), "after killing what the last one left");
	ok(!exists("work/killed/left"), "and its files");
	pw_worker_directory_delete(again);
	kill(of_live, SIGKILL);
	kill(of_stranger, SIGKILL);
	while (wait(&status) > 0)
		;
	pw_worker_directory_delete(d);
}

/* --- progress reports --- */

static int
take(struct pw_reports *reports, int64_t now_ns, bool last)
{
	int count = 0;

	for (struct pw_report *r = NULL; (r = pw_reports_take(reports, r, now_ns, last));)
		count++;
	return count;
}

/* Edge 37: the documented time, 2000 ms, is the one that is kept. The clock is stepped by hand. */
static void
put(struct pw_reports *reports, const struct pw_progress *progress)
{
	if (pw_reports_put(reports, progress, NULL) != 0)
		bail("pw_reports_put");
}

static void
test_edge_37_one_write_in_2000_ms(void)
{
	struct pw_reports reports = { NULL, 0 };
	struct pw_progress p = { .code = "a", .message = "A", .state = "running", .total = 100000 };
	int64_t start = 1000 * PW_SEC, now = start;
	int writes = 0, ticks = 0;

	is_int(PW_REPORT_EVERY, 2000 * PW_MS, "2000 ms");
	is_int(pw_reports_due(&reports), PW_NEVER, "nothing is due");
	/* a report each millisecond for 10 s, a turn after each */
	for (; now < start + 10 * PW_SEC; now += PW_MS, ticks++) {
		p.done++;
		put(&reports, &p);
		writes += take(&reports, now, false);
		pw_reports_settle(&reports, true);
	}
	is_int(writes, 5, "%d reports in 10 s are 5 writes", ticks);
	is_int(pw_reports_due(&reports), now, "the next is due 2000 ms after the last");
	is_int(take(&reports, now - 1, false), 0, "not before");
	is_int(take(&reports, now, false), 1, "but then");
	is_int(reports.first->done, 10000, "and it is the last word");
	pw_reports_settle(&reports, true);
	is_int(take(&reports, now + PW_SEC, false), 0, "what has not changed is not written again");

	now += PW_MS;
	p.done++;
	put(&reports, &p);
	is_int(take(&reports, now, false), 0, "a new count waits");
	p.state = "completed";
	put(&reports, &p);
	is_int(pw_reports_due(&reports), 0, "a new state is due at once");
	is_int(take(&reports, now, false), 1, "and is written");
	pw_reports_settle(&reports, false);
	is_int(take(&reports, now, false), 1, "what was not written is given again at once");
	pw_reports_settle(&reports, true);

	p.done++;
	put(&reports, &p);
	p.code = "b";
	put(&reports, &p);
	is_int(take(&reports, now + 1, false), 1, "another code has a time of its own");
	is_int(take(&reports, now + 1, true), 1, "before the ending all that has changed is written");
	pw_reports_again(&reports);
	is_int(take(&reports, now + 1, true), 2, "and once more what is still on its way");
	pw_reports_done(&reports);
}

int
main(void)
{
	if (!mkdtemp(home) || chdir(home) < 0)
		bail("mkdtemp");
	test_ladder();
	test_edge_37_one_write_in_2000_ms();
	test_reports();
	test_path();
	test_create();
	test_remains();
	ok(chdir("/") == 0 && pw_rmtree(AT_FDCWD, home, NULL) == 0, "nothing is left");
	return tap_done();
}
