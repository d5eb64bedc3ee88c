/* SPDX-License-Identifier: MIT */
/*
 * One transfer by libcurl: options, what the body is, what an end means. Runs
 * in the task child. Does not drive the transfer: that is fetch.c.
 *
 * Resuming: an attempt asks for the bytes that the sink lacks. Whether the
 * server gives these or all from the start is known with the first byte of the
 * body; a server that ignores ranges is as good as any, only slower. Nothing
 * here is trusted: the whole is verified afterwards by its hash.
 */
#include "file/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "config.h"

#define ATTEMPTS 4 /* one, and three more */
#define BACK_OFF_NS (PW_SEC / 2)
#define RETRY_AFTER_MAX_S 30
#define CONNECT_TIMEOUT_S 30L
#define STALLED_AFTER_S 60L
#define REDIRECTS 5L

static bool
over_http(struct pw_transfer *t)
{
	return strncmp(t->url, "http", 4) == 0;
}

static long
response(struct pw_transfer *t)
{
	long code = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
	return code;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	static const char name[] = "content-range: bytes ";
	struct pw_transfer *t = arg;
	size_t len = size * n;

	if (len >= 5 && strncmp(data, "HTTP/", 5) == 0)
		t->range_start = -1;
	/* A number, and what follows it, ends before the line does: "\r\n" always comes with it. */
	if (len > sizeof(name) && strncasecmp(data, name, sizeof(name) - 1) == 0)
		t->range_start = strtoll(data + sizeof(name) - 1, NULL, 10);
	return len;
}

/* Whether this is the file: all of it, or the part that was asked for. */
static bool
is_answer(struct pw_transfer *t)
{
	long status = response(t);

	return !over_http(t) || status == 200 || (status == 206 && t->asked > 0);
}

/* With the first byte of the body: is it the file, and from where on? */
static int
begin_body(struct pw_transfer *t)
{
	bool partial = over_http(t) && response(t) == 206;

	t->begun = true;
	t->ignoring = !is_answer(t);
	if (t->ignoring || t->asked == 0 || !over_http(t) ||
	    (partial && t->range_start == t->asked))
		return 0;
	if (partial)
		return pw_err_set(&t->sink_err, PW_ERR_INPUT, "the server sent another range than was asked for");
	return t->ops->restart(t->sink, &t->sink_err);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct pw_transfer *t = arg;
	size_t len = size * n;

	if (!t->begun && begin_body(t) < 0)
		return 0;
	if (!t->ignoring && len && t->ops->add(t->sink, data, len, &t->sink_err) < 0)
		return 0;
	return len;
}

struct pw_transfer *
pw_transfer_new(char *url, const char *name, const struct pw_sink_ops *ops, void *sink,
		struct pw_err *err)
{
	struct pw_transfer *t = calloc(1, sizeof(*t));

	if (!t || !(t->easy = curl_easy_init())) {
		free(url);
		free(t);
		pw_err_nomem(err);
		return NULL;
	}
	t->url = url;
	t->name = name;
	t->ops = ops;
	t->sink = sink;
	return t;
}

struct pw_transfer *
pw_transfer_free(struct pw_transfer *t)
{
	if (t) {
		curl_easy_cleanup(t->easy);
		free(t->url);
		free(t);
	}
	return NULL;
}

/* Which protocols may be used, and which a redirect may lead to: never from the web to a file of this machine. */
static CURLcode
set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");

	return code ? code : curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
					 CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);

	return code ? code :
		      curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS,
				       CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* The variables that tell other programs which authorities to trust; libcurl itself reads none of them. */
static CURLcode
set_trust(CURL *easy)
{
	const char *file = getenv("CURL_CA_BUNDLE"), *folder = getenv("SSL_CERT_DIR");
	CURLcode code = CURLE_OK;

	if (!file || !*file)
		file = getenv("SSL_CERT_FILE");
	if (file && *file)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, file);
	if (code == CURLE_OK && folder && *folder)
		code = curl_easy_setopt(easy, CURLOPT_CAPATH, folder);
	return code;
}

static CURLcode
set_options(struct pw_transfer *t)
{
	CURL *easy = t->easy;
	CURLcode code = set_protocols(easy);

	if (code == CURLE_OK)
		code = set_trust(easy);
#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, option, value))
	SET(CURLOPT_URL, t->url);
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_ERRORBUFFER, t->text);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FAILONERROR, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, REDIRECTS);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, STALLED_AFTER_S);
	SET(CURLOPT_USERAGENT, "pulp-worker/" PACKAGE_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
#undef SET
	return code;
}

