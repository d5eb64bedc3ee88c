/* SPDX-License-Identifier: MIT */
/*
 * Progress reports as lines. Widths are columns of a terminal: characters that
 * take two, or none, are counted so (LC_CTYPE must be set). Pure; in pulp-task.
 */

#include "cmd/bar.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define BAR_MIN 8   /* a narrower bar says nothing */
#define BAR_MAX 60
#define MESSAGE_MIN 8

/* The next character of *TEXT: its bytes and columns. What is no character, or would act on the terminal, is one '?'. */
static size_t
next_char(const char *text, mbstate_t *state, int *ret_columns, bool *ret_plain)
{
	wchar_t c;
	size_t n = mbrtowc(&c, text, strlen(text), state);
	int columns;

	*ret_columns = 1;
	*ret_plain = false;
	if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
		memset(state, 0, sizeof(*state));
		return 1;
	}
	columns = wcwidth(c);
	if (columns < 0 || iswcntrl((wint_t)c))
		return n;
	*ret_columns = columns;
	*ret_plain = true;
	return n;
}

int
pw_text_width(const char *text)
{
	mbstate_t state = { 0 };
	int width = 0;

	while (*text) {
		bool plain;
		int columns;

		text += next_char(text, &state, &columns, &plain);
		width += columns;
	}
	return width;
}

int
pw_text_fit(const char *text, int width, bool blocks, struct pw_buf *buf)
{
	const char *ellipsis = blocks ? "\xe2\x80\xa6" : "...";
	int room = width, used = 0;
	mbstate_t state = { 0 };
	bool cut = pw_text_width(text) > width;

	if (cut) {
		if (width < (blocks ? 1 : 3))
			ellipsis = "";
		room = width - (*ellipsis ? (blocks ? 1 : 3) : 0);
	}
	while (*text) {
		bool plain;
		int columns;
		size_t n = next_char(text, &state, &columns, &plain);

		if (used + columns > room)
			break;
		if (pw_buf_add(buf, plain ? text : "?", plain ? n : 1) < 0)
			return -1;
		used += columns;
		text += n;
	}
	if (cut && pw_buf_adds(buf, ellipsis) < 0)
		return -1;
	return used + (cut && *ellipsis ? (blocks ? 1 : 3) : 0);
}

static const char *
text_of(const json_t *report, const char *key)
{
	const char *text = json_string_value(json_object_get(report, key));

	return text ? text : "";
}

static long long
total_of(const json_t *report)
{
	const json_t *total = json_object_get(report, "total");

	return json_is_integer(total) ? json_integer_value(total) : -1;
}

static long long
done_of(const json_t *report)
{
	return json_integer_value(json_object_get(report, "done"));
}

static const char *
title_of(const json_t *report)
{
	const char *message = text_of(report, "message");

	return *message ? message : text_of(report, "code");
}

/* 0 to 100; 100 only when all is done. -1: not known. */
static int
percent_of(const json_t *report)
{
	long long done = done_of(report), total = total_of(report);

	if (total < 0)
		return -1;
	if (done >= total)
		return 100;
	return done <= 0 ? 0 : (int)((double)done * 100 / (double)total);
}

static bool
unusual(const char *state)
{
	return *state && strcmp(state, "running") != 0 && strcmp(state, "completed") != 0;
}

static int
add_count(const json_t *report, const char *between, struct pw_buf *buf)
{
	const char *suffix = text_of(report, "suffix");

	if (pw_buf_addf(buf, "%lld", done_of(report)) < 0)
		return -1;
	if (total_of(report) >= 0 && pw_buf_addf(buf, "%s%lld", between, total_of(report)) < 0)
		return -1;
	return *suffix ? pw_buf_addf(buf, " %s", suffix) : 0;
}

/* One line stays one line. */
static void
fold(struct pw_buf *buf, size_t from)
{
	for (size_t i = from; i < buf->len; i++)
		if ((unsigned char)buf->data[i] < ' ')
			buf->data[i] = ' ';
}

int
pw_bar_text(const json_t *report, struct pw_buf *buf)
{
	const char *state = text_of(report, "state");
	int percent = percent_of(report);
	size_t from = buf->len;

	if (pw_buf_addf(buf, "%s: ", title_of(report)) < 0 || add_count(report, " of ", buf) < 0)
		return -1;
	if (percent >= 0 && pw_buf_addf(buf, " (%d %%)", percent) < 0)
		return -1;
	if (unusual(state) && pw_buf_addf(buf, ", %s", state) < 0)
		return -1;
	fold(buf, from);
	return 0;
}

/* The bar itself, WIDTH columns of it. */
static int
add_bar(int percent, int width, bool blocks, struct pw_buf *buf)
{
	int full = width * percent / 100;

	for (int i = 0; i < width; i++)
		if (pw_buf_adds(buf, i < full ? (blocks ? "\xe2\x96\x88" : "#") : (blocks ? "\xe2\x96\x91" : "-")) < 0)
			return -1;
	return 0;
}

/* What stands right of the bar: " 45 % 450/1000 files". */
static int
make_tail(const json_t *report, bool percent, bool count, struct pw_buf *buf)
{
	pw_buf_clear(buf);
	if (percent && percent_of(report) >= 0 && pw_buf_addf(buf, " %3d %%", percent_of(report)) < 0)
		return -1;
	if (count && (pw_buf_addc(buf, ' ') < 0 || add_count(report, "/", buf) < 0))
		return -1;
	if (unusual(text_of(report, "state")) && pw_buf_addf(buf, " %s", text_of(report, "state")) < 0)
		return -1;
	return 0;
}

/* How wide the bar may be beside a title, 0: there is no room for one. */
static int
bar_width(int room, int title)
{
	int bar = room - 1 - (title < room / 2 ? title : room / 2);

	if (bar < BAR_MIN)
		return 0;
	return bar > BAR_MAX ? BAR_MAX : bar;
}

int
pw_bar_line(const json_t *report, int width, bool blocks, struct pw_buf *buf)
{
	bool known = percent_of(report) >= 0;
	pw_auto_buf tail = PW_BUF_INIT;
	int room, bar, used;

	/* What does not fit goes: the count where there is a percentage, the bar, the end of the message. */
	if (make_tail(report, true, true, &tail) < 0)
		return -1;
	if (known && width < pw_text_width(pw_buf_text(&tail)) + MESSAGE_MIN &&
	    make_tail(report, true, false, &tail) < 0)
		return -1;
	room = width - pw_text_width(pw_buf_text(&tail));
	bar = known ? bar_width(room, pw_text_width(title_of(report))) : 0;
	if (bar)
		room -= bar + 1;
	used = pw_text_fit(title_of(report), room > 0 ? room : 0, blocks, buf);
	if (used < 0)
		return -1;
	if (bar) {
		if (pw_buf_addf(buf, "%*s", room - used + 1, "") < 0 || add_bar(percent_of(report), bar, blocks, buf) < 0)
			return -1;
		used = room + 1 + bar;
	}
	return pw_text_fit(pw_buf_text(&tail), width - used, blocks, buf) < 0 ? -1 : 0;
}
