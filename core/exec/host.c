/* SPDX-License-Identifier: MIT */
/*
 * A plugin host: the life of one pulp-zygote as seen by the process that started
 * it. Runs in the supervisor, and in a thread of the client library.
 *
 *	STARTING --HELLO--> UP --its end--> DYING --reaped--> DEAD --last run cleared--> GONE
 *
 * It decides nothing about tasks: what happens to a run is told to run_end.c, and
 * when a host is to be started again is its owner's business.
 */
#include "exec/host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/run_private.h"
#include "sys/oom.h"
#include "sys/pidfd.h"

static void
on_timer(void *arg)
{
	struct pw_host *host = arg;
	char text[64];

	if (host->state == PW_HOST_STARTING)
		pw_host_die(host, "was silent for %s before HELLO",
			    pw_duration_text(host->hello_within_ns, text, sizeof(text)));
}

static int
watch_all(struct pw_host *host, struct pw_err *err)
{
	if (pw_watch_new(host->loop, "host-control", host->control, EPOLLIN, pw_host_on_control, host,
			 &host->control_watch, err) < 0 ||
	    pw_watch_new(host->loop, "host-stderr", host->err_fd, EPOLLIN, pw_host_on_stderr, host,
			 &host->err_watch, err) < 0 ||
	    pw_watch_new(host->loop, "host-pidfd", host->pidfd, EPOLLIN, pw_host_on_pidfd, host,
			 &host->pidfd_watch, err) < 0 ||
	    pw_timer_add(host->loop, "host", on_timer, host, &host->timer, err) < 0)
		return -1;
	pw_timer_set(host->timer, pw_now_ns() + host->hello_within_ns);
	return 0;
}

int
pw_host_start(struct pw_loop *loop, const struct pw_host_config *config,
	      const struct pw_host_ops *ops, void *arg, struct pw_host **ret_host,
	      struct pw_err *err)
{
	struct pw_host *host = calloc(1, sizeof(*host));

	if (!host)
		return pw_err_nomem(err);
	*host = (struct pw_host){ .loop = loop, .ops = ops, .arg = arg, .pidfd = -1, .control = -1, .err_fd = -1,
				  .zygote_path = strdup(config->zygote_path), .plugin_path = strdup(config->plugin_path),
				  .module = strdup(config->module), .worker_id = config->worker_id, .id = pw_uuid_new(),
				  .hello_within_ns = config->hello_within_ns };
	host->last = &host->first;
	for (size_t i = 0; config->digest && i < sizeof(host->digest) / 2; i++)
		snprintf(host->digest + 2 * i, 3, "%02x", config->digest[i]);
	if (!host->zygote_path || !host->plugin_path || !host->module) {
		pw_host_free(host);
		return pw_err_nomem(err);
	}
	host->oom_kills[0] = host->oom_kills[1] = pw_oom_kills();
	if (pw_host_spawn(host, err) < 0 || watch_all(host, err) < 0) {
		pw_err_prefix(err, "plugin host of %s", config->module);
		pw_host_free(host);
		return -1;
	}
	*ret_host = host;
	return 0;
}

void
pw_host_drain(struct pw_host *host)
{
	host->draining = true;
	pw_host_after_run(host);
}

void
pw_host_lease(struct pw_host *host, int64_t until_ns)
{
	struct pw_msg_lease lease = { .until = until_ns };

	host->oom_kills[1] = host->oom_kills[0];
	host->oom_kills[0] = pw_oom_kills();
	/* not told is safe: the lease that it has ends earlier */
	(void)!pw_host_send(host, PW_MSG_LEASE, &lease, NULL, 0, NULL);
}

void
pw_host_kill(struct pw_host *host)
{
	if (host->state < PW_HOST_DYING)
		pw_host_die(host, "was killed");
}

struct pw_host *
pw_host_free(struct pw_host *host)
{
	int status;

	if (!host)
		return NULL;
	if (host->pidfd >= 0 && host->state < PW_HOST_DEAD) {
		pw_pidfd_signal(host->pidfd, SIGKILL);
		if (pw_pidfd_wait(host->pidfd, pw_now_ns() + 2 * PW_SEC))
			pw_pidfd_reap(host->pidfd, &status);
		pw_host_kill_processes(host);
	}
	while (host->runs) {
		(void)!pw_rmtree(AT_FDCWD, host->runs->directory, NULL); /* what stays is swept with the worker's directory */
		pw_run_free(host->runs);
	}
	pw_watch_free(host->control_watch);
	pw_watch_free(host->pidfd_watch);
	pw_watch_free(host->err_watch);
	pw_timer_free(host->timer);
	pw_host_drop_packets(host);
	if (host->control >= 0)
		close(host->control);
	if (host->pidfd >= 0)
		close(host->pidfd);
	if (host->err_fd >= 0)
		close(host->err_fd);
	pw_buf_done(&host->out);
	free(host->zygote_path);
	free(host->plugin_path);
	free(host->module);
	free(host);
	return NULL;
}

const char *
pw_host_module(const struct pw_host *host)
{
	return host->module;
}

int
pw_host_running(const struct pw_host *host)
{
	return host->running;
}

int
pw_host_pid(const struct pw_host *host)
{
	return host->pid;
}
