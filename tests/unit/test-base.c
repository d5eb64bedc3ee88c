/* SPDX-License-Identifier: MIT */
/* The layer base: errors, buffers, durations, sizes, UUIDs, text. */
#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"
#include "lib/tap.h"

static void
test_err(void)
{
	struct pw_err err;

	errno = ENOENT;
	is_int(pw_err_errno(&err, "open %s", "x"), -1, "an error returns -1");
	is_str(err.text, "open x: No such file or directory", "errno's text is appended");
	is_int(err.os_errno, ENOENT, "errno is kept");
	pw_err_prefix(&err, "create workdir");
	is_str(err.text, "create workdir: open x: No such file or directory", "a prefix goes in front");
	pw_err_set(&err, PW_ERR_DB, "line one\n\tDETAIL: two\n");
	is_str(err.text, "line one  DETAIL: two", "a text becomes one line");
	is_int(pw_err_exit_status(&err), EX_SOFTWARE, "exit status by kind");
	is_int(pw_err_set(NULL, PW_ERR_BUG, "nobody listens"), -1, "an error record may be NULL");
	for (int i = 0; i < 100; i++)
		pw_err_prefix(&err, "0123456789012345678901234567890123456789");
	ok(strlen(err.text) < sizeof(err.text), "prefixes never overflow");
}

static void
test_buf(void)
{
	pw_auto_buf buf = PW_BUF_INIT;

	is_str(pw_buf_text(&buf), "", "an unused buffer is an empty string");
	for (int i = 0; i < 1000; i++)
		if (pw_buf_addf(&buf, "%d,", i) < 0)
			bail("out of memory");
	is_int(buf.len, 3890, "length after many additions");
	pw_buf_drop(&buf, 3886);
	is_str(buf.data, "999,", "dropping from the front");
	pw_buf_drop(&buf, 50);
	is_int(buf.len, 0, "dropping more than there is empties");
	ok(pw_buf_reserve(&buf, (size_t)-1) < 0, "an impossible size is refused");
	pw_auto_free char *text = pw_buf_steal(&buf);
	is_str(text, "", "stealing an empty buffer gives an empty string");
}

static void
test_duration(void)
{
	static const struct {
		const char *text;
		int64_t unit, ns;
	} good[] = {
		{ "5", PW_SEC, 5 * PW_SEC }, { "5", 60 * PW_SEC, 300 * PW_SEC }, { "250ms", PW_SEC, 250 * PW_MS },
		{ "1.5s", 1, 1500 * PW_MS }, { "2m", 1, 120 * PW_SEC }, { "1h", 1, 3600 * PW_SEC }, { "1 d", 1, 86400 * PW_SEC },
		{ "0", PW_SEC, 0 }, { ".5s", 1, 500 * PW_MS },
	};
	static const char *const bad[] = { "", "-1", "60*60", "1x", "1e30", "abc", "0x10", "nan", "inf", "1h2" };
	struct pw_err err;
	int64_t ns;
	char buf[64];

	for (size_t i = 0; i < PW_COUNT(good); i++) {
		ok(pw_duration_parse(good[i].text, good[i].unit, &ns, &err) == 0 && ns == good[i].ns, "duration '%s'", good[i].text);
	}
	for (size_t i = 0; i < PW_COUNT(bad); i++) {
		ns = 42;
		ok(pw_duration_parse(bad[i], PW_SEC, &ns, &err) < 0 && ns == 42, "duration '%s' is refused", bad[i]);
	}
	is_str(pw_duration_text(1400 * PW_MS, buf, sizeof(buf)), "1.4 s", "seconds for people");
	is_str(pw_duration_text(200 * PW_SEC, buf, sizeof(buf)), "3 min 20 s", "minutes for people");
	is_str(pw_duration_text(1800 * PW_SEC, buf, sizeof(buf)), "30 min", "whole ones");
	is_str(pw_duration_text(7500 * PW_SEC, buf, sizeof(buf)), "2 h 5 min", "hours");
	is_str(pw_duration_text(7259 * PW_SEC, buf, sizeof(buf)), "2 h", "whole ones to the minute");
	is_str(pw_duration_text(86400 * PW_SEC, buf, sizeof(buf)), "1 d", "a day");
	ok(pw_ms_until(PW_NEVER) == -1 && pw_ms_until(0) == 0, "milliseconds until never and until the past");
}

