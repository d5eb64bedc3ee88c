/* SPDX-License-Identifier: MIT */
/*
 * The control channel of a plugin host and its standard error. Packets that the
 * socket does not take at once wait in a queue, with their descriptors, in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/run_private.h"
#include "sys/fdpass.h"

/* --- sending --- */

static void
close_fds(const int *fds, int fd_count)
{
	for (int i = 0; i < fd_count; i++)
		close(fds[i]);
}

static int
enqueue(struct pw_host *host, const int *fds, int fd_count, struct pw_err *err)
{
	struct pw_packet *packet = malloc(sizeof(*packet) + host->out.len);

	if (!packet)
		return pw_err_nomem(err);
	packet->next = NULL;
	packet->len = host->out.len;
	memcpy(packet->data, host->out.data, host->out.len);
	packet->fd_count = fd_count;
	for (int i = 0; i < fd_count; i++)
		packet->fds[i] = fds[i];
	if (pw_watch_set(host->control_watch, EPOLLIN | EPOLLOUT, err) < 0) {
		free(packet);
		return -1;
	}
	*host->last = packet;
	host->last = &packet->next;
	return 0;
}

int
pw_host_send(struct pw_host *host, enum pw_message type, const void *message, const int *fds,
	     int fd_count, struct pw_err *err)
{
	int ret = 0;

	pw_buf_clear(&host->out);
	if (!host->control_watch)
		ret = pw_err_set(err, PW_ERR_BUSY, "the plugin host of %s is ending", host->module);
	else if (pw_message_put(&host->out, type, message) < 0)
		ret = pw_err_nomem(err);
	else if (host->out.len > PW_PACKET_MAX)
		ret = pw_err_set(err, PW_ERR_INPUT, "too long a name");
	else if (!host->first && pw_fdpass_send(host->control, host->out.data, host->out.len, fds,
						fd_count, MSG_DONTWAIT) == 0)
		ret = 0;
	else if (host->first || errno == EAGAIN)
		return enqueue(host, fds, fd_count, err) < 0 ? (close_fds(fds, fd_count), -1) : 0;
	else if (errno == EPIPE || errno == ECONNRESET)
		ret = 0; /* it is dead, which the reader sees next, and ends its runs with the reason */
	else
		ret = pw_err_errno(err, "send to the plugin host of %s", host->module);
	close_fds(fds, fd_count);
	return ret;
}

static void
drop_first(struct pw_host *host)
{
	struct pw_packet *packet = host->first;

	host->first = packet->next;
	if (!host->first)
		host->last = &host->first;
	close_fds(packet->fds, packet->fd_count);
	free(packet);
}

void
pw_host_drop_packets(struct pw_host *host)
{
	while (host->first)
		drop_first(host);
}

static void
flush(struct pw_host *host)
{
	while (host->first) {
		struct pw_packet *packet = host->first;

		if (pw_fdpass_send(host->control, packet->data, packet->len, packet->fds,
				   packet->fd_count, MSG_DONTWAIT) < 0)
			return; /* EAGAIN; a broken channel is seen by the reader */
		drop_first(host);
	}
	if (pw_watch_set(host->control_watch, EPOLLIN, NULL) < 0)
		pw_host_die(host, "its channel cannot be watched");
}

/* --- receiving --- */

static struct pw_run *
find_run(struct pw_host *host, const char *id)
{
	for (struct pw_run *run = host->runs; run; run = run->next)
		if (!run->exited && strcmp(run->id.s, id) == 0)
			return run;
	return NULL;
}

static int
on_hello(struct pw_host *host, struct pw_frame *frame, struct pw_err *err)
{
	struct pw_msg_hello hello;

	if (pw_message_get(frame, PW_MSG_HELLO, &hello, err) < 0)
		return -1;
	if (host->state != PW_HOST_STARTING)
		return pw_err_set(err, PW_ERR_PROTO, "it said HELLO twice");
	if (strcmp(hello.module, host->module) != 0)
		return pw_err_set(err, PW_ERR_PROTO, "it serves module %.100s", hello.module);
	host->state = PW_HOST_UP;
	pw_timer_set(host->timer, PW_NEVER);
	if (host->ops->on_hello)
		host->ops->on_hello(host->arg, host);
	return 0;
}

static int
on_hello_failed(struct pw_host *host, struct pw_frame *frame, struct pw_err *err)
{
	struct pw_msg_hello_failed failed;

	if (pw_message_get(frame, PW_MSG_HELLO_FAILED, &failed, err) == 0)
		pw_host_die(host, "%s", failed.text);
	return 0;
}

