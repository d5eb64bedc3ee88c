/* SPDX-License-Identifier: MIT */
/* The messages between worker, zygote and task child: one struct each, and their frames. The list is message.def. Pure: no I/O. */
#ifndef PW_PROTO_MESSAGE_H
#define PW_PROTO_MESSAGE_H

#include "proto/frame.h"

enum pw_message {
	PW_MSG_NONE,
#define PW_MESSAGE(NAME, name, fields) PW_MSG_##NAME,
#include "proto/message.def"
#undef PW_MESSAGE
	PW_MSG_COUNT
};

/* struct pw_msg_hello and so on. Strings are borrowed. */
#define U32(field) uint32_t field;
#define I64(field) int64_t field;
#define STR(field) const char *field;
#define OPT(field) const char *field;
#define NONE char none;
#define PW_MESSAGE(NAME, name, fields) struct pw_msg_##name { fields };
#include "proto/message.def"
#undef PW_MESSAGE
#undef U32
#undef I64
#undef STR
#undef OPT
#undef NONE

/* Whom a SIGNAL is for: the child alone, its process group, or both and all that is left afterwards. */
enum pw_signal_scope { PW_SCOPE_CHILD, PW_SCOPE_GROUP, PW_SCOPE_ALL, PW_SCOPE_COUNT };

/* The longest result, and the longest frame, that a child may send. */
#define PW_RESULT_MAX ((size_t)16 << 20)
#define PW_CHILD_FRAME_MAX (PW_RESULT_MAX + 65536)
/* The longest text of arguments or of keyword arguments, and the longest frame, that goes to a child. */
#define PW_ARGS_MAX ((size_t)64 << 20)
#define PW_GO_FRAME_MAX (2 * PW_ARGS_MAX + 65536)
/* The longest packet on a control channel. */
#define PW_PACKET_MAX 16384

/* Appends the frame of a message (a struct of that type; NULL for those without fields). Returns 0, or -1 when out of memory. */
int pw_message_put(struct pw_buf *buf, enum pw_message type, const void *message) PW_MUSTCHECK;
/* Fills the struct of type TYPE, of which the frame must be. Strings are borrowed from the frame. PW_ERR_PROTO if it is malformed. */
int pw_message_get(struct pw_frame *frame, enum pw_message type, void *ret_message, struct pw_err *err) PW_MUSTCHECK;
/* "SPAWN"; "?" for a number that is none. */
const char *pw_message_name(unsigned type);
/* The size of its struct, 0 for a number that is none. For tests. */
size_t pw_message_size(unsigned type);

#endif
