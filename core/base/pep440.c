/* SPDX-License-Identifier: MIT */
/*
 * Versions as PEP 440 defines them. Pure; used by every process.
 *
 * A version is split into pieces that point into the caller's text, and
 * numbers are compared as strings of digits, so a number of any length is as
 * good as a small one and nothing is allocated to compare. White space around
 * a version is ASCII's only.
 */
#include "base/pep440.h"

#include <string.h>

#include "base/buf.h"

/* A piece of the text. For a number: its digits without leading zeros, so zero, and a number left out, is empty. */
struct piece {
	const char *at;
	size_t len;
};

struct version {
	struct piece epoch;
	struct piece release; /* with its dots and its zeros */
	struct piece local;   /* without the plus sign */
	char pre;	      /* 'a', 'b', 'r', or 0 for none */
	bool has_post, has_dev;
	struct piece pre_number, post_number, dev_number;
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether TEXT begins with WORD, in either case and whatever the locale. */
static bool
begins_with(const char *text, const char *word)
{
	for (; *word; text++, word++)
		if (lower(*text) != *word)
			return false;
	return true;
}

/* Takes the digits at *P. */
static struct piece
number(const char **p)
{
	struct piece n;

	while (**p == '0')
		(*p)++;
	n.at = *p;
	while (is_digit(**p))
		(*p)++;
	n.len = (size_t)(*p - n.at);
	return n;
}

/* Takes one of the words (the longer ones stand first), with a separator before it and, after it, a separator and a number, all optional. */
static int
word_and_number(const char **p, const char *const *words, struct piece *ret_number)
{
	const char *at = *p + is_separator(**p);

	for (int i = 0; words[i]; i++) {
		if (begins_with(at, words[i])) {
			at += strlen(words[i]);
			at += is_separator(*at);
			*ret_number = number(&at);
			*p = at;
			return i;
		}
	}
	return -1;
}

static bool
read_local(const char **p, struct version *v)
{
	const char *at = *p + 1;

	v->local.at = at;
	while (is_alnum(*at)) {
		while (is_alnum(*at))
			at++;
		if (!is_separator(*at) || !is_alnum(at[1])) {
			v->local.len = (size_t)(at - v->local.at);
			*p = at;
			return true;
		}
		at++;
	}
	return false;
}

static bool
read_release(const char **p, struct version *v)
{
	const char *at = *p;

	if (!is_digit(*at))
		return false;
	v->epoch = number(&at);
	if (*at == '!') {
		*p = ++at;
		if (!is_digit(*at))
			return false;
	} else {
		v->epoch.len = 0;
		at = *p;
	}
	v->release.at = at;
	do {
		at += *at == '.';
		while (is_digit(*at))
			at++;
	} while (*at == '.' && is_digit(at[1]));
	v->release.len = (size_t)(at - v->release.at);
	*p = at;
	return true;
}

static bool
parse(const char *text, struct version *v)
{
	static const char *const pre[] = { "alpha", "a", "beta", "b", "preview", "pre", "c", "rc", NULL };
	static const char *const post[] = { "post", "rev", "r", NULL };
	static const char *const dev[] = { "dev", NULL };
	int which;

	memset(v, 0, sizeof(*v));
	while (is_space(*text))
		text++;
	text += *text == 'v' || *text == 'V';
	if (!read_release(&text, v))
		return false;
	which = word_and_number(&text, pre, &v->pre_number);
	if (which >= 0)
		v->pre = which < 2 ? 'a' : which < 4 ? 'b' : 'r';
	if (text[0] == '-' && is_digit(text[1])) { /* "1.0-1" is "1.0.post1" */
		text++;
		v->has_post = true;
		v->post_number = number(&text);
	} else {
		v->has_post = word_and_number(&text, post, &v->post_number) >= 0;
	}
	v->has_dev = word_and_number(&text, dev, &v->dev_number) >= 0;
	if (*text == '+' && !read_local(&text, v))
		return false;
	while (is_space(*text))
		text++;
	return *text == '\0';
}

static int
sign(long n)
{
	return (n > 0) - (n < 0);
}

static int
compare_numbers(struct piece a, struct piece b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len ? sign(memcmp(a.at, b.at, a.len)) : 0;
}

static int
compare_releases(struct piece a, struct piece b)
{
	const char *p = a.at, *q = b.at, *p_end = a.at + a.len, *q_end = b.at + b.len;

	/* Where one ends the other is compared with zeros: 1.0 is 1.0.0. */
	while (p < p_end || q < q_end) {
		struct piece m = { NULL, 0 }, n = { NULL, 0 };
		int order;

		if (p < p_end) {
			m = number(&p);
			p++;
		}
		if (q < q_end) {
			n = number(&q);
			q++;
		}
		order = compare_numbers(m, n);
		if (order)
			return order;
	}
	return 0;
}

/* A development release alone comes before all pre-releases, no pre-release after them. */
static int
pre_rank(const struct version *v)
{
	if (v->pre)
		return v->pre;
	return !v->has_post && v->has_dev ? 0 : 'z';
}

/* Takes the next segment of a local version; true if it is a number. */
static bool
segment(struct piece *rest, struct piece *ret_segment)
{
	bool numeric = true;
	size_t n = 0;

	for (; n < rest->len && is_alnum(rest->at[n]); n++)
		numeric = numeric && is_digit(rest->at[n]);
	*ret_segment = (struct piece){ rest->at, n };
	n += n < rest->len;
	rest->at += n;
	rest->len -= n;
	if (numeric)
		while (ret_segment->len && ret_segment->at[0] == '0') {
			ret_segment->at++;
			ret_segment->len--;
		}
	return numeric;
}

static int
compare_texts(struct piece a, struct piece b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++)
		if (lower(a.at[i]) != lower(b.at[i]))
			return sign(lower(a.at[i]) - lower(b.at[i]));
	return a.len < b.len ? -1 : a.len > b.len;
}

