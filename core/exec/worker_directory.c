/* SPDX-License-Identifier: MIT */
/*
 * The directory of a worker and the lock beside it. Runs in the supervisor.
 *
 * A living worker holds its lock file exclusively (flock, so that the kernel lets
 * go of it when the worker is killed). Others look with a shared lock, for an
 * instant and never waiting. A starting worker that meets a shared lock knows
 * therefore that it is only being looked at, and tries again; an exclusive one
 * means that a worker of that name lives. Lock files are removed only by a holder
 * of a lock on them, so a fresh lock is checked against the name once more.
 */
#include "exec/worker_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/worker_lock.h"
#include "sys/rmtree.h"

#define TRIES 10000 /* each is a look of somebody else, which takes microseconds */

struct pw_worker_directory {
	int parent_fd, lock_fd;
	char *name, *path, *lock_name;
};

static int
check_name(const char *name, struct pw_err *err)
{
	const char *what = NULL;

	if (!*name)
		what = "is empty";
	else if (*name == '.')
		what = "begins with a dot";
	else if (strchr(name, '/'))
		what = "has a slash";
	else if (strlen(name) > 200)
		what = "is longer than 200 bytes";
	return what ? pw_err_set(err, PW_ERR_INPUT, "the worker name '%.40s' %s", name, what) : 0;
}

int
pw_get_worker_path(const char *working_directory, const char *name, char **ret_path,
		   struct pw_err *err)
{
	pw_auto_free char *here = NULL;
	size_t len = strlen(working_directory);
	char *path;

	if (check_name(name, err) < 0)
		return -1;
	while (len > 1 && working_directory[len - 1] == '/')
		len--;
	if (*working_directory != '/') {
		here = getcwd(NULL, 0);
		if (!here)
			return pw_err_errno(err, "getcwd");
	}
	if (asprintf(&path, "%s%s%.*s/%s", here ? here : "", here ? "/" : "", (int)len, working_directory, name) < 0)
		return pw_err_nomem(err);
	*ret_path = path;
	return 0;
}

/* --- the lock --- */

/* Returns 1 and the locked file, 0 if the name has meanwhile got another file or is only being looked at, -1 on error. */
static int
try_lock(int parent_fd, const char *lock_name, int *ret_fd, struct pw_err *err)
{
	pw_auto_close int fd =
		openat(parent_fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return pw_err_errno(err, "%s", lock_name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		if (!pw_worker_lock_is_current(parent_fd, lock_name, fd))
			return 0;
		*ret_fd = pw_steal_fd(&fd);
		return 1;
	}
	if (errno != EWOULDBLOCK && errno != EINTR)
		return pw_err_errno(err, "lock %s", lock_name);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return pw_err_set(err, PW_ERR_BUSY, "another worker of that name is running");
}

static int
take_lock(struct pw_worker_directory *d, struct pw_err *err)
{
	for (int i = 0; i < TRIES; i++) {
		int got = try_lock(d->parent_fd, d->lock_name, &d->lock_fd, err);

		if (got != 0)
			return got < 0 ? -1 : 0;
		sched_yield();
	}
	return pw_err_set(err, PW_ERR_BUSY, "%s is locked by others all the time", d->lock_name);
}

static int
write_id(int fd, const struct pw_uuid *id, struct pw_err *err)
{
	char line[sizeof(id->s) + 1];
	int len = snprintf(line, sizeof(line), "%s\n", id->s);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, line, (size_t)len, 0) != len)
		return pw_err_errno(err, "write the lock");
	return 0;
}

/* --- the directory --- */

static int
make_parents(const char *path, struct pw_err *err)
{
	pw_auto_free char *copy = strdup(path);

	if (!copy)
		return pw_err_nomem(err);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return pw_err_errno(err, "mkdir %s", copy);
		*slash = '/';
	}
	return 0;
}

static int
open_parent(struct pw_worker_directory *d, struct pw_err *err)
{
	pw_auto_free char *parent = NULL;

	if (make_parents(d->path, err) < 0)
		return -1;
	parent = strndup(d->path, strlen(d->path) - strlen(d->name) - 1);
	if (!parent)
		return pw_err_nomem(err);
	d->parent_fd = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->parent_fd < 0 ? pw_err_errno(err, "open %s", parent) : 0;
}

/* What an earlier worker of that name left: processes first, since they may still be writing. */
static int
clear_old(struct pw_worker_directory *d, const struct pw_uuid *id, struct pw_err *err)
{
	struct pw_uuid old = pw_worker_lock_read_id(d->lock_fd);

	if (!pw_uuid_none(&old) && !pw_uuid_equal(&old, id))
		pw_worker_remains_kill(&old, 1);
	return pw_rmtree(d->parent_fd, d->name, err);
}

static struct pw_worker_directory *
free_all(struct pw_worker_directory *d)
{
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	if (d->parent_fd >= 0)
		close(d->parent_fd);
	free(d->name);
	free(d->path);
	free(d->lock_name);
	free(d);
	return NULL;
}

static int
create(struct pw_worker_directory *d, const struct pw_uuid *id, struct pw_err *err)
{
	if (open_parent(d, err) < 0 || take_lock(d, err) < 0 || clear_old(d, id, err) < 0)
		return -1;
	if (mkdirat(d->parent_fd, d->name, 0700) < 0)
		return pw_err_errno(err, "mkdir %s", d->path);
	return write_id(d->lock_fd, id, err);
}

int
pw_worker_directory_create(const char *working_directory, const char *name,
			   const struct pw_uuid *id, struct pw_worker_directory **ret_directory,
			   struct pw_err *err)
{
	struct pw_worker_directory *d = calloc(1, sizeof(*d));

	if (!d)
		return pw_err_nomem(err);
	d->parent_fd = d->lock_fd = -1;
	if (pw_get_worker_path(working_directory, name, &d->path, err) < 0) {
		free_all(d);
		return -1;
	}
	d->name = strdup(name);
	if (!d->name || asprintf(&d->lock_name, ".%s.lock", name) < 0) {
		d->lock_name = NULL;
		free_all(d);
		return pw_err_nomem(err);
	}
	if (create(d, id, err) < 0) {
		pw_err_prefix(err, "worker directory %s", d->path);
		free_all(d);
		return -1;
	}
	*ret_directory = d;
	return 0;
}

const char *
pw_worker_directory_path(const struct pw_worker_directory *directory)
{
	return directory->path;
}

struct pw_worker_directory *
pw_worker_directory_delete(struct pw_worker_directory *directory)
{
	if (!directory)
		return NULL;
	/* The lock goes last, and only if the directory went: else the next worker would not know that there is something to sweep. */
	if (pw_rmtree(directory->parent_fd, directory->name, NULL) == 0)
		unlinkat(directory->parent_fd, directory->lock_name, 0);
	return free_all(directory);
}
