/* SPDX-License-Identifier: MIT */
/*
 * JSON at the edges: what a person or a program hands in is checked once, here,
 * and then travels as the text that it was, so that no number loses a digit.
 * Pure; in pulp-task and in the client library.
 */
#include "task/json.h"

#include <string.h>

#include "base/text.h"

void
pw_json_cleanup(json_t **json)
{
	json_decref(*json);
}

int
pw_json_quote(const char *text, struct pw_buf *buf)
{
	pw_auto_buf clean = PW_BUF_INIT;

	if (pw_utf8_clean(&clean, text, strlen(text)) < 0 || pw_buf_addc(buf, '"') < 0)
		return -1;
	for (const char *p = pw_buf_text(&clean); *p; p++) {
		unsigned char c = (unsigned char)*p;
		int bad;

		if (c == '"' || c == '\\')
			bad = pw_buf_addf(buf, "\\%c", c);
		else if (c == '\n')
			bad = pw_buf_adds(buf, "\\n");
		else if (c == '\t')
			bad = pw_buf_adds(buf, "\\t");
		else if (c < 0x20 || c == 0x7f)
			bad = pw_buf_addf(buf, "\\u%04x", c);
		else
			bad = pw_buf_addc(buf, *p);
		if (bad)
			return -1;
	}
	return pw_buf_addc(buf, '"');
}

/* Jansson takes a NUL byte for the end of the text. */
static int
refuse_nul(const char *what, int number, const char *text, size_t len, struct pw_err *err)
{
	const char *nul = memchr(text, '\0', len), *line = text;

	if (!nul)
		return 0;
	for (const char *p = text; p < nul; p++)
		if (*p == '\n') {
			line = p + 1;
			number++;
		}
	return pw_err_set(err, PW_ERR_INPUT, "%s:%d:%td: a NUL byte", what, number, nul - line + 1);
}

static const char *
type_name(json_type type)
{
	return type == JSON_ARRAY ? "an array [...]" : "an object {...}";
}

int
pw_json_take(const char *what, int number, const char *text, size_t len, json_type type,
	     json_t **ret_value, struct pw_err *err)
{
	json_error_t why;

	if (len && refuse_nul(what, number, text, len, err) < 0)
		return -1;
	/* Integers as reals: a large one is not refused, and it is the text that is used. */
	pw_auto_json *json = json_loadb(
		text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
		&why);

	if (!json && (json_error_code(&why) == json_error_out_of_memory || why.line < 0))
		return pw_err_nomem(err);
	if (!json)
		return pw_err_set(err, PW_ERR_INPUT, "%s:%d:%d: %s", what, number - 1 + why.line, why.column, why.text);
	if (json_typeof(json) != type)
		return pw_err_set(err, PW_ERR_INPUT, "%s:%d:1: a JSON value of another kind where %s is wanted", what, number, type_name(type));
	*ret_value = json_incref(json);
	return 0;
}

int
pw_json_check(const char *what, const char *text, size_t len, json_type type, struct pw_err *err)
{
	pw_auto_json *value = NULL;

	return pw_json_take(what, 1, text, len, type, &value, err);
}
