/* SPDX-License-Identifier: MIT */
/*
 * Writes and reads versions. Runs in the task child.
 *
 * A version is made as a folder of another name, written to disk, renamed to
 * its number, and only then does the link lead to it, by a rename too: whoever
 * looks sees a whole version, before, during and after a crash.
 */
#include "config.h"

#include "file/repository.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define NAME_MAX_LEN 100
#define NEW_PREFIX ".new."

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int
pw_repository_check(const char *name, struct pw_err *err)
{
	bool good = is_alnum(name[0]) && strlen(name) <= NAME_MAX_LEN;

	for (const char *p = name; good && *p; p++)
		good = is_alnum(*p) || *p == '.' || *p == '_' || *p == '-';
	if (!good)
		return pw_err_set(err, PW_ERR_INPUT,
				  "argument 'repository': a name is 1 to %d of A-Z a-z 0-9 . _ - and begins with a letter or digit",
				  NAME_MAX_LEN);
	return 0;
}

static int
open_repository(const struct pw_store *store, const char *name, int *ret_fd, struct pw_err *err)
{
	pw_auto_close int all = -1;

	if (pw_store_folder(store->fd, "repositories", &all, err) < 0)
		return -1;
	return pw_store_folder(all, name, ret_fd, err);
}

/* N of "versions/N", 0 for anything else. */
static long
version_of(const char *link)
{
	const char *number = strncmp(link, "versions/", 9) == 0 ? link + 9 : "";
	char *end;
	long version = strtol(number, &end, 10);

	return number[0] >= '1' && number[0] <= '9' && !*end ? version : 0;
}

/* 0 in *ret_version: there is none yet. */
static int
read_link(int repository, long *ret_version, struct pw_err *err)
{
	char link[64];
	ssize_t n = readlinkat(repository, "latest", link, sizeof(link) - 1);

	*ret_version = 0;
	if (n < 0)
		return errno == ENOENT ? 0 : pw_err_errno(err, "latest");
	link[n] = '\0';
	*ret_version = version_of(link);
	return *ret_version ? 0 : pw_err_set(err, PW_ERR_INPUT, "latest does not lead to a version");
}

