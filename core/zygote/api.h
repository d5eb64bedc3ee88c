/* SPDX-License-Identifier: MIT */
/* What a task may call: the table of function pointers in its context, over the channel to the worker. Runs in the task child. */
#ifndef PW_ZYGOTE_API_H
#define PW_ZYGOTE_API_H

#include <pthread.h>
#include <stdbool.h>

#include <pulp/plugin.h>

#include "proto/message.h"

struct pw_said;	   /* an ending that the task has made */
struct pw_fold;	   /* the state of one progress report */

struct pw_api {
	struct pulp_context context;
	pthread_mutex_t lock; /* a task may have threads while it runs */
	pid_t pid;	      /* a process forked by the task has no say */
	int channel;
	struct pw_frame_stream *in;
	struct pw_buf out, reply;
	struct pw_said *said;
	struct pw_fold *folds;
	size_t fold_count;
	uint32_t number;      /* of the last request */
	uint64_t pipe_inode;  /* of the output pipe, as standard error was at the beginning */
	char error[1024];
};

/* The go stays borrowed from the stream, which is used for the replies after that: it keeps the GO and gets a new buffer. */
void pw_api_init(struct pw_api *api, int channel, struct pw_frame_stream *in, const struct pw_msg_go *go);
/* Sends the ending. Returns the exit status of the process. */
int pw_api_end(struct pw_api *api, pulp_end end);

/* Installs the handler of SIGUSR1, after which pulp_should_stop answers 1. */
int pw_api_catch_cancel(struct pw_err *err) PW_MUSTCHECK;
/* Blocking. */
int pw_api_write(int channel, const void *data, size_t len, struct pw_err *err);
int pw_api_read(int channel, struct pw_frame_stream *in, struct pw_frame *ret_frame, struct pw_err *err) PW_MUSTCHECK;

#endif
