/* SPDX-License-Identifier: MIT */
/* A plugin whose tasks do what tasks may do, and everything that they should not. */
#include <pulp/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

PULP_PLUGIN("unruly", "c_unruly", "1.0.0", "Everything that can go wrong");

#define CHANNEL 3

extern char **environ;

static void
forever(void)
{
	for (;;)
		pause();
}

PULP_TASK(result, "Ends with its arguments as the result")
{
	return pulp_result(ctx, ctx->args);
}

PULP_TASK(done, "Ends without a result")
{
	return pulp_done(ctx);
}

PULP_TASK(files__nested, "Has a dot in its name")
{
	return pulp_result(ctx, "\"nested\"");
}

PULP_TASK(fail, "Fails with a text")
{
	return pulp_fail(ctx, "it is %d degrees too hot", 12);
}

PULP_TASK(fail_latin1, "Fails with a text that is not UTF-8")
{
	return pulp_fail(ctx, "caf%c! caf%s", 0xe9, "\xc3\xa9");
}

PULP_TASK(changes_its_mind, "Makes two endings and returns the first")
{
	pulp_end first = pulp_result(ctx, "\"first\"");
	pulp_end second = pulp_fail(ctx, "second");

	(void)second;
	return first;
}

PULP_TASK(forged_end, "Returns an ending that nobody made")
{
	pulp_end end = { ctx };

	return end;
}

PULP_TASK(crash, "Crashes")
{
	raise(SIGSEGV);
	return pulp_done(ctx);
}

PULP_TASK(aborts, "Aborts")
{
	abort();
	return pulp_done(ctx);
}

PULP_TASK(exit3, "Exits with 3")
{
	exit(ctx ? 3 : 1);
}

PULP_TASK(exit0, "Exits with 0 without saying how it ended")
{
	exit(ctx ? 0 : 1);
}

PULP_TASK(exit205, "Exits with a status that looks like a step's")
{
	exit(ctx ? 205 : 1);
}

/* A JSON string of that many bytes. */
static char *
long_string(size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	text[0] = text[len - 1] = '"';
	text[len] = '\0';
	return text;
}

PULP_TASK(big_result, "A result that is one byte too long")
{
	return pulp_result(ctx, long_string((16u << 20) + 1));
}

PULP_TASK(max_result, "A result that is as long as it may be")
{
	return pulp_result(ctx, long_string(16u << 20));
}

PULP_TASK(lengths, "The lengths of its arguments")
{
	char text[64];

	snprintf(text, sizeof(text), "[%zu, %zu]", strlen(ctx->args), strlen(ctx->kwargs));
	return pulp_result(ctx, text);
}

