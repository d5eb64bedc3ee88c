/* SPDX-License-Identifier: MIT */
/* SHA-256 by libcrypto. Runs in the task child; no I/O. */
#include "file/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct pw_digest {
	EVP_MD_CTX *md;
};

struct pw_digest *
pw_digest_new(struct pw_err *err)
{
	struct pw_digest *digest = calloc(1, sizeof(*digest));

	if (digest)
		digest->md = EVP_MD_CTX_new();
	if (!digest || !digest->md) {
		pw_err_nomem(err);
		return pw_digest_free(digest);
	}
	return pw_digest_clear(digest, err) < 0 ? pw_digest_free(digest) : digest;
}

struct pw_digest *
pw_digest_free(struct pw_digest *digest)
{
	if (digest) {
		EVP_MD_CTX_free(digest->md);
		free(digest);
	}
	return NULL;
}

int
pw_digest_clear(struct pw_digest *digest, struct pw_err *err)
{
	if (EVP_DigestInit_ex(digest->md, EVP_sha256(), NULL) != 1)
		return pw_err_set(err, PW_ERR_OS, "libcrypto has no SHA-256");
	return 0;
}

int
pw_digest_add(struct pw_digest *digest, const void *data, size_t len, struct pw_err *err)
{
	if (EVP_DigestUpdate(digest->md, data, len) != 1)
		return pw_err_set(err, PW_ERR_OS, "libcrypto failed in SHA-256");
	return 0;
}

int
pw_digest_text(struct pw_digest *digest, char text[PW_SHA256_TEXT], struct pw_err *err)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(digest->md, md, NULL) != 1)
		return pw_err_set(err, PW_ERR_OS, "libcrypto failed in SHA-256");
	for (int i = 0; i < 32; i++) {
		text[2 * i] = hex[md[i] >> 4];
		text[2 * i + 1] = hex[md[i] & 15];
	}
	text[64] = '\0';
	return 0;
}

int
pw_digest_of(const void *data, size_t len, char text[PW_SHA256_TEXT], struct pw_err *err)
{
	struct pw_digest *digest = pw_digest_new(err);
	int rc = digest && pw_digest_add(digest, data, len, err) == 0 ?
			 pw_digest_text(digest, text, err) :
			 -1;

	pw_digest_free(digest);
	return rc;
}
