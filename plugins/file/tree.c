/* SPDX-License-Identifier: MIT */
/*
 * Builds and removes trees. Runs in the task child. Every step goes from an open
 * folder to a name in it, never by a whole path, so that nobody can put a
 * symbolic link into the way.
 */
#include "config.h"

#include "file/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* Opens a folder in another, making it. Its mode does not depend on the task's umask: others are to read it. */
static int
enter(int parent, const char *name, struct pw_err *err)
{
	int fd;
	bool made = mkdirat(parent, name, 0755) == 0;

	if (!made && errno != EEXIST)
		return pw_err_errno(err, "%s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return pw_err_errno(err, "%s", name);
	if (made && fchmod(fd, 0755) < 0) {
		pw_err_errno(err, "%s", name);
		close(fd);
		return -1;
	}
	return fd;
}

/* The folder where the last component of PATH belongs; the caller closes it. *ret_name is that component. */
static int
enter_parent(int tree, const char *path, const char **ret_name, struct pw_err *err)
{
	int fd = dup(tree);
	const char *slash;

	if (fd < 0)
		return pw_err_errno(err, "dup");
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		char name[NAME_MAX + 1];
		int inner;

		snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		inner = enter(fd, name, err);
		close(fd);
		if (inner < 0)
			return -1;
		fd = inner;
	}
	*ret_name = path;
	return fd;
}

static int
copy_bytes(int from, int to, struct pw_err *err)
{
	char chunk[65536];
	ssize_t n;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while ((n = pw_fd_read_all(from, chunk, sizeof(chunk), err)) > 0)
		if (pw_fd_write_all(to, chunk, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int
copy(const struct pw_store *store, const char *content, int folder, const char *name,
     struct pw_err *err)
{
	pw_auto_close int from = openat(store->content, content, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pw_auto_close int to = -1;

	if (from < 0)
		return pw_err_errno(err, "open");
	to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (to < 0 || fchmod(to, 0444) < 0)
		return pw_err_errno(err, "create");
	if (copy_bytes(from, to, err) < 0)
		return -1;
	/* Before the tree gets its name: after a crash it has all or it is not there. */
	return fdatasync(to) < 0 ? pw_err_errno(err, "fdatasync") : 0;
}

/* What keeps a link from being made but not a copy: another filesystem, too many links, one without links, a policy. */
static bool
must_copy(void)
{
	return errno == EXDEV || errno == EMLINK || errno == EPERM || errno == EACCES ||
	       errno == EOPNOTSUPP;
}

static int
place(const struct pw_store *store, const struct pw_entry *entry, int folder, const char *name,
      struct pw_err *err)
{
	char content[PW_STORE_NAME];
	struct stat st;

	pw_store_name(entry->sha256, content);
	if (linkat(store->content, content, folder, name, 0) < 0) {
		if (errno == ENOENT)
			return pw_err_set(err, PW_ERR_NOTFOUND, "its content is not in the store; sync again");
		if (!must_copy())
			return pw_err_errno(err, "link");
		if (copy(store, content, folder, name, err) < 0)
			return -1;
	}
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return pw_err_errno(err, "stat");
	if (!S_ISREG(st.st_mode) || st.st_size != entry->size)
		return pw_err_set(err, PW_ERR_INPUT,
				  "its content in the store has %" PRId64 " bytes instead of %" PRId64 "; sync again",
				  (int64_t)st.st_size, entry->size);
	return 0;
}

static int
place_at(const struct pw_store *store, const struct pw_entry *entry, int tree, struct pw_err *err)
{
	const char *name;
	pw_auto_close int folder = enter_parent(tree, entry->path, &name, err);

	return folder < 0 ? -1 : place(store, entry, folder, name, err);
}

static int
write_manifest(const struct pw_manifest *manifest, int tree, struct pw_err *err)
{
	pw_auto_buf text = PW_BUF_INIT;
	pw_auto_close int fd =
		openat(tree, PW_MANIFEST_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || fchmod(fd, 0444) < 0)
		return pw_err_errno(err, PW_MANIFEST_NAME);
	if (pw_manifest_write(manifest, &text) < 0)
		return pw_err_nomem(err);
	if (pw_fd_write_all(fd, pw_buf_text(&text), text.len, err) < 0)
		return pw_err_prefix(err, PW_MANIFEST_NAME);
	return fdatasync(fd) < 0 || fsync(tree) < 0 ? pw_err_errno(err, PW_MANIFEST_NAME) : 0;
}

int
pw_tree_fill(pulp_context *ctx, const struct pw_store *store, const struct pw_manifest *manifest,
	     int folder, int64_t *ret_bytes, struct pw_err *err)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < manifest->count; i++) {
		const struct pw_entry *entry = &manifest->entries[i];

		if (pulp_should_stop(ctx))
			return pw_err_set(err, PW_ERR_TIMEOUT, "stopped before everything was there");
		if (place_at(store, entry, folder, err) < 0)
			return pw_err_prefix(err, "%.300s", entry->path);
		bytes += entry->size;
	}
	if (write_manifest(manifest, folder, err) < 0)
		return -1;
	*ret_bytes = bytes;
	return 0;
}

static int
empty(int folder, struct pw_err *err)
{
	DIR *dir = fdopendir(folder);
	struct dirent *entry;
	int rc = 0;

	if (!dir) {
		pw_err_errno(err, "fdopendir");
		close(folder);
		return -1;
	}
	while (rc == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = pw_tree_remove(dirfd(dir), entry->d_name, err);
	closedir(dir);
	return rc;
}

int
pw_tree_remove(int parent, const char *name, struct pw_err *err)
{
	int folder;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return pw_err_errno(err, "remove %s", name);
	folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return pw_err_errno(err, "remove %s", name);
	if (empty(folder, err) < 0)
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? pw_err_errno(err, "remove %s", name) : 0;
}
