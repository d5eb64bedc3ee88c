/* SPDX-License-Identifier: MIT */
/*
 * The end of a plugin host, wanted or not. Its task children die with it (their
 * PDEATHSIG); what they had forked is found by the task's id in its environment. The runs end
 * then, each with its directory removed, and last the host itself.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/run_private.h"
#include "sys/children.h"
#include "sys/environ.h"
#include "sys/oom.h"
#include "sys/pidfd.h"

#define CLEAR_WITHIN (2 * PW_SEC) /* for processes that have been sent KILL to be gone */

void
pw_host_die(struct pw_host *host, const char *fmt, ...)
{
	va_list ap;

	if (fmt && !host->why[0]) {
		va_start(ap, fmt);
		vsnprintf(host->why, sizeof(host->why), fmt, ap);
		va_end(ap);
	}
	if (host->state >= PW_HOST_DYING)
		return;
	host->was_up = host->state == PW_HOST_UP;
	host->state = PW_HOST_DYING;
	host->control_watch = pw_watch_free(host->control_watch);
	pw_timer_set(host->timer, PW_NEVER);
	pw_pidfd_signal(host->pidfd, SIGKILL);
}

/* --- why --- */

bool
pw_host_short_of_memory(const struct pw_host *host)
{
	return host->oom_kills[1] >= 0 && pw_oom_kills() > host->oom_kills[1];
}

static void
add_status(struct pw_host *host, int status)
{
	size_t len = strlen(host->why);
	char *at = host->why + len;
	size_t left = sizeof(host->why) - len;

	if (WIFSIGNALED(status))
		snprintf(at, left, "died of signal %d%s", WTERMSIG(status),
			 WTERMSIG(status) == SIGKILL && pw_host_short_of_memory(host) ? ", the host was out of memory" : "");
	else if (host->draining && WEXITSTATUS(status) == 0)
		snprintf(at, left, "ended as it was told to");
	else
		snprintf(at, left, "ended with status %d", WEXITSTATUS(status));
	len = strlen(host->why);
	if (!host->was_up)
		snprintf(host->why + len, sizeof(host->why) - len, " before HELLO");
}

/* The end of what it wrote, as one line. */
static void
add_tail(struct pw_host *host)
{
	size_t len = strlen(host->why), n = 0;

	while (host->tail_len && (unsigned char)host->tail[host->tail_len - 1] <= ' ')
		host->tail_len--;
	if (!host->tail_len)
		return;
	len += (size_t)snprintf(host->why + len, sizeof(host->why) - len, ": ");
	for (; n < host->tail_len && len + n + 1 < sizeof(host->why); n++) {
		char c = host->tail[n];

		host->why[len + n] = (unsigned char)c < ' ' || c == 127 ? ' ' : c;
	}
	host->why[len + n] = '\0';
}

/* --- clearing away --- */

struct hunt {
	struct pw_host *host;
	struct pw_run *found;
};

static bool
belongs_to_host(void *arg, pid_t pid)
{
	struct hunt *hunt = arg;
	char id[64];

	if (!pw_environ_of_pid(pid, "PULP_TASK_ID", id, sizeof(id)))
		return false;
	hunt->found = NULL;
	if (strcmp(id, hunt->host->id.s) == 0)
		return true;
	for (struct pw_run *run = hunt->host->runs; run; run = run->next) {
		hunt->found = run;
		if (!run->exited && strcmp(run->id.s, id) == 0)
			return true;
	}
	return false;
}

static void
count_for_run(void *arg, pid_t pid PW_UNUSED)
{
	struct hunt *hunt = arg;

	if (hunt->found)
		hunt->found->outcome.remains++;
}

/* First the children, which are known, then what can be found. */
void
pw_host_kill_processes(struct pw_host *host)
{
	int64_t deadline_ns = pw_now_ns() + CLEAR_WITHIN;
	struct hunt hunt = { .host = host };
	int status;

	for (struct pw_run *run = host->runs; run; run = run->next)
		if (run->pidfd >= 0)
			pw_pidfd_signal(run->pidfd, SIGKILL);
	for (struct pw_run *run = host->runs; run; run = run->next)
		if (run->pidfd >= 0 && pw_pidfd_wait(run->pidfd, deadline_ns))
			pw_pidfd_reap(run->pidfd, &status); /* ours if we are a subreaper */
	pw_processes_kill(belongs_to_host, count_for_run, &hunt, deadline_ns);
}

static void
gone(struct pw_host *host)
{
	host->state = PW_HOST_GONE;
	host->ops->on_gone(host->arg, host, host->why); /* may free it */
}

static void
dead(struct pw_host *host, int status)
{
	host->state = PW_HOST_DEAD;
	host->clearing = true; /* so that the last run's end does not end the host under our feet */
	host->pidfd_watch = pw_watch_free(host->pidfd_watch);
	while (pw_host_receive(host) > 0)
		;
	while (host->err_watch && pw_host_read_stderr(host) > 0)
		;
	if (!host->why[0])
		add_status(host, status);
	if (!(host->draining && status == 0)) {
		add_tail(host);
		pw_host_kill_processes(host);
	}
	for (struct pw_run *run = host->runs, *next; run; run = next) {
		next = run->next;
		if (!run->exited)
			pw_run_host_died(run);
	}
	host->clearing = false;
	if (host->running == 0)
		gone(host);
}

void
pw_host_on_pidfd(void *arg, uint32_t events PW_UNUSED)
{
	struct pw_host *host = arg;
	int status = 0;

	if (!pw_pidfd_reap(host->pidfd, &status))
		status = 0; /* somebody else has reaped it: that it ended is all we know */
	if (host->state < PW_HOST_DYING)
		pw_host_die(host, NULL);
	dead(host, status);
}

void
pw_host_after_run(struct pw_host *host)
{
	if (host->running > 0 || host->clearing)
		return;
	if (host->state == PW_HOST_DEAD)
		gone(host);
	else if (host->draining && !host->drain_sent && host->control_watch) {
		host->drain_sent = true;
		if (pw_host_send(host, PW_MSG_DRAIN, NULL, NULL, 0, NULL) < 0)
			pw_host_die(host, NULL);
	}
}
