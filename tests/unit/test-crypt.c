/* SPDX-License-Identifier: MIT */
/*
 * The layer crypt: base64, the vectors of the Fernet specification, files of
 * keys, and the walk over the leaves of arguments. What Python makes of ours is in tests/system/arguments.t.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/base64.h"
#include "crypt/fernet.h"
#include "crypt/leaves.h"
#include "lib/tap.h"

#define SPEC_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define SPEC_TOKEN "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define KEY_B "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
#define KEY_C "_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-4="
#define KEY_C_PLAIN "/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+4="

static char folder[] = "/tmp/test-crypt-XXXXXX";

static void
test_base64(void)
{
	static const struct {
		const char *text, *bytes; /* NULL: refused */
	} cases[] = {
		{ "", "" },	    { "Zg==", "f" },	 { "Zm8=", "fo" },	{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" }, { "_-8=", "\xff\xef" }, { "Zg", NULL },	{ "Zg=", NULL },
		{ "Z===", NULL },   { "====", NULL },	 { "Zh==", NULL },	{ "Zm9=", NULL },
		{ "Zg==Zg==", NULL }, { "Z g=", NULL },	 { "/+8=", NULL },	{ "Zm9vYg==\n", NULL },
	};

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		unsigned char bytes[16] = { 0 };
		char text[24] = { 0 };
		size_t len = 0;
		bool good =
			pw_base64_decode(cases[i].text, strlen(cases[i].text), false, bytes, &len);

		is_int(good, cases[i].bytes != NULL, "'%s' is %s", cases[i].text, cases[i].bytes ? "read" : "refused");
		if (!good || !cases[i].bytes)
			continue;
		is_str((char *)bytes, cases[i].bytes, "as what it is");
		pw_base64_encode(bytes, len, text);
		is_str(text, cases[i].text, "and is written the same again");
	}
}

static struct pw_fernet_key
key_of(const char *text)
{
	struct pw_fernet_key key = { { 0 }, { 0 } };

	if (pw_fernet_key_parse(text, strlen(text), &key, NULL) < 0)
		bail("the key %s", text);
	return key;
}

/* generate.json and verify.json of github.com/fernet/spec. */
static void
test_spec(void)
{
	static const unsigned char iv[PW_FERNET_IV] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct pw_fernet_key key = key_of(SPEC_KEY), other = key_of(KEY_A), both[2];
	pw_auto_buf token = PW_BUF_INIT, text = PW_BUF_INIT;
	struct pw_err err;

	is_int(pw_fernet_seal(&key, 499162800, iv, "hello", 5, &token, &err), 0, "the specification's token is made");
	is_str(pw_buf_text(&token), SPEC_TOKEN, "to the character");
	is_int(pw_fernet_open(&key, 1, SPEC_TOKEN, strlen(SPEC_TOKEN), &text, &err), 0, "and read");
	is_str(pw_buf_text(&text), "hello", "as what was put in");
	both[0] = other;
	both[1] = key;
	is_int(pw_fernet_open(both, 2, SPEC_TOKEN, strlen(SPEC_TOKEN), &text, &err), 1, "by the second key too");
	is_str(pw_buf_text(&text), "hellohello", "behind what was there");
	is_int(pw_fernet_open(&other, 1, SPEC_TOKEN, strlen(SPEC_TOKEN), &text, &err), -1, "but not by another");
	is_int(err.kind, PW_ERR_INPUT, "which is bad input");
	is_str(err.text, "a token of another key, or a damaged one", "and says so");
	is_str(pw_buf_text(&text), "hellohello", "and leaves the buffer as it was");
}

/* invalid.json. The two that only a time limit refuses are good: arguments do not age. */
static void
test_spec_invalid(void)
{
	static const struct {
		const char *what, *token, *text, *error;
	} cases[] = {
		{ "incorrect mac", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
		  NULL, "a token of another key, or a damaged one" },
		{ "too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", NULL, "not a Fernet token" },
		{ "invalid base64", "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
		  NULL, "not a Fernet token" },
		{ "payload size not multiple of block size",
		  "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm", NULL, "not a Fernet token" },
		{ "payload padding error", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
		  NULL, "a token whose padding is wrong" },
		{ "incorrect IV (causes padding error)",
		  "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==", NULL,
		  "a token whose padding is wrong" },
		{ "far-future TS", "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==", "",
		  NULL },
		{ "expired TTL", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==", "",
		  NULL },
	};
	struct pw_fernet_key key = key_of(SPEC_KEY);

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		pw_auto_buf text = PW_BUF_INIT;
		struct pw_err err = { 0 };
		int which = pw_fernet_open(&key, 1, cases[i].token, strlen(cases[i].token), &text,
					   &err);

		is_int(which, cases[i].text ? 0 : -1, "the specification's case '%s'", cases[i].what);
		is_str(which < 0 ? err.text : pw_buf_text(&text), cases[i].text ? cases[i].text : cases[i].error, "is %s",
		       cases[i].text ? "good, for nothing ages here" : "refused with its reason");
	}
}

