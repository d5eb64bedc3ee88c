/* SPDX-License-Identifier: MIT */
/* Takes a manifest's URL apart and makes those of the files beside it. Runs in the task child; opens nothing. */
#include "file/url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"

struct pw_url {
	CURLU *parts;
	char *shown;
	char *folder; /* the path up to its last slash */
};

static int
failed(CURLUcode code, const char *what, struct pw_err *err)
{
	if (code == CURLUE_OUT_OF_MEMORY)
		return pw_err_nomem(err);
	return pw_err_set(err, PW_ERR_INPUT, "%s: %s", what, curl_url_strerror(code));
}

static int
check_scheme(CURLU *parts, struct pw_err *err)
{
	static const char *const schemes[] = { "http", "https", "file" };
	char *scheme = NULL;
	CURLUcode code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
	int rc = -1;

	if (code)
		return failed(code, "url", err);
	for (size_t i = 0; i < PW_COUNT(schemes); i++)
		if (strcmp(scheme, schemes[i]) == 0)
			rc = 0;
	if (rc < 0)
		pw_err_set(err, PW_ERR_INPUT, "url: the scheme is %s; there are http, https and file", scheme);
	curl_free(scheme);
	return rc;
}

static int
find_folder(struct pw_url *url, struct pw_err *err)
{
	char *path = NULL, *slash;
	CURLUcode code = curl_url_get(url->parts, CURLUPART_PATH, &path, 0);

	if (code)
		return failed(code, "url", err);
	slash = strrchr(path, '/');
	if (slash && slash[1])
		url->folder = strndup(path, (size_t)(slash - path) + 1);
	curl_free(path);
	if (!slash || !url->folder)
		return pw_err_set(err, PW_ERR_INPUT, "url: it must name a PULP_MANIFEST, not a folder");
	return 0;
}

static int
make_shown(struct pw_url *url, struct pw_err *err)
{
	CURLU *copy = curl_url_dup(url->parts);
	char *text = NULL;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	if (copy && curl_url_set(copy, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_set(copy, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
	    curl_url_set(copy, CURLUPART_QUERY, NULL, 0) == CURLUE_OK)
		code = curl_url_get(copy, CURLUPART_URL, &text, 0);
	if (code == CURLUE_OK)
		url->shown = strdup(text);
	curl_free(text);
	curl_url_cleanup(copy);
	return url->shown ? 0 : failed(code, "url", err);
}

struct pw_url *
pw_url_new(const char *text, struct pw_err *err)
{
	struct pw_url *url = calloc(1, sizeof(*url));
	CURLUcode code;

	if (!url || !(url->parts = curl_url())) {
		pw_err_nomem(err);
		return pw_url_free(url);
	}
	code = curl_url_set(url->parts, CURLUPART_URL, text, 0);
	if (code)
		failed(code, "url", err);
	if (code || check_scheme(url->parts, err) < 0 || find_folder(url, err) < 0 ||
	    make_shown(url, err) < 0)
		return pw_url_free(url);
	return url;
}

struct pw_url *
pw_url_free(struct pw_url *url)
{
	if (url) {
		curl_url_cleanup(url->parts);
		free(url->shown);
		free(url->folder);
		free(url);
	}
	return NULL;
}

const char *
pw_url_shown(const struct pw_url *url)
{
	return url->shown;
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~/", c));
}

static int
escape(const char *relpath, struct pw_buf *buf)
{
	for (; *relpath; relpath++)
		if (is_plain(*relpath) ? pw_buf_addc(buf, *relpath) < 0 :
					 pw_buf_addf(buf, "%%%02X", (unsigned char)*relpath) < 0)
			return -1;
	return 0;
}

static CURLUcode
point_to(CURLU *parts, const char *path)
{
	CURLUcode code = curl_url_set(parts, CURLUPART_PATH, path, 0);

	if (code == CURLUE_OK)
		code = curl_url_set(parts, CURLUPART_QUERY, NULL, 0);
	return code ? code : curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);
}

char *
pw_url_of(const struct pw_url *url, const char *relpath, struct pw_err *err)
{
	pw_auto_buf path = PW_BUF_INIT;
	CURLU *parts = curl_url_dup(url->parts);
	CURLUcode code = parts ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
	char *text = NULL, *copy = NULL;

	if (pw_buf_adds(&path, url->folder) < 0 || escape(relpath, &path) < 0)
		code = CURLUE_OUT_OF_MEMORY;
	if (code == CURLUE_OK && relpath[0])
		code = point_to(parts, pw_buf_text(&path));
	if (code == CURLUE_OK)
		code = curl_url_get(parts, CURLUPART_URL, &text, 0);
	if (code == CURLUE_OK)
		copy = strdup(text);
	if (!copy)
		failed(code ? code : CURLUE_OUT_OF_MEMORY, "url", err);
	curl_free(text);
	curl_url_cleanup(parts);
	return copy;
}
