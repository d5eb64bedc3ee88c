/* SPDX-License-Identifier: MIT */
/*
 * A plugin whose tasks do what tasks may do, and everything that they should not.
 * What they keep goes into files of the plugin's state directory, which the tests read.
 */
#include <pulp/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef HOSTILE_VERSION
#define HOSTILE_VERSION "1.0.0"
#endif
#define CHANNEL 3

PULP_PLUGIN("hostile", "c_hostile", HOSTILE_VERSION, "Everything that can go wrong");

extern char **environ;

/* --- arguments: members of kwargs, found without a parser --- */

static const char *
find(pulp_context *ctx, const char *key)
{
	char name[64];
	const char *at;

	snprintf(name, sizeof(name), "\"%s\": ", key);
	at = strstr(ctx->kwargs, name);
	return at ? at + strlen(name) : NULL;
}

static long
number(pulp_context *ctx, const char *key, long otherwise)
{
	const char *at = find(ctx, key);

	return at ? strtol(at, NULL, 10) : otherwise;
}

/* The string, without any escape; it stays for the life of the process. */
static const char *
text(pulp_context *ctx, const char *key, const char *otherwise)
{
	const char *at = find(ctx, key);

	return at && *at == '"' ? strndup(at + 1, strcspn(at + 1, "\"")) : otherwise;
}

