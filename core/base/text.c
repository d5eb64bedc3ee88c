/* SPDX-License-Identifier: MIT */
/* Text: validity, sizes, and the closest of several words ("did you mean"). */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The length of the sequence that C begins and the least code point that may take it; 0 if C begins none. */
static int
sequence(unsigned char c, uint32_t *min, uint32_t *bits)
{
	if (c < 0x80) {
		*min = 1;
		*bits = c;
		return 1;
	}
	if ((c & 0xe0) == 0xc0) {
		*min = 0x80;
		*bits = c & 0x1f;
		return 2;
	}
	if ((c & 0xf0) == 0xe0) {
		*min = 0x800;
		*bits = c & 0x0f;
		return 3;
	}
	if ((c & 0xf8) == 0xf0) {
		*min = 0x10000;
		*bits = c & 0x07;
		return 4;
	}
	return 0;
}

/* The length of the well-formed sequence at P, 0 if there is none. */
static int
well_formed(const unsigned char *p, const unsigned char *end)
{
	uint32_t min, code;
	int n = sequence(*p, &min, &code);

	if (n == 0 || end - p < n)
		return 0;
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

bool
pw_utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		int n = well_formed(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

int
pw_utf8_clean(struct pw_buf *buf, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len, *good = p;

	while (p < end) {
		int n = well_formed(p, end);

		if (n) {
			p += n;
			continue;
		}
		if (pw_buf_add(buf, good, (size_t)(p - good)) < 0 || pw_buf_adds(buf, "\xef\xbf\xbd") < 0)
			return -1;
		good = ++p;
	}
	return pw_buf_add(buf, good, (size_t)(p - good));
}

size_t
pw_utf8_unfinished(const char *text, size_t len)
{
	uint32_t min, bits;

	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)text[len - back];

		if ((c & 0xc0) != 0x80)
			return sequence(c, &min, &bits) > (int)back ? back : 0;
	}
	return 0;
}

int
pw_size_parse(const char *text, int64_t *ret_bytes, struct pw_err *err)
{
	static const char units[] = "KMGT";
	char *end;
	long long value;
	const char *unit;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno)
		return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a size", text);
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || (end[1] && strcasecmp(end + 1, "iB") != 0 && strcasecmp(end + 1, "B") != 0))
			return pw_err_set(err, PW_ERR_INPUT, "'%s' is not a size (units: K, M, G, T)", text);
		for (long i = 0; i <= unit - units; i++)
			if (__builtin_mul_overflow(value, 1024, &value))
				return pw_err_set(err, PW_ERR_INPUT, "'%s' is too large a size", text);
	}
	*ret_bytes = value;
	return 0;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance (Levenshtein) of two short words. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	if (n >= PW_COUNT(row))
		return PW_COUNT(row);
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *
pw_text_closest(const char *text, const char *const *words)
{
	const char *best = NULL;
	size_t best_distance = strlen(text) / 3 + 2;

	for (; *words; words++) {
		size_t d = distance(text, *words);

		if (d < best_distance) {
			best_distance = d;
			best = *words;
		}
	}
	return best;
}
