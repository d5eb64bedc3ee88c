/* SPDX-License-Identifier: MIT */
/* The content-addressed store: names, and the moves between them. Runs in the task child. Does not hash and does not download. */
#include "config.h"

#include "file/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STALE_S (7 * 24 * 3600)

int
pw_store_folder(int fd, const char *name, int *ret_fd, struct pw_err *err)
{
	int folder;

	if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
		return pw_err_errno(err, "%s", name);
	folder = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return pw_err_errno(err, "%s", name);
	*ret_fd = folder;
	return 0;
}

int
pw_store_open(const char *directory, struct pw_store *store, struct pw_err *err)
{
	store->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->fd < 0)
		return pw_err_errno(err, "%s", directory);
	if (pw_store_folder(store->fd, "content", &store->content, err) < 0)
		return -1;
	return pw_store_folder(store->fd, "partial", &store->partial, err);
}

void
pw_store_done(struct pw_store *store)
{
	pw_close_cleanup(&store->fd);
	pw_close_cleanup(&store->content);
	pw_close_cleanup(&store->partial);
	*store = (struct pw_store)PW_STORE_INIT;
}

void
pw_store_name(const char *sha256, char name[PW_STORE_NAME])
{
	snprintf(name, PW_STORE_NAME, "%.2s/%.62s", sha256, sha256 + 2);
}

bool
pw_store_has(const struct pw_store *store, const char *sha256, int64_t size)
{
	char name[PW_STORE_NAME];
	struct stat st;

	pw_store_name(sha256, name);
	return fstatat(store->content, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == size;
}

static unsigned
shard_of(const char *sha256)
{
	char two[3] = { sha256[0], sha256[1], '\0' };

	return (unsigned)strtoul(two, NULL, 16);
}

int
pw_store_take(struct pw_store *store, const char *partial_name, const char *sha256,
	      struct pw_err *err)
{
	char name[PW_STORE_NAME];
	unsigned shard = shard_of(sha256);

	pw_store_name(sha256, name);
	name[2] = '\0';
	if (mkdirat(store->content, name, 0700) < 0 && errno != EEXIST)
		return pw_err_errno(err, "content/%s", name);
	name[2] = '/';
	if (renameat(store->partial, partial_name, store->content, name) < 0)
		return pw_err_errno(err, "content/%s", name);
	store->touched[shard / 8] |= (unsigned char)(1U << shard % 8);
	return 0;
}

static int
flush_shard(const struct pw_store *store, unsigned shard, struct pw_err *err)
{
	char name[8];
	pw_auto_close int fd = -1;

	snprintf(name, sizeof(name), "%02x", shard);
	fd = openat(store->content, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return pw_err_errno(err, "content/%s", name);
	return 0;
}

int
pw_store_flush(struct pw_store *store, struct pw_err *err)
{
	bool any = false;

	for (unsigned shard = 0; shard < 256; shard++) {
		if (!(store->touched[shard / 8] & 1U << shard % 8))
			continue;
		if (flush_shard(store, shard, err) < 0)
			return -1;
		any = true;
	}
	memset(store->touched, 0, sizeof(store->touched));
	if (any && fsync(store->content) < 0)
		return pw_err_errno(err, "content");
	return 0;
}

static void
sweep_one(const struct pw_store *store, const char *name, time_t before)
{
	struct stat st, now;
	pw_auto_close int fd =
		openat(store->partial, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime >= before)
		return;
	/* Who is about to go on with it holds the lock; who waits for it finds another file behind the name, or none. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    fstatat(store->partial, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == st.st_ino)
		unlinkat(store->partial, name, 0);
}

void
pw_store_sweep(const struct pw_store *store)
{
	int copy = openat(store->partial, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	time_t before = time(NULL) - STALE_S;
	struct dirent *entry;

	if (!dir) {
		pw_close_cleanup(&copy);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			sweep_one(store, entry->d_name, before);
	closedir(dir);
}