static const char *
kept(pulp_context *ctx, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", ctx->state_directory, name) < 0)
		abort();
	return path;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

/* Appends one line: WHAT, the task, its process, the time. One write, so that lines of many tasks do not mix. */
static void
note(pulp_context *ctx, const char *file, const char *what)
{
	char line[400];
	int fd = open(kept(ctx, file), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	int len = snprintf(line, sizeof(line), "%s %s %d %.6f %s\n", what, ctx->id, (int)getpid(), now(), text(ctx, "tag", "-"));

	if (fd < 0 || write(fd, line, (size_t)len) != len)
		abort();
	close(fd);
}

static void
hang(void)
{
	for (;;)
		pause();
}

static void
say(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(CHANNEL, p, len);

		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

/* --- as they should be --- */

PULP_TASK(result, "Ends with its arguments as the result")
{
	return pulp_result(ctx, ctx->args);
}

PULP_TASK(echo, "Ends with all its arguments as the result")
{
	char *text;

	if (asprintf(&text, "{\"args\": %s, \"kwargs\": %s}", ctx->args, ctx->kwargs) < 0)
		return pulp_fail(ctx, "no memory");
	return pulp_result(ctx, text);
}

PULP_TASK(done, "Ends without a result")
{
	return pulp_done(ctx);
}

PULP_TASK(fail, "Fails with a text")
{
	return pulp_fail(ctx, "it is %d degrees too hot", 12);
}

PULP_TASK(version, "Its result is the version of the plugin")
{
	return pulp_result(ctx, "\"" HOSTILE_VERSION "\"");
}

PULP_TASK(sizes, "Its result is how long its arguments are as text")
{
	char json[80];

	snprintf(json, sizeof(json), "[%zu, %zu]", strlen(ctx->args), strlen(ctx->kwargs));
	return pulp_result(ctx, json);
}

/* file: start and stop are noted there; until: goes on when that file exists; ms: or after that time */
PULP_TASK(mark, "Notes start and stop")
{
	const char *file = text(ctx, "file", "marks"), *until = text(ctx, "until", NULL);
	double end = now() + (double)number(ctx, "ms", until ? 300000 : 0) / 1e3;

	note(ctx, file, "start");
	while (now() < end && (!until || access(kept(ctx, until), F_OK) < 0))
		nap();
	note(ctx, file, "stop");
	return pulp_result(ctx, "\"" HOSTILE_VERSION "\"");
}

PULP_TASK(obey, "Runs until it is asked to stop")
{
	note(ctx, "obey", "start");
	while (!pulp_should_stop(ctx))
		nap();
	note(ctx, "obey", "asked");
	return pulp_fail(ctx, "stopped as asked");
}

PULP_TASK(finish, "Runs until it is asked to stop, and is then done nevertheless")
{
	note(ctx, "finish", "start");
	while (!pulp_should_stop(ctx))
		nap();
	return pulp_result(ctx, "\"nevertheless\"");
}

PULP_TASK(deaf, "Asks nobody, and dies of the first signal that is no request")
{
	note(ctx, "deaf", "start");
	hang();
	return pulp_done(ctx);
}

PULP_TASK(stubborn, "Ignores every signal that can be ignored")
{
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	note(ctx, "stubborn", "start");
	hang();
	return pulp_done(ctx);
}

PULP_TASK(stopped, "Stops itself")
{
	note(ctx, "stopped", "start");
	raise(SIGSTOP);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(slow, "Takes longer than it may" PULP_TIMEOUT(1s))
{
	note(ctx, "slow", "start");
	if (number(ctx, "stubborn", 0))
		signal(SIGTERM, SIG_IGN);
	hang();
	return pulp_done(ctx);
}

/* --- ends --- */

PULP_TASK(crash, "Touches what is not there")
{
	volatile int *volatile nothing = NULL;

	return pulp_fail(ctx, "%d", *nothing);
}

PULP_TASK(abort, "Gives up")
{
	(void)ctx;
	abort();
}

PULP_TASK(exit, "Calls exit; status: with that")
{
	exit((int)number(ctx, "status", 0));
}

PULP_TASK(raise, "Sends itself a signal; signal: which")
{
	raise((int)number(ctx, "signal", SIGKILL));
	return pulp_done(ctx);
}

PULP_TASK(forget, "Returns an ending that it did not make")
{
	(void)ctx;
	return (pulp_end){ NULL };
}

PULP_TASK(kill_host, "Kills its plugin host")
{
	note(ctx, "kill_host", "start");
	kill(getppid(), SIGKILL);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(twice, "Forks, and both return")
{
	pid_t pid = fork();

	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pulp_result(ctx, pid ? "\"parent\"" : "\"child\"");
}

/* --- results --- */

PULP_TASK(bad_json, "Its result is no JSON")
{
	return pulp_result(ctx, "{\"half\": ");
}

PULP_TASK(nul, "Its result has a character that PostgreSQL cannot hold")
{
	return pulp_result(ctx, "\"a\\u0000b\"");
}

PULP_TASK(not_utf8, "Its result is not UTF-8")
{
	return pulp_result(ctx, "\"\xff\xfe\"");
}

PULP_TASK(huge_number, "Its result is a number beyond all measure")
{
	return pulp_result(ctx, "1e999999");
}

PULP_TASK(large, "Its result is a string; mb: so long")
{
	size_t len = (size_t)number(ctx, "mb", 50) << 20;
	char *json = malloc(len + 3);

	if (!json)
		return pulp_fail(ctx, "no memory");
	memset(json, 'x', len + 2);
	json[0] = json[len + 1] = '"';
	json[len + 2] = '\0';
	return pulp_result(ctx, json);
}

PULP_TASK(deep, "Its result is nested; depth: so deep")
{
	size_t depth = (size_t)number(ctx, "depth", 100000);
	char *json = malloc(2 * depth + 1);

	if (!json)
		return pulp_fail(ctx, "no memory");
	memset(json, '[', depth);
	memset(json + depth, ']', depth);
	json[2 * depth] = '\0';
	return pulp_result(ctx, json);
}

/* --- the channel --- */

PULP_TASK(garbage, "Writes into its channel what is no frame")
{
	say("GET / HTTP/1.1\r\nHost: worker\r\n\r\n", 34);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(half, "Writes half a frame and ends")
{
	(void)ctx;
	say("\x40\0\0\0\x0e\0\x77\x70half", 12);
	_exit(0);
}

PULP_TASK(stall, "Writes half a frame and closes its channel")
{
	say("\x40\0\0\0\x0e\0\x77\x70half", 12);
	close(CHANNEL);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(claim, "Announces a frame of 1 GB")
{
	say("\0\0\0\x40\x0e\0\x77\x70", 8);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(foreign, "Says what only a plugin host may say")
{
	say("\0\0\0\0\x01\0\x77\x70", 8);
	hang();
	return pulp_done(ctx);
}

PULP_TASK(flood, "Writes 1 GB into its channel")
{
	static char piece[1 << 20];

	for (int i = 0; i < 1024; i++)
		say(piece, sizeof(piece));
	hang();
	return pulp_done(ctx);
}

PULP_TASK(talk, "Logs a lot; lines: so many")
{
	for (long i = number(ctx, "lines", 100000); i > 0; i--)
		pulp_log(ctx, PULP_INFO, "line %ld of many that are worth nothing", i);
	return pulp_done(ctx);
}

PULP_TASK(hang_up, "Closes its channel; and: goes on, returns")
{
	close(CHANNEL);
	if (strcmp(text(ctx, "and", "goes on"), "returns") != 0)
		hang();
	return pulp_done(ctx);
}

/* --- output --- */

PULP_TASK(print, "Writes; bytes: so many, every value in turn if binary is 1")
{
	long bytes = number(ctx, "bytes", 100), binary = number(ctx, "binary", 0);

	printf("head\n");
	for (long i = 0; i < bytes; i++)
		putchar(binary ? (int)(i & 255) : i % 80 == 79 ? '\n' : 'a' + (int)(i % 26));
	printf("\ntail\n");
	return pulp_done(ctx);
}

PULP_TASK(order, "Prints and logs in turn")
{
	printf("one\n");
	pulp_log(ctx, PULP_WARNING, "two");
	fprintf(stderr, "three\n");
	pulp_log(ctx, PULP_INFO, "four");
	printf("five without end");
	return pulp_done(ctx);
}

/* --- progress: how: completed, fails, crashes, hangs --- */

PULP_TASK(progress, "Reports, and ends somehow")
{
	struct pulp_progress report = { .size = sizeof(report), .code = "test.part", .message = "Doing it", .done = 1,
					.total = 10, .suffix = "rows" };
	const char *how = text(ctx, "how", "completed");

	pulp_progress_report(ctx, &report);
	report.code = "test.whole";
	report.state = "completed";
	pulp_progress_report(ctx, &report);
	for (report.done = 2, report.code = "test.part", report.state = NULL; report.done < 7; report.done++)
		pulp_progress_report(ctx, &report);
	note(ctx, "progress", "start");
	if (strcmp(how, "crashes") == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL), pulp_should_stop(ctx),
			abort();
	while (strcmp(how, "hangs") == 0 && !pulp_should_stop(ctx))
		nap();
	return strcmp(how, "completed") == 0 ? pulp_done(ctx) : pulp_fail(ctx, "somehow");
}

/* --- processes --- */

/* A process that nobody waits for, in a session of its own, twice forked; its number is noted. */
static void
leave_daemon(pulp_context *ctx, const char *file, bool clean)
{
	pid_t pid = fork();

	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	setsid();
	if (fork() > 0)
		_exit(0);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	note(ctx, file, "daemon");
	if (clean)
		execle("/bin/sleep", "sleep", "1000", (char *)NULL, (char *[]){ NULL });
	hang();
}

/* count: so many; clean: 1: without an environment; then: return, hang, obey, crash */
PULP_TASK(daemon, "Leaves processes behind")
{
	const char *then = text(ctx, "then", "return"), *file = text(ctx, "file", "daemons");

	for (long i = number(ctx, "count", 1); i > 0; i--)
		leave_daemon(ctx, file, number(ctx, "clean", 0));
	note(ctx, file, "task");
	if (strcmp(then, "hang") == 0)
		hang();
	if (strcmp(then, "crash") == 0)
		abort();
	while (strcmp(then, "obey") == 0 && !pulp_should_stop(ctx))
		nap();
	return pulp_done(ctx);
}

static volatile sig_atomic_t bombs;

/* Each dies and leaves two. */
PULP_TASK(breed, "Forks faster than one can look; ms: so long")
{
	double end = now() + (double)number(ctx, "ms", 300) / 1e3;

	if (fork() == 0) {
		setsid();
		while (now() < end) {
			if (fork() > 0)
				_exit(0);
			bombs++;
		}
		hang();
	}
	while (now() < end)
		nap();
	return pulp_done(ctx);
}

/* --- what a task has and may do --- */

static void
add(char **json, const char *value)
{
	char *old = *json, *p;

	if (asprintf(json, "%s%s\"%s\"", old ? old : "[", old ? ", " : "", value) < 0)
		abort();
	for (p = *json + strlen(*json) - strlen(value) - 1; *p && p[1]; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			*p = '?';
	free(old);
}

static pulp_end
finish_list(pulp_context *ctx, char *json)
{
	char *whole = NULL;

	if (asprintf(&whole, "%s]", json ? json : "[") < 0)
		abort();
	return pulp_result(ctx, whole);
}

PULP_TASK(descriptors, "Its result is the list of its open descriptors")
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char *json = NULL, target[300], path[300];

	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		snprintf(path, sizeof(path), "%.8s %.200s", entry->d_name, target);
		add(&json, path);
	}
	return finish_list(ctx, json);
}

PULP_TASK(environment, "Its result is its environment; the first entries are its directories")
{
	char *json = NULL, *cwd = getcwd(NULL, 0);

	add(&json, cwd ? cwd : "?");
	add(&json, ctx->directory);
	for (char **entry = environ; *entry; entry++)
		add(&json, *entry);
	return finish_list(ctx, json);
}

/* path: a file or a folder with a slash at the end is made there; what: make, write, remove, rename (to: whither), link, truncate */
PULP_TASK(touch, "Tries to change a file; its result is what came of it")
{
	const char *path = text(ctx, "path", "x"), *what = text(ctx, "what", "make"), *to = text(ctx, "to", "y");
	int ret = -1, fd;
	char *json = NULL;

	if (strcmp(what, "make") == 0 && path[strlen(path) - 1] == '/') {
		ret = mkdir(path, 0700);
	} else if (strcmp(what, "make") == 0 || strcmp(what, "write") == 0) {
		fd = open(path, O_WRONLY | O_CLOEXEC | (*what == 'm' ? O_CREAT | O_EXCL : 0), 0600);
		ret = fd < 0 || write(fd, "x", 1) != 1 ? -1 : 0;
	} else if (strcmp(what, "remove") == 0) {
		ret = unlink(path);
	} else if (strcmp(what, "rename") == 0) {
		ret = rename(path, to);
	} else if (strcmp(what, "link") == 0) {
		ret = symlink("/etc/passwd", path);
	} else if (strcmp(what, "truncate") == 0) {
		ret = truncate(path, 0);
	} else if (strcmp(what, "read") == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = fd < 0 ? -1 : 0;
	}
	add(&json, ret < 0 ? strerrorname_np(errno) : "ok");
	return finish_list(ctx, json);
}

PULP_TASK(mess, "Leaves its directory in a state; depth: folders inside each other")
{
	for (int i = 0; i < 200; i++) {
		char name[40];

		snprintf(name, sizeof(name), "file-%d\n\xff", i);
		close(open(name, O_WRONLY | O_CREAT, 0));
	}
	if (symlink(ctx->state_directory, "out") < 0 || symlink("/", "root") < 0 || mkfifo("fifo", 0) < 0)
		return pulp_fail(ctx, "%m");
	for (long i = number(ctx, "depth", 3000); i > 0; i--)
		if (mkdir("deep", 0700) < 0 || chdir("deep") < 0)
			return pulp_fail(ctx, "depth %ld: %m", i);
	close(open("bottom", O_WRONLY | O_CREAT, 0400));
	if (chmod(".", 0) < 0 || chmod(ctx->directory, 0) < 0)
		return pulp_fail(ctx, "%m");
	return pulp_done(ctx);
}

PULP_TASK(eat, "Takes memory; mb: so much" PULP_MEMORY(256M))
{
	size_t len = (size_t)number(ctx, "mb", 512) << 20;
	volatile char *p = malloc(len);

	if (!p)
		return pulp_fail(ctx, "no memory");
	for (size_t at = 0; at < len; at += 1024)
		p[at] = 1;
	return pulp_done(ctx);
}

PULP_TASK(dispatch, "Dispatches a task; func: which")
{
	char order[300];
	const char *reply;

	snprintf(order, sizeof(order), "{\"func\": \"%s\", \"kwargs\": {\"until\": \"%s\"}}", text(ctx, "func", "hostile.done"),
		 text(ctx, "until", "go"));
	if (pulp_dispatch(ctx, order, &reply) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	note(ctx, "dispatch", "start");
	while (number(ctx, "stay", 0) && !pulp_should_stop(ctx))
		nap();
	return pulp_result(ctx, reply);
}

PULP_TASK(ask, "Makes a request; operation, body, with ' for its quotes")
{
	char *body = strdup(text(ctx, "body", "{}"));
	const char *reply;

	for (char *p = body; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (pulp_request(ctx, text(ctx, "operation", "x"), body, &reply) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_result(ctx, reply);
}
