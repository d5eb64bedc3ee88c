/* SPDX-License-Identifier: MIT */
/*
 * What may be JSON, as it comes and as JSON grown from the bytes: sealed it is JSON of the same shape whose leaves are
 * tokens, opened it is the same to the byte, whichever key sealed it; nothing that was not sealed is opened.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "crypt/leaves.h"
#include "fuzz/fuzz.h"
#include "task/json.h"

#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
#define KEY_B "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n"

static struct pw_keyring *old, *both, *fresh;

static struct pw_keyring *
ring_of(const char *text)
{
	struct pw_keyring *keys = NULL;
	int fd = memfd_create("keys", MFD_CLOEXEC);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	MUST(pw_keyring_load(path, false, &keys, NULL) == 0);
	close(fd);
	return keys;
}

/* The same but for what the leaves are. Counts them. */
static void
same_shape(const json_t *a, const json_t *b, size_t *leaves)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(a)) {
		MUST(json_is_object(b) && json_object_size(a) == json_object_size(b));
		json_object_foreach((json_t *)a, key, value)
			same_shape(value, json_object_get(b, key), leaves);
	} else if (json_is_array(a)) {
		MUST(json_is_array(b) && json_array_size(a) == json_array_size(b));
		json_array_foreach((json_t *)a, i, value)
			same_shape(value, json_array_get(b, i), leaves);
	} else {
		MUST(json_is_string(b) && strncmp(json_string_value(b), "gAAAAA", 6) == 0);
		++*leaves;
	}
}

static void
check_sealed(const char *json, size_t len, const struct pw_buf *sealed)
{
	pw_auto_buf back = PW_BUF_INIT, rotated = PW_BUF_INIT, clear = PW_BUF_INIT;
	pw_auto_json *a = json_loadb(json, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
	pw_auto_json *b = json_loadb(sealed->data, sealed->len, JSON_DECODE_ANY, NULL);
	size_t leaves = 0;

	MUST(a && b);
	same_shape(a, b, &leaves);
	MUST(pw_leaves_open(both, sealed->data, sealed->len, &back, NULL) == 0);
	MUST(back.len == len && memcmp(back.data, json, len) == 0);
	MUST(pw_leaves_rotate(both, false, sealed->data, sealed->len, &rotated, NULL) ==
	     (leaves > 0));
	MUST(pw_leaves_open(fresh, rotated.data, rotated.len, &clear, NULL) == 0);
	MUST(clear.len == len && memcmp(clear.data, json, len) == 0);
	if (!leaves)
		return;
	MUST(pw_leaves_open(fresh, sealed->data, sealed->len, &clear, NULL) == -1 &&
	     clear.len == len);
	MUST(pw_leaves_open(both, json, len, &clear, NULL) == -1 && clear.len == len);
}

static void
check_json(const char *json, size_t len, bool must_be)
{
	static const char *const members[] = { "args", "kwargs", NULL };
	pw_auto_buf sealed = PW_BUF_INIT, other = PW_BUF_INIT;
	struct pw_err err = { 0 };

	MUST(pw_buf_adds(&other, "before") == 0);
	if (pw_leaves_seal(old, json, len, &sealed, &err) == 0) {
		check_sealed(json, len, &sealed);
		MUST(pw_leaves_seal_members(old, json, len, members, &other, NULL) == 0 &&
		     other.len >= 6 + len);
		return;
	}
	MUST(!must_be && err.kind == PW_ERR_INPUT && sealed.len == 0);
	MUST(pw_leaves_open(both, json, len, &other, NULL) == -1);
	MUST(pw_leaves_seal_members(old, json, len, members, &other, NULL) == -1);
	MUST(strcmp(pw_buf_text(&other), "before") == 0);
}

/* A value grown from the bytes: each says what comes next. */
static void
grow(const uint8_t **at, const uint8_t *end, int depth, struct pw_buf *buf)
{
	static const char *const words[] = {
		"null", "true", "false", "0", "-1.50e+3", "123456789012345678901234567890", "\"\"", "\"\\\"],:{\\\\\"",
		"\"\xc3\xa9\\u00e9\\ud83d\\ude00\"", "\"gAAAAAAdwJ6w\"", " 1 ", "\n\"a:b\" ", "[]", "{ }",
	};
	uint8_t byte = *at < end ? *(*at)++ : 0;
	int entries = byte >> 5;

	if (byte & 1 && depth < 30) {
		bool object = byte & 2;

		MUST(pw_buf_addc(buf, object ? '{' : '[') == 0);
		for (int i = 0; i < entries; i++) {
			if (object)
				MUST(pw_buf_addf(buf, "%s\"%s%d\"%s:", i ? ", " : " ", i & 1 ? "k\\\":" : "args", i,
						 byte & 4 ? " " : "") == 0);
			else if (i)
				MUST(pw_buf_addc(buf, ',') == 0);
			grow(at, end, depth + 1, buf);
		}
		MUST(pw_buf_addc(buf, object ? '}' : ']') == 0);
		return;
	}
	MUST(pw_buf_adds(buf, words[(byte >> 1) % PW_COUNT(words)]) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pw_auto_buf grown = PW_BUF_INIT;
	const uint8_t *at = data;

	if (!old) {
		old = ring_of(KEY_A);
		both = ring_of(KEY_B KEY_A);
		fresh = ring_of(KEY_B);
	}
	check_json((const char *)data, size, false);
	grow(&at, data + size, 0, &grown);
	check_json(grown.data, grown.len, true);
	return 0;
}
