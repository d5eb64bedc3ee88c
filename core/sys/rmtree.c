/* SPDX-License-Identifier: MIT */
/*
 * rm -rf without recursion: a folder inside a folder is moved up to the top
 * one before it is emptied, so at most two folders are open whatever the depth,
 * and no path grows. A pass goes through the top folder; passes repeat while one
 * moved something up, and the errors of the last pass are those that count.
 *
 * Runs in the worker, on the working directories of ended tasks, whose
 * processes are dead by then.
 */
#include "sys/rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pw_rmtree {
	int parent_fd; /* ours, or AT_FDCWD */
	char *name;
	DIR *top, *sub;		     /* sub: the folder that is being emptied, or NULL */
	char sub_name[NAME_MAX + 1]; /* its name in top */
	dev_t device;
	uint64_t number;	     /* for the names of what is moved up */
	bool moved, busy_sub;	     /* something was moved in this pass; something stayed in sub */
	int failures;		     /* in this pass */
	struct pw_err first;
};

static void
note_failure(struct pw_rmtree *rm, const char *what)
{
	if (rm->failures++ == 0)
		pw_err_errno(&rm->first, "remove %s", what);
}

/* Makes a folder readable and writable for its owner, without opening it (we may not) and without following a link. */
static int
open_up(int dir_fd, const char *name)
{
	pw_auto_close int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[40];

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, 0700);
}

static DIR *
open_dir(int dir_fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	pw_auto_close int fd = openat(dir_fd, name, flags);
	struct stat st;
	DIR *dir;

	if (fd < 0 && errno == EACCES && open_up(dir_fd, name) == 0)
		fd = openat(dir_fd, name, flags);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if ((st.st_mode & 0700) != 0700 && fchmod(fd, 0700) < 0)
		return NULL;
	dir = fdopendir(fd);
	if (dir)
		(void)!pw_steal_fd(&fd);
	return dir;
}

static bool
same_device(const struct pw_rmtree *rm, DIR *dir)
{
	struct stat st;

	return fstat(dirfd(dir), &st) == 0 && st.st_dev == rm->device;
}

int
pw_rmtree_new(int dir_fd, const char *name, struct pw_rmtree **ret_rm, struct pw_err *err)
{
	struct pw_rmtree *rm;
	struct stat st;

	*ret_rm = NULL;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR)
		return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT ? 0 : pw_err_errno(err, "remove %s", name);
	rm = calloc(1, sizeof(*rm));
	if (!rm)
		return pw_err_nomem(err);
	rm->parent_fd = dir_fd == AT_FDCWD ? AT_FDCWD : fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	rm->name = strdup(name);
	rm->top = open_dir(dir_fd, name);
	if (!rm->name || !rm->top || (dir_fd != AT_FDCWD && rm->parent_fd < 0) ||
	    fstat(dirfd(rm->top), &st) < 0) {
		pw_err_errno(err, "remove %s", name);
		pw_rmtree_free(rm);
		return -1;
	}
	rm->device = st.st_dev;
	*ret_rm = rm;
	return 0;
}

/* Moves a folder that is not empty from sub up to top, under a new name. */
static int
move_up(struct pw_rmtree *rm, const char *name)
{
	char to[40];

	for (;;) {
		snprintf(to, sizeof(to), ".pw-rm-%llu", (unsigned long long)rm->number++);
		if (renameat2(dirfd(rm->sub), name, dirfd(rm->top), to, RENAME_NOREPLACE) == 0)
			break;
		if (errno == EEXIST)
			continue;
		/* A folder without write permission may not be moved, as its ".." changes. */
		if (errno == EACCES && open_up(dirfd(rm->sub), name) == 0 &&
		    renameat2(dirfd(rm->sub), name, dirfd(rm->top), to, RENAME_NOREPLACE) == 0)
			break;
		/* File systems that know no such flag. */
		if (errno != EINVAL && errno != ENOSYS)
			return -1;
		if (renameat(dirfd(rm->sub), name, dirfd(rm->top), to) == 0)
			break;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return -1;
	}
	rm->moved = true;
	return 0;
}