static void
test_text(void)
{
	static const char *const words[] = { "dispatch", "show", "cancel", NULL };
	struct pw_err err;
	int64_t n;

	ok(pw_utf8_valid("gr\xc3\xbc\xc3\x9f", 6), "UTF-8 is recognised");
	ok(!pw_utf8_valid("\xff", 1) && !pw_utf8_valid("\xc0\x80", 2) && !pw_utf8_valid("\xed\xa0\x80", 3) &&
		   !pw_utf8_valid("\xc3", 1) && !pw_utf8_valid("a\0b", 3) && !pw_utf8_valid("\xf4\x90\x80\x80", 4),
	   "what is not UTF-8 is refused");
	pw_auto_buf clean = PW_BUF_INIT;
	ok(pw_utf8_clean(&clean, "a\0b\xff\xc3\xbc", 6) == 0, "cleaning");
	is_str(clean.data, "a\xef\xbf\xbd" "b\xef\xbf\xbd\xc3\xbc", "what is no text is replaced");
	ok(pw_utf8_unfinished("a\xe2\x82", 3) == 2 && pw_utf8_unfinished("a\xc3\xbc", 3) == 0 && pw_utf8_unfinished("", 0) == 0,
	   "a sequence cut in two is noticed");
	ok(pw_size_parse("1M", &n, &err) == 0 && n == 1048576, "1M");
	ok(pw_size_parse("512", &n, &err) == 0 && n == 512, "a plain size is in bytes");
	ok(pw_size_parse("2GiB", &n, &err) == 0 && n == INT64_C(2) << 30, "2GiB");
	ok(pw_size_parse("9999999999T", &n, &err) < 0 && pw_size_parse("x", &n, &err) < 0 && pw_size_parse("-1", &n, &err) < 0,
	   "bad sizes are refused");
	is_str(pw_text_closest("dispach", words), "dispatch", "a typing error finds its word");
	is_str(pw_text_closest("zzzz", words), NULL, "nonsense finds none");
}

static void
test_uuid(void)
{
	struct pw_uuid a = pw_uuid_new(), b;
	struct pw_err err;

	ok(strlen(a.s) == 36 && a.s[14] == '7', "a new UUID is of version 7");
	ok(pw_uuid_parse("0192F0E8A1B27C3D8E4F5A6B7C8D9E0F", &b, &err) == 0 && strcmp(b.s, "0192f0e8-a1b2-7c3d-8e4f-5a6b7c8d9e0f") == 0,
	   "32 hex digits are read");
	ok(pw_uuid_parse("nonsense", &b, &err) < 0, "anything else is not");
	is_str(err.text, "'nonsense' is not a UUID", "and is named");
	b = pw_uuid_new();
	ok(strcmp(a.s, b.s) <= 0 || strncmp(a.s, b.s, 18) <= 0, "later UUIDs sort later");
}

static void
test_fd(void)
{
	pw_auto_buf buf = PW_BUF_INIT;
	struct pw_err err;

	ok(pw_file_read("/proc/self/status", 1 << 20, &buf, &err) == 0 && buf.len > 100, "a file of unknown size is read");
	ok(pw_file_read("/proc/self/status", 10, &buf, &err) < 0, "a larger one than allowed is refused");
	ok(pw_file_read("/nonexistent", 10, &buf, &err) < 0 && err.os_errno == ENOENT, "a missing one is named");
}

static const char *
correlation_of(void *arg, const char *task)
{
	return strcmp(task, "t1") == 0 ? arg : NULL;
}

/* What is written to standard error between the two. */
static const char *
logged(int pipe_fds[2], int saved)
{
	static char text[4096];
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	dup2(saved, STDERR_FILENO);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_log(void)
{
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	char plain[] = "0af-1", odd[] = "a\" \nb", large[9000];
	const char *text;

	if (saved < 0 || pipe(pipe_fds) < 0)
		bail("no pipe");
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	dup2(pipe_fds[1], STDERR_FILENO);
	pw_log_info("t1", "a.one", "x=1");
	pw_log_set_correlation(correlation_of, plain);
	pw_log_info("t1", "a.two", "x=%s", pw_log_quote("q"));
	pw_log_info("t2", "a.three", "x=1");
	pw_log_info(NULL, "a.four", "x=1");
	pw_log_set_correlation(correlation_of, odd);
	pw_log_info("t1", "a.five", "a=%s b=%s c=%s d=%s", pw_log_quote("1"), pw_log_quote("2"), pw_log_quote("3"), pw_log_quote("4"));
	pw_log_set_correlation(correlation_of, large);
	pw_log_info("t1", "a.six", "x=1");
	pw_log_set_correlation(NULL, NULL);
	text = logged(pipe_fds, saved);
	ok(strstr(text, " task=t1 event=a.one x=1\n") != NULL, "no correlation id where nobody knows one");
	ok(strstr(text, " task=t1 cid=0af-1 event=a.two x=\"q\"\n") != NULL, "the correlation id stands behind the task");
	ok(strstr(text, " task=t2 event=a.three x=1\n") != NULL, "another task has none");
	ok(strstr(text, "] event=a.four x=1\n") != NULL, "nor has what is of no task");
	ok(strstr(text, " cid=\"a\\\"  b\" event=a.five a=\"1\" b=\"2\" c=\"3\" d=\"4\"\n") != NULL,
	   "one that is no UUID is quoted, beside all that the caller quoted");
	ok(strstr(text, "aaa event=a.six x=1\n") != NULL && strlen(text) < 1200, "a long one is cut");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(saved);
}

int
main(void)
{
	test_err();
	test_log();
	test_buf();
	test_duration();
	test_text();
	test_uuid();
	test_fd();
	return tap_done();
}