/* Any change of any character of a token is found, and so is any part of it. */
static void
test_damage(void)
{
	struct pw_fernet_key key = key_of(SPEC_KEY);
	size_t len = strlen(SPEC_TOKEN);
	int taken = 0;

	for (size_t i = 0; i < len; i++) {
		char token[] = SPEC_TOKEN;
		pw_auto_buf text = PW_BUF_INIT;

		token[i] = token[i] == 'A' ? 'B' : 'A';
		taken += pw_fernet_open(&key, 1, token, len, &text, NULL) >= 0;
		taken += pw_fernet_open(&key, 1, SPEC_TOKEN, i, &text, NULL) >= 0;
	}
	is_int(taken, 0, "no damaged token is taken");
}

/* Sizes around the blocks of the cipher. */
static void
test_sizes(void)
{
	struct pw_fernet_key key = key_of(SPEC_KEY);
	unsigned char iv[PW_FERNET_IV] = { 7 };
	char text[70];
	int bad = 0;

	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len++) {
		pw_auto_buf token = PW_BUF_INIT, back = PW_BUF_INIT;

		bad += pw_fernet_seal(&key, 1, iv, text, len, &token, NULL) < 0 ||
		       pw_fernet_open(&key, 1, pw_buf_text(&token), token.len, &back, NULL) != 0 ||
		       back.len != len || memcmp(pw_buf_text(&back), text, len) != 0;
	}
	is_int(bad, 0, "texts of all sizes come back as they were");
}

static char *
write_file(const char *name, const char *text)
{
	static char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		bail("%s", path);
	return path;
}

static void
test_files(void)
{
	static const struct {
		const char *what, *text;
		int count;
		const char *error; /* what comes behind the file's name */
	} cases[] = {
		{ "one key", KEY_A "\n", 1, NULL },
		{ "one key without a newline", KEY_A, 1, NULL },
		{ "a key as 'openssl rand -base64 32' writes it", KEY_C_PLAIN "\n", 1, NULL },
		{ "comments, blank lines, lines of another system", "# first\n\n" KEY_A "\r\n  \t\n  " KEY_B "  \n# last", 2, NULL },
		{ "an empty file", "", 0, "there is no key in it" },
		{ "nothing but a comment", "# " KEY_A "\n", 0, "there is no key in it" },
		{ "a key that is too short", KEY_A "\n\nc2hvcnQ=\n", 0, "line 3: not a Fernet key: " },
		{ "a key without its padding", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\n", 0, "line 1: not a Fernet key: " },
		{ "two keys in one line", KEY_A " " KEY_B, 0, "line 1: not a Fernet key: " },
		{ "something else", "-----BEGIN CERTIFICATE-----\n", 0, "line 1: not a Fernet key: " },
	};

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		const char *path = write_file("keys", cases[i].text);
		pw_auto_keyring *keys = NULL;
		struct pw_err err = { 0 };
		char want[300];
		int failed = pw_keyring_load(path, false, &keys, &err);

		is_int(failed, cases[i].error ? -1 : 0, "%s", cases[i].what);
		is_int(pw_keyring_count(keys), cases[i].count, "%d key(s)", cases[i].count);
		if (!cases[i].error)
			continue;
		snprintf(want, sizeof(want), "file of keys %s: %s", path, cases[i].error);
		ok(strncmp(err.text, want, strlen(want)) == 0 && err.kind == PW_ERR_CONFIG, "is said so: %s", err.text);
		ok(!strstr(err.text, "MDEyMzQ1") && !strstr(err.text, "CERT"), "and nothing of it is shown");
	}
}

