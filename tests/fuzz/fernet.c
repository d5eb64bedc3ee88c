/* SPDX-License-Identifier: MIT */
/*
 * What may be a Fernet token, a key, or a text to be sealed. A token that is taken is the one and only
 * token of what is in it; one changed bit, and any part of one, is refused; a text comes back as it was.
 */
#include "crypt/base64.h"
#include "crypt/fernet.h"
#include "fuzz/fuzz.h"

/* The key of the specification's vectors, which are among the words; and the one of base64's last characters. */
static struct pw_fernet_key keys[2];

static void
must_refuse(const char *token, size_t len)
{
	pw_auto_buf text = PW_BUF_INIT;
	struct pw_err err = { 0 };

	MUST(pw_buf_adds(&text, "before") == 0);
	MUST(pw_fernet_open(keys, 2, token, len, &text, &err) == -1);
	MUST(err.kind == PW_ERR_INPUT && err.text[0]);
	MUST(strcmp(pw_buf_text(&text), "before") == 0 && text.len == 6);
}

static void
check_token(const char *token, size_t len)
{
	pw_auto_free unsigned char *raw = malloc(len + 1);
	pw_auto_buf text = PW_BUF_INIT, again = PW_BUF_INIT;
	uint64_t seconds = 0;
	size_t got = 0;
	int which = pw_fernet_open(keys, 2, token, len, &text, NULL);

	MUST(raw);
	if (which < 0) {
		must_refuse(token, len);
		return;
	}
	MUST(pw_base64_decode(token, len, false, raw, &got) && got >= 73);
	for (int i = 1; i <= 8; i++)
		seconds = seconds << 8 | raw[i];
	MUST(pw_fernet_seal(&keys[which], seconds, raw + 9, pw_buf_text(&text), text.len, &again,
			    NULL) == 0);
	MUST(again.len == len && memcmp(again.data, token, len) == 0);
}

static void
check_key(const char *text, size_t len)
{
	struct pw_fernet_key key, same;
	char written[PW_BASE64_LEN(sizeof(key))];

	if (pw_fernet_key_parse(text, len, &key, NULL) < 0)
		return;
	pw_base64_encode((const unsigned char *)&key, sizeof(key), written);
	MUST(len == sizeof(written) && pw_fernet_key_parse(written, len, &same, NULL) == 0);
	MUST(memcmp(&key, &same, sizeof(key)) == 0);
}

/* The bytes are a text; its hash says where the token is changed and cut. */
static void
check_text(const uint8_t *data, size_t size)
{
	pw_auto_buf token = PW_BUF_INIT, back = PW_BUF_INIT;
	unsigned char iv[PW_FERNET_IV];
	uint64_t hash = 1469598103934665603U;
	size_t at;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 1099511628211U;
	for (int i = 0; i < PW_FERNET_IV; i++)
		iv[i] = (unsigned char)(hash >> (i * 3));
	MUST(pw_fernet_seal(&keys[hash & 1], hash, iv, (const char *)data, size, &token, NULL) ==
	     0);
	MUST(pw_fernet_open(keys, 2, token.data, token.len, &back, NULL) == (int)(hash & 1));
	MUST(back.len == size && (size == 0 || memcmp(back.data, data, size) == 0));
	must_refuse(token.data, hash % token.len);
	at = (hash >> 20) % token.len;
	token.data[at] ^= (char)(1 << (hash >> 8 & 7));
	must_refuse(token.data, token.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MUST(pw_fernet_key_parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", 44, &keys[0], NULL) == 0);
	MUST(pw_fernet_key_parse("_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-4=", 44, &keys[1], NULL) == 0);
	check_token((const char *)data, size);
	check_key((const char *)data, size);
	check_text(data, size);
	return 0;
}
