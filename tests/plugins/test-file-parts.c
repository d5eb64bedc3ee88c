/* SPDX-License-Identifier: MIT */
/* The pure parts of the plugin file: paths, manifests, addresses, hashes. */
#include <stdint.h>
#include <strings.h>

#include "base/text.h"
#include "file/digest.h"
#include "file/manifest.h"
#include "file/relpath.h"
#include "file/url.h"
#include "lib/tap.h"

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */

static void
test_digest(void)
{
	struct pw_err err;
	struct pw_digest *digest = pw_digest_new(&err);
	char text[PW_SHA256_TEXT] = "";

	is_int(pw_digest_of("abc", 3, text, &err), 0, "a hash");
	is_str(text, SHA, "of abc");
	for (const char *p = "xyzabc"; digest && *p; p++) {
		if (*p == 'a')
			is_int(pw_digest_clear(digest, &err), 0, "cleared");
		if (pw_digest_add(digest, p, 1, &err) < 0)
			ok(0, "add");
	}
	is_int(pw_digest_text(digest, text, &err), 0, "in pieces");
	is_str(text, SHA, "the same");
	ok(pw_digest_free(digest) == NULL, "freed");
}

static void
test_order(void)
{
	static const char *const sorted[] = { "a", "a/b", "a/b/c", "a/c", "a!", "a-b", "a.b/c", "ab", "b", "\xc3\xa4" };

	for (size_t i = 0; i < PW_COUNT(sorted); i++)
		for (size_t j = 0; j < PW_COUNT(sorted); j++) {
			int order = pw_relpath_compare(sorted[i], sorted[j]);

			if ((order < 0) != (i < j) || (order == 0) != (i == j))
				ok(0, "order of '%s' and '%s'", sorted[i], sorted[j]);
		}
	ok(1, "an order of paths");
	ok(pw_relpath_below("a", "a/b") && !pw_relpath_below("a", "ab") && !pw_relpath_below("a", "a"), "below");
}

static int
parse(const char *text, struct pw_manifest *manifest, struct pw_err *err)
{
	return pw_manifest_parse(text, strlen(text), manifest, err);
}

static void
test_manifest(void)
{
	static const char text[] = "z," SHA ",3\n#note\nb, c," SHA ",3\nb/x," SHA ",9223372036854775807\n";
	pw_auto_manifest m = PW_MANIFEST_INIT;
	pw_auto_buf out = PW_BUF_INIT;
	struct pw_err err = { 0 };

	is_int(parse(text, &m, &err), 0, "a manifest (%s)", err.text);
	is_int(m.count, 3, "three entries");
	is_str(m.entries[0].path, "b/x", "in order of paths");
	ok(m.entries[0].size == INT64_MAX && m.entries[0].line == 4, "with size and line");
	is_str(m.entries[1].path, "b, c", "a path may have a comma");
	is_int(pw_manifest_write(&m, &out), 0, "written");
	is_str(pw_buf_text(&out), "z," SHA ",3\nb, c," SHA ",3\nb/x," SHA ",9223372036854775807\n",
	       "in order of lines, without the comment");
}

static void
compare_is(const char *a, const char *b, size_t want_added, size_t want_removed)
{
	pw_auto_manifest x = PW_MANIFEST_INIT, y = PW_MANIFEST_INIT;
	struct pw_err err;
	size_t added, removed;

	if (parse(a, &x, &err) < 0 || parse(b, &y, &err) < 0)
		bail("%s", err.text);
	pw_manifest_compare(&x, &y, &added, &removed);
	ok(added == want_added && removed == want_removed, "%zu added, %zu removed", added, removed);
}

static void
test_compare(void)
{
	static const char other[] = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78";
	char changed[200];

	snprintf(changed, sizeof(changed), "a,%s,3\nb," SHA ",3\n", other);
	compare_is("", "", 0, 0);
	compare_is("", "a," SHA ",3\nb," SHA ",3\n", 2, 0);
	compare_is("a," SHA ",3\nb," SHA ",3\n", "b," SHA ",3\na," SHA ",3\n", 0, 0);
	compare_is("a," SHA ",3\nb," SHA ",3\n", changed, 1, 1);
	compare_is("a," SHA ",3\nc," SHA ",3\n", "b," SHA ",3\nc," SHA ",3\nd," SHA ",3", 2, 1);
	compare_is("x," SHA ",3\n", "", 0, 1);
}

