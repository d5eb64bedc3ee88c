/* SPDX-License-Identifier: MIT */
/*
 * What workers that were killed hard have left: their processes and directories.
 * Runs in the supervisor, before it starts its own plugin hosts and now and then.
 *
 * A worker lives as long as it holds its lock file. Directories without a lock
 * file are not ours (other kinds of workers may share the working directory) and
 * stay. A dead worker's directory is renamed before the lock file goes, so that a
 * new worker of that name need not wait for the removal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "exec/worker_directory.h"
#include "exec/worker_lock.h"
#include "sys/children.h"
#include "sys/environ.h"
#include "sys/rmtree.h"

#define KILL_WITHIN (5 * PW_SEC)
#define SWEPT ".pulp-swept-" /* what is being removed */

/* --- locks --- */

bool
pw_worker_lock_is_current(int dir_fd, const char *lock_name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dir_fd, lock_name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct pw_uuid
pw_worker_lock_read_id(int fd)
{
	char line[64] = "";
	struct pw_uuid id = { "" };
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	if (n <= 0)
		return id;
	line[strcspn(line, "\n")] = '\0';
	if (pw_uuid_parse(line, &id, NULL) < 0)
		id = (struct pw_uuid){ "" };
	return id;
}

/* "name" of ".name.lock"; false for any other file. */
static bool
name_of_lock(const char *lock_name, char *name, size_t size)
{
	size_t len = strlen(lock_name), suffix = strlen(".lock");

	if (lock_name[0] != '.' || len < suffix + 2 || strcmp(lock_name + len - suffix, ".lock") != 0)
		return false;
	snprintf(name, size, "%.*s", (int)(len - suffix - 1), lock_name + 1);
	return name[0] != '.';
}

/* Opens and holds (shared) the lock of a worker that lives no more. Returns -1 if it lives, or it is no lock file. */
static int
hold_dead(int dir_fd, const char *lock_name)
{
	pw_auto_close int fd =
		openat(dir_fd, lock_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 ||
	    !pw_worker_lock_is_current(dir_fd, lock_name, fd))
		return -1;
	return pw_steal_fd(&fd);
}

/* --- processes --- */

struct dead {
	struct pw_uuid *ids;
	size_t count, cap;
};

static bool
is_of_dead(void *arg, pid_t pid)
{
	const struct dead *dead = arg;
	char path[32], id[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st) < 0 || st.st_uid != geteuid() ||
	    !pw_environ_of_pid(pid, "PULP_WORKER_ID", id, sizeof(id)))
		return false;
	for (size_t i = 0; i < dead->count; i++)
		if (strcmp(dead->ids[i].s, id) == 0)
			return true;
	return false;
}

int
pw_worker_remains_kill(const struct pw_uuid *ids, size_t count)
{
	struct dead dead = { .ids = (struct pw_uuid *)(uintptr_t)ids, .count = count };

	return count ? pw_processes_kill(is_of_dead, NULL, &dead, pw_now_ns() + KILL_WITHIN) : 0;
}

static void
add_dead(struct dead *dead, int lock_fd)
{
	struct pw_uuid id = pw_worker_lock_read_id(lock_fd);

	if (pw_uuid_none(&id))
		return;
	if (dead->count == dead->cap) {
		size_t cap = dead->cap ? 2 * dead->cap : 16;
		struct pw_uuid *ids = reallocarray(dead->ids, cap, sizeof(*ids));

		if (!ids)
			return; /* the next look will find it */
		dead->ids = ids;
		dead->cap = cap;
	}
	dead->ids[dead->count++] = id;
}

int
pw_worker_directory_kill_remains(const char *working_directory)
{
	DIR *dir = opendir(working_directory);
	struct dead dead = { .ids = NULL };
	struct dirent *entry;
	char name[256];
	int killed;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		pw_auto_close int fd = -1;

		if (name_of_lock(entry->d_name, name, sizeof(name)))
			fd = hold_dead(dirfd(dir), entry->d_name);
		if (fd >= 0)
			add_dead(&dead, fd);
	}
	closedir(dir);
	killed = pw_worker_remains_kill(dead.ids, dead.count);
	free(dead.ids);
	return killed;
}

/* --- directories --- */

/* The directory of a dead worker gets another name, then its lock file goes. Returns whether there was one. */
static bool
set_aside(int dir_fd, const char *lock_name, const char *name)
{
	pw_auto_close int fd = hold_dead(dir_fd, lock_name);
	char aside[64];
	bool moved;

	if (fd < 0)
		return false;
	snprintf(aside, sizeof(aside), SWEPT "%s", pw_uuid_new().s);
	moved = renameat(dir_fd, name, dir_fd, aside) == 0;
	if (moved || errno == ENOENT)
		unlinkat(dir_fd, lock_name, 0);
	return moved;
}

int
pw_worker_directory_sweep(const char *working_directory)
{
	DIR *dir;
	struct dirent *entry;
	char name[256];
	int swept = 0;

	pw_worker_directory_kill_remains(working_directory); /* they may be writing there, and the lock files tell them apart */
	dir = opendir(working_directory);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (name_of_lock(entry->d_name, name, sizeof(name)))
			swept += set_aside(dirfd(dir), entry->d_name, name);
	/* Also what an earlier sweep was killed in the midst of. */
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, SWEPT, strlen(SWEPT)) == 0 &&
		    pw_rmtree(dirfd(dir), entry->d_name, NULL) < 0)
			continue; /* the next sweep tries again */
	closedir(dir);
	return swept;
}
