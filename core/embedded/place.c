/* SPDX-License-Identifier: MIT */
/*
 * Where the private cluster lives, who may have it, and whose turn it is to
 * work on it. In every program that says "embedded:". A folder that is not ours
 * is left as it is, and what it holds is never looked at.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "embedded/cluster.h"

#define SOCKET_NAME "/.s.PGSQL.5432"
#define SOCKET_MAX 107 /* bytes of a socket's path */

static int
join(char *buf, const char *dir, const char *name, struct pw_err *err)
{
	if (snprintf(buf, PATH_MAX, "%s%s%s", dir, *name ? "/" : "", name) >= PATH_MAX)
		return pw_err_set(err, PW_ERR_CONFIG, "%s: too long a path for the private PostgreSQL", dir);
	return 0;
}

/* The path as it was asked for. */
static int
wanted_path(const char *dir, const char *state_directory, char *path, struct pw_err *err)
{
	char cwd[PATH_MAX];

	if (!*dir)
		return join(path, state_directory, "postgresql", err);
	if (*dir == '/')
		return join(path, dir, "", err);
	if (!getcwd(cwd, sizeof(cwd)))
		return pw_err_errno(err, "current directory");
	return join(path, cwd, dir, err);
}

/* Makes the folders above PATH: for root ones that others may pass through, as its tasks' accounts must. */
static int
make_parents(const char *path, struct pw_err *err)
{
	char up[PATH_MAX];

	snprintf(up, sizeof(up), "%s", path);
	for (char *slash = strchr(up + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(up, geteuid() == 0 ? 0711 : 0700) < 0 && errno != EEXIST &&
		    access(up, F_OK) < 0)
			return pw_err_errno(err, "private PostgreSQL: making %s", up);
		*slash = '/';
	}
	return 0;
}

static void
name_account(struct pw_cluster *cluster, const struct passwd *pw, uid_t uid)
{
	cluster->uid = uid;
	cluster->gid = pw ? pw->pw_gid : (gid_t)uid;
	if (pw)
		snprintf(cluster->account, sizeof(cluster->account), "%s", pw->pw_name);
	else
		snprintf(cluster->account, sizeof(cluster->account), "%d", (int)uid);
}

/* Who runs the server: ourselves, or for root, as which it refuses to run, the worker's account or PostgreSQL's. */
static int
find_account(struct pw_cluster *cluster, struct pw_err *err)
{
	const struct passwd *pw;

	cluster->drop = geteuid() == 0;
	if (!cluster->drop) {
		name_account(cluster, getpwuid(geteuid()), geteuid());
		cluster->gid = getegid();
		return 0;
	}
	pw = getpwnam("pulp-worker");
	if (!pw)
		pw = getpwnam("postgres");
	if (!pw)
		return pw_err_set(err, PW_ERR_DB_LOST, "private PostgreSQL: root cannot run it, and there is neither an account pulp-worker nor "
						       "postgres: make one, for instance with 'apt-get install postgresql'");
	name_account(cluster, pw, pw->pw_uid);
	return 0;
}

static int
foreign(const struct pw_cluster *cluster, uid_t owner, struct pw_err *err)
{
	const struct passwd *pw = getpwuid(owner);

	return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: %s belongs to user %s: run this as that user, or name another folder "
					      "(PULP_DATABASE=embedded:DIR)",
			  cluster->dir, pw ? pw->pw_name : "(unknown)");
}

/* 1 if there is nothing in it. */
static int
is_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (!entries)
		return 0;
	while (count <= 2 && readdir(entries))
		count++;
	closedir(entries);
	return count <= 2;
}

/*
 * Root meets somebody else's cluster and runs it as him, but not where anybody
 * could have put it in our way.
 */
static int
adopt(struct pw_cluster *cluster, const struct stat *st, struct pw_err *err)
{
	struct stat parent;

	if (fstatat(cluster->dir_fd, "..", &parent, 0) < 0)
		return pw_err_errno(err, "%s/..", cluster->dir);
	if (parent.st_mode & S_IWOTH)
		return foreign(cluster, st->st_uid, err);
	name_account(cluster, getpwuid(st->st_uid), st->st_uid);
	return 0;
}

/* Makes sure that the open folder is one of ours, or (with MAKE) may become one. */
static int
check_dir(struct pw_cluster *cluster, bool make, struct pw_err *err)
{
	bool fresh = is_empty(cluster->dir_fd);
	struct stat st;

	if (fresh && !make)
		return 1;
	if (fstat(cluster->dir_fd, &st) < 0)
		return pw_err_errno(err, "%s", cluster->dir);
	if (cluster->drop && fresh && st.st_uid == 0) {
		if (fchown(cluster->dir_fd, cluster->uid, cluster->gid) < 0)
			return pw_err_errno(err, "%s: giving it to %s", cluster->dir, cluster->account);
	} else if (st.st_uid != cluster->uid && !(cluster->drop && st.st_uid == 0)) {
		if (!cluster->drop || fresh)
			return foreign(cluster, st.st_uid, err);
		if (adopt(cluster, &st, err) < 0)
			return -1;
	}
	if (!fresh && (faccessat(cluster->dir_fd, "lock", F_OK, 0) < 0 || (cluster->drop && st.st_uid == 0)))
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: %s is not empty and holds none of ours: name another folder",
				  cluster->dir);
	/* Everybody who can reach the socket is let in, so the folder's mode is the only lock. */
	if ((st.st_mode & 07777) != 0700 && fchmod(cluster->dir_fd, 0700) < 0)
		return pw_err_errno(err, "%s: mode 0700", cluster->dir);
	return 0;
}