static int
read_manifest(int repository, long version, struct pw_manifest *manifest, struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;
	pw_auto_close int fd = -1;
	char path[64], proc[64];

	snprintf(path, sizeof(path), "versions/%ld/manifest", version);
	fd = openat(repository, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pw_err_errno(err, "%s", path);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (pw_file_read(proc, PW_MANIFEST_LIMIT, &text, err) < 0 ||
	    pw_manifest_parse(pw_buf_text(&text), text.len, manifest, err) < 0)
		return pw_err_prefix(err, "%s", path);
	return 0;
}

static int
read_latest(int repository, long *ret_version, struct pw_manifest *manifest, struct pw_err *err)
{
	if (read_link(repository, ret_version, err) < 0)
		return -1;
	return *ret_version ? read_manifest(repository, *ret_version, manifest, err) : 0;
}

int
pw_repository_latest(const struct pw_store *store, const char *name, long *ret_version,
		     struct pw_manifest *manifest, struct pw_err *err)
{
	pw_auto_close int repository = -1;
	char path[160];

	/* Asking for one that does not exist does not make it. */
	*ret_version = 0;
	snprintf(path, sizeof(path), "repositories/%s", name);
	repository = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (repository < 0)
		return errno == ENOENT ? 0 : pw_err_errno(err, "%s", path);
	return read_latest(repository, ret_version, manifest, err) < 0 ? pw_err_prefix(err, "repository %s", name) : 0;
}

static void
remove_new(int versions, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/manifest", name);
	unlinkat(versions, path, 0);
	unlinkat(versions, name, AT_REMOVEDIR);
}

/* The highest number there is; and away with what a task that died has left. */
static int
scan_versions(int versions, long *ret_highest, struct pw_err *err)
{
	int copy = openat(versions, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		pw_close_cleanup(&copy);
		return pw_err_errno(err, "versions");
	}
	*ret_highest = 0;
	while ((entry = readdir(dir))) {
		long number = strtol(entry->d_name, NULL, 10);

		if (strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0)
			remove_new(versions, entry->d_name);
		else if (number > *ret_highest)
			*ret_highest = number;
	}
	closedir(dir);
	return 0;
}

static int
write_manifest(int folder, const struct pw_manifest *manifest, struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;
	pw_auto_close int fd = openat(folder, "manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0)
		return pw_err_errno(err, "manifest");
	if (pw_manifest_write(manifest, &text) < 0)
		return pw_err_nomem(err);
	if (pw_fd_write_all(fd, pw_buf_text(&text), text.len, err) < 0)
		return pw_err_prefix(err, "manifest");
	return fsync(fd) < 0 || fsync(folder) < 0 ? pw_err_errno(err, "fsync manifest") : 0;
}

static int
make_version(int versions, const char *id, long number, const struct pw_manifest *manifest,
	     struct pw_err *err)
{
	pw_auto_close int folder = -1;
	char draft[64], name[32];

	snprintf(draft, sizeof(draft), NEW_PREFIX "%.50s", id);
	snprintf(name, sizeof(name), "%ld", number);
	if (pw_store_folder(versions, draft, &folder, err) < 0)
		return -1;
	if (write_manifest(folder, manifest, err) == 0) {
		if (renameat(versions, draft, versions, name) == 0)
			return fsync(versions) < 0 ? pw_err_errno(err, "fsync versions") : 0;
		pw_err_errno(err, "versions/%s", name);
	}
	remove_new(versions, draft);
	return -1;
}

static int
point_latest(int repository, long number, struct pw_err *err)
{
	char target[48];

	snprintf(target, sizeof(target), "versions/%ld", number);
	/* Under the lock nobody else makes it; a task that died may have. */
	unlinkat(repository, ".latest", 0);
	if (symlinkat(target, repository, ".latest") < 0 || renameat(repository, ".latest", repository, "latest") < 0)
		return pw_err_errno(err, "latest");
	return fsync(repository) < 0 ? pw_err_errno(err, "fsync of the repository") : 0;
}

static int
add_locked(int repository, const char *id, const struct pw_manifest *manifest,
	   struct pw_change *ret_change, struct pw_err *err)
{
	pw_auto_manifest before = PW_MANIFEST_INIT;
	pw_auto_close int versions = -1;
	struct pw_change change;
	long highest = 0;

	if (read_latest(repository, &change.version, &before, err) < 0)
		return -1;
	pw_manifest_compare(&before, manifest, &change.added, &change.removed);
	if (change.version == 0 || change.added || change.removed) {
		/* A version that was made but never linked to keeps its number. */
		if (pw_store_folder(repository, "versions", &versions, err) < 0 ||
		    scan_versions(versions, &highest, err) < 0)
			return -1;
		change.version = highest + 1;
		if (make_version(versions, id, change.version, manifest, err) < 0 ||
		    point_latest(repository, change.version, err) < 0)
			return -1;
	}
	*ret_change = change;
	return 0;
}

int
pw_repository_add(const struct pw_store *store, const char *name, const char *id,
		  const struct pw_manifest *manifest, struct pw_change *ret_change,
		  struct pw_err *err)
{
	pw_auto_close int repository = -1, lock = -1;

	if (open_repository(store, name, &repository, err) < 0)
		return pw_err_prefix(err, "repository %s", name);
	lock = openat(repository, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* Held for a few writes only; and a task that is to end while it waits here ends by its TERM. */
	if (lock < 0 || flock(lock, LOCK_EX) < 0) {
		pw_err_errno(err, "lock");
		return pw_err_prefix(err, "repository %s", name);
	}
	if (add_locked(repository, id, manifest, ret_change, err) < 0)
		return pw_err_prefix(err, "repository %s", name);
	return 0;
}
