/* SPDX-License-Identifier: MIT */
/* Runs tasks of a plugin in the real pulp-zygote of the build tree. */
#include "unit/exec-fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sys/children.h"
#include "sys/pidfd.h"

/* The checks are counted where they are made; this file only gives up. */
#define bail(...)                         \
	do {                              \
		printf("Bail out! ");     \
		printf(__VA_ARGS__);      \
		printf("\n");             \
		exit(99);                 \
	} while (0)

bool
fixture_possible(void)
{
	int fd = pw_pidfd_open(getpid(), NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 3; /* ".", "..", and that of the folder itself */
}

int
count_children(void)
{
	struct pw_children children;
	int count;

	pw_children_init(&children);
	if (pw_children_list(&children, NULL) < 0)
		bail("children");
	count = (int)children.count;
	pw_children_done(&children);
	return count;
}

static void
on_hello(void *arg, struct pw_host *host)
{
	(void)host;
	((struct fixture *)arg)->hellos++;
}

static void
on_gone(void *arg, struct pw_host *host, const char *why)
{
	struct fixture *f = arg;

	f->gones++;
	snprintf(f->why, sizeof(f->why), "%s", why);
	f->host = pw_host_free(host);
}

const struct pw_host_ops fixture_host_ops = { .on_hello = on_hello, .on_gone = on_gone };

void
fixture_start_host(struct fixture *f, const char *plugin, const char *module,
		   int64_t hello_within_ns)
{
	char zygote[4096], path[4096];
	const char *top = getenv("top_builddir");
	struct pw_host_config config = { .zygote_path = zygote, .plugin_path = path, .module = module,
					 .hello_within_ns = hello_within_ns };
	struct pw_err err;

	snprintf(zygote, sizeof(zygote), "%s/pulp-zygote", top ? top : ".");
	snprintf(path, sizeof(path), "%s/tests/plugins/.libs/%s.so", top ? top : ".", plugin);
	config.worker_id = pw_uuid_new();
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* in the zygote: the search for leaks leaves a process behind */
	f->hellos = f->gones = 0;
	if (pw_host_start(f->loop, &config, &fixture_host_ops, f, &f->host, &err) < 0)
		bail("pw_host_start: %s", err.text);
}

void
fixture_open(struct fixture *f, const char *plugin, const char *module)
{
	struct pw_err err;

	*f = (struct fixture){ .directory = "/tmp/pulp-test-exec-XXXXXX" };
	if (!mkdtemp(f->directory))
		bail("mkdtemp");
	if (pw_loop_new(&f->loop, &err) < 0)
		bail("pw_loop_new: %s", err.text);
	if (plugin)
		fixture_start_host(f, plugin, module, 20 * PW_SEC);
}

void
fixture_wait(struct fixture *f, const int *flag, const char *what)
{
	int64_t deadline_ns = pw_now_ns() + 60 * PW_SEC;
	struct pw_err err;

	while (!*flag) {
		if (pw_now_ns() >= deadline_ns)
			bail("waited 60 s for %s", what);
		if (pw_loop_once(f->loop, deadline_ns, &err) < 0)
			bail("%s", err.text);
	}
}

bool
fixture_close(struct fixture *f)
{
	bool clean;

	if (f->host) {
		pw_host_drain(f->host);
		fixture_wait(f, &f->gones, "the end of the host");
	}
	f->loop = pw_loop_free(f->loop);
	clean = rmdir(f->directory) == 0;
	if (!clean)
		printf("# %s is not empty\n", f->directory);
	/*
	 * What the plugin host had killed and not reaped when it was killed itself is a zombie of ours now; in the
	 * supervisor hosts.c reaps it.
	 */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (count_children() > 0)
		printf("# %d child processes are left\n", count_children());
	return clean && count_children() == 0;
}

/* --- runs --- */

static void
on_started(void *arg, struct pw_run *run)
{
	struct seen *seen = arg;

	seen->started++;
	if (seen->cancel_on_start)
		pw_run_cancel(run);
	if (seen->kill_on_start)
		pw_run_kill(run);
	if (seen->on_start)
		seen->on_start(seen);
}

static void
on_progress(void *arg, struct pw_run *run, const struct pw_progress *p)
{
	struct seen *seen = arg;

	(void)run;
	seen->progress_count++;
	if (pw_buf_addf(&seen->progress, "%s %lld/%lld %s %s\n", p->code, (long long)p->done, (long long)p->total,
			p->state, p->suffix ? p->suffix : "-") < 0)
		bail("memory");
}

static void
on_output(void *arg, struct pw_run *run, const char *data, size_t len)
{
	struct seen *seen = arg;

	seen->output_len += len;
	if (seen->output.len < (1 << 20) && pw_buf_add(&seen->output, data, len) < 0)
		bail("memory");
	if (seen->cancel_on_output)
		pw_run_cancel(run);
}

static void
on_request(void *arg, struct pw_run *run, uint32_t number, const char *operation, const char *json)
{
	struct seen *seen = arg;

	seen->requests++;
	if (strcmp(operation, "echo") == 0)
		pw_run_reply(run, number, true, json);
	else
		pw_run_reply(run, number, false, "no such operation");
}

static void
on_end(void *arg, struct pw_run *run, const struct pw_outcome *outcome)
{
	struct seen *seen = arg;
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", seen->fixture->directory, pw_run_id(run)->s);
	seen->directory_left = access(path, F_OK) == 0;
	seen->outcome = *outcome;
	seen->text = outcome->text ? strndup(outcome->text, outcome->text_len) : NULL;
	seen->outcome.text = seen->text;
	seen->ends++;
}

static const struct pw_run_ops run_ops = { .on_started = on_started, .on_progress = on_progress,
					   .on_output = on_output, .on_request = on_request, .on_end = on_end };

struct pw_run_spec
fixture_spec(struct fixture *f, const char *task)
{
	static char name[300];

	snprintf(name, sizeof(name), "%s.%s", pw_host_module(f->host), task);
	return (struct pw_run_spec){
		.id = pw_uuid_new(),
		.name = name,
		.task = task,
		.args = "[1,2]",
		.kwargs = "{}",
		.logging_cid = "cid",
		.worker_name = "w",
		.directory = f->directory,
		.term_after_ns = 100 * PW_MS,
		.kill_after_ns = 300 * PW_MS,
	};
}

void
fixture_begin(struct fixture *f, struct seen *seen, const struct pw_run_spec *spec)
{
	struct pw_err err;

	seen->fixture = f;
	if (pw_run_start(f->host, spec, &run_ops, seen, &seen->run, &err) < 0)
		bail("pw_run_start: %s", err.text);
}

void
fixture_run(struct fixture *f, struct seen *seen, const char *task)
{
	struct pw_run_spec spec = fixture_spec(f, task);

	fixture_begin(f, seen, &spec);
	fixture_wait(f, &seen->ends, task);
}

void
seen_done(struct seen *seen)
{
	free(seen->text);
	pw_buf_done(&seen->output);
	pw_buf_done(&seen->progress);
	*seen = (struct seen){ .fixture = NULL };
}