static int
open_dir(struct pw_cluster *cluster, const char *path, bool make, struct pw_err *err)
{
	if (make && make_parents(path, err) < 0)
		return -1;
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return pw_err_errno(err, "private PostgreSQL: making %s", path);
	if (!realpath(path, cluster->dir)) {
		if (errno == ENOENT && !make)
			return 1;
		return pw_err_errno(err, "private PostgreSQL: %s", path);
	}
	cluster->dir_fd = open(cluster->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cluster->dir_fd < 0) {
		struct stat st;

		if (errno == EACCES && stat(cluster->dir, &st) == 0 && st.st_uid != cluster->uid)
			return foreign(cluster, st.st_uid, err);
		return pw_err_errno(err, "private PostgreSQL: %s", cluster->dir);
	}
	return check_dir(cluster, make, err);
}

int
pw_cluster_init(struct pw_cluster *cluster, const char *dir, const char *state_directory, bool make,
		struct pw_err *err)
{
	char path[PATH_MAX];
	int result;

	memset(cluster, 0, sizeof(*cluster));
	cluster->dir_fd = cluster->lock_fd = cluster->alive_fd = -1;
	if (wanted_path(dir, state_directory, path, err) < 0 || find_account(cluster, err) < 0)
		return -1;
	result = open_dir(cluster, path, make, err);
	if (result != 0)
		pw_cluster_done(cluster);
	return result;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
pw_cluster_done(struct pw_cluster *cluster)
{
	close_fd(&cluster->alive_fd);
	close_fd(&cluster->lock_fd);
	close_fd(&cluster->dir_fd);
}

/*
 * Waits until FD can be locked. That its holder closed it is an event; but the
 * event comes a moment before the lock is free, hence a second look soon after.
 */
static int
wait_lock(struct pw_cluster *cluster, int fd, struct pw_err *err)
{
	pw_auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX], events[4096];

	if (watch < 0 || join(path, cluster->dir, "lock", err) < 0 || inotify_add_watch(watch, path, IN_CLOSE) < 0)
		return pw_err_errno(err, "%s/lock: waiting", cluster->dir);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		struct pollfd pfd = { .fd = watch, .events = POLLIN };
		int left = pw_ms_until(cluster->deadline_ns);

		if (errno != EWOULDBLOCK && errno != EINTR)
			return pw_err_errno(err, "%s/lock", cluster->dir);
		if (left == 0)
			return pw_err_set(err, PW_ERR_TIMEOUT, "private PostgreSQL: another program is starting or stopping the one in %s "
							       "and does not finish",
					  cluster->dir);
		if (poll(&pfd, 1, left < 50 ? left : 50) > 0 &&
		    read(watch, events, sizeof(events)) < 0 && errno != EAGAIN)
			return pw_err_errno(err, "%s/lock: waiting", cluster->dir);
	}
	return 0;
}

int
pw_cluster_open_file(struct pw_cluster *cluster, const char *name, struct pw_err *err)
{
	pw_auto_close int fd = openat(cluster->dir_fd, name,
				      O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return pw_err_errno(err, "private PostgreSQL: %s/%s", cluster->dir, name);
	/* What else the account put there under this name is not given to it. */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: %s/%s is not a file of ours", cluster->dir, name);
	if (st.st_uid != cluster->uid && fchown(fd, cluster->uid, cluster->gid) < 0)
		return pw_err_errno(err, "private PostgreSQL: giving %s/%s to %s", cluster->dir, name, cluster->account);
	return pw_steal_fd(&fd);
}

int
pw_cluster_lock(struct pw_cluster *cluster, struct pw_err *err)
{
	pw_auto_close int fd = pw_cluster_open_file(cluster, "lock", err);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && wait_lock(cluster, fd, err) < 0)
		return -1;
	cluster->lock_fd = pw_steal_fd(&fd);
	return 0;
}

void
pw_cluster_unlock(struct pw_cluster *cluster)
{
	close_fd(&cluster->lock_fd);
}

/* Whether "run" leads to a folder that is the account's alone, as we made it. */
static bool
old_socket_dir(struct pw_cluster *cluster, char *buf, size_t size)
{
	ssize_t len = readlinkat(cluster->dir_fd, "run", buf, size - 1);
	struct stat st;

	if (len < 0)
		return false;
	buf[len] = '\0';
	return lstat(buf, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == cluster->uid &&
	       (st.st_mode & 0777) == 0700;
}

int
pw_cluster_socket_dir(struct pw_cluster *cluster, char *buf, size_t size, struct pw_err *err)
{
	if (strlen(cluster->dir) + strlen(SOCKET_NAME) <= SOCKET_MAX) {
		snprintf(buf, size, "%s", cluster->dir);
		return 0;
	}
	if (old_socket_dir(cluster, buf, size))
		return 0;
	/* Not below XDG_RUNTIME_DIR: that is gone with the last session, the server is not. */
	snprintf(buf, size, "/tmp/pulp-worker-XXXXXX");
	if (!mkdtemp(buf))
		return pw_err_errno(err, "private PostgreSQL: a short folder for its socket: %s", buf);
	if ((unlinkat(cluster->dir_fd, "run", 0) < 0 && errno != ENOENT) || symlinkat(buf, cluster->dir_fd, "run") < 0 ||
	    (cluster->drop && chown(buf, cluster->uid, cluster->gid) < 0)) {
		pw_err_errno(err, "private PostgreSQL: a short folder for its socket: %s", buf);
		rmdir(buf);
		return -1;
	}
	return 0;
}

void
pw_cluster_forget_socket_dir(struct pw_cluster *cluster)
{
	char path[PATH_MAX];

	if (old_socket_dir(cluster, path, sizeof(path)) && rmdir(path) == 0)
		unlinkat(cluster->dir_fd, "run", 0);
}
