/* SPDX-License-Identifier: MIT */
/*
 * Frames between worker, zygote and task child. The child's side is written by
 * code that we do not trust (a task may write to the channel itself), so every
 * length is checked before it is used, and the reader never allocates for what a
 * header only promises. Pure: the callers do the reading and writing.
 */
#include "proto/frame.h"

#include <endian.h>
#include <string.h>

#define NULL_STRING UINT32_MAX
#define PIECE 16384u

/* --- writing --- */

int
pw_frame_begin(struct pw_buf *buf, uint16_t type, size_t *ret_start)
{
	unsigned char header[PW_FRAME_HEADER] = { 0, 0, 0, 0, (unsigned char)type, (unsigned char)(type >> 8),
						  PW_FRAME_MAGIC & 0xff, PW_FRAME_MAGIC >> 8 };

	*ret_start = buf->len;
	return pw_buf_add(buf, header, sizeof(header));
}

int
pw_frame_end(struct pw_buf *buf, size_t start)
{
	size_t len = buf->len - start - PW_FRAME_HEADER;
	uint32_t le = htole32((uint32_t)len);

	if (len > UINT32_MAX)
		return -1;
	memcpy(buf->data + start, &le, sizeof(le));
	return 0;
}

int
pw_frame_put_u32(struct pw_buf *buf, uint32_t value)
{
	uint32_t le = htole32(value);

	return pw_buf_add(buf, &le, sizeof(le));
}

int
pw_frame_put_i64(struct pw_buf *buf, int64_t value)
{
	uint64_t le = htole64((uint64_t)value);

	return pw_buf_add(buf, &le, sizeof(le));
}

int
pw_frame_put_str(struct pw_buf *buf, const char *text)
{
	size_t len;

	if (!text)
		return pw_frame_put_u32(buf, NULL_STRING);
	len = strlen(text);
	if (len >= NULL_STRING || pw_frame_put_u32(buf, (uint32_t)len) < 0)
		return -1;
	return pw_buf_add(buf, text, len + 1);
}

/* --- reading --- */

static int
read_header(const char *data, size_t *ret_len, uint16_t *ret_type, struct pw_err *err)
{
	uint16_t type, magic;
	uint32_t len;

	memcpy(&len, data, 4);
	memcpy(&type, data + 4, 2);
	memcpy(&magic, data + 6, 2);
	if (le16toh(magic) != PW_FRAME_MAGIC)
		return pw_err_set(err, PW_ERR_PROTO, "what came is not a frame");
	*ret_len = le32toh(len);
	*ret_type = le16toh(type);
	return 0;
}

int
pw_frame_of_packet(const void *data, size_t len, struct pw_frame *ret_frame, struct pw_err *err)
{
	uint16_t type = 0;
	size_t payload = 0;

	if (len < PW_FRAME_HEADER)
		return pw_err_set(err, PW_ERR_PROTO, "a packet of %zu bytes is too short for a frame", len);
	if (read_header(data, &payload, &type, err) < 0)
		return -1;
	if (payload != len - PW_FRAME_HEADER)
		return pw_err_set(err, PW_ERR_PROTO, "a packet of %zu bytes holds a frame of %zu", len, payload);
	*ret_frame = (struct pw_frame){ .type = type, .data = (const char *)data + PW_FRAME_HEADER, .len = payload };
	return 0;
}

static const char *
take(struct pw_frame *frame, size_t len)
{
	const char *data = frame->data + frame->at;

	if (frame->bad || frame->len - frame->at < len) {
		frame->bad = true;
		return NULL;
	}
	frame->at += len;
	return data;
}

uint32_t
pw_frame_get_u32(struct pw_frame *frame)
{
	const char *data = take(frame, 4);
	uint32_t le = 0;

	if (data)
		memcpy(&le, data, 4);
	return le32toh(le);
}

int64_t
pw_frame_get_i64(struct pw_frame *frame)
{
	const char *data = take(frame, 8);
	uint64_t le = 0;

	if (data)
		memcpy(&le, data, 8);
	return (int64_t)le64toh(le);
}

const char *
pw_frame_get_str(struct pw_frame *frame)
{
	size_t len = pw_frame_get_u32(frame);
	const char *text;

	if (frame->bad || len == NULL_STRING)
		return NULL;
	text = take(frame, len + 1);
	if (!text)
		return NULL;
	if (memchr(text, '\0', len + 1) != text + len) {
		frame->bad = true;
		return NULL;
	}
	return text;
}

bool
pw_frame_complete(const struct pw_frame *frame)
{
	return !frame->bad && frame->at == frame->len;
}

/* --- streams --- */

void
pw_frame_stream_init(struct pw_frame_stream *stream, size_t max)
{
	*stream = (struct pw_frame_stream){ .buf = PW_BUF_INIT, .max = max };
}

void
pw_frame_stream_done(struct pw_frame_stream *stream)
{
	pw_buf_done(&stream->buf);
	stream->at = 0;
}

void *
pw_frame_stream_space(struct pw_frame_stream *stream, size_t *ret_size)
{
	if (stream->at == stream->buf.len) {
		pw_buf_clear(&stream->buf);
		stream->at = 0;
	} else if (stream->at >= PIECE) {
		pw_buf_drop(&stream->buf, stream->at);
		stream->at = 0;
	}
	/* Room for one piece always; for more once much has arrived, so that long frames take few reads. */
	if (pw_buf_reserve(&stream->buf, stream->buf.len < PIECE ? PIECE / 8 : PIECE) < 0)
		return NULL;
	*ret_size = stream->buf.cap - stream->buf.len - 1;
	return stream->buf.data + stream->buf.len;
}

void
pw_frame_stream_fed(struct pw_frame_stream *stream, size_t len)
{
	stream->buf.len += len;
	stream->buf.data[stream->buf.len] = '\0';
}

int
pw_frame_stream_next(struct pw_frame_stream *stream, struct pw_frame *ret_frame, struct pw_err *err)
{
	size_t have = stream->buf.len - stream->at, len = 0;
	const char *data;
	uint16_t type = 0;

	if (have < PW_FRAME_HEADER)
		return 0;
	data = stream->buf.data + stream->at;
	if (read_header(data, &len, &type, err) < 0)
		return -1;
	if (len > stream->max)
		return pw_err_set(err, PW_ERR_PROTO, "a frame of %zu bytes is longer than the limit of %zu", len,
				  stream->max);
	if (have - PW_FRAME_HEADER < len)
		return 0;
	stream->at += PW_FRAME_HEADER + len;
	*ret_frame = (struct pw_frame){ .type = type, .data = data + PW_FRAME_HEADER, .len = len };
	return 1;
}

bool
pw_frame_stream_partial(const struct pw_frame_stream *stream)
{
	return stream->at < stream->buf.len;
}
