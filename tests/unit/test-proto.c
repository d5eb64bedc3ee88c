/* SPDX-License-Identifier: MIT */
/* Frames and messages: there and back, cut anywhere, and everything malformed refused. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "lib/tap.h"
#include "proto/message.h"
#include "proto/steps.h"

/* --- messages there and back --- */

static void
test_round_trip(void)
{
	struct pw_msg_go go = { .id = "i", .name = "a.b", .group = NULL, .cid = "", .args = "[1]", .kwargs = "{}",
				.directory = "/d", .state_directory = NULL }, go2;
	struct pw_msg_exited exited = { .id = "x", .status = 256, .remains = UINT32_MAX, .utime = -1, .nivcsw = INT64_MIN }, exited2;
	pw_auto_buf buf = PW_BUF_INIT;
	struct pw_frame frame;
	struct pw_err err;

	if (pw_message_put(&buf, PW_MSG_GO, &go) < 0)
		bail("memory");
	ok(pw_frame_of_packet(buf.data, buf.len, &frame, &err) == 0 && frame.type == PW_MSG_GO, "a packet is a frame");
	ok(pw_message_get(&frame, PW_MSG_GO, &go2, &err) == 0, "GO is read");
	ok(strcmp(go2.name, "a.b") == 0 && !go2.group && !*go2.cid && strcmp(go2.directory, "/d") == 0 && !go2.state_directory,
	   "as it was written, NULL and empty kept apart");
	pw_buf_clear(&buf);
	if (pw_message_put(&buf, PW_MSG_EXITED, &exited) < 0 ||
	    pw_frame_of_packet(buf.data, buf.len, &frame, &err) < 0)
		bail("memory");
	ok(pw_message_get(&frame, PW_MSG_EXITED, &exited2, &err) == 0 && exited2.status == 256 &&
		   exited2.remains == UINT32_MAX && exited2.utime == -1 && exited2.stime == 0 &&
		   exited2.nivcsw == INT64_MIN,
	   "numbers too, to their limits");
	frame.at = 0;
	ok(pw_message_get(&frame, PW_MSG_GO, &go2, &err) < 0 && strcmp(err.text, "EXITED came where GO was due") == 0, "another type: %s", err.text);
	pw_buf_clear(&buf);
	ok(pw_message_put(&buf, PW_MSG_READY, NULL) == 0 && buf.len == PW_FRAME_HEADER, "a message without fields is a header");
	is_str(pw_message_name(PW_MSG_SPAWN), "SPAWN", "messages have names");
	is_str(pw_message_name(PW_MSG_COUNT), "?", "other numbers have none");
	is_str(pw_message_name(0), "?", "nor has 0");
}

/* Every message, cut at every length, and with every byte changed: read or refused, never more than there is. */
static void
test_all_malformed(void)
{
	int refused = 0, read = 0, cut = 0;

	for (unsigned type = 1; type < PW_MSG_COUNT; type++) {
		size_t size = pw_message_size(type);
		char *message = calloc(1, size);
		pw_auto_buf buf = PW_BUF_INIT;
		struct pw_frame frame = { .type = (uint16_t)type };
		struct pw_err err;

		/* Fields of zeros and NULLs are written as they are; reading refuses NULL where text is due. */
		if (pw_message_put(&buf, type, message) < 0)
			bail("memory");
		for (size_t len = 0; len <= buf.len - PW_FRAME_HEADER; len++) {
			char *exact = malloc(len ? len : 1);

			memcpy(exact, buf.data + PW_FRAME_HEADER, len);
			for (size_t i = 0; i <= len; i++) {
				frame = (struct pw_frame){ .type = (uint16_t)type, .data = exact, .len = len };
				if (i < len)
					exact[i] ^= 0x41;
				if (pw_message_get(&frame, type, message, &err) < 0)
					refused++;
				else
					read++;
				if (i < len)
					exact[i] ^= 0x41;
			}
			cut += len < buf.len - PW_FRAME_HEADER;
			free(exact);
		}
		free(message);
	}
	ok(refused > 1000 && read > 10 && cut > 100, "cut and changed messages: %d refused, %d read", refused, read);
}

