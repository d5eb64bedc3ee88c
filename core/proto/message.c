/* SPDX-License-Identifier: MIT */
/*
 * Messages as frames. The list in message.def gives each message its struct
 * (message.h) and, here, the letters of its fields, which one writer and one
 * reader go through: no message has code of its own that could forget a check.
 */
#include "proto/message.h"

/* u: uint32_t, i: int64_t, s: text, o: text or NULL. */
#define U32(field) "u"
#define I64(field) "i"
#define STR(field) "s"
#define OPT(field) "o"
#define NONE ""

static const struct {
	const char *name, *fields;
	size_t size;
} messages[PW_MSG_COUNT] = {
#define PW_MESSAGE(NAME, name, fields) [PW_MSG_##NAME] = { #NAME, fields, sizeof(struct pw_msg_##name) },
#include "proto/message.def"
#undef PW_MESSAGE
};

/* Where the compiler lays the next field of such a type, *OFFSET being the end of the one before. */
#define FIELD(type, base, offset)                                                     \
	({                                                                            \
		struct lay {                                                          \
			char c;                                                       \
			type value;                                                   \
		};                                                                    \
		size_t align_ = offsetof(struct lay, value);                          \
		*(offset) = (*(offset) + align_ - 1) / align_ * align_ + sizeof(type); \
		(type *)(void *)((char *)(base) + *(offset) - sizeof(type));          \
	})

int
pw_message_put(struct pw_buf *buf, enum pw_message type, const void *message)
{
	char *base = (char *)(uintptr_t)message; /* only read */
	size_t offset = 0, start, before = buf->len;
	int ret = pw_frame_begin(buf, (uint16_t)type, &start);

	for (const char *kind = messages[type].fields; *kind && ret == 0; kind++) {
		if (*kind == 'u')
			ret = pw_frame_put_u32(buf, *FIELD(uint32_t, base, &offset));
		else if (*kind == 'i')
			ret = pw_frame_put_i64(buf, *FIELD(int64_t, base, &offset));
		else
			ret = pw_frame_put_str(buf, *FIELD(const char *, base, &offset));
	}
	if (ret == 0 && pw_frame_end(buf, start) == 0)
		return 0;
	buf->len = before;
	return -1;
}

int
pw_message_get(struct pw_frame *frame, enum pw_message type, void *ret_message, struct pw_err *err)
{
	size_t offset = 0;

	if (frame->type != type)
		return pw_err_set(err, PW_ERR_PROTO, "%s came where %s was due", pw_message_name(frame->type),
				  pw_message_name(type));
	for (const char *kind = messages[type].fields; *kind; kind++) {
		if (*kind == 'u') {
			*FIELD(uint32_t, ret_message, &offset) = pw_frame_get_u32(frame);
		} else if (*kind == 'i') {
			*FIELD(int64_t, ret_message, &offset) = pw_frame_get_i64(frame);
		} else {
			const char *text = pw_frame_get_str(frame);

			*FIELD(const char *, ret_message, &offset) = text;
			frame->bad = frame->bad || (!text && *kind == 's');
		}
	}
	if (!pw_frame_complete(frame))
		return pw_err_set(err, PW_ERR_PROTO, "%s is malformed", pw_message_name(type));
	return 0;
}

const char *
pw_message_name(unsigned type)
{
	return type < PW_MSG_COUNT && messages[type].name ? messages[type].name : "?";
}

size_t
pw_message_size(unsigned type)
{
	return type < PW_MSG_COUNT ? messages[type].size : 0;
}
