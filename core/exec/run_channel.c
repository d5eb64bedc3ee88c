/* SPDX-License-Identifier: MIT */
/*
 * What a task child says, and what is said to it. The other end may be in the
 * hands of code that means harm or writes by mistake: whatever is no frame, too
 * long, out of turn or malformed ends the run as a breach of protocol, at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "exec/run_private.h"
#include "proto/steps.h"

#define PIECE 65536
#define TURN_MAX ((size_t)1 << 20)	 /* bytes read from one channel in one turn of the loop */
#define PIPE_MAX ((size_t)2 << 20)	 /* more than a pipe can hold */
#define EOF_GRACE (1 * PW_SEC)		 /* from the closing of the channel to the exit that explains it */
#define EXIT_WITHIN (5 * PW_SEC)	 /* from the ending told to the exit */

/* --- to the child --- */

static void
flush(struct pw_run *run)
{
	while (run->out_at < run->out.len) {
		ssize_t n = send(run->channel, run->out.data + run->out_at,
				 run->out.len - run->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) { /* it closed its end: the reader sees that too */
			run->out_at = run->out.len;
			break;
		}
		if (n < 0)
			break;
		run->out_at += (size_t)n;
	}
	if (run->out_at == run->out.len) {
		pw_buf_done(&run->out); /* arguments may have been large */
		run->out_at = 0;
	}
	if (run->channel_watch &&
	    pw_watch_set(run->channel_watch, run->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN, NULL) < 0)
		pw_run_broke(run, "its channel cannot be watched");
}

static void
say(struct pw_run *run, enum pw_message type, const void *message)
{
	if (!run->channel_watch)
		return;
	if (pw_message_put(&run->out, type, message) < 0)
		pw_run_broke(run, "out of memory");
	else
		flush(run);
}

void
pw_run_reply(struct pw_run *run, uint32_t number, bool ok, const char *json)
{
	struct pw_msg_reply reply = { .number = number, .ok = ok, .json = json };

	for (int i = 0; i < run->request_count; i++) {
		if (run->requests[i] != number)
			continue;
		run->requests[i] = run->requests[--run->request_count];
		say(run, PW_MSG_REPLY, &reply);
		return;
	}
}

/* --- from the child --- */

static void
on_ready(struct pw_run *run)
{
	struct pw_msg_go go = { .id = run->id.s, .name = run->name, .group = run->group, .cid = run->cid,
				.args = run->args, .kwargs = run->kwargs, .directory = run->directory,
				.state_directory = run->state_directory };

	if (run->ready) {
		pw_run_broke(run, "said READY twice");
		return;
	}
	if (run->outcome.canceled || run->settled || run->exited)
		return; /* it is being killed */
	run->ready = true;
	run->ready_by_ns = PW_NEVER;
	if (run->timeout_ns > 0)
		run->timeout_at_ns = pw_now_ns() + run->timeout_ns;
	pw_run_schedule(run);
	say(run, PW_MSG_GO, &go);
	free(run->args);
	free(run->kwargs);
	run->args = run->kwargs = NULL;
	if (run->ops->on_started)
		run->ops->on_started(run->arg, run);
}

static void
on_setup_failed(struct pw_run *run, struct pw_frame *frame)
{
	struct pw_msg_setup_failed failed;
	struct pw_err err;

	if (pw_message_get(frame, PW_MSG_SETUP_FAILED, &failed, &err) < 0)
		pw_run_broke(run, "%s", err.text);
	else if (run->ready || !pw_step_name(failed.step))
		pw_run_broke(run, "SETUP_FAILED out of turn");
	else
		pw_run_settle(run, PW_OUTCOME_SETUP, (int)failed.step, "%s: %s", pw_step_name(failed.step), failed.text);
}

static bool
is_text(const char *text)
{
	return !text || pw_utf8_valid(text, strlen(text));
}