/* Forks twice into a session of its own; the pid of the daemon becomes the result. */
static pulp_end
make_daemon(pulp_context *ctx, int clean)
{
	int fds[2];
	pid_t pid;
	char text[16];

	if (pipe(fds) < 0)
		return pulp_fail(ctx, "pipe");
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		pid = getpid();
		if (write(fds[1], &pid, sizeof(pid)) < 0)
			_exit(1);
		if (clean) {
			char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exec 3>&- ; kill -STOP $$", NULL };
			char *none[] = { NULL };

			execve("/bin/sh", argv, none);
		}
		forever();
	}
	waitpid(pid, NULL, 0);
	if (read(fds[0], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return pulp_fail(ctx, "read");
	snprintf(text, sizeof(text), "%d", (int)pid);
	return pulp_result(ctx, text);
}

PULP_TASK(daemon, "Leaves a daemon")
{
	return make_daemon(ctx, 0);
}

PULP_TASK(daemon_clean, "Leaves a daemon with an empty environment, stopped")
{
	return make_daemon(ctx, 1);
}

PULP_TASK(many_left, "Leaves 20 processes, each with a child")
{
	for (int i = 0; i < 20; i++)
		if (fork() == 0) {
			fork();
			forever();
		}
	return pulp_done(ctx);
}

PULP_TASK(fork_returns, "Forks, and both return")
{
	if (fork() == 0)
		return pulp_fail(ctx, "the fork");
	wait(NULL);
	return pulp_result(ctx, "\"the parent\"");
}

PULP_TASK(kills_host, "Kills the zygote")
{
	kill(getppid(), SIGKILL);
	forever();
	return pulp_done(ctx);
}

PULP_TASK(stops_host, "Stops the zygote")
{
	kill(getppid(), SIGSTOP);
	printf("stopped\n");
	forever();
	return pulp_done(ctx);
}

/* --- waiting, and being told to stop --- */

PULP_TASK(waits, "Waits for ever")
{
	printf("waiting\n");
	forever();
	return pulp_done(ctx);
}

static void
ignore_all(void)
{
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
}

PULP_TASK(stubborn, "Ignores every signal that can be")
{
	ignore_all();
	printf("waiting\n");
	forever();
	return pulp_done(ctx);
}

PULP_TASK(stubborn_family, "The same, with a child that does so too")
{
	ignore_all();
	fork();
	printf("waiting\n");
	forever();
	return pulp_done(ctx);
}

PULP_TASK(cooperative, "Ends when it is asked to")
{
	sigset_t usr1, before;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	printf("waiting\n");
	while (!pulp_should_stop(ctx))
		sigsuspend(&before);
	return pulp_result(ctx, "\"stopped\"");
}

/* --- the channel --- */

static void
scribble(const void *data, size_t len)
{
	while (len) {
		ssize_t n = write(CHANNEL, data, len);

		if (n <= 0)
			break;
		len -= (size_t)n;
	}
}

PULP_TASK(garbage, "Writes garbage to its channel")
{
	scribble("GET / HTTP/1.1\r\n\r\n", 18);
	forever();
	return pulp_done(ctx);
}

PULP_TASK(half_frame, "Writes half a frame and exits")
{
	(void)ctx;
	scribble("\x64\x00\x00\x00\x0b\x00\x77\x70half", 12);
	_exit(0);
}

PULP_TASK(half_crash, "Writes half a frame and crashes")
{
	scribble("\x64\x00\x00\x00\x0b\x00\x77\x70half", 12);
	raise(SIGKILL);
	return pulp_done(ctx);
}

PULP_TASK(flood, "Writes a gigabyte to its channel")
{
	static char zeros[1 << 20];

	for (int i = 0; i < 1024; i++)
		scribble(zeros, sizeof(zeros));
	forever();
	return pulp_done(ctx);
}

/* A frame without a payload, then waiting. */
static pulp_end
say_type(pulp_context *ctx, const char *header)
{
	scribble(header, 8);
	forever();
	return pulp_done(ctx);
}

PULP_TASK(too_long, "Announces a frame of 2 GiB")
{
	return say_type(ctx, "\xff\xff\xff\x7f\x0e\x00\x77\x70");
}

PULP_TASK(ready_again, "Says READY again")
{
	return say_type(ctx, "\x00\x00\x00\x00\x09\x00\x77\x70");
}

PULP_TASK(unknown, "Sends a message that there is none of")
{
	return say_type(ctx, "\x00\x00\x00\x00\xff\x00\x77\x70");
}

PULP_TASK(close_channel, "Closes its channel and waits")
{
	close(CHANNEL);
	forever();
	return pulp_done(ctx);
}

PULP_TASK(close_and_end, "Closes its channel and ends")
{
	close(CHANNEL);
	return pulp_done(ctx);
}

PULP_TASK(close_all, "Closes all and exits with 7")
{
	(void)ctx;
	for (int fd = 0; fd < 100; fd++)
		close(fd);
	_exit(7);
}

PULP_TASK(prints, "Prints 10 MB")
{
	static char line[1000];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 10000; i++)
		fwrite(line, 1, sizeof(line), stdout);
	return pulp_done(ctx);
}

PULP_TASK(speaks, "Prints and logs in turn")
{
	printf("one\n");
	pulp_log(ctx, PULP_WARNING, "two %d", 2);
	fprintf(stderr, "three\n");
	printf("four without an end, ");
	pulp_log(ctx, PULP_INFO, "five");
	printf("six");
	return pulp_done(ctx);
}

PULP_TASK(speaks_elsewhere, "Logs where its standard error is closed")
{
	close(2);
	pulp_log(ctx, PULP_ERROR, "still %s", "heard");
	return pulp_done(ctx);
}

PULP_TASK(deep, "Leaves a tree that is hard to remove")
{
	int fd;

	if (mkdir("closed", 0700) < 0 || mkdir("closed/inner", 0700) < 0)
		return pulp_fail(ctx, "mkdir");
	fd = open("closed/inner/file", O_CREAT | O_WRONLY, 0);
	if (fd < 0 || chmod("closed/inner", 0) < 0 || chmod("closed", 0) < 0)
		return pulp_fail(ctx, "closed");
	if (symlink("/tmp", "out") < 0 || symlink("nowhere", "dangling") < 0 || mkfifo("fifo", 0600) < 0)
		return pulp_fail(ctx, "symlink");
	for (int i = 0; i < 10000; i++)
		if (mkdir("d", 0700) < 0 || chdir("d") < 0)
			return pulp_fail(ctx, "depth %d: %s", i, strerror(errno));
	if (symlink("/tmp", "out") < 0)
		return pulp_fail(ctx, "symlink below");
	return pulp_done(ctx);
}