static void
test_missing(void)
{
	pw_auto_keyring *keys = NULL;
	struct pw_err err = { 0 };
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/none", folder);
	is_int(pw_keyring_load(path, false, &keys, &err), -1, "a file that was named must be there");
	ok(err.kind == PW_ERR_CONFIG && strstr(err.text, "No such file"), "and is said to be missing: %s", err.text);
	is_int(pw_keyring_load(path, true, &keys, &err), 0, "the default one may be absent");
	ok(!keys && pw_keyring_count(keys) == 0, "and then there are no keys");
	is_int(pw_keyring_load(folder, true, &keys, &err), -1, "a folder is no file");
	ok(err.kind == PW_ERR_CONFIG && strstr(err.text, "not a regular file"), "and is said to be none");
	snprintf(path, sizeof(path), "%s", write_file("huge", KEY_A "\n"));
	fd = open(path, O_WRONLY);
	ok(fd >= 0 && ftruncate(fd, 1 << 20) == 0, "a large file");
	close(fd);
	is_int(pw_keyring_load(path, true, &keys, &err), -1, "is no file of keys");
	if (geteuid() == 0) {
		skip("root reads everything", "a file that may not be read");
		return;
	}
	chmod(write_file("closed", KEY_A "\n"), 0);
	snprintf(path, sizeof(path), "%s/closed", folder);
	is_int(pw_keyring_load(path, true, &keys, &err), -1, "one that may not be read is an error, also where it may be absent");
}

static struct pw_keyring *
ring_of(const char *text)
{
	struct pw_keyring *keys = NULL;
	struct pw_err err;

	if (pw_keyring_load(write_file("ring", text), false, &keys, &err) < 0)
		bail("%s", err.text);
	return keys;
}

/* How many tokens there are in a text. */
static int
tokens(const char *text)
{
	int count = 0;

	while ((text = strstr(text, "\"gAAAA"))) {
		count++;
		text++;
	}
	return count;
}

static void
test_leaves(void)
{
	static const struct {
		const char *json;
		int leaves;
		const char *shape; /* with "T" for each token; NULL: as it was */
	} cases[] = {
		{ "[]", 0, NULL },
		{ "{}", 0, NULL },
		{ "{\"a\":{\"b\":[[],{}]}}", 0, NULL },
		{ "[{\"k\":null,\"z\":[1,{\"q\":\"s\"}]}]", 3, "[{\"k\":T,\"z\":[T,{\"q\":T}]}]" },
		{ "[true,false,null,-1.50e+3,\"\",\"a\\\"],:{\"]", 6, "[T,T,T,T,T,T]" },
		{ "[123456789012345678901234567890,0.10]", 2, "[T,T]" },
		{ "{\"k\\\"e:y\":\"v\",\"\":\"\xc3\xa9\\u00e9\"}", 2, "{\"k\\\"e:y\":T,\"\":T}" },
	};
	pw_auto_keyring *keys = ring_of(KEY_A "\n");

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		pw_auto_buf sealed = PW_BUF_INIT, back = PW_BUF_INIT, shape = PW_BUF_INIT;
		struct pw_err err = { 0 };
		const char *json = cases[i].json, *p;

		is_int(pw_leaves_seal(keys, json, strlen(json), &sealed, &err), 0, "%s is sealed", json);
		is_int(tokens(pw_buf_text(&sealed)), cases[i].leaves, "with %d tokens", cases[i].leaves);
		for (p = pw_buf_text(&sealed); *p; p++) {
			bool token = strncmp(p, "\"gAAAA", 6) == 0;

			if (token)
				p = strchr(p + 1, '"');
			if (pw_buf_addc(&shape, token ? 'T' : *p) < 0)
				bail("memory");
		}
		is_str(pw_buf_text(&shape), cases[i].shape ? cases[i].shape : json, "and its keys in clear");
		is_int(pw_leaves_open(keys, pw_buf_text(&sealed), sealed.len, &back, &err), 0, "and opened");
		is_str(pw_buf_text(&back), json, "to the digit");
	}
}