static bool
looks_like_folder(const struct dirent *entry)
{
	return entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

/* Removes an entry that is no folder, or an empty one. Returns 1 for a folder with something in it, -1 with errno. */
static int
remove_entry(DIR *dir, const struct dirent *entry)
{
	if (!looks_like_folder(entry) || unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0) {
		if (looks_like_folder(entry) && (errno == ENOTEMPTY || errno == EEXIST))
			return 1;
		if (looks_like_folder(entry) && errno != ENOTDIR)
			return errno == ENOENT ? 0 : -1;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static bool
is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static void
enter_sub(struct pw_rmtree *rm, const char *name)
{
	rm->sub = open_dir(dirfd(rm->top), name);
	if (rm->sub && !same_device(rm, rm->sub)) {
		closedir(rm->sub);
		rm->sub = NULL;
		errno = EXDEV;
	}
	if (!rm->sub) {
		note_failure(rm, name);
		return;
	}
	snprintf(rm->sub_name, sizeof(rm->sub_name), "%s", name);
	rm->busy_sub = false;
}

static void
leave_sub(struct pw_rmtree *rm)
{
	closedir(rm->sub);
	rm->sub = NULL;
	if (unlinkat(dirfd(rm->top), rm->sub_name, AT_REMOVEDIR) < 0 && errno != ENOENT &&
	    !rm->busy_sub)
		note_failure(rm, rm->sub_name);
}

/* Returns 1 while the pass goes on, 0 at its end. */
static int
one_entry(struct pw_rmtree *rm)
{
	DIR *dir = rm->sub ? rm->sub : rm->top;
	struct dirent *entry;
	int full;

	errno = 0;
	entry = readdir(dir);
	if (!entry && errno)
		note_failure(rm, rm->sub ? rm->sub_name : rm->name);
	if (!entry && rm->sub) {
		leave_sub(rm);
		return 1;
	}
	if (!entry)
		return 0;
	if (is_dot(entry->d_name))
		return 1;
	full = remove_entry(dir, entry);
	if (full > 0 && !rm->sub) {
		enter_sub(rm, entry->d_name);
	} else if (full < 0 || (full > 0 && move_up(rm, entry->d_name) < 0)) {
		note_failure(rm, entry->d_name);
		rm->busy_sub = true;
	}
	return 1;
}

int
pw_rmtree_step(struct pw_rmtree *rm, int entries, struct pw_err *err)
{
	while (entries-- > 0) {
		if (one_entry(rm))
			continue;
		if (!rm->moved && rm->failures == 0 &&
		    unlinkat(rm->parent_fd, rm->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			note_failure(rm, rm->name);
		if (!rm->moved) {
			if (rm->failures == 0)
				return 0;
			if (err)
				*err = rm->first;
			return rm->failures == 1 ? -1 : pw_err_prefix(err, "%d entries stay, the first", rm->failures);
		}
		rm->moved = false;
		rm->failures = 0;
		rewinddir(rm->top);
	}
	return 1;
}

struct pw_rmtree *
pw_rmtree_free(struct pw_rmtree *rm)
{
	if (!rm)
		return NULL;
	if (rm->sub)
		closedir(rm->sub);
	if (rm->top)
		closedir(rm->top);
	if (rm->parent_fd >= 0)
		close(rm->parent_fd);
	free(rm->name);
	free(rm);
	return NULL;
}

int
pw_rmtree(int dir_fd, const char *name, struct pw_err *err)
{
	struct pw_rmtree *rm;
	int ret;

	if (pw_rmtree_new(dir_fd, name, &rm, err) < 0)
		return -1;
	if (!rm)
		return 0;
	do {
		ret = pw_rmtree_step(rm, INT_MAX, err);
	} while (ret > 0);
	pw_rmtree_free(rm);
	return ret;
}
