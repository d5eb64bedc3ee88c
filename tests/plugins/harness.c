/* SPDX-License-Identifier: MIT */
/*
 * Calls one task of one plugin, as a task child would, with a fake worker:
 *
 *	harness PLUGIN.so TASK KWARGS DIRECTORY STATE-DIRECTORY LOG [REPLY...]
 *
 * What the task says is printed as one JSON object a line; its own stdout and
 * stderr go to the file LOG. Each REPLY answers one request; "!text" refuses
 * it. SIGUSR1 makes "should I stop" true, SIGTERM kills, as in a task child.
 * Descriptor 3 is open and inherited, as the channel of a task child is.
 */
#include "config.h"

#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <pulp/plugin.h>

#define CHANNEL 3

static volatile sig_atomic_t stop;
static char **replies;
static char last_error[512];
static const char ended[] = "ended";

static void
on_stop(int sig)
{
	stop = sig;
}

/* All of it: the reader may be slow, and a signal may come while we wait for him. */
static void
write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(CHANNEL, data, len);

		if (n < 0 && errno != EINTR)
			_exit(9);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

/* Takes the event. */
static void
say(json_t *event)
{
	char *line = json_dumps(event, JSON_COMPACT);

	json_decref(event);
	if (!line)
		_exit(9);
	write_all(line, strlen(line));
	write_all("\n", 1);
	free(line);
}

static json_t *
text(const char *format, va_list ap)
{
	char *s;
	json_t *json;

	if (vasprintf(&s, format, ap) < 0)
		_exit(9);
	json = json_string(s);
	free(s);
	return json ? json : json_string("NOT UTF-8");
}

static pulp_end
api_result(pulp_context *ctx, const char *json)
{
	json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : json_null();

	(void)ctx;
	say(json_pack("{s:s, s:o}", "event", "result", "value", value ? value : json_string("NOT JSON")));
	return (pulp_end){ ended };
}

static pulp_end
api_fail(pulp_context *ctx, const char *format, va_list ap)
{
	(void)ctx;
	say(json_pack("{s:s, s:o}", "event", "fail", "text", text(format, ap)));
	return (pulp_end){ ended };
}

static void
api_log(pulp_context *ctx, int level, const char *format, va_list ap)
{
	(void)ctx;
	say(json_pack("{s:s, s:i, s:o}", "event", "log", "level", level, "text", text(format, ap)));
}

static int
api_should_stop(pulp_context *ctx)
{
	(void)ctx;
	return stop != 0;
}

static int
api_progress(pulp_context *ctx, const struct pulp_progress *p)
{
	(void)ctx;
	say(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s?}", "event", "progress", "code", p->code, "message",
		      p->message, "state", p->state ? p->state : "running", "done", (json_int_t)p->done, "total",
		      (json_int_t)p->total, "suffix", p->suffix));
	return 0;
}

static int
api_request(pulp_context *ctx, const char *operation, const char *json, const char **reply)
{
	const char *answer = *replies ? *replies++ : "!no reply left";

	(void)ctx;
	say(json_pack("{s:s, s:s, s:o}", "event", "request", "operation", operation, "value",
		      json_loads(json, 0, NULL)));
	if (answer[0] == '!') {
		snprintf(last_error, sizeof(last_error), "%s", answer + 1);
		return -1;
	}
	if (reply)
		*reply = answer;
	return 0;
}

static const char *
api_last_error(pulp_context *ctx)
{
	(void)ctx;
	return last_error;
}

static const struct pulp_api api = {
	sizeof(api), PULP_ABI_MAJOR, PULP_ABI_MINOR, api_result, api_fail, api_log, api_should_stop, api_progress,
	api_request, api_last_error,
};

static const struct pulp_task *
find_task(const char *path, const char *name)
{
	char symbol[100];
	const struct pulp_task *task;
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!plugin)
		errx(1, "%s", dlerror());
	snprintf(symbol, sizeof(symbol), "pulp_task_%s", name);
	task = dlsym(plugin, symbol);
	if (!task)
		errx(1, "%s", dlerror());
	return task;
}

static void
set_up(const char *directory, const char *log)
{
	struct sigaction action = { .sa_handler = on_stop };
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd == CHANNEL)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, CHANNEL + 1);
	if (fd < 0)
		err(1, "%s", log);
	setsid();
	if (dup2(STDOUT_FILENO, CHANNEL) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
	    chdir(directory) < 0)
		err(1, "set-up");
	close(fd);
	sigaction(SIGUSR1, &action, NULL);
}

int
main(int argc, char **argv)
{
	const struct pulp_task *task;
	pulp_context ctx = {
		.size = sizeof(ctx), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR, .api = &api, .args = "[]",
	};
	char id[40];

	if (argc < 7)
		errx(64, "usage: harness PLUGIN.so TASK KWARGS DIRECTORY STATE-DIRECTORY LOG [REPLY...]");
	snprintf(id, sizeof(id), "01900000-0000-7000-8000-%012ld", (long)getpid());
	task = find_task(argv[1], argv[2]);
	ctx.kwargs = argv[3];
	ctx.directory = argv[4];
	ctx.state_directory = argv[5];
	ctx.id = ctx.logging_cid = id;
	ctx.name = argv[2];
	replies = argv + 7;
	set_up(argv[4], argv[6]);
	say(json_pack("{s:s}", "event", "go"));
	if (task->run(&ctx).said != ended)
		_exit(8);
	_exit(0);
}