/* What is too deep for jansson is refused, and nothing overflows; what is large is only large. */
static void
test_leaves_large(void)
{
	enum { DEEP = 2000, TOO_DEEP = 1000000, LARGE = 8 << 20 };
	pw_auto_keyring *keys = ring_of(KEY_A "\n");
	pw_auto_buf sealed = PW_BUF_INIT, back = PW_BUF_INIT, large = PW_BUF_INIT,
		    huge = PW_BUF_INIT;
	struct pw_fernet_key key = key_of(KEY_A);
	struct pw_err err = { 0 };

	if (pw_buf_reserve(&large, LARGE + 2) < 0)
		bail("memory");
	memset(large.data, '[', DEEP);
	large.data[DEEP] = '1';
	memset(large.data + DEEP + 1, ']', DEEP);
	is_int(pw_leaves_seal(keys, large.data, 2 * DEEP + 1, &sealed, &err), 0, "%d arrays in each other", DEEP);
	is_int(pw_leaves_open(keys, sealed.data, sealed.len, &back, &err), 0, "are opened again");
	ok(back.len == 2 * DEEP + 1 && memcmp(back.data, large.data, back.len) == 0, "as they were");
	memset(large.data, '[', TOO_DEEP);
	is_int(pw_leaves_seal(keys, large.data, TOO_DEEP, &sealed, &err), -1, "a million of them are refused");
	is_int(pw_leaves_open(keys, large.data, TOO_DEEP, &sealed, &err), -1, "to be opened too");
	memset(large.data, 'x', LARGE + 2);
	large.data[0] = large.data[LARGE + 1] = '"';
	pw_buf_clear(&sealed);
	pw_buf_clear(&back);
	is_int(pw_leaves_seal(keys, large.data, LARGE + 2, &sealed, &err), 0, "a string of 8 MiB");
	is_int(pw_leaves_open(keys, sealed.data, sealed.len, &back, &err), 0, "is opened again");
	ok(back.len == LARGE + 2 && memcmp(back.data, large.data, back.len) == 0, "as it was");
	sealed.data[sealed.len / 2] ^= 1;
	is_int(pw_leaves_open(keys, sealed.data, sealed.len, &back, &err), -1, "one bit of it makes it none");
	memset(large.data, 'A', LARGE);
	is_int(pw_fernet_open(&key, 1, large.data, LARGE, &huge, &err), -1, "8 MiB of one letter are no token");
	is_str(err.text, "not a Fernet token", "and that is said");
	ok(pw_fernet_open(&key, 1, large.data, (size_t)INT_MAX, &huge, &err) == -1 && huge.len == 0, "nor is what has a length beyond all measure");
}

static void
test_leaves_arguments(void)
{
	pw_auto_keyring *keys = ring_of(KEY_A "\n");
	pw_auto_buf args = PW_BUF_INIT, kwargs = PW_BUF_INIT;
	struct pw_err err = { 0 };

	ok(!pw_leaves_in_arguments("[]", " { } ") && !pw_leaves_in_arguments(NULL, NULL) &&
		   !pw_leaves_in_arguments("[[], {}]", NULL),
	   "nothing to seal in empty ones");
	ok(pw_leaves_in_arguments("[0]", "{}") && pw_leaves_in_arguments(NULL, "{\"a\":1}"), "but in others");
	is_int(pw_leaves_seal_arguments(NULL, "[1]", NULL, &args, &kwargs, &err), 0, "without a key they stay as they are");
	is_int(pw_leaves_seal_arguments(NULL, "[[]]", NULL, &args, &kwargs, &err), 1, "those without a leaf count as sealed");
	ok(strcmp(pw_buf_text(&args), "[[]]") == 0 && strcmp(pw_buf_text(&kwargs), "{}") == 0, "as they are");
	pw_buf_clear(&args);
	pw_buf_clear(&kwargs);
	is_int(pw_leaves_seal_arguments(keys, NULL, "{\"a\": 1}", &args, &kwargs, &err), 1, "the others are sealed");
	is_str(pw_buf_text(&args), "[]", "what was not given is empty");
	is_int(tokens(pw_buf_text(&kwargs)), 1, "what was is a token");
}

/* What a dispatcher that has no jansson might send, and what others may have put into a row. */
static void
test_leaves_bad(void)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{ "[1]", "a value that is not encrypted" },
		{ "[null]", "a value that is not encrypted" },
		{ "{\"a\": {\"b\": true}}", "a value that is not encrypted" },
		{ "[\"\"]", "not a Fernet token" },
		{ "[\"plain\"]", "not a Fernet token" },
		{ "[\"" SPEC_TOKEN "\"]", "a token of another key, or a damaged one" },
		{ "[\"gAAA", "not JSON" },
		{ "", "not JSON" },
	};
	pw_auto_keyring *keys = ring_of(KEY_A "\n"), *spec = ring_of(SPEC_KEY "\n");

	for (size_t i = 0; i < PW_COUNT(cases); i++) {
		pw_auto_buf text = PW_BUF_INIT;
		struct pw_err err = { 0 };
		const char *json = cases[i].json;

		is_int(pw_buf_adds(&text, "before"), 0, "a buffer");
		is_int(pw_leaves_open(keys, json, strlen(json), &text, &err), -1, "'%.20s' is refused", json);
		is_str(err.text, cases[i].error, "with its reason");
		is_str(pw_buf_text(&text), "before", "and what was in the buffer stays");
		is_int(err.kind, PW_ERR_INPUT, "as bad input");
	}

	pw_auto_buf text = PW_BUF_INIT;
	struct pw_err err = { 0 };

	is_int(pw_leaves_open(spec, "[\"" SPEC_TOKEN "\"]", strlen(SPEC_TOKEN) + 4, &text, &err), -1, "a token of 'hello' without quotes");
	is_str(err.text, "a token that holds no JSON", "is known to hold none");
	is_int(pw_leaves_seal(keys, "[1,", 3, &text, &err), -1, "what is no JSON is not sealed");
}

