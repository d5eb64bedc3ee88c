/* SPDX-License-Identifier: MIT */
/*
 * What a task may call. Runs in the task child, on the task's threads. Nothing
 * that a plugin passes is trusted to be right: NULL where something must be gives
 * -1 and a last error, never a crash of ours.
 *
 * A process that the task forked shares the channel by inheritance; it has no say:
 * its calls do nothing, and should it return from the task's function it just ends.
 * After the ending has been told the table is swapped for one that only complains.
 */
#include "zygote/api.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "proto/steps.h"
#include "zygote/api_state.h"

#define TEXT_MAX 65536 /* of a description or a log line */

/* An ending that the task has made; pulp_end.said points to it. */
struct pw_said {
	struct pw_said *next;
	enum pw_message type;
	char *text;
};

/* A signal handler has no argument: the one variable of this layer. */
static volatile sig_atomic_t cancel_asked;

static void
on_cancel(int signal PW_UNUSED)
{
	cancel_asked = 1;
}

int
pw_api_catch_cancel(struct pw_err *err)
{
	struct sigaction action = { .sa_handler = on_cancel }; /* no SA_RESTART: what waits should notice */

	return sigaction(SIGUSR1, &action, NULL) < 0 ? pw_err_errno(err, "sigaction") : 0;
}

/* --- the channel --- */

int
pw_api_write(int channel, const void *data, size_t len, struct pw_err *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(channel, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "write to the channel");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
pw_api_read(int channel, struct pw_frame_stream *in, struct pw_frame *ret_frame, struct pw_err *err)
{
	for (;;) {
		int got = pw_frame_stream_next(in, ret_frame, err);
		size_t size;
		void *space;
		ssize_t n;

		if (got != 0)
			return got < 0 ? -1 : 0;
		space = pw_frame_stream_space(in, &size);
		if (!space)
			return pw_err_nomem(err);
		n = recv(channel, space, size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pw_err_errno(err, "read from the channel");
		if (n == 0)
			return pw_err_set(err, PW_ERR_PROTO, "the worker closed the channel");
		pw_frame_stream_fed(in, (size_t)n);
	}
}

/* --- shared with the other files of the API --- */

struct pw_api *
pw_api_of(pulp_context *ctx)
{
	struct pw_api *api = ctx ? ctx->host : NULL;

	return api && api->pid == getpid() ? api : NULL;
}

int
pw_api_refuse(struct pw_api *api, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(api->error, sizeof(api->error), fmt, ap);
	va_end(ap);
	return -1;
}

int
pw_api_send(struct pw_api *api, enum pw_message type, const void *message)
{
	struct pw_err err;

	pw_buf_clear(&api->out);
	if (pw_message_put(&api->out, type, message) < 0)
		return pw_api_refuse(api, "out of memory");
	if (pw_api_write(api->channel, api->out.data, api->out.len, &err) < 0)
		return pw_api_refuse(api, "%s", err.text);
	return 0;
}

void
pw_api_clean_text(char *text)
{
	for (char *p = text; *p;) {
		size_t len = 1;

		if ((unsigned char)*p >= 0x80)
			while (len < 5 && !pw_utf8_valid(p, len))
				len++;
		if (len == 5) {
			*p = '?';
			len = 1;
		}
		p += len;
	}
}

/* --- the table --- */

static pulp_end
say(pulp_context *ctx, enum pw_message type, char *text)
{
	struct pw_api *api = pw_api_of(ctx);
	struct pw_said *said = api ? calloc(1, sizeof(*said)) : NULL;

	if (!said) {
		free(text);
		return (pulp_end){ NULL };
	}
	said->type = type;
	said->text = text;
	pthread_mutex_lock(&api->lock);
	said->next = api->said;
	api->said = said;
	pthread_mutex_unlock(&api->lock);
	return (pulp_end){ said };
}

static pulp_end
api_result(pulp_context *ctx, const char *json)
{
	char *copy;

	if (!json)
		return say(ctx, PW_MSG_RESULT, NULL);
	if (strlen(json) > PW_RESULT_MAX)
		return say(ctx, PW_MSG_RESULT_TOO_LARGE, NULL);
	copy = strdup(json);
	return copy ? say(ctx, PW_MSG_RESULT, copy) : say(ctx, PW_MSG_FAIL, strdup("out of memory"));
}

/* The formatted text, cut at TEXT_MAX; NULL when out of memory. */
static char *
format_text(const char *format, va_list ap)
{
	char *text = NULL;

	if (!format)
		return strdup("");
	if (vasprintf(&text, format, ap) < 0)
		return NULL;
	if (strlen(text) > TEXT_MAX)
		text[TEXT_MAX] = '\0';
	pw_api_clean_text(text);
	return text;
}

static pulp_end
api_fail(pulp_context *ctx, const char *format, va_list ap)
{
	return say(ctx, PW_MSG_FAIL, format_text(format, ap));
}

/* Whether standard error still is the output pipe, and not what the task has put in its place. */
static bool
stderr_is_ours(const struct pw_api *api)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) &&
	       st.st_ino == api->pipe_inode;
}

/* A line goes the way of what the task prints, so that both come in order; where that is closed, by the channel. */
static void
send_log(struct pw_api *api, int level, const char *text)
{
	static const char *const prefixes[] = { "debug: ", "", "warning: ", "error: " };

	fflush(stdout);
	if (!stderr_is_ours(api)) {
		pw_api_send(api, PW_MSG_LOG,
			    &(struct pw_msg_log){ .level = (uint32_t)level, .text = text });
		return;
	}
	pw_buf_clear(&api->out);
	if (pw_buf_addf(&api->out, "%s%s\n", prefixes[level], text) < 0 ||
	    pw_fd_write_all(STDERR_FILENO, api->out.data, api->out.len, NULL) < 0)
		pw_api_refuse(api, "the line could not be written");
}

