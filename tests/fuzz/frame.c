/* SPDX-License-Identifier: MIT */
/*
 * What a task child may write to its channel: a stream in pieces, whose frames are
 * then read as each message there is. The first byte gives the size of the pieces.
 */
#include "fuzz/fuzz.h"
#include "proto/message.h"

/* A message that was read is written again as the same bytes. */
static void
check_frame(const struct pw_frame *frame)
{
	for (unsigned type = 1; type < PW_MSG_COUNT; type++) {
		struct pw_frame again = *frame;
		char *message = malloc(pw_message_size(type));
		pw_auto_buf buf = PW_BUF_INIT;

		again.type = (uint16_t)type;
		if (pw_message_get(&again, type, message, NULL) == 0) {
			MUST(pw_message_put(&buf, type, message) == 0);
			MUST(buf.len == PW_FRAME_HEADER + frame->len);
			MUST(memcmp(buf.data + PW_FRAME_HEADER, frame->data, frame->len) == 0);
		}
		free(message);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] + 1 : 1, at = 1;
	struct pw_frame_stream stream;
	struct pw_frame frame;
	int got = 0;

	pw_frame_stream_init(&stream, 65536);
	while (got >= 0 && at < size) {
		size_t room;
		void *space = pw_frame_stream_space(&stream, &room);
		size_t len = size - at < piece ? size - at : piece;

		MUST(space && room > 0 && stream.buf.cap < 4 * (size + 65536));
		if (len > room)
			len = room;
		memcpy(space, data + at, len);
		pw_frame_stream_fed(&stream, len);
		at += len;
		while ((got = pw_frame_stream_next(&stream, &frame, NULL)) > 0)
			check_frame(&frame);
	}
	pw_frame_stream_done(&stream);
	return 0;
}