static void
test_rotate(void)
{
	pw_auto_keyring *old = ring_of(KEY_A), *both = ring_of(KEY_B "\n" KEY_A), *fresh = ring_of(KEY_B);
	static const char json[] = "[{\"a\":1},\"two\"]";
	pw_auto_buf sealed = PW_BUF_INIT, rotated = PW_BUF_INIT, same = PW_BUF_INIT,
		    back = PW_BUF_INIT, clear = PW_BUF_INIT;
	struct pw_err err = { 0 };

	is_int(pw_leaves_seal(old, json, strlen(json), &sealed, &err), 0, "sealed with the old key");
	is_int(pw_leaves_open(both, pw_buf_text(&sealed), sealed.len, &back, &err), 0, "opened by a ring that has it second");
	is_int(pw_leaves_open(fresh, pw_buf_text(&sealed), sealed.len, &back, &err), -1, "not by the new key alone");
	is_int(pw_leaves_rotate(both, false, pw_buf_text(&sealed), sealed.len, &rotated, &err), 1, "rotated");
	is_int(pw_leaves_open(fresh, pw_buf_text(&rotated), rotated.len, &clear, &err), 0, "it is opened by the new key alone");
	is_str(pw_buf_text(&clear), json, "as what it was");
	is_int(pw_leaves_rotate(both, false, pw_buf_text(&rotated), rotated.len, &same, &err), 0, "and there is nothing left to rotate");
	is_str(pw_buf_text(&same), pw_buf_text(&rotated), "it stays as it is");
	pw_buf_clear(&rotated);
	is_int(pw_leaves_rotate(both, true, json, strlen(json), &rotated, &err), 1, "what is in clear is sealed");
	is_int(tokens(pw_buf_text(&rotated)), 2, "all of it");
	is_int(pw_leaves_rotate(both, false, json, strlen(json), &rotated, &err), -1, "unless it should have been sealed");
}

static void
test_members(void)
{
	static const char *const members[] = { "args", "kwargs", NULL };
	static const char json[] = "{ \"func\": \"a.b\", \"args\": [1, {\"func\": 2}], \"more\": {\"args\": [3]}, "
				   "\"\\u006bwargs\": {\"args\": \"x\", \"b\": []}, \"n\": 1.0 }";
	pw_auto_keyring *keys = ring_of(KEY_A);
	pw_auto_buf sealed = PW_BUF_INIT;
	struct pw_err err = { 0 };

	is_int(pw_leaves_seal_members(keys, json, strlen(json), members, &sealed, &err), 0, "members of an object are sealed");
	is_int(tokens(pw_buf_text(&sealed)), 3, "those that were named, however their keys are written");
	ok(strncmp(pw_buf_text(&sealed), "{ \"func\": \"a.b\", \"args\": [\"gAAAA", 31) == 0, "the others are not");
	ok(strstr(pw_buf_text(&sealed), ", \"more\": {\"args\": [3]}, ") != NULL, "nor what has such a name further down");
	ok(strstr(pw_buf_text(&sealed), ", \"n\": 1.0 }") != NULL, "up to the end");
	is_int(pw_leaves_seal_members(keys, "{\"args\": [1}", 12, members, &sealed, &err), -1, "nonsense is refused");
}

int
main(void)
{
	char command[200];

	if (!mkdtemp(folder))
		bail("mkdtemp");
	test_base64();
	test_spec();
	test_spec_invalid();
	test_damage();
	test_sizes();
	test_files();
	test_missing();
	test_leaves();
	test_leaves_large();
	test_leaves_arguments();
	test_leaves_bad();
	test_rotate();
	test_members();
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		bail("%s", command);
	return tap_done();
}