static void
api_log(pulp_context *ctx, int level, const char *format, va_list ap)
{
	struct pw_api *api = pw_api_of(ctx);
	pw_auto_free char *text = api ? format_text(format, ap) : NULL;

	if (!text)
		return;
	if (level < PULP_DEBUG || level > PULP_ERROR)
		level = PULP_INFO;
	pthread_mutex_lock(&api->lock);
	pw_api_progress_flush(api, false);
	send_log(api, level, text);
	pthread_mutex_unlock(&api->lock);
}

static int
api_should_stop(pulp_context *ctx)
{
	struct pw_api *api = pw_api_of(ctx);

	if (api && pthread_mutex_trylock(&api->lock) == 0) {
		pw_api_progress_flush(api, false);
		pthread_mutex_unlock(&api->lock);
	}
	return cancel_asked ? 1 : 0;
}

static int
api_progress(pulp_context *ctx, const struct pulp_progress *progress)
{
	struct pw_api *api = pw_api_of(ctx);
	int ret;

	if (!api)
		return -1;
	pthread_mutex_lock(&api->lock);
	pw_api_progress_flush(api, false);
	ret = pw_api_progress(api, progress);
	pthread_mutex_unlock(&api->lock);
	return ret;
}

/* Waits for the answer to the last request. The worker answers, or kills us: so no deadline here. */
static int
await_reply(struct pw_api *api, const char **reply)
{
	struct pw_msg_reply msg;
	struct pw_frame frame;
	struct pw_err err;

	do {
		if (pw_api_read(api->channel, api->in, &frame, &err) < 0 ||
		    pw_message_get(&frame, PW_MSG_REPLY, &msg, &err) < 0)
			return pw_api_refuse(api, "%s", err.text);
	} while (msg.number != api->number);
	if (!msg.ok)
		return pw_api_refuse(api, "%s", msg.json);
	pw_buf_clear(&api->reply);
	if (pw_buf_adds(&api->reply, msg.json) < 0)
		return pw_api_refuse(api, "out of memory");
	if (reply)
		*reply = api->reply.data;
	return 0;
}

static int
api_request(pulp_context *ctx, const char *operation, const char *json, const char **reply)
{
	struct pw_api *api = pw_api_of(ctx);
	struct pw_msg_request msg = { .operation = operation, .json = json ? json : "{}" };
	int ret;

	if (!api)
		return -1;
	pthread_mutex_lock(&api->lock);
	pw_api_progress_flush(api, false);
	if (!operation || !*operation || strlen(operation) > 100) {
		ret = pw_api_refuse(api, "a request needs the name of an operation");
	} else if (strlen(msg.json) > PW_RESULT_MAX) {
		ret = pw_api_refuse(api, "the request is larger than %zu bytes", PW_RESULT_MAX);
	} else {
		msg.number = ++api->number;
		ret = pw_api_send(api, PW_MSG_REQUEST, &msg);
		if (ret == 0)
			ret = await_reply(api, reply);
	}
	pthread_mutex_unlock(&api->lock);
	return ret;
}

static const char *
api_last_error(pulp_context *ctx)
{
	struct pw_api *api = pw_api_of(ctx);

	return api ? api->error : "not in the process of the task";
}

static const struct pulp_api api_table = {
	.size = sizeof(struct pulp_api), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR,
	.result = api_result, .fail = api_fail, .log = api_log, .should_stop = api_should_stop,
	.progress = api_progress, .request = api_request, .last_error = api_last_error,
};

/* --- beginning and end --- */

void
pw_api_init(struct pw_api *api, int channel, struct pw_frame_stream *in, const struct pw_msg_go *go)
{
	struct stat st;

	*api = (struct pw_api){
		.context = {
			.size = sizeof(struct pulp_context), .major = PULP_ABI_MAJOR, .minor = PULP_ABI_MINOR,
			.api = &api_table, .args = go->args, .kwargs = go->kwargs, .id = go->id, .name = go->name,
			.group = go->group, .logging_cid = go->cid ? go->cid : "", .directory = go->directory,
			.state_directory = go->state_directory, .host = api,
		},
		.lock = PTHREAD_MUTEX_INITIALIZER, .pid = getpid(), .channel = channel, .in = in,
	};
	if (fstat(STDERR_FILENO, &st) == 0)
		api->pipe_inode = st.st_ino;
	in->buf = (struct pw_buf)PW_BUF_INIT; /* the strings of GO live in the old one until the process ends */
	in->at = 0;
}

static int
tell(struct pw_api *api, const struct pw_said *said)
{
	struct pw_msg_result_too_large too_large = { .limit = (int64_t)PW_RESULT_MAX };

	if (said->type == PW_MSG_RESULT)
		return pw_api_send(api, said->type, &(struct pw_msg_result){ .json = said->text });
	if (said->type == PW_MSG_RESULT_TOO_LARGE)
		return pw_api_send(api, said->type, &too_large);
	return pw_api_send(api, said->type, &(struct pw_msg_fail){ .text = said->text ? said->text : "out of memory" });
}

int
pw_api_end(struct pw_api *api, pulp_end end)
{
	const struct pw_said *said;

	if (api->pid != getpid())
		return 0;
	fflush(NULL);
	pthread_mutex_lock(&api->lock);
	api->context.api = &pw_api_late;
	pw_api_progress_flush(api, true);
	for (said = api->said; said && said != end.said; said = said->next)
		;
	if (said && tell(api, said) < 0)
		return PW_CHANNEL_LOST_EXIT;
	return 0;
}
