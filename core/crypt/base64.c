/* SPDX-License-Identifier: MIT */
/*
 * Urlsafe base64. Pure, and strict: a text with a stray character, without its
 * padding or with bits set beyond its end is refused, so that bytes have one text only.
 */
#include "crypt/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
pw_base64_encode(const unsigned char *data, size_t len, char *text)
{
	for (; len > 0; data += 3, text += 4) {
		size_t n = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)data[0] << 16;

		if (n > 1)
			bits |= (uint32_t)data[1] << 8;
		if (n > 2)
			bits |= data[2];
		for (unsigned i = 0; i < 4; i++)
			text[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
		len -= n;
	}
}

/* -1: none of the alphabet. */
static int
value_of(char c, bool plain)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-' || (plain && c == '+'))
		return 62;
	return c == '_' || (plain && c == '/') ? 63 : -1;
}

bool
pw_base64_decode(const char *text, size_t len, bool plain, unsigned char *data, size_t *ret_len)
{
	size_t padding = 0, used = 0;

	if (len % 4 != 0)
		return false;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	for (size_t at = 0; at < len; at += 4) {
		size_t digits = at + 4 == len ? 4 - padding : 4;
		uint32_t bits = 0;

		for (size_t i = 0; i < 4; i++) {
			int value = i < digits ? value_of(text[at + i], plain) : 0;

			if (value < 0)
				return false;
			bits = bits << 6 | (uint32_t)value;
		}
		for (size_t i = 0; i + 1 < digits; i++)
			data[used++] = (unsigned char)(bits >> (16 - 8 * i));
		if (bits & ((UINT32_C(1) << (8 * (4 - digits))) - 1))
			return false;
	}
	*ret_len = used;
	return true;
}
