/* SPDX-License-Identifier: MIT */
/*
 * Keys of a file. In every program that dispatches or runs tasks. A file is read
 * into locked pages of its own, never through stdio, so that no copy of a key is left in a heap.
 */
#include "crypt/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/fd.h"
#include "crypt/fernet.h"

#define FILE_LIMIT ((size_t)64 << 10)

struct pw_keyring {
	size_t size; /* of the mapping */
	int count;
	struct pw_fernet_key keys[];
};

/* Pages for secrets. That they cannot be locked (RLIMIT_MEMLOCK) is no reason to refuse service. */
static void *
map_secret(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	(void)mlock(pages, size);
	(void)madvise(pages, size, MADV_DONTDUMP);
	return pages;
}

static void
unmap_secret(void *pages, size_t size)
{
	OPENSSL_cleanse(pages, size);
	munmap(pages, size);
}

/* 1: there is no such file. */
static int
open_file(const char *file, int *ret_fd, struct pw_err *err)
{
	pw_auto_close int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0) {
		bool none = errno == ENOENT;

		pw_err_errno(err, "open");
		return none ? 1 : -1;
	}
	if (fstat(fd, &st) < 0)
		return pw_err_errno(err, "stat");
	if (!S_ISREG(st.st_mode))
		return pw_err_set(err, PW_ERR_CONFIG, "not a regular file");
	if ((size_t)st.st_size > FILE_LIMIT)
		return pw_err_set(err, PW_ERR_CONFIG, "more than %zu bytes: this is no file of keys", FILE_LIMIT);
	*ret_fd = pw_steal_fd(&fd);
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One line; the key, if it is one, goes to the ring's end. */
static int
take_line(struct pw_keyring *keys, const char *line, size_t len, struct pw_err *err)
{
	if (len && line[0] == '#')
		return 0;
	while (len && is_space(line[len - 1]))
		len--;
	while (len && is_space(*line)) {
		line++;
		len--;
	}
	if (!len)
		return 0;
	if (pw_fernet_key_parse(line, len, &keys->keys[keys->count], err) < 0)
		return -1;
	keys->count++;
	return 0;
}

static int
take_lines(struct pw_keyring *keys, const char *text, size_t len, struct pw_err *err)
{
	int number = 0;

	for (const char *line = text, *end = text + len; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		number++;
		if (take_line(keys, line, (size_t)((stop ? stop : end) - line), err) < 0)
			return pw_err_prefix(err, "line %d", number);
		line = stop ? stop + 1 : end;
	}
	return keys->count ? 0 : pw_err_set(err, PW_ERR_CONFIG, "there is no key in it");
}

static int
read_keys(int fd, struct pw_keyring **ret_keys, struct pw_err *err)
{
	/* each key takes more room as text than in the ring */
	size_t size = sizeof(struct pw_keyring) + FILE_LIMIT;
	struct pw_keyring *keys = map_secret(size);
	char *text = map_secret(FILE_LIMIT);
	ssize_t len = -1;
	int failed = -1;

	if (!keys || !text)
		pw_err_nomem(err);
	else
		len = pw_fd_read_all(fd, text, FILE_LIMIT, err);
	if (len >= 0) {
		keys->size = size;
		failed = take_lines(keys, text, (size_t)len, err);
	}
	if (text)
		unmap_secret(text, FILE_LIMIT);
	if (failed < 0) {
		if (keys)
			unmap_secret(keys, size);
		return -1;
	}
	*ret_keys = keys;
	return 0;
}

int
pw_keyring_load(const char *file, bool may_lack, struct pw_keyring **ret_keys, struct pw_err *err)
{
	pw_auto_close int fd = -1;
	int failed = open_file(file, &fd, err);

	if (failed > 0 && may_lack) {
		*ret_keys = NULL;
		return 0;
	}
	if (failed == 0)
		failed = read_keys(fd, ret_keys, err);
	if (failed == 0)
		return 0;
	if (err && err->kind != PW_ERR_NOMEM)
		err->kind = PW_ERR_CONFIG;
	return pw_err_prefix(err, "file of keys %s", file);
}

struct pw_keyring *
pw_keyring_free(struct pw_keyring *keys)
{
	if (keys)
		unmap_secret(keys, keys->size);
	return NULL;
}

void
pw_keyring_cleanup(struct pw_keyring **keys)
{
	*keys = pw_keyring_free(*keys);
}

int
pw_keyring_count(const struct pw_keyring *keys)
{
	return keys ? keys->count : 0;
}

int
pw_keyring_seal(const struct pw_keyring *keys, const char *text, size_t len, struct pw_buf *buf,
		struct pw_err *err)
{
	unsigned char iv[PW_FERNET_IV];

	if (RAND_bytes(iv, sizeof(iv)) != 1)
		return pw_err_set(err, PW_ERR_OS, "libcrypto has no random bytes");
	return pw_fernet_seal(&keys->keys[0], (uint64_t)time(NULL), iv, text, len, buf, err);
}

int
pw_keyring_open(const struct pw_keyring *keys, const char *token, size_t len, struct pw_buf *buf,
		struct pw_err *err)
{
	return pw_fernet_open(keys->keys, keys->count, token, len, buf, err);
}
