/* SPDX-License-Identifier: MIT */
/* Keeps the head and the tail of a stream in fixed memory. Runs in the task child; no I/O but the replay. */
#include "exec/capture.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"
#include "common/clean.h"

static size_t
least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

static size_t
head_len(const struct pw_capture *capture)
{
	return least(capture->total, PW_CAPTURE_HALF);
}

void
pw_capture_add(struct pw_capture *capture, const char *data, size_t len)
{
	size_t head = least(len, PW_CAPTURE_HALF - head_len(capture));

	memcpy(capture->head + head_len(capture), data, head);
	capture->total += head;
	for (data += head, len -= head; len;) {
		size_t at = (size_t)((capture->total - PW_CAPTURE_HALF) % PW_CAPTURE_HALF);
		size_t n = least(len, PW_CAPTURE_HALF - at);

		memcpy(capture->tail + at, data, n);
		capture->total += n;
		data += n;
		len -= n;
	}
}

/* Appends the tail in its order. */
static int
add_tail(const struct pw_capture *capture, struct pw_buf *buf)
{
	uint64_t came = capture->total - head_len(capture);
	size_t at = (size_t)(came % PW_CAPTURE_HALF);

	if (came < PW_CAPTURE_HALF)
		return pw_buf_add(buf, capture->tail, (size_t)came);
	if (pw_buf_add(buf, capture->tail + at, PW_CAPTURE_HALF - at) < 0)
		return -1;
	return pw_buf_add(buf, capture->tail, at);
}

static uint64_t
left_out(const struct pw_capture *capture)
{
	return capture->total > 2 * PW_CAPTURE_HALF ? capture->total - 2 * PW_CAPTURE_HALF : 0;
}

static int
add_note(const struct pw_capture *capture, struct pw_buf *buf)
{
	return pw_buf_addf(buf, "\n[... %" PRIu64 " bytes left out ...]\n", left_out(capture));
}

int
pw_capture_text(const struct pw_capture *capture, struct pw_buf *buf)
{
	pw_auto_buf raw = PW_BUF_INIT, tail = PW_BUF_INIT;
	size_t skip;

	if (left_out(capture) == 0) {
		if (pw_buf_add(&raw, capture->head, head_len(capture)) < 0 ||
		    add_tail(capture, &raw) < 0)
			return -1;
		return pw_clean_add(buf, raw.data, raw.len);
	}
	if (add_tail(capture, &tail) < 0)
		return -1;
	skip = pw_clean_skip_start(tail.data, tail.len);
	if (pw_clean_add(buf, capture->head, pw_clean_trim_end(capture->head, PW_CAPTURE_HALF)) <
		    0 ||
	    add_note(capture, buf) < 0)
		return -1;
	return pw_clean_add(buf, tail.data + skip, tail.len - skip);
}

static bool
is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

int
pw_capture_last_line(const struct pw_capture *capture, size_t limit, struct pw_buf *buf)
{
	pw_auto_buf raw = PW_BUF_INIT;
	size_t end, start, len;

	if (left_out(capture) == 0 && pw_buf_add(&raw, capture->head, head_len(capture)) < 0)
		return -1;
	if (add_tail(capture, &raw) < 0)
		return -1;
	for (end = raw.len; end && is_blank(raw.data[end - 1]);)
		end--;
	for (start = end; start && raw.data[start - 1] != '\n' && raw.data[start - 1] != '\r';)
		start--;
	if (start == 0 && left_out(capture))
		start = pw_clean_skip_start(raw.data, end);
	len = end - start;
	if (len > limit)
		len = pw_clean_trim_end(raw.data + start, limit);
	return len ? pw_clean_add(buf, raw.data + start, len) : 0;
}

void
pw_capture_replay(const struct pw_capture *capture, int fd)
{
	pw_auto_buf raw = PW_BUF_INIT;

	if (pw_buf_add(&raw, capture->head, head_len(capture)) == 0 &&
	    (left_out(capture) == 0 || add_note(capture, &raw) == 0) &&
	    add_tail(capture, &raw) == 0 && raw.len)
		(void)!pw_fd_write_all(fd, raw.data, raw.len, NULL);
}
