/* SPDX-License-Identifier: MIT */
/*
 * Reads the configuration file's text, in every program, once at start and once
 * per reload. A line is empty, a comment (its first character is # or ;), the
 * section [pulp-worker], or "key = value". The value is the rest of the line
 * without blanks around it; it may stand in double quotes. There are no
 * escapes, no continued lines and no comments behind a value, since # and ;
 * may be part of a connection string. Does no I/O and knows no setting.
 */
#include "conf/ini.h"

#include <string.h>

#include "base/text.h"

#define SECTION "pulp-worker"

struct parser {
	const char *name;
	pw_ini_entry_fn *fn;
	void *arg;
	int line;
	char *start; /* of the line */
};

static int
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int
refuse(const struct parser *p, int column, struct pw_err *err)
{
	if (err)
		err->kind = PW_ERR_CONFIG;
	return pw_err_prefix(err, "%s:%d:%d", p->name, p->line, column);
}

static int
fault(const struct parser *p, const char *at, const char *what, struct pw_err *err)
{
	pw_err_set(err, PW_ERR_CONFIG, "%s", what);
	return refuse(p, (int)(at - p->start) + 1, err);
}

/* Cuts the blanks behind the text that ends at END. */
static void
trim_end(const char *start, char *end)
{
	while (end > start && is_blank(end[-1]))
		end--;
	*end = '\0';
}

static int
parse_section(const struct parser *p, const char *text, struct pw_err *err)
{
	size_t len = strlen(text);

	if (text[len - 1] != ']')
		return fault(p, text, "a section's name ends with ]", err);
	if (len - 2 != strlen(SECTION) || strncmp(text + 1, SECTION, len - 2) != 0)
		return fault(p, text, "unknown section, there is only [" SECTION "]", err);
	return 0;
}

/* Takes the quotes from around a value that stands in them. */
static int
unquote(const struct parser *p, char **value, struct pw_err *err)
{
	char *text = *value;
	size_t len = strlen(text);

	if (text[0] != '"')
		return 0;
	if (len < 2 || text[len - 1] != '"')
		return fault(p, text, "the closing quote is missing (a comment needs a line of its own)", err);
	text[len - 1] = '\0';
	if (strchr(text + 1, '"'))
		return fault(p, text, "a value in quotes may not hold a quote", err);
	*value = text + 1;
	return 0;
}

static int
parse_entry(const struct parser *p, char *text, char *end, struct pw_err *err)
{
	char *equals = strchr(text, '='), *value;
	struct pw_ini_entry entry;
	int column;

	if (!equals)
		return fault(p, text, "expected 'key = value'", err);
	if (equals == text)
		return fault(p, text, "there is no key before the =", err);
	value = equals + 1;
	while (is_blank(*value))
		value++;
	trim_end(value, end);
	trim_end(text, equals);
	if (unquote(p, &value, err) < 0)
		return -1;
	entry = (struct pw_ini_entry){ .key = text, .value = value, .line = p->line,
		.key_column = (int)(text - p->start) + 1, .value_column = (int)(value - p->start) + 1 };
	column = entry.key_column;
	if (p->fn(p->arg, &entry, &column, err) < 0)
		return refuse(p, column, err);
	return 0;
}

/* One line, from p->start to END, where a NUL may be written. */
static int
parse_line(const struct parser *p, char *end, struct pw_err *err)
{
	char *text = p->start;

	if (memchr(text, '\0', (size_t)(end - text)) || !pw_utf8_valid(text, (size_t)(end - text)))
		return fault(p, text, "not UTF-8 text", err);
	*end = '\0';
	while (is_blank(*text))
		text++;
	if (*text == '\0' || *text == '#' || *text == ';')
		return 0;
	trim_end(text, end);
	if (*text == '[')
		return parse_section(p, text, err);
	return parse_entry(p, text, text + strlen(text), err);
}

int
pw_ini_parse(const char *name, char *text, size_t len, pw_ini_entry_fn *fn, void *arg,
	     struct pw_err *err)
{
	struct parser p = { .name = name, .fn = fn, .arg = arg };
	char *end = text + len;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *line_end = newline ? newline : end;

		p.line++;
		p.start = text;
		if (parse_line(&p, line_end, err) < 0)
			return -1;
		text = line_end + 1;
	}
	return 0;
}
