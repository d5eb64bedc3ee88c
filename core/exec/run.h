/* SPDX-License-Identifier: MIT */
/*
 * One run of one task in a child of a plugin host: from the working directory
 * to its ending. What the child says comes back through callbacks; it ends with
 * exactly one on_end, after which nothing of it is left: no process, no
 * descriptor, no directory.
 */
#ifndef PW_EXEC_RUN_H
#define PW_EXEC_RUN_H

#include <stdbool.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "exec/host.h"

#define PW_IMMEDIATE_TIMEOUT (5 * PW_SEC)

struct pw_run;

/* Everything is copied. Strings may be NULL where that is said. */
struct pw_run_spec {
	struct pw_uuid id;
	const char *name;	   /* the whole dotted function name */
	const char *task;	   /* the part after the module, dots included */
	const char *resource;	   /* NULL; or the object for which the plugin's resource of type "task" is called */
	const char *args, *kwargs; /* JSON texts: an array, an object */
	const char *group;	   /* task group id, or NULL */
	const char *logging_cid;   /* correlation id */
	const char *worker_name;
	const char *directory;	   /* the worker's directory; the run makes and removes <directory>/<id> */
	const char *state_directory; /* the plugin's own, or NULL */
	const char *writable;	   /* what else it may write to, separated by colons, or NULL */
	int64_t timeout_ns;	   /* 0 = none */
	bool immediate;		   /* at most PW_IMMEDIATE_TIMEOUT, and killed at once when it is over */
	int64_t memory_bytes;	   /* RLIMIT_AS, 0 = none */
	int64_t term_after_ns, kill_after_ns; /* the cancel ladder, from the cancel on */
};

enum pw_outcome_kind {
	PW_OUTCOME_COMPLETED, /* text: the result as JSON text, or NULL */
	PW_OUTCOME_FAILED,    /* the task said so; text: its description */
	PW_OUTCOME_EXITED,    /* ended without saying how; number: exit status */
	PW_OUTCOME_SIGNALED,  /* number: signal */
	PW_OUTCOME_SETUP,     /* text: "<step>: <text>", number: step */
	PW_OUTCOME_PROTOCOL,  /* text: what it broke */
	PW_OUTCOME_TIMEOUT,   /* its own time limit; number: seconds */
	PW_OUTCOME_HOST_DIED, /* its zygote died; text: why */
	PW_OUTCOME_RESULT_TOO_LARGE, /* number: the limit in bytes */
	PW_OUTCOME_COUNT
};

struct pw_outcome {
	enum pw_outcome_kind kind;
	int number;
	const char *text; /* borrowed for the call */
	size_t text_len;
	bool canceled; /* pw_run_cancel had been called before the child ended */
	bool oom;      /* it was killed, not by us, while the kernel was killing for lack of memory */
	int remains;   /* processes that it left behind and that were killed */
	struct rusage usage; /* of the child; zero if unknown */
};

struct pw_progress {
	const char *code, *message, *suffix; /* suffix may be NULL */
	const char *state;		     /* a state of progress reports: waiting, running, completed, failed, canceled */
	int64_t done, total;		     /* total -1 = unknown */
};

struct pw_run_ops {
	void (*on_started)(void *arg, struct pw_run *run); /* GO was sent */
	void (*on_progress)(void *arg, struct pw_run *run, const struct pw_progress *progress);
	/* Output of the task (stdout and stderr, in order), and what it logged, as text lines. */
	void (*on_output)(void *arg, struct pw_run *run, const char *data, size_t len);
	/* Answer with pw_run_reply, now or later; a repeated number is the same request. */
	void (*on_request)(void *arg, struct pw_run *run, uint32_t number, const char *operation, const char *json);
	void (*on_end)(void *arg, struct pw_run *run, const struct pw_outcome *outcome); /* frees the run afterwards */
};

/* Fails only where nothing was started (then no callback is made). */
int pw_run_start(struct pw_host *host, const struct pw_run_spec *spec, const struct pw_run_ops *ops, void *arg,
		 struct pw_run **ret_run, struct pw_err *err) PW_MUSTCHECK;
/* The ladder: SIGUSR1 to the child now, TERM and CONT to its group after term_after, KILL to all of it after kill_after. Idempotent. */
void pw_run_cancel(struct pw_run *run);
/* KILL now. */
void pw_run_kill(struct pw_run *run);
/* OK: json is the answer; else it is a text that says what went wrong. Late answers are dropped. */
void pw_run_reply(struct pw_run *run, uint32_t number, bool ok, const char *json);
const struct pw_uuid *pw_run_id(const struct pw_run *run);
void *pw_run_arg(const struct pw_run *run);

#endif