static int
on_spawned(struct pw_host *host, struct pw_frame *frame, int *fds, int fd_count, struct pw_err *err)
{
	struct pw_msg_spawned spawned;
	struct pw_run *run;

	if (pw_message_get(frame, PW_MSG_SPAWNED, &spawned, err) < 0)
		return -1;
	run = find_run(host, spawned.id);
	if (run && fd_count == 1)
		pw_run_spawned(run, pw_steal_fd(&fds[0]));
	return 0;
}

static int
on_spawn_failed(struct pw_host *host, struct pw_frame *frame, struct pw_err *err)
{
	struct pw_msg_spawn_failed failed;
	struct pw_run *run;

	if (pw_message_get(frame, PW_MSG_SPAWN_FAILED, &failed, err) < 0)
		return -1;
	run = find_run(host, failed.id);
	if (run)
		pw_run_spawn_failed(run, &failed);
	return 0;
}

static int
on_exited(struct pw_host *host, struct pw_frame *frame, struct pw_err *err)
{
	struct pw_msg_exited exited;
	struct pw_run *run;

	if (pw_message_get(frame, PW_MSG_EXITED, &exited, err) < 0)
		return -1;
	run = find_run(host, exited.id);
	if (run)
		pw_run_exited(run, &exited);
	return 0;
}

static int
dispatch(struct pw_host *host, const char *packet, size_t len, int *fds, int fd_count,
	 struct pw_err *err)
{
	struct pw_frame frame;

	if (pw_frame_of_packet(packet, len, &frame, err) < 0)
		return -1;
	switch (frame.type) {
	case PW_MSG_HELLO:
		return on_hello(host, &frame, err);
	case PW_MSG_HELLO_FAILED:
		return on_hello_failed(host, &frame, err);
	case PW_MSG_SPAWNED:
		return on_spawned(host, &frame, fds, fd_count, err);
	case PW_MSG_SPAWN_FAILED:
		return on_spawn_failed(host, &frame, err);
	case PW_MSG_EXITED:
		return on_exited(host, &frame, err);
	default:
		return pw_err_set(err, PW_ERR_PROTO, "%s is not for us", pw_message_name(frame.type));
	}
}

int
pw_host_receive(struct pw_host *host)
{
	char packet[PW_PACKET_MAX];
	int fds[PW_FDPASS_MAX], fd_count;
	ssize_t n = pw_fdpass_receive(host->control, packet, sizeof(packet), fds, &fd_count,
				      MSG_DONTWAIT);
	struct pw_err err;

	if (n < 0 && errno == ECONNRESET) /* told once, before what it had said: it did not read all that we said */
		n = pw_fdpass_receive(host->control, packet, sizeof(packet), fds, &fd_count,
				      MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	if (dispatch(host, packet, (size_t)n, fds, fd_count, &err) < 0)
		pw_host_die(host, "broke the protocol: %s", err.text);
	for (int i = 0; i < fd_count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 1;
}

void
pw_host_on_control(void *arg, uint32_t events)
{
	struct pw_host *host = arg;
	int more = 1;

	if (events & EPOLLOUT)
		flush(host);
	/* Bounded, so that other hosts get their turn; epoll calls again. */
	for (int i = 0; i < 64 && more > 0 && host->control_watch; i++)
		more = pw_host_receive(host);
	if (more < 0 && host->control_watch)
		pw_host_die(host, NULL);
}

size_t
pw_host_read_stderr(struct pw_host *host)
{
	char data[4096];
	ssize_t n = read(host->err_fd, data, sizeof(data));
	size_t len = n > 0 ? (size_t)n : 0, keep;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		host->err_watch = pw_watch_free(host->err_watch);
	if (len >= sizeof(host->tail)) {
		memcpy(host->tail, data + len - sizeof(host->tail), sizeof(host->tail));
		host->tail_len = sizeof(host->tail);
		return len;
	}
	keep = host->tail_len;
	if (keep + len > sizeof(host->tail))
		keep = sizeof(host->tail) - len;
	memmove(host->tail, host->tail + host->tail_len - keep, keep);
	memcpy(host->tail + keep, data, len);
	host->tail_len = keep + len;
	return len;
}

void
pw_host_on_stderr(void *arg, uint32_t events PW_UNUSED)
{
	pw_host_read_stderr(arg);
}