static void
on_progress(struct pw_run *run, struct pw_frame *frame)
{
	static const char *const states[] = { "waiting", "running", "completed", "failed", "canceled" };
	struct pw_msg_progress msg;
	struct pw_err err;
	bool known = false;

	if (pw_message_get(frame, PW_MSG_PROGRESS, &msg, &err) < 0) {
		pw_run_broke(run, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < PW_COUNT(states); i++)
		known = known || strcmp(msg.state, states[i]) == 0;
	if (!known || !msg.code[0] || msg.done < 0 || msg.total < -1 || !is_text(msg.code) ||
	    !is_text(msg.message) || !is_text(msg.suffix))
		pw_run_broke(run, "PROGRESS is malformed");
	else if (run->ops->on_progress)
		run->ops->on_progress(run->arg, run,
				      &(struct pw_progress){ .code = msg.code,
							     .message = msg.message,
							     .suffix = msg.suffix,
							     .state = msg.state,
							     .done = msg.done,
							     .total = msg.total });
}

static void read_output(struct pw_run *run, size_t limit);

static void
on_log(struct pw_run *run, struct pw_frame *frame)
{
	static const char *const prefixes[] = { "debug: ", "", "warning: ", "error: " };
	pw_auto_buf line = PW_BUF_INIT;
	struct pw_msg_log msg;
	struct pw_err err;

	if (pw_message_get(frame, PW_MSG_LOG, &msg, &err) < 0) {
		pw_run_broke(run, "%s", err.text);
		return;
	}
	if (msg.level >= PW_COUNT(prefixes)) {
		pw_run_broke(run, "LOG is malformed");
		return;
	}
	read_output(run, PIPE_MAX); /* what it printed before stands before */
	if (run->ops->on_output && pw_buf_addf(&line, "%s%s\n", prefixes[msg.level], msg.text) == 0)
		run->ops->on_output(run->arg, run, line.data, line.len);
}

static void
on_request(struct pw_run *run, struct pw_frame *frame)
{
	struct pw_msg_request msg;
	struct pw_err err;
	bool known = false;

	if (pw_message_get(frame, PW_MSG_REQUEST, &msg, &err) < 0) {
		pw_run_broke(run, "%s", err.text);
		return;
	}
	for (int i = 0; i < run->request_count; i++)
		known = known || run->requests[i] == msg.number;
	if (!known && run->request_count == PW_RUN_REQUESTS_MAX) {
		pw_run_broke(run, "more than %d requests at once", PW_RUN_REQUESTS_MAX);
		return;
	}
	if (!known)
		run->requests[run->request_count++] = msg.number;
	if (run->ops->on_request)
		run->ops->on_request(run->arg, run, msg.number, msg.operation, msg.json);
	else
		pw_run_reply(run, msg.number, false, "no requests are served here");
}

/* The ending: RESULT, FAIL or RESULT_TOO_LARGE. What comes after it is not read any more. */
static void
on_told(struct pw_run *run, struct pw_frame *frame)
{
	struct pw_msg_result result = { .json = NULL };
	struct pw_msg_result_too_large large;
	struct pw_msg_fail fail = { .text = NULL };
	struct pw_err err;
	int bad;

	if (frame->type == PW_MSG_RESULT)
		bad = pw_message_get(frame, PW_MSG_RESULT, &result, &err);
	else if (frame->type == PW_MSG_FAIL)
		bad = pw_message_get(frame, PW_MSG_FAIL, &fail, &err);
	else
		bad = pw_message_get(frame, PW_MSG_RESULT_TOO_LARGE, &large, &err);
	if (bad < 0 || !is_text(fail.text)) {
		pw_run_broke(run, "%s", bad < 0 ? err.text : "FAIL is malformed");
		return;
	}
	run->told = true;
	run->silent_by_ns = pw_now_ns() + EXIT_WITHIN;
	run->channel_watch = pw_watch_free(run->channel_watch);
	pw_run_schedule(run);
	if (frame->type == PW_MSG_FAIL)
		pw_run_settle(run, PW_OUTCOME_FAILED, 0, "%s", fail.text);
	else if (frame->type == PW_MSG_RESULT_TOO_LARGE)
		pw_run_settle(run, PW_OUTCOME_RESULT_TOO_LARGE, (int)PW_RESULT_MAX, NULL);
	else
		pw_run_settle(run, PW_OUTCOME_COMPLETED, 0, result.json ? "%s" : NULL, result.json);
}

static void
on_frame(struct pw_run *run, struct pw_frame *frame)
{
	bool before_go = frame->type == PW_MSG_READY || frame->type == PW_MSG_SETUP_FAILED;

	if (!before_go && !run->ready) {
		pw_run_broke(run, "%s came before READY", pw_message_name(frame->type));
		return;
	}
	switch (frame->type) {
	case PW_MSG_READY:
		on_ready(run);
		break;
	case PW_MSG_SETUP_FAILED:
		on_setup_failed(run, frame);
		break;
	case PW_MSG_PROGRESS:
		on_progress(run, frame);
		break;
	case PW_MSG_LOG:
		on_log(run, frame);
		break;
	case PW_MSG_REQUEST:
		on_request(run, frame);
		break;
	case PW_MSG_RESULT:
	case PW_MSG_FAIL:
	case PW_MSG_RESULT_TOO_LARGE:
		on_told(run, frame);
		break;
	default:
		pw_run_broke(run, "message %u is not one that a task may send", frame->type);
		break;
	}
}

static void
take_frames(struct pw_run *run)
{
	struct pw_frame frame;
	struct pw_err err;
	int got = 1;

	while (run->channel_watch && (got = pw_frame_stream_next(&run->in, &frame, &err)) > 0)
		on_frame(run, &frame);
	if (got < 0)
		pw_run_broke(run, "%s", err.text);
}

static void
on_eof(struct pw_run *run)
{
	run->channel_watch = pw_watch_free(run->channel_watch);
	/* It may be dying: how it dies is then the better explanation. */
	run->silent_by_ns = pw_now_ns() + EOF_GRACE;
	pw_run_schedule(run);
}

static void
read_channel(struct pw_run *run, size_t limit)
{
	size_t total = 0;

	while (run->channel_watch && total < limit) {
		size_t size;
		void *space = pw_frame_stream_space(&run->in, &size);
		ssize_t n = space ? recv(run->channel, space, size, MSG_DONTWAIT) : -1;

		if (!space) {
			pw_run_broke(run, "out of memory");
			return;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			on_eof(run);
			return;
		}
		total += (size_t)n;
		pw_frame_stream_fed(&run->in, (size_t)n);
		take_frames(run);
		if ((size_t)n < size)
			return; /* that was all: saves the call that only says so */
	}
}

void
pw_run_on_channel(void *arg, uint32_t events)
{
	struct pw_run *run = arg;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_channel(run, TURN_MAX);
	if ((events & EPOLLOUT) && run->channel_watch)
		flush(run);
}

/* --- its output --- */

static void
read_output(struct pw_run *run, size_t limit)
{
	char data[PIECE];
	size_t total = 0;

	while (run->output_watch && total < limit) {
		ssize_t n = read(run->output, data, sizeof(data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			run->output_watch = pw_watch_free(run->output_watch);
		if (n <= 0)
			return;
		total += (size_t)n;
		if (run->ops->on_output)
			run->ops->on_output(run->arg, run, data, (size_t)n);
	}
}

void
pw_run_on_output(void *arg, uint32_t events PW_UNUSED)
{
	read_output(arg, PIECE);
}

void
pw_run_drain(struct pw_run *run)
{
	read_channel(run, SIZE_MAX); /* nobody writes any more: it ends */
	run->channel_watch = pw_watch_free(run->channel_watch);
	read_output(run, PIPE_MAX);
	run->output_watch = pw_watch_free(run->output_watch);
}