/* Segment by segment; a number is newer than letters, and more segments are newer than fewer. */
static int
compare_locals(struct piece a, struct piece b)
{
	while (a.len && b.len) {
		struct piece m, n;
		bool m_numeric = segment(&a, &m), n_numeric = segment(&b, &n);
		int order;

		if (m_numeric != n_numeric)
			return m_numeric ? 1 : -1;
		order = m_numeric ? compare_numbers(m, n) : compare_texts(m, n);
		if (order)
			return order;
	}
	return a.len ? 1 : b.len ? -1 : 0;
}

static int
compare(const struct version *a, const struct version *b)
{
	int order = compare_numbers(a->epoch, b->epoch);

	if (!order)
		order = compare_releases(a->release, b->release);
	if (!order)
		order = sign(pre_rank(a) - pre_rank(b));
	if (!order && a->pre)
		order = compare_numbers(a->pre_number, b->pre_number);
	if (!order)
		order = a->has_post - b->has_post;
	if (!order && a->has_post)
		order = compare_numbers(a->post_number, b->post_number);
	if (!order)
		order = b->has_dev - a->has_dev;
	if (!order && a->has_dev)
		order = compare_numbers(a->dev_number, b->dev_number);
	return order ? order : compare_locals(a->local, b->local);
}

static int
refuse(const char *text, struct pw_err *err)
{
	return pw_err_set(err, PW_ERR_INPUT, "version '%.200s' is not PEP 440", text);
}

bool
pw_version_valid(const char *text)
{
	struct version v;

	return parse(text, &v);
}

int
pw_version_compare(const char *a, const char *b, int *ret_order, struct pw_err *err)
{
	struct version va, vb;

	if (!parse(a, &va))
		return refuse(a, err);
	if (!parse(b, &vb))
		return refuse(b, err);
	*ret_order = compare(&va, &vb);
	return 0;
}

static int
add_number(struct pw_buf *buf, const char *before, struct piece n)
{
	return pw_buf_adds(buf, before) < 0 || pw_buf_add(buf, n.len ? n.at : "0", n.len ? n.len : 1) < 0 ? -1 : 0;
}

static int
add_release(struct pw_buf *buf, struct piece release)
{
	const char *p = release.at, *end = release.at + release.len, *before = "";

	for (; p < end; p++, before = ".")
		if (add_number(buf, before, number(&p)) < 0)
			return -1;
	return 0;
}

