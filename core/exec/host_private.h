/* SPDX-License-Identifier: MIT */
/* A plugin host, for the files of this layer. */
#ifndef PW_EXEC_HOST_PRIVATE_H
#define PW_EXEC_HOST_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "exec/host.h"
#include "exec/run.h"
#include "proto/message.h"

#define PW_HOST_TAIL 500 /* bytes of its standard error that are kept */

enum pw_host_state {
	PW_HOST_STARTING, /* no HELLO yet */
	PW_HOST_UP,
	PW_HOST_DYING,	  /* the process has been told to die, or its channel broke: waiting for its end */
	PW_HOST_DEAD,	  /* reaped; its last runs are being cleared away */
	PW_HOST_GONE,	  /* on_gone was called */
};

/* A packet that the socket would not take yet. */
struct pw_packet {
	struct pw_packet *next;
	size_t len;
	int fds[3], fd_count; /* owned */
	char data[];
};

struct pw_host {
	struct pw_loop *loop;
	const struct pw_host_ops *ops;
	void *arg;
	char *zygote_path, *plugin_path, *module;
	char digest[17]; /* hexadecimal, or "" */
	struct pw_uuid worker_id;
	struct pw_uuid id; /* where a task's id stands later: what the plugin starts while it is mapped carries it */
	enum pw_host_state state;
	bool draining, drain_sent, was_up, clearing;
	int pid, pidfd, control, err_fd;
	struct pw_watch *control_watch, *pidfd_watch, *err_watch;
	struct pw_timer *timer; /* for HELLO; then: for its death */
	int64_t hello_within_ns;
	struct pw_packet *first, **last; /* waiting to be sent */
	struct pw_buf out;		 /* the packet that is being made */
	char tail[PW_HOST_TAIL];
	size_t tail_len;
	char why[1400];
	struct pw_run *runs;
	int running;
	int64_t oom_kills[2]; /* when the lease was last renewed, and the time before */
};

/* --- host_start.c --- */
int pw_host_spawn(struct pw_host *host, struct pw_err *err) PW_MUSTCHECK;

/* --- host_control.c --- */
/* Sends a message, now or when the socket takes it. Takes the descriptors, also on failure. */
int pw_host_send(struct pw_host *host, enum pw_message type, const void *message, const int *fds, int fd_count,
		 struct pw_err *err) PW_MUSTCHECK;
void pw_host_on_control(void *arg, uint32_t events);
/* Reads one packet, while there is a channel or when its process is dead. Returns 1 if there may be more, 0 if not now, -1 at the end. */
int pw_host_receive(struct pw_host *host);
void pw_host_on_stderr(void *arg, uint32_t events);
/* Returns how many bytes there were, 0 at the end or if there is nothing now. */
size_t pw_host_read_stderr(struct pw_host *host);
void pw_host_drop_packets(struct pw_host *host);

/* --- host_gone.c --- */
/* Kills it and waits for its end. WHY is kept if nothing was noted before. */
void pw_host_die(struct pw_host *host, const char *fmt, ...) PW_PRINTF(2, 3);
void pw_host_on_pidfd(void *arg, uint32_t events);
/* Kills all processes of its runs and of its plugin, once the zygote itself is dead. */
void pw_host_kill_processes(struct pw_host *host);
/* Whether, when a process of it was found killed, the kernel has lately been short of memory. */
bool pw_host_short_of_memory(const struct pw_host *host);
/* After a run has ended: ends what has nothing more to wait for. */
void pw_host_after_run(struct pw_host *host);

#endif
