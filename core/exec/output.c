/* SPDX-License-Identifier: MIT */
/* Head and tail of a task's output. Memory: what the head has pending (given out with each turn) and half the limit for the tail. */
#include "exec/output.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define PART_MAX 65536

void
pw_output_init(struct pw_output *output, int64_t limit)
{
	*output = (struct pw_output){ .limit = limit };
}

void
pw_output_done(struct pw_output *output)
{
	pw_buf_done(&output->pending);
	pw_buf_done(&output->tail);
}

/* The tail may grow to its double before its front is dropped, so that dropping stays cheap. */
static int
add_tail(struct pw_output *output, const char *data, size_t len)
{
	size_t room = (size_t)(output->limit / 2);

	if (len > room) {
		output->left_out += (int64_t)(len - room) + (int64_t)output->tail.len;
		pw_buf_clear(&output->tail);
		data += len - room;
		len = room;
	}
	if (output->tail.len + len > 2 * room) {
		size_t drop = output->tail.len + len - room;

		output->left_out += (int64_t)drop;
		pw_buf_drop(&output->tail, drop);
	}
	if (pw_buf_add(&output->tail, data, len) == 0)
		return 0;
	output->left_out += (int64_t)len;
	return -1;
}

void
pw_output_go_on(struct pw_output *output, int parts)
{
	if (parts > output->parts)
		output->parts = parts;
}

int
pw_output_add(struct pw_output *output, const char *data, size_t len)
{
	int64_t room = output->limit / 2 - output->head;
	size_t now = room > 0 ? (size_t)room : 0;

	if (now > len)
		now = len;
	if (now) {
		if (pw_buf_add(&output->pending, data, now) < 0) {
			output->left_out += (int64_t)len;
			return -1;
		}
		output->head += (int64_t)now;
	}
	return now < len ? add_tail(output, data + now, len - now) : 0;
}

void
pw_output_close(struct pw_output *output)
{
	size_t room = (size_t)(output->limit / 2);
	char note[80];

	output->closed = true;
	if (output->tail.len > room) {
		output->left_out += (int64_t)(output->tail.len - room);
		pw_buf_drop(&output->tail, output->tail.len - room);
	}
	if (output->left_out) {
		snprintf(note, sizeof(note), "\n[... %lld bytes left out ...]\n", (long long)output->left_out);
		if (pw_buf_adds(&output->pending, note) < 0)
			return;
	}
	if (output->tail.len &&
	    pw_buf_add(&output->pending, output->tail.data, output->tail.len) == 0)
		pw_buf_done(&output->tail);
}

/* How much of what is pending can go out now: a sequence that is not complete yet waits for its rest. */
static size_t
ready(const struct pw_output *output)
{
	size_t len = output->pending.len < PART_MAX ? output->pending.len : PART_MAX;

	if (!output->closed || len < output->pending.len)
		len -= pw_utf8_unfinished(output->pending.data, len);
	return len;
}

bool
pw_output_waiting(const struct pw_output *output)
{
	return output->pending.len && ready(output);
}

int
pw_output_take(struct pw_output *output, char **ret_text)
{
	pw_auto_buf clean = PW_BUF_INIT;
	size_t len;

	if (!pw_output_waiting(output))
		return 0;
	len = ready(output);
	if (pw_utf8_clean(&clean, output->pending.data, len) < 0)
		return -1;
	*ret_text = pw_buf_steal(&clean);
	if (!*ret_text)
		return -1;
	if (len == output->pending.len)
		pw_buf_done(&output->pending);
	else
		pw_buf_drop(&output->pending, len);
	return ++output->parts;
}