static void
test_values(void)
{
	static const struct {
		const char *data;
		size_t len;
		const char *want; /* NULL: bad */
		const char *what;
	} strings[] = {
		{ "\3\0\0\0abc", 8, "abc", "a string" },
		{ "\0\0\0\0", 5, "", "an empty string" },
		{ "\3\0\0\0abcd", 8, NULL, "no NUL at its end" },
		{ "\3\0\0\0a\0c", 8, NULL, "a NUL inside" },
		{ "\4\0\0\0abc", 8, NULL, "longer than the frame" },
		{ "\3\0\0\0abc", 7, NULL, "its NUL is missing" },
		{ "\376\377\377\377abc", 8, NULL, "4 GiB long" },
		{ "\3\0", 2, NULL, "half a length" },
	};

	for (size_t i = 0; i < PW_COUNT(strings); i++) {
		struct pw_frame frame = { .data = strings[i].data, .len = strings[i].len };
		const char *text = pw_frame_get_str(&frame);

		ok(strings[i].want ? text && strcmp(text, strings[i].want) == 0 && pw_frame_complete(&frame) : !text && frame.bad, "%s",
		   strings[i].what);
	}
	{
		struct pw_frame frame = { .data = "\377\377\377\377\1", .len = 5 };

		ok(!pw_frame_get_str(&frame) && !frame.bad, "NULL is no error");
		ok(!pw_frame_complete(&frame), "but what is left over is one");
		ok(pw_frame_get_i64(&frame) == 0 && frame.bad && pw_frame_get_u32(&frame) == 0, "bad stays bad");
	}
}

/* --- streams --- */

static void
feed(struct pw_frame_stream *stream, const char *data, size_t len)
{
	while (len) {
		size_t size;
		char *space = pw_frame_stream_space(stream, &size);

		if (!space || !size)
			bail("no space");
		if (size > len)
			size = len;
		memcpy(space, data, size);
		pw_frame_stream_fed(stream, size);
		data += size;
		len -= size;
	}
}

static void
test_stream(void)
{
	pw_auto_buf buf = PW_BUF_INIT;
	struct pw_frame_stream stream;
	struct pw_frame frame;
	struct pw_err err;
	char *text = malloc(100001);

	memset(text, 'x', 100000);
	text[100000] = '\0';
	for (int i = 0; i < 50; i++) {
		struct pw_msg_log log = { .level = (uint32_t)i, .text = i % 7 ? "short" : text };

		if (pw_message_put(&buf, PW_MSG_LOG, &log) < 0)
			bail("memory");
	}
	for (size_t piece = 1; piece < 300000; piece = piece * 7 + 1) {
		int got = 0, wrong = 0;

		pw_frame_stream_init(&stream, 200000);
		for (size_t at = 0; at < buf.len; at += piece) {
			feed(&stream, buf.data + at, buf.len - at < piece ? buf.len - at : piece);
			while (pw_frame_stream_next(&stream, &frame, &err) > 0) {
				struct pw_msg_log log;

				wrong += pw_message_get(&frame, PW_MSG_LOG, &log, &err) < 0 ||
					 (int)log.level != got ||
					 strlen(log.text) != (got % 7 ? 5 : 100000);
				got++;
			}
		}
		ok(got == 50 && wrong == 0 && !pw_frame_stream_partial(&stream), "50 frames in pieces of %zu", piece);
		pw_frame_stream_done(&stream);
	}
	free(text);
}

static void
test_stream_refused(void)
{
	struct pw_frame_stream stream;
	struct pw_frame frame;
	struct pw_err err;

	pw_frame_stream_init(&stream, 1000);
	is_int(pw_frame_stream_next(&stream, &frame, &err), 0, "an empty stream has no frame");
	ok(!pw_frame_stream_partial(&stream), "nor the beginning of one");
	feed(&stream, "\xe8\x03\0\0\x0b\0\x77\x70", 8);
	ok(pw_frame_stream_next(&stream, &frame, &err) == 0 && pw_frame_stream_partial(&stream), "a frame as long as allowed has begun");
	pw_frame_stream_done(&stream);
	pw_frame_stream_init(&stream, 1000);
	feed(&stream, "\xe9\x03\0\0\x0b\0\x77\x70", 8);
	ok(pw_frame_stream_next(&stream, &frame, &err) < 0 && strcmp(err.text, "a frame of 1001 bytes is longer than the limit of 1000") == 0,
	   "one that is longer is refused: %s", err.text);
	ok(stream.buf.cap < 65536, "before anything is allocated for it");
	pw_frame_stream_done(&stream);
	pw_frame_stream_init(&stream, 1000);
	feed(&stream, "HTTP/1.1", 8);
	ok(pw_frame_stream_next(&stream, &frame, &err) < 0 && err.kind == PW_ERR_PROTO, "something else is refused: %s", err.text);
	pw_frame_stream_done(&stream);
	ok(pw_frame_of_packet("\1\0\0\0\1\0\x77\x70", 8, &frame, &err) < 0, "a packet that is shorter than it says");
	ok(pw_frame_of_packet("\0\0\0\0\1\0\x77\x70", 7, &frame, &err) < 0, "a packet that is shorter than a header");
}

int
main(void)
{
	test_round_trip();
	test_all_malformed();
	test_values();
	test_stream();
	test_stream_refused();
	is_str(pw_step_name(PW_STEP_DIRECTORY), "directory", "steps have names");
	is_str(pw_step_name(PW_STEP_COUNT), NULL, "other numbers have none");
	return tap_done();
}
