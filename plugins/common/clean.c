/* SPDX-License-Identifier: MIT */
/* Makes text of bytes: pure, no I/O. Control characters stay: JSON escapes them. */
#include "common/clean.h"

#include <string.h>

#include "base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The length of the well-formed character at P, 0 if there is none. */
static size_t
character(const char *p, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++)
		if (pw_utf8_valid(p, n))
			return n;
	return 0;
}

static size_t
plain(const char *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] > 0)
		n++;
	return n;
}

int
pw_clean_add(struct pw_buf *buf, const char *data, size_t len)
{
	while (len) {
		size_t n = plain(data, len);

		if (n == 0)
			n = character(data, len);
		if (n ? pw_buf_add(buf, data, n) < 0 : pw_buf_adds(buf, REPLACEMENT) < 0)
			return -1;
		n += n == 0;
		data += n;
		len -= n;
	}
	return 0;
}

/* How long a character is that begins with C; 1 for what begins none. */
static size_t
announced(unsigned char c)
{
	if (c >= 0xf0 && c < 0xf8)
		return 4;
	if (c >= 0xe0)
		return c < 0xf0 ? 3 : 1;
	return c >= 0xc0 ? 2 : 1;
}

size_t
pw_clean_trim_end(const char *data, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)data[len - back];

		if ((c & 0xc0) == 0x80)
			continue;
		return announced(c) > back ? len - back : len;
	}
	return len;
}

size_t
pw_clean_skip_start(const char *data, size_t len)
{
	size_t n = 0;

	while (n < 3 && n < len && ((unsigned char)data[n] & 0xc0) == 0x80)
		n++;
	return n;
}