/* Whatever comes, parsing ends, and what it accepts is safe and comes out as it went in. */
static void
test_fuzz(void)
{
	static const char alphabet[] = "a/.,#\n\r\t -0189\xc3\xa4\xff\x01" SHA;
	static const char base[] = "a," SHA ",3\nb/c," SHA ",3\n";
	uint32_t seed = 20261124, taken = 0;

	for (int round = 0; round < 30000; round++) {
		pw_auto_manifest m = PW_MANIFEST_INIT, again = PW_MANIFEST_INIT;
		pw_auto_buf out = PW_BUF_INIT;
		char text[sizeof(base)];
		struct pw_err err = { 0 };

		memcpy(text, base, sizeof(base));
		for (int i = 0; i <= round % 4; i++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % (sizeof(base) - 1)] =
				alphabet[(seed >> 20) % (sizeof(alphabet) - 1)];
		}
		if (parse(text, &m, &err) < 0) {
			if (!err.text[0])
				ok(0, "an error without a text");
			continue;
		}
		taken++;
		for (size_t i = 0; i < m.count; i++)
			if (pw_relpath_check(m.entries[i].path, strlen(m.entries[i].path), &err) <
			    0)
				ok(0, "took the path '%s'", m.entries[i].path);
		if (pw_manifest_write(&m, &out) < 0 || parse(pw_buf_text(&out), &again, &err) < 0 ||
		    again.count != m.count)
			ok(0, "not the same again: %s", pw_buf_text(&out));
	}
	ok(taken > 1000 && taken < 29000, "30000 damaged manifests, %u of them still good", taken);
}

static void
url_is(const char *manifest, const char *relpath, const char *want)
{
	struct pw_err err = { 0 };
	struct pw_url *url = pw_url_new(manifest, &err);
	pw_auto_free char *got = url ? pw_url_of(url, relpath, &err) : NULL;

	/* libcurl writes the digits of %XX in either case. */
	if (!ok(got && strcasecmp(got, want) == 0, "%s beside %s", relpath, manifest))
		printf("# got %s\n", got ? got : err.text);
	pw_url_free(url);
}

static void
url_refused(const char *text)
{
	struct pw_err err = { 0 };
	struct pw_url *url = pw_url_new(text, &err);

	ok(!url && err.text[0], "'%s' is refused: %s", text, err.text);
	pw_url_free(url);
}

static void
test_url(void)
{
	struct pw_err err;
	struct pw_url *url;

	url_is("http://h/d/PULP_MANIFEST", "", "http://h/d/PULP_MANIFEST");
	url_is("http://h/d/PULP_MANIFEST?a=b", "", "http://h/d/PULP_MANIFEST?a=b");
	url_is("http://h/d/PULP_MANIFEST?a=/b#c", "x/y z", "http://h/d/x/y%20z");
	url_is("https://u:p@h:8/PULP_MANIFEST", "a%b#?&+:;@,\xc3\xa4", "https://u:p@h:8/a%25b%23%3F%26%2B%3A%3B%40%2C%C3%A4");
	url_is("http://h/a%20b/PULP_MANIFEST", "-._~", "http://h/a%20b/-._~");
	url_is("file:///d/PULP_MANIFEST", "http://x", "file:///d/http%3A//x");
	url = pw_url_new("https://user:secret@h/d/M?token=secret", &err);
	is_str(url ? pw_url_shown(url) : NULL, "https://h/d/M", "for people without secrets");
	pw_url_free(url);
	url_refused("");
	url_refused("h/PULP_MANIFEST");
	url_refused("gopher://h/PULP_MANIFEST");
	url_refused("http://h");
	url_refused("http://h/d/");
	url_refused("http://h:99999/x");
	url_refused("http:///x");
	url_refused("file://elsewhere/x");
	url_refused("http://h/a b");
}

int
main(void)
{
	test_digest();
	test_order();
	test_manifest();
	test_compare();
	test_fuzz();
	test_url();
	return tap_done();
}
