/* SPDX-License-Identifier: MIT */
/*
 * Frames: a header of 8 bytes (u32 length of what follows, u16 type, u16 magic;
 * little-endian) and a payload of typed values. Pure: no I/O.
 *
 * Values: u32, i64, strings. A string is its length as u32, its bytes and a
 * NUL, so that the reader can lend it out of the buffer; the length 0xffffffff means NULL.
 */
#ifndef PW_PROTO_FRAME_H
#define PW_PROTO_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PW_FRAME_HEADER 8u
#define PW_FRAME_MAGIC 0x7077u

/* --- writing: each returns 0, or -1 when out of memory (or a string is 4 GiB long) --- */

/* Starts a frame at the end of BUF; *ret_start is for pw_frame_end. */
int pw_frame_begin(struct pw_buf *buf, uint16_t type, size_t *ret_start) PW_MUSTCHECK;
int pw_frame_end(struct pw_buf *buf, size_t start) PW_MUSTCHECK;
int pw_frame_put_u32(struct pw_buf *buf, uint32_t value) PW_MUSTCHECK;
int pw_frame_put_i64(struct pw_buf *buf, int64_t value) PW_MUSTCHECK;
/* TEXT may be NULL. */
int pw_frame_put_str(struct pw_buf *buf, const char *text) PW_MUSTCHECK;

/* --- reading --- */

struct pw_frame {
	uint16_t type;
	const char *data; /* borrowed */
	size_t len, at;
	bool bad; /* something was missing or malformed: stays set */
};

/* A whole packet that is one frame. */
int pw_frame_of_packet(const void *data, size_t len, struct pw_frame *ret_frame, struct pw_err *err) PW_MUSTCHECK;
/* Each returns 0 or NULL, and sets bad, where the frame does not hold such a value. Strings are borrowed from the frame. */
uint32_t pw_frame_get_u32(struct pw_frame *frame);
int64_t pw_frame_get_i64(struct pw_frame *frame);
const char *pw_frame_get_str(struct pw_frame *frame);
/* Whether all was there and nothing is left over. */
bool pw_frame_complete(const struct pw_frame *frame);

/* --- a stream of frames, which arrives in pieces --- */

struct pw_frame_stream {
	struct pw_buf buf;
	size_t at;  /* what lies before has been handed out */
	size_t max; /* a longer payload is refused before anything is allocated for it */
};

void pw_frame_stream_init(struct pw_frame_stream *stream, size_t max);
void pw_frame_stream_done(struct pw_frame_stream *stream);
/* Where the next piece may be read to: at least one byte. The memory grows with what has arrived, never with what a header claims. NULL when out of memory. */
void *pw_frame_stream_space(struct pw_frame_stream *stream, size_t *ret_size);
/* LEN bytes have been read there. */
void pw_frame_stream_fed(struct pw_frame_stream *stream, size_t len);
/* Returns 1 and a frame, which lives until the next call that reads; 0 if more must arrive first; -1 if this is no stream of frames. */
int pw_frame_stream_next(struct pw_frame_stream *stream, struct pw_frame *ret_frame, struct pw_err *err) PW_MUSTCHECK;
/* Whether a frame has begun and is not whole. */
bool pw_frame_stream_partial(const struct pw_frame_stream *stream);

#endif
