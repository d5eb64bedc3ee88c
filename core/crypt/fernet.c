/* SPDX-License-Identifier: MIT */
/*
 * Fernet tokens by libcrypto. In every program that dispatches or runs tasks;
 * holds no key and keeps none: they are the key ring's (keyring.c). Time and IV are
 * given, so that all of it can be tested against known tokens.
 */
#include "crypt/fernet.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypt/base64.h"

#define VERSION 0x80
#define HEAD (1 + 8 + PW_FERNET_IV)
#define BLOCK 16
#define MAC 32
#define TEXT_MOST ((size_t)INT_MAX / 2)

int
pw_fernet_key_parse(const char *text, size_t len, struct pw_fernet_key *ret_key, struct pw_err *err)
{
	unsigned char bytes[PW_BASE64_ROOM(PW_BASE64_LEN(sizeof(*ret_key)))];
	size_t got = 0;
	bool good = len == PW_BASE64_LEN(sizeof(*ret_key)) &&
		    pw_base64_decode(text, len, true, bytes, &got) && got == sizeof(*ret_key);

	if (good)
		memcpy(ret_key, bytes, sizeof(*ret_key));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return good ? 0 : pw_err_set(err, PW_ERR_INPUT, "not a Fernet key: it is 32 bytes in base64, 44 characters with the '=' at their end");
}

static int
sign(const struct pw_fernet_key *key, const unsigned char *data, size_t len, unsigned char mac[MAC],
     struct pw_err *err)
{
	unsigned size = MAC;

	if (!HMAC(EVP_sha256(), key->sign, sizeof(key->sign), data, len, mac, &size) || size != MAC)
		return pw_err_set(err, PW_ERR_OS, "libcrypto failed in HMAC-SHA256");
	return 0;
}

/* AES-128-CBC of LEN bytes. *ret_len: how many came out; false: bad padding, or libcrypto failed. */
static bool
cipher(const struct pw_fernet_key *key, bool encrypt, const unsigned char *iv,
       const unsigned char *in, size_t len, unsigned char *out, size_t *ret_len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int first = 0, last = 0;
	bool good =
		ctx &&
		EVP_CipherInit_ex(ctx, EVP_aes_128_cbc(), NULL, key->encrypt, iv, encrypt) == 1 &&
		EVP_CipherUpdate(ctx, out, &first, in, (int)len) == 1 &&
		EVP_CipherFinal_ex(ctx, out + first, &last) == 1;

	EVP_CIPHER_CTX_free(ctx);
	*ret_len = (size_t)(first + last);
	return good;
}

int
pw_fernet_seal(const struct pw_fernet_key *key, uint64_t seconds,
	       const unsigned char iv[PW_FERNET_IV], const char *text, size_t len,
	       struct pw_buf *buf, struct pw_err *err)
{
	size_t full = HEAD + len / BLOCK * BLOCK + BLOCK + MAC, got = 0;
	pw_auto_free unsigned char *raw = NULL;

	if (len > TEXT_MOST)
		return pw_err_set(err, PW_ERR_INPUT, "too long to be encrypted: %zu bytes", len);
	raw = malloc(full);
	if (!raw || pw_buf_reserve(buf, PW_BASE64_LEN(full)) < 0)
		return pw_err_nomem(err);
	raw[0] = VERSION;
	for (int i = 0; i < 8; i++)
		raw[1 + i] = (unsigned char)(seconds >> (56 - 8 * i));
	memcpy(raw + 9, iv, PW_FERNET_IV);
	if (!cipher(key, true, iv, (const unsigned char *)text, len, raw + HEAD, &got) ||
	    HEAD + got + MAC != full)
		return pw_err_set(err, PW_ERR_OS, "libcrypto failed in AES-128-CBC");
	if (sign(key, raw, full - MAC, raw + full - MAC, err) < 0)
		return -1;
	pw_base64_encode(raw, full, buf->data + buf->len);
	buf->len += PW_BASE64_LEN(full);
	buf->data[buf->len] = '\0';
	return 0;
}

/* The number of the key that signed it; -1 with *err filled. */
static int
find_key(const struct pw_fernet_key *keys, int count, const unsigned char *raw, size_t len,
	 struct pw_err *err)
{
	unsigned char mac[MAC];

	for (int i = 0; i < count; i++) {
		if (sign(&keys[i], raw, len - MAC, mac, err) < 0)
			return -1;
		if (CRYPTO_memcmp(mac, raw + len - MAC, MAC) == 0)
			return i;
	}
	return pw_err_set(err, PW_ERR_INPUT, "a token of another key, or a damaged one");
}

int
pw_fernet_open(const struct pw_fernet_key *keys, int count, const char *token, size_t len,
	       struct pw_buf *buf, struct pw_err *err)
{
	/* no memory for what cannot be one */
	bool may_be = len <= TEXT_MOST && len % 4 == 0 && len >= PW_BASE64_LEN(HEAD + BLOCK + MAC);
	pw_auto_free unsigned char *raw = may_be ? malloc(len + 1) : NULL;
	size_t full = 0, got = 0;
	int which;

	if (may_be && (!raw || pw_buf_reserve(buf, len + BLOCK) < 0))
		return pw_err_nomem(err);
	if (!may_be || !pw_base64_decode(token, len, false, raw, &full) ||
	    full < HEAD + BLOCK + MAC || raw[0] != VERSION || (full - HEAD - MAC) % BLOCK != 0)
		return pw_err_set(err, PW_ERR_INPUT, "not a Fernet token");
	which = find_key(keys, count, raw, full, err);
	if (which < 0)
		return -1;
	if (!cipher(&keys[which], false, raw + 9, raw + HEAD, full - HEAD - MAC,
		    (unsigned char *)buf->data + buf->len, &got)) {
		buf->data[buf->len] = '\0';
		return pw_err_set(err, PW_ERR_INPUT, "a token whose padding is wrong");
	}
	buf->len += got;
	buf->data[buf->len] = '\0';
	return which;
}
