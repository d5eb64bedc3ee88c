/* SPDX-License-Identifier: MIT */
/* What may be a file of keys: read, or refused with its name and without a word of its contents. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypt/keyring.h"
#include "fuzz/fuzz.h"

/* No eight bytes of the file stand in the reason, but those that its words have anyway. */
static void
check_silence(const char *reason, const uint8_t *data, size_t size)
{
	static const char *const words[] = { ": line ", "not a Fernet key", "32 bytes in base64", "no key in it" };

	for (size_t i = 0; i + 8 <= size; i++) {
		bool known = false;

		if (!memmem(reason, strlen(reason), data + i, 8))
			continue;
		for (size_t k = 0; k < PW_COUNT(words); k++)
			known |= memmem(words[k], strlen(words[k]), data + i, 8) != NULL;
		MUST(known);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_keyring *keys = NULL;
	struct pw_err err = { 0 };
	static char path[40], name[60];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("keys", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		snprintf(name, sizeof(name), "file of keys %s: ", path);
	}
	MUST(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (pw_keyring_load(path, size & 1, &keys, &err) == 0) {
		pw_auto_buf token = PW_BUF_INIT, back = PW_BUF_INIT;

		MUST(keys && pw_keyring_count(keys) >= 1 &&
		     (size_t)pw_keyring_count(keys) <= (size + 1) / 45);
		MUST(pw_keyring_seal(keys, "1", 1, &token, NULL) == 0);
		MUST(pw_keyring_open(keys, token.data, token.len, &back, NULL) == 0 &&
		     back.len == 1);
		pw_keyring_free(keys);
		return 0;
	}
	MUST(!keys && err.kind == PW_ERR_CONFIG && strncmp(err.text, name, strlen(name)) == 0);
	check_silence(err.text + strlen(name), data, size);
	return 0;
}