int
pw_transfer_begin(struct pw_transfer *t, struct pw_err *err)
{
	char range[32];
	CURLcode code;

	t->asked = t->ops->have(t->sink);
	if (t->asked > t->most)
		t->most = t->asked;
	t->range_start = -1;
	t->begun = t->ignoring = false;
	t->sink_err.kind = PW_ERR_NONE;
	t->text[0] = '\0';
	snprintf(range, sizeof(range), "%" PRId64 "-", t->asked);
	if (t->asked == 0 && t->ops->restart(t->sink, err) < 0)
		return -1;
	code = set_options(t);
	if (code == CURLE_OK)
		code = curl_easy_setopt(t->easy, CURLOPT_RANGE, t->asked ? range : NULL);
	return code ? pw_err_set(err, PW_ERR_OS, "libcurl: %s", curl_easy_strerror(code)) : 0;
}

/* What may be gone at the next attempt. */
static bool
is_transient(CURLcode code, long status)
{
	switch (code) {
	case CURLE_HTTP_RETURNED_ERROR:
		return status >= 500 || status == 408 || status == 429;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP3:
	case CURLE_QUIC_CONNECT_ERROR:
		return true;
	default:
		return false;
	}
}

static bool
range_refused(struct pw_transfer *t, CURLcode code)
{
	if (t->asked == 0)
		return false;
	return over_http(t) ? code == CURLE_HTTP_RETURNED_ERROR && response(t) == 416 :
			      code == CURLE_BAD_DOWNLOAD_RESUME || code == CURLE_RANGE_ERROR;
}

/* Half a second, one, two; or what the server asks for. */
static enum pw_transfer_end
again(struct pw_transfer *t)
{
	curl_off_t after = 0;
	int64_t wait = BACK_OFF_NS << (t->failures - 1);

	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
		wait = (after < RETRY_AFTER_MAX_S ? after : RETRY_AFTER_MAX_S) * PW_SEC;
	t->not_before_ns = pw_now_ns() + wait;
	return PW_TRANSFER_AGAIN;
}

static void
describe(struct pw_transfer *t, CURLcode code, struct pw_err *err)
{
	long status = response(t);

	if (code == CURLE_OK)
		pw_err_set(err, PW_ERR_OS, "it ended after %" PRId64 " of %" PRId64 " bytes", t->ops->have(t->sink),
			   t->ops->want(t->sink));
	else if (code == CURLE_HTTP_RETURNED_ERROR)
		pw_err_set(err, PW_ERR_OS, "the server answered %ld", status);
	else
		pw_err_set(err, PW_ERR_OS, "%s", t->text[0] ? t->text : curl_easy_strerror(code));
	if (t->failures > 1)
		(void)!pw_err_prefix(err, "after %d attempts", t->failures);
	(void)!pw_err_prefix(err, "%.300s", t->name);
}

static enum pw_transfer_end
count_failure(struct pw_transfer *t, CURLcode code, struct pw_err *err)
{
	int64_t have = t->ops->have(t->sink);

	/* An attempt that brought it further was no failure, or a line that breaks now and then would end a long download. */
	t->failures = have > t->most ? 1 : t->failures + 1;
	describe(t, code, err);
	return t->failures < ATTEMPTS ? again(t) : PW_TRANSFER_FAILED;
}

enum pw_transfer_end
pw_transfer_judge(struct pw_transfer *t, CURLcode code, struct pw_err *err)
{
	int64_t want = t->ops->want(t->sink);

	if (t->sink_err.kind != PW_ERR_NONE) {
		*err = t->sink_err;
		(void)!pw_err_prefix(err, "%.300s", t->name);
		return PW_TRANSFER_FAILED;
	}
	if (range_refused(t, code)) {
		if (t->ops->restart(t->sink, err) < 0)
			return PW_TRANSFER_FAILED;
		return count_failure(t, code, err);
	}
	if (code == CURLE_OK && !is_answer(t)) {
		pw_err_set(err, PW_ERR_INPUT, "%.300s: the server answered %ld", t->name, response(t));
		return PW_TRANSFER_FAILED;
	}
	/* A server that gives no length may end early without an error. */
	if ((code == CURLE_OK && want >= 0 && t->ops->have(t->sink) < want) ||
	    is_transient(code, response(t)))
		return count_failure(t, code, err);
	if (code == CURLE_OK)
		return PW_TRANSFER_DONE;
	t->failures++;
	describe(t, code, err);
	return PW_TRANSFER_FAILED;
}
