/* SPDX-License-Identifier: MIT */
/* A growable byte buffer; it doubles, so adding is amortised O(1). */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
pw_buf_done(struct pw_buf *buf)
{
	free(buf->data);
	*buf = (struct pw_buf)PW_BUF_INIT;
}

void
pw_buf_clear(struct pw_buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

int
pw_buf_reserve(struct pw_buf *buf, size_t more)
{
	size_t need, cap = buf->cap ? buf->cap : 64;
	char *data;

	if (__builtin_add_overflow(buf->len, more, &need) ||
	    __builtin_add_overflow(need, (size_t)1, &need))
		return -1;
	if (need <= buf->cap)
		return 0;
	while (cap < need)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			return -1;
	data = realloc(buf->data, cap);
	if (!data)
		return -1;
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return 0;
}

int
pw_buf_add(struct pw_buf *buf, const void *data, size_t len)
{
	if (pw_buf_reserve(buf, len) < 0)
		return -1;
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int
pw_buf_adds(struct pw_buf *buf, const char *text)
{
	return pw_buf_add(buf, text, strlen(text));
}

int
pw_buf_addc(struct pw_buf *buf, char c)
{
	return pw_buf_add(buf, &c, 1);
}

int
pw_buf_vaddf(struct pw_buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0 || pw_buf_reserve(buf, (size_t)len) < 0)
		return -1;
	vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
	buf->len += (size_t)len;
	return 0;
}

int
pw_buf_addf(struct pw_buf *buf, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = pw_buf_vaddf(buf, fmt, ap);
	va_end(ap);
	return ret;
}

void
pw_buf_drop(struct pw_buf *buf, size_t len)
{
	if (len >= buf->len) {
		pw_buf_clear(buf);
		return;
	}
	memmove(buf->data, buf->data + len, buf->len - len + 1);
	buf->len -= len;
}

const char *
pw_buf_text(const struct pw_buf *buf)
{
	return buf->data ? buf->data : "";
}

char *
pw_buf_steal(struct pw_buf *buf)
{
	char *text;

	if (!buf->data && pw_buf_reserve(buf, 0) < 0)
		return NULL;
	text = buf->data;
	*buf = (struct pw_buf)PW_BUF_INIT;
	return text;
}
