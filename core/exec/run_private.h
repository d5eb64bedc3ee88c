/* SPDX-License-Identifier: MIT */
/* A run, for the files of this layer. */
#ifndef PW_EXEC_RUN_PRIVATE_H
#define PW_EXEC_RUN_PRIVATE_H

#include "exec/escalate.h"
#include "exec/host_private.h"
#include "exec/run.h"
#include "sys/rmtree.h"

#define PW_RUN_REQUESTS_MAX 16 /* unanswered at once */

struct pw_run {
	struct pw_host *host;
	struct pw_run *prev, *next;
	const struct pw_run_ops *ops;
	void *arg;
	struct pw_uuid id;
	char *strings;	 /* one block that the following point into */
	const char *name, *task, *group, *cid, *state_directory, *writable, *resource, *directory;
	char *args, *kwargs; /* until GO is made */
	int64_t timeout_ns, memory_bytes;

	int channel, output, pidfd;
	struct pw_watch *channel_watch, *output_watch;
	struct pw_timer *timer;
	struct pw_frame_stream in;
	struct pw_buf out; /* GO and replies that the socket would not take yet */
	size_t out_at;
	uint32_t requests[PW_RUN_REQUESTS_MAX];
	int request_count;

	bool immediate;	 /* its time limit is kept with KILL */
	bool ready;	 /* READY came, GO is on its way */
	bool told;	 /* the child told its ending */
	bool settled;	 /* the outcome is known */
	bool exited;	 /* it and all it left are dead */
	int64_t ready_by_ns, timeout_at_ns, silent_by_ns; /* deadlines; PW_NEVER if none */
	struct pw_escalate ladder;
	struct pw_outcome outcome;
	struct pw_buf text; /* of the outcome */
	struct pw_rmtree *rm;
};

/* --- run.c --- */
/* Arms the timer for the next deadline. */
void pw_run_schedule(struct pw_run *run);
/* Decides the outcome, unless it has been decided. */
void pw_run_settle(struct pw_run *run, enum pw_outcome_kind kind, int number, const char *fmt, ...) PW_PRINTF(4, 5);
/* The child broke the protocol: settled so, and killed. */
void pw_run_broke(struct pw_run *run, const char *fmt, ...) PW_PRINTF(2, 3);
void pw_run_free(struct pw_run *run);

/* --- run_channel.c --- */
void pw_run_on_channel(void *arg, uint32_t events);
void pw_run_on_output(void *arg, uint32_t events);
/* Reads what the dead child left in its channel and its pipe, and closes both. */
void pw_run_drain(struct pw_run *run);

/* --- run_end.c: what the host tells of a run --- */
void pw_run_spawned(struct pw_run *run, int pidfd);
void pw_run_spawn_failed(struct pw_run *run, const struct pw_msg_spawn_failed *failed);
void pw_run_exited(struct pw_run *run, const struct pw_msg_exited *exited);
/* Its host is dead, and so are the child and all it left. */
void pw_run_host_died(struct pw_run *run);
/* The next piece of the removal of its directory, and the end of the run after the last. */
void pw_run_remove_directory(struct pw_run *run);

#endif