static int
add_local(struct pw_buf *buf, struct piece local)
{
	const char *before = "+";

	for (; local.len; before = ".") {
		struct piece s;

		if (segment(&local, &s)) {
			if (add_number(buf, before, s) < 0)
				return -1;
			continue;
		}
		if (pw_buf_adds(buf, before) < 0)
			return -1;
		for (size_t i = 0; i < s.len; i++)
			if (pw_buf_addc(buf, lower(s.at[i])) < 0)
				return -1;
	}
	return 0;
}

static int
add_version(struct pw_buf *buf, const struct version *v)
{
	const char *pre = v->pre == 'a' ? "a" : v->pre == 'b' ? "b" : "rc";

	if (v->epoch.len && (add_number(buf, "", v->epoch) < 0 || pw_buf_addc(buf, '!') < 0))
		return -1;
	if (add_release(buf, v->release) < 0 || (v->pre && add_number(buf, pre, v->pre_number) < 0))
		return -1;
	if (v->has_post && add_number(buf, ".post", v->post_number) < 0)
		return -1;
	if (v->has_dev && add_number(buf, ".dev", v->dev_number) < 0)
		return -1;
	return add_local(buf, v->local);
}

int
pw_version_normal(const char *text, char **ret_normal, struct pw_err *err)
{
	pw_auto_buf buf = PW_BUF_INIT;
	struct version v;
	char *normal;

	if (!parse(text, &v))
		return refuse(text, err);
	if (add_version(&buf, &v) < 0 || !(normal = pw_buf_steal(&buf)))
		return pw_err_nomem(err);
	*ret_normal = normal;
	return 0;
}

/* "0042" digits: longer numbers are greater ones. */
static int
key_number(struct pw_buf *buf, const char *before, struct piece n)
{
	return n.len > 9999 || pw_buf_addf(buf, "%s%04zu%.*s", before, n.len, (int)n.len, n.at) < 0 ? -1 : 0;
}

/* Zeros at the end do not count; the end is less than any number. */
static int
key_release(struct pw_buf *buf, struct piece release)
{
	const char *p = release.at, *end = release.at + release.len;
	size_t last = buf->len;

	for (; p < end; p++) {
		struct piece n = number(&p);

		if (key_number(buf, "1", n) < 0)
			return -1;
		if (n.len)
			last = buf->len;
	}
	if (buf->len > last)
		buf->data[buf->len = last] = '\0';
	return pw_buf_addc(buf, '0');
}

static int
key_local(struct pw_buf *buf, struct piece local)
{
	while (local.len) {
		struct piece s;

		if (segment(&local, &s)) {
			if (key_number(buf, "2", s) < 0)
				return -1;
			continue;
		}
		if (pw_buf_addc(buf, '1') < 0)
			return -1;
		for (size_t i = 0; i < s.len; i++)
			if (pw_buf_addc(buf, lower(s.at[i])) < 0)
				return -1;
		if (pw_buf_addc(buf, '!') < 0) /* less than any letter or digit */
			return -1;
	}
	return pw_buf_addc(buf, '0');
}

static int
add_key(struct pw_buf *buf, const struct version *v)
{
	static const struct piece zero = { "", 0 };

	if (key_number(buf, "", v->epoch) < 0 || key_release(buf, v->release) < 0)
		return -1;
	if (pw_buf_addc(buf, pre_rank(v) ? (char)pre_rank(v) : '0') < 0 || key_number(buf, "", v->pre ? v->pre_number : zero) < 0)
		return -1;
	if (key_number(buf, v->has_post ? "1" : "0", v->has_post ? v->post_number : zero) < 0)
		return -1;
	if (key_number(buf, v->has_dev ? "0" : "1", v->has_dev ? v->dev_number : zero) < 0)
		return -1;
	return key_local(buf, v->local);
}

int
pw_version_key(const char *text, char **ret_key, struct pw_err *err)
{
	pw_auto_buf buf = PW_BUF_INIT;
	struct version v;
	char *key;

	if (!parse(text, &v))
		return refuse(text, err);
	if (add_key(&buf, &v) < 0 || !(key = pw_buf_steal(&buf)))
		return pw_err_set(err, PW_ERR_INPUT, "version '%.60s' is too long", text);
	*ret_key = key;
	return 0;
}