PULP_TASK(wide, "Leaves 3000 files")
{
	char name[32];

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	return pulp_done(ctx);
}

PULP_TASK(surroundings, "Prints what it finds around itself")
{
	struct rlimit core, as;
	struct sigaction action;
	char cwd[4096], link[64];
	sigset_t mask;

	for (char **entry = environ; *entry; entry++)
		printf("env %s\n", *entry);
	printf("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
	for (int fd = 0; fd < 64; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d %s\n", fd, readlink(link, cwd, sizeof(cwd)) > 0 ? (fd ? "open" : "null") : "?");
	}
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_AS, &as);
	printf("core %lld as %lld\n", (long long)core.rlim_cur, (long long)as.rlim_cur);
	printf("session %d group %d\n", getsid(0) == getpid(), getpgrp() == getpid());
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 32; s++) {
		sigaction(s, NULL, &action);
		if (sigismember(&mask, s) || (action.sa_handler != SIG_DFL && s != SIGUSR1))
			printf("signal %d is not as it should be\n", s);
	}
	printf("context %s %s %s %s %s\n", ctx->id, ctx->name, ctx->group, ctx->logging_cid, ctx->state_directory);
	return pulp_result(ctx, ctx->kwargs);
}

PULP_TASK(allocates, "Takes 200 MB")
{
	return malloc(200u << 20) ? pulp_done(ctx) : pulp_fail(ctx, "no memory");
}

/* --- what a task may call --- */

PULP_TASK(reports, "Reports progress 1000 times at once, of two codes")
{
	struct pulp_progress last = { sizeof(last), "b", "Other", "failed", 3, -1, "files" };

	for (int i = 1; i <= 1000; i++)
		if (pulp_progress(ctx, "a", "Counting", i, 2000) < 0)
			return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	if (pulp_progress_report(ctx, &last) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_done(ctx);
}

PULP_TASK(bad_calls, "Calls with arguments that are no good")
{
	struct pulp_progress p = { sizeof(p), "a", "A", "dancing", 0, -1, NULL };
	const char *reply = "untouched";
	int bad = 0;

	bad += pulp_progress_report(ctx, NULL) == -1;
	bad += pulp_progress(ctx, NULL, "A", 0, 0) == -1;
	bad += pulp_progress(ctx, "", "A", 0, 0) == -1;
	bad += pulp_progress(ctx, "a", NULL, 0, 0) == -1;
	bad += pulp_progress(ctx, "a", "A", -1, 0) == -1;
	bad += pulp_progress(ctx, "a", "A", 0, -2) == -1;
	bad += pulp_progress_report(ctx, &p) == -1 && strstr(pulp_last_error(ctx), "dancing");
	bad += pulp_request(ctx, NULL, "{}", &reply) == -1 && strcmp(reply, "untouched") == 0;
	bad += pulp_request(ctx, "nonsense", "{}", &reply) == -1 && strcmp(pulp_last_error(ctx), "no such operation") == 0;
	return bad == 9 ? pulp_done(ctx) : pulp_fail(ctx, "%d of 9", bad);
}

PULP_TASK(requests, "Asks, and asks again")
{
	const char *reply;

	if (pulp_request(ctx, "echo", "{\"a\": 1}", &reply) < 0 || strcmp(reply, "{\"a\": 1}") != 0)
		return pulp_fail(ctx, "first: %s", pulp_last_error(ctx));
	if (pulp_request(ctx, "echo", NULL, NULL) < 0)
		return pulp_fail(ctx, "second: %s", pulp_last_error(ctx));
	if (pulp_request(ctx, "echo", "[2]", &reply) < 0)
		return pulp_fail(ctx, "third: %s", pulp_last_error(ctx));
	return pulp_result(ctx, reply);
}

static void *
log_and_report(void *ctx)
{
	for (int i = 0; i < 100; i++) {
		pulp_log(ctx, PULP_INFO, "line");
		pulp_progress(ctx, "t", "Threads", i, 100);
	}
	return NULL;
}

PULP_TASK(threads, "Calls from four threads")
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, log_and_report, ctx) != 0)
			return pulp_fail(ctx, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return pulp_done(ctx);
}
