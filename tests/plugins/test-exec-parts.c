/* SPDX-License-Identifier: MIT */
/* The pure parts of the plugin exec: text out of bytes, the capture of an output, the order. */
#include <stdint.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clean.h"
#include "exec/capture.h"
#include "exec/order.h"
#include "base/text.h"
#include "lib/tap.h"

static void
clean_is(const char *bytes, size_t len, const char *want, const char *what)
{
	pw_auto_buf buf = PW_BUF_INIT;

	is_int(pw_clean_add(&buf, bytes, len), 0, "%s: cleaned", what);
	is_str(pw_buf_text(&buf), want, "%s", what);
}

static void
test_clean(void)
{
#define CLEAN(bytes, want, what) clean_is(bytes, sizeof(bytes) - 1, want, what)
#define R "\xef\xbf\xbd"
	CLEAN("", "", "nothing");
	CLEAN("plain\n\ttext", "plain\n\ttext", "ASCII");
	CLEAN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "2, 3 and 4 bytes");
	CLEAN("a\0b", "a" R "b", "NUL");
	CLEAN("\xff\xfe", R R, "bytes that are never UTF-8");
	CLEAN("\xc3", R, "cut off");
	CLEAN("\xe2\x82x", R R "x", "cut off, and on");
	CLEAN("\xc0\x80", R R, "overlong");
	CLEAN("\xed\xa0\x80", R R R, "a surrogate");
	CLEAN("\xf4\x90\x80\x80", R R R R, "above U+10FFFF");
	CLEAN("\x80\xe2\x82\xac", R "\xe2\x82\xac", "a stray byte before a good character");
	is_int(pw_clean_trim_end("ab\xe2\x82", 4), 2, "a cut character at the end");
	is_int(pw_clean_trim_end("ab\xe2\x82\xac", 5), 5, "a whole one");
	is_int(pw_clean_trim_end("a\xf0\x9f\x98", 4), 1, "three bytes of four");
	is_int(pw_clean_trim_end("\x80\x80\x80\x80", 4), 4, "what is no character is not cut");
	is_int(pw_clean_trim_end("", 0), 0, "nothing");
	is_int(pw_clean_skip_start("\x82\xac" "a", 3), 2, "the rest of one at the start");
	is_int(pw_clean_skip_start("\x80\x80\x80\x80", 4), 3, "no more than three");
}

/* The same in one go and in pieces of all sizes, against the plain rule. */
static void
test_capture(void)
{
	static struct pw_capture capture;
	static char data[300000];
	static const size_t sizes[] = { 0, 1, 32767, 32768, 32769, 65535, 65536, 65537, 98304, 100000, 300000 };

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i * 7 % 26);
	for (size_t i = 0; i < PW_COUNT(sizes); i++) {
		for (size_t piece = 1; piece < 200000; piece = piece * 7 + 3) {
			pw_auto_buf got = PW_BUF_INIT, want = PW_BUF_INIT;
			size_t n = sizes[i], half = PW_CAPTURE_HALF;
			int rc;

			memset(&capture, 0, sizeof(capture));
			for (size_t at = 0; at < n; at += piece)
				pw_capture_add(&capture, data + at,
					       piece < n - at ? piece : n - at);
			rc = pw_capture_text(&capture, &got);
			if (n <= 2 * half)
				rc |= pw_buf_add(&want, data, n);
			else
				rc |= pw_buf_add(&want, data, half) |
				      pw_buf_addf(&want, "\n[... %zu bytes left out ...]\n", n - 2 * half) |
				      pw_buf_add(&want, data + n - half, half);
			if (rc || got.len != want.len ||
			    strcmp(pw_buf_text(&got), pw_buf_text(&want)) != 0 ||
			    capture.total != n)
				ok(0, "%zu bytes in pieces of %zu", n, piece);
		}
		ok(1, "%zu bytes in pieces of many sizes", sizes[i]);
	}
}

static void
last_line_is(const char *text, const char *want)
{
	static struct pw_capture capture;
	pw_auto_buf got = PW_BUF_INIT;

	memset(&capture, 0, sizeof(capture));
	pw_capture_add(&capture, text, strlen(text));
	is_int(pw_capture_last_line(&capture, 10, &got), 0, "a last line");
	is_str(pw_buf_text(&got), want, "is '%s'", want);
}

static void
test_last_line(void)
{
	last_line_is("", "");
	last_line_is("\n \n\t\n", "");
	last_line_is("one", "one");
	last_line_is("one\ntwo\r\n\n", "two");
	last_line_is("10%\r20%\r30%\r", "30%");
	last_line_is("x\n0123456789abc\n", "0123456789");
	last_line_is("x\n012345678\xe2\x82\xac\n", "012345678");
}

/* args and kwargs as a task gets them. */
static int
parse(const char *args, const char *kwargs, json_t **ret, struct pw_err *err)
{
	static const char *const known[] = { "argv", "env", "stdin", NULL };
	pulp_context ctx = { .args = args, .kwargs = kwargs };

	return pw_args_parse(&ctx, known, ret, err);
}

static void
test_args(void)
{
	pw_auto_json *kwargs = NULL;
	struct pw_err err = { 0 };

	is_int(parse("[1, 2]", "{}", &kwargs, &err), -1, "positional arguments");
	is_str(err.text, "takes keyword arguments only, but 2 positional were given", "are refused");
	is_int(parse("[", "{}", &kwargs, &err), -1, "args that are no JSON");
	is_int(parse("[]", "{\"x\": 1", &kwargs, &err), -1, "kwargs that are no JSON");
	is_int(parse("{}", "{}", &kwargs, &err), -1, "args that are no array");
	ok(kwargs == NULL, "nothing is returned then");
	is_int(parse("[]", "{\"argv\": null, \"env\": {}}", &kwargs, &err), 0, "null and an object");
	ok(!json_object_get(kwargs, "argv") && json_object_get(kwargs, "env"), "null is as if not given");
}

static void
test_order(void)
{
	char *const inherited[] = { (char[]){ "A=1" }, (char[]){ "AB=2" }, (char[]){ "odd" }, NULL };
	pw_auto_json *kwargs = NULL;
	struct pw_order order = PW_ORDER_INIT;
	struct pw_err err = { 0 };

	is_int(parse("[]", "{\"argv\": [\"x\", \"\"], \"env\": {\"A\": \"n=w\", \"N\": \"\"}, \"stdin\": \"a\\u0000b\"}",
		     &kwargs, &err),
	       0, "parsed");
	is_int(pw_order_read(kwargs, inherited, &order, &err), 0, "read");
	ok(strcmp(order.argv[0], "x") == 0 && !order.argv[1][0] && !order.argv[2], "argv");
	is_str(order.env[0], "A=n=w", "a replaced variable");
	is_str(order.env[1], "N=", "a new one");
	is_str(order.env[2], "AB=2", "one whose name only begins alike stays");
	is_str(order.env[3], "odd", "and one without a value");
	ok(!order.env[4], "no more");
	ok(order.in_len == 3 && memcmp(order.in, "a\0b", 3) == 0, "stdin may have a NUL");
	pw_order_done(&order);
	pw_order_done(&order);
	ok(!order.argv && !order.env, "done, twice");
}

int
main(void)
{
	test_clean();
	test_capture();
	test_last_line();
	test_args();
	test_order();
	return tap_done();
}
