/* SPDX-License-Identifier: MIT */
/* Array literals for statement parameters. Out of memory is remembered and told once, by pw_array_text. */
#include "store/array_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void
pw_array_clear(struct pw_array *array)
{
	pw_buf_clear(&array->text);
	array->count = 0;
	array->failed = array->closed = false;
}

void
pw_array_done(struct pw_array *array)
{
	pw_buf_done(&array->text);
	array->count = 0;
}

static int
add_quoted(struct pw_buf *buf, const char *element)
{
	if (pw_buf_addc(buf, '"') < 0)
		return -1;
	for (const char *from = element;; from++) {
		const char *p = from;

		while (*p && *p != '"' && *p != '\\')
			p++;
		if (pw_buf_add(buf, from, (size_t)(p - from)) < 0)
			return -1;
		if (!*p)
			break;
		if (pw_buf_addc(buf, '\\') < 0 || pw_buf_addc(buf, *p) < 0)
			return -1;
		from = p;
	}
	return pw_buf_addc(buf, '"');
}

void
pw_array_add(struct pw_array *array, const char *element)
{
	assert(!array->closed);
	if (array->failed)
		return;
	if (pw_buf_addc(&array->text, array->count ? ',' : '{') < 0 ||
	    (element ? add_quoted(&array->text, element) : pw_buf_adds(&array->text, "NULL")) < 0)
		array->failed = true;
	array->count++;
}

void
pw_array_add_int(struct pw_array *array, int64_t element)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, element);
	pw_array_add(array, text);
}

const char *
pw_array_text(struct pw_array *array)
{
	if (!array->failed && !array->closed)
		array->failed = pw_buf_adds(&array->text, array->count ? "}" : "{}") < 0;
	array->closed = true;
	return array->failed ? NULL : array->text.data;
}
