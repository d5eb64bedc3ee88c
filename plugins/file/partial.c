/* SPDX-License-Identifier: MIT */
/*
 * Partial downloads: kept by the sha256 that they are to have, so that the next
 * task that wants the same content goes on where this one stopped, wherever the
 * content then comes from. Verified as a whole before they enter the store.
 * Runs in the task child.
 *
 * Two tasks never write one file: who writes holds flock. The lock is on the
 * file, not on its name, so after getting it one looks whether the name still
 * means the same file: it may have become content meanwhile.
 *
 * To disk: a content enters the store only after fdatasync, else a crash could
 * leave a file of the right size full of zeros under a name that is trusted for
 * ever. pw_partial_verify starts the writing and pw_partial_commit waits; the
 * caller commits in batches, so that the journal is forced once for many files.
 */
#include "config.h"

#include "file/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static void
close_file(struct pw_partial *partial)
{
	pw_close_cleanup(&partial->fd);
	partial->fd = -1;
	partial->digest = pw_digest_free(partial->digest);
}

/* Whether the name still means the file that is open. */
static bool
is_named(const struct pw_store *store, const char *name, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	       fstatat(store->partial, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}

/*
 * One that may not be written to any more: whoever made it whole is about to move it
 * into the store, or died just then. 0: it is out of the way, 1: busy.
 */
static int
clear_finished(const struct pw_store *store, const char *name, struct pw_err *err)
{
	pw_auto_close int fd = openat(store->partial, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : pw_err_errno(err, "partial/%s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : pw_err_errno(err, "flock partial/%s", name);
	if (is_named(store, name, fd) && unlinkat(store->partial, name, 0) < 0)
		return pw_err_errno(err, "partial/%s", name);
	return 0;
}

/* 0: locked, 1: busy. */
static int
lock(const struct pw_store *store, struct pw_partial *partial, struct pw_err *err)
{
	/* Each further round means that another task changed what the name means meanwhile. */
	for (int round = 0; round < 100; round++) {
		partial->fd = openat(store->partial, partial->name,
				     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (partial->fd < 0 && errno == EACCES) {
			int rc = clear_finished(store, partial->name, err);

			if (rc == 0)
				continue;
			return rc;
		}
		if (partial->fd < 0)
			return pw_err_errno(err, "partial/%s", partial->name);
		if (flock(partial->fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return pw_err_errno(err, "flock partial/%s", partial->name);
			close_file(partial);
			return 1;
		}
		if (is_named(store, partial->name, partial->fd))
			return 0;
		close_file(partial);
	}
	return pw_err_set(err, PW_ERR_OS, "partial/%s cannot be made or written to", partial->name);
}

/* Takes what is already there into the digest. */
static int
read_rest(struct pw_partial *partial, struct pw_err *err)
{
	char chunk[65536];
	ssize_t n;

	while ((n = pw_fd_read_all(partial->fd, chunk, sizeof(chunk), err)) > 0) {
		if (partial->have + n > partial->size)
			return pw_partial_restart(partial, err);
		if (pw_digest_add(partial->digest, chunk, (size_t)n, err) < 0)
			return -1;
		partial->have += n;
	}
	return n < 0 ? -1 : 0;
}

int
pw_partial_open(const struct pw_store *store, const char *sha256, int64_t size, const char *owner,
		struct pw_partial *partial, struct pw_err *err)
{
	int rc;

	*partial = (struct pw_partial)PW_PARTIAL_INIT;
	partial->sha256 = sha256;
	partial->size = size;
	partial->is_private = owner != NULL;
	snprintf(partial->name, sizeof(partial->name), "%s%s%.50s", sha256, owner ? "." : "", owner ? owner : "");
	rc = lock(store, partial, err);
	if (rc == 0 && (!(partial->digest = pw_digest_new(err)) || read_rest(partial, err) < 0))
		rc = -1;
	if (rc != 0)
		close_file(partial);
	return rc;
}

int
pw_partial_add(struct pw_partial *partial, const char *data, size_t len, struct pw_err *err)
{
	if ((int64_t)len > partial->size - partial->have)
		return pw_err_set(err, PW_ERR_INPUT, "it is larger than the %lld bytes that the manifest says",
				  (long long)partial->size);
	if (pw_fd_write_all(partial->fd, data, len, err) < 0 ||
	    pw_digest_add(partial->digest, data, len, err) < 0)
		return -1;
	partial->have += (int64_t)len;
	partial->received += (int64_t)len;
	return 0;
}

int
pw_partial_restart(struct pw_partial *partial, struct pw_err *err)
{
	if (ftruncate(partial->fd, 0) < 0 || lseek(partial->fd, 0, SEEK_SET) < 0)
		return pw_err_errno(err, "partial/%s", partial->name);
	partial->have = 0;
	return pw_digest_clear(partial->digest, err);
}

int
pw_partial_verify(struct pw_partial *partial, struct pw_err *err)
{
	char sha256[PW_SHA256_TEXT];

	if (pw_digest_text(partial->digest, sha256, err) < 0)
		return -1;
	if (partial->have != partial->size || strcmp(sha256, partial->sha256) != 0) {
		pw_err_set(err, PW_ERR_INPUT,
			   "it has %lld bytes with sha256 %s; the manifest says %lld and %s",
			   (long long)partial->have, sha256, (long long)partial->size,
			   partial->sha256);
		(void)!pw_partial_restart(partial, NULL);
		return -1;
	}
	/* Only a start, and only a help: what it cannot do fdatasync does. */
	sync_file_range(partial->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int
pw_partial_commit(struct pw_partial *partial, struct pw_store *store, struct pw_err *err)
{
	/* Not writable: a publication's files are links to it. */
	if (fchmod(partial->fd, 0444) < 0 || fdatasync(partial->fd) < 0)
		return pw_err_errno(err, "partial/%s", partial->name);
	if (pw_store_take(store, partial->name, partial->sha256, err) < 0)
		return -1;
	close_file(partial);
	return 0;
}

void
pw_partial_done(struct pw_partial *partial, const struct pw_store *store)
{
	/* An empty one is nothing to go on with. */
	if (partial->fd >= 0 && (partial->is_private || partial->have == 0))
		unlinkat(store->partial, partial->name, 0);
	close_file(partial);
}
