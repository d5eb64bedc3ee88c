/* SPDX-License-Identifier: MIT */
/*
 * A plugin host, seen from the process that starts it: one pulp-zygote, which
 * has mapped one plugin and forks a child per task. Used by the supervisor and,
 * for immediate tasks, by the client library. Knows no database.
 */
#ifndef PW_EXEC_HOST_H
#define PW_EXEC_HOST_H

#include "base/err.h"
#include "base/uuid.h"
#include "sys/loop.h"

struct pw_host;

struct pw_host_config {
	const char *zygote_path;  /* the pulp-zygote executable */
	const char *plugin_path;  /* absolute path of the .so */
	const char *module;	  /* as read from the file's notes */
	struct pw_uuid worker_id; /* goes into the environment as PULP_WORKER_ID */
	const unsigned char *digest; /* 8 bytes, of the plugin's notes as they were read (pw_plugin_meta); NULL: not checked */
	int64_t hello_within_ns;  /* how long it may be silent before HELLO, e.g. 10 s */
};

/* All are called from the loop. ON_GONE comes exactly once, last, after on_end of each of its runs; HOST may then be freed with pw_host_free. */
struct pw_host_ops {
	void (*on_hello)(void *arg, struct pw_host *host);
	/* WHY: one line for people ("died of signal 11 before HELLO: <what it wrote to stderr>"). */
	void (*on_gone)(void *arg, struct pw_host *host, const char *why);
};

/* Starts the process. The config is copied. OPS and ARG must outlive the host. */
int pw_host_start(struct pw_loop *loop, const struct pw_host_config *config, const struct pw_host_ops *ops, void *arg,
		  struct pw_host **ret_host, struct pw_err *err) PW_MUSTCHECK;
/* No new runs; the process ends when its last run has ended. */
void pw_host_drain(struct pw_host *host);
/* Its tasks are killed at UNTIL_NS (pw_now_ns), by itself, unless it is told a later time before: should this process stand still. */
void pw_host_lease(struct pw_host *host, int64_t until_ns);
/* KILL to the process, and so to its children. */
void pw_host_kill(struct pw_host *host);
struct pw_host *pw_host_free(struct pw_host *host);

const char *pw_host_module(const struct pw_host *host);
int pw_host_running(const struct pw_host *host); /* number of runs */
int pw_host_pid(const struct pw_host *host);

#endif
