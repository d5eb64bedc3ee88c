/* SPDX-License-Identifier: MIT */
/*
 * The private server itself: makes its data directory, starts it, finds out
 * whether it lives and when it is ready, stops it. Its processes hold a lock on
 * the file "alive", inherited from whoever started it, as long as one of them
 * lives: that does not err after a crash, when the pid in postmaster.pid
 * belongs to nobody, to a zombie, or to somebody else.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "embedded/cluster.h"
#include "sys/pidfd.h"

#define PID_FILE "pg/postmaster.pid"

/* The next line of TEXT, without what comes behind it. */
static const char *
next_line(char **text)
{
	char *line = strsep(text, "\n");

	return line ? line : "";
}

bool
pw_server_read(const struct pw_cluster *cluster, struct pw_server *ret_server)
{
	pw_auto_close int fd =
		openat(cluster->dir_fd, PID_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[2048], *rest = text;
	ssize_t n = fd < 0 ? -1 : pw_fd_read_all(fd, text, sizeof(text) - 1, NULL);

	if (n <= 0)
		return false;
	text[n] = '\0';
	memset(ret_server, 0, sizeof(*ret_server));
	ret_server->pid = atoi(next_line(&rest));
	next_line(&rest); /* the data directory */
	next_line(&rest); /* when it was started */
	snprintf(ret_server->port, sizeof(ret_server->port), "%s", next_line(&rest));
	snprintf(ret_server->socket_dir, sizeof(ret_server->socket_dir), "%s", next_line(&rest));
	next_line(&rest); /* its TCP address */
	next_line(&rest); /* its shared memory */
	ret_server->ready = strncmp(next_line(&rest), "ready", 5) == 0;
	return ret_server->pid > 0;
}

/* Whether PID is a server that works in our data directory. */
static bool
works_here(const struct pw_cluster *cluster, pid_t pid)
{
	struct stat ours, theirs;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	return stat(path, &theirs) == 0 && fstatat(cluster->dir_fd, "pg", &ours, 0) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

int
pw_server_alive(struct pw_cluster *cluster, struct pw_err *err)
{
	struct pw_server server;

	/* Opened once: closing it is what others wait for. */
	if (cluster->alive_fd < 0)
		cluster->alive_fd = pw_cluster_open_file(cluster, "alive", err);
	if (cluster->alive_fd < 0)
		return -1;
	if (!cluster->alive_held) {
		if (flock(cluster->alive_fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? 1 : pw_err_errno(err, "private PostgreSQL: %s/alive", cluster->dir);
		cluster->alive_held = true;
	}
	/* Somebody may have started it by hand. */
	return pw_server_read(cluster, &server) && works_here(cluster, server.pid);
}

/* Gives events when the server writes its pid file, at last with the news that it is ready, and when its last process has ended. */
static int
watch(const struct pw_cluster *cluster, struct pw_err *err)
{
	pw_auto_close int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/pg", cluster->dir);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY | IN_CREATE | IN_DELETE) < 0)
		return pw_err_errno(err, "private PostgreSQL: watching %s", path);
	snprintf(path, sizeof(path), "%s/alive", cluster->dir);
	if (inotify_add_watch(fd, path, IN_CLOSE) < 0)
		return pw_err_errno(err, "private PostgreSQL: watching %s", path);
	return pw_steal_fd(&fd);
}

/*
 * Waits for one of these events. A lock is free a moment after its file was
 * closed, and a file system may have no events: so not for long.
 */
static void
wait_news(const struct pw_cluster *cluster, int watch_fd)
{
	struct pollfd pfd = { .fd = watch_fd, .events = POLLIN };
	int left = pw_ms_until(cluster->deadline_ns);
	char events[4096];

	if (poll(&pfd, 1, left < 50 ? left : 50) > 0)
		while (read(watch_fd, events, sizeof(events)) > 0)
			;
}

int
pw_server_wait(struct pw_cluster *cluster, struct pw_server *ret_server, struct pw_err *err)
{
	pw_auto_close int watch_fd = watch(cluster, err);

	if (watch_fd < 0)
		return -1;
	for (;;) {
		struct pw_server server;
		int alive = pw_server_alive(cluster, err);

		if (alive <= 0)
			return alive < 0 ? -1 : 1;
		/* The file of one that was killed may say "ready" for ever. */
		if (pw_server_read(cluster, &server) && server.ready &&
		    works_here(cluster, server.pid)) {
			*ret_server = server;
			return 0;
		}
		if (pw_ms_until(cluster->deadline_ns) == 0)
			return pw_err_set(err, PW_ERR_TIMEOUT, "private PostgreSQL: the server in %s is not ready in time: see %s/log",
					  cluster->dir, cluster->dir);
		wait_news(cluster, watch_fd);
	}
}

int
pw_server_make(struct pw_cluster *cluster, struct pw_err *err)
{
	static const char *const argv[] = { "initdb", "-D", "pg.new", "-U", "pulp", "--auth-local=trust", "--auth-host=reject",
		"-E", "UTF8", "--locale=C", NULL };
	struct pw_err ignored;

	if (pw_cluster_remove(cluster, "pg.new", err) < 0)
		return -1;
	if (pw_cluster_run(cluster, argv, err) < 0) {
		(void)!pw_cluster_remove(cluster, "pg.new", &ignored);
		return -1;
	}
	/* initdb has written everything to disk, so a name "pg" means a whole cluster. */
	if (renameat(cluster->dir_fd, "pg.new", cluster->dir_fd, "pg") < 0 || fsync(cluster->dir_fd) < 0)
		return pw_err_errno(err, "private PostgreSQL: %s/pg", cluster->dir);
	return 0;
}

static off_t
log_size(const struct pw_cluster *cluster)
{
	struct stat st;

	return fstatat(cluster->dir_fd, "log", &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;
}

/* The server ended instead of getting ready: what it wrote since says why. */
static int
did_not_start(const struct pw_cluster *cluster, off_t from, struct pw_err *err)
{
	pw_auto_close int fd = openat(cluster->dir_fd, "log", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[16384];
	ssize_t n;

	if (log_size(cluster) < from)
		from = 0; /* a new log was begun */
	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, from);
	return pw_err_set(err, PW_ERR_DB_LOST, "private PostgreSQL: the server in %s did not start: %s (all of it: %s/log)", cluster->dir,
			  n > 0 ? pw_last_words(text, (size_t)n) : "it said nothing", cluster->dir);
}

/*
 * Removes what a server that was killed left. Nobody lives ("alive" is ours);
 * the server itself would refuse if the pid in there is a zombie's, or another
 * process's by now.
 */
static int
remove_traces(const struct pw_cluster *cluster, const char *socket_dir, struct pw_err *err)
{
	static const char *const names[] = { ".s.PGSQL.5432.lock", ".s.PGSQL.5432" };
	char path[PATH_MAX + 32];

	if (unlinkat(cluster->dir_fd, PID_FILE, 0) < 0 && errno != ENOENT)
		return pw_err_errno(err, "private PostgreSQL: %s/" PID_FILE, cluster->dir);
	for (size_t i = 0; i < PW_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", socket_dir, names[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			return pw_err_errno(err, "private PostgreSQL: %s", path);
	}
	return 0;
}

int
pw_server_start(struct pw_cluster *cluster, struct pw_server *ret_server, struct pw_err *err)
{
	char socket_dir[PATH_MAX];
	const char *argv[] = { "postgres", "-D", "pg", "-k", socket_dir, "-p", "5432", "-c", "listen_addresses=",
		"-c", "unix_socket_permissions=0700", "-c", "dynamic_shared_memory_type=mmap", "-c", "cluster_name=pulp-worker",
		"-c", "logging_collector=off", "-c", "log_destination=stderr", "-c", "log_checkpoints=off", NULL };
	off_t from = log_size(cluster);
	int ended;

	if (pw_cluster_socket_dir(cluster, socket_dir, sizeof(socket_dir), err) < 0)
		return -1;
	if (remove_traces(cluster, socket_dir, err) < 0 || pw_cluster_spawn(cluster, argv, err) < 0)
		return -1;
	close(cluster->alive_fd); /* the server has it */
	cluster->alive_fd = -1;
	cluster->alive_held = false;
	ended = pw_server_wait(cluster, ret_server, err);
	return ended > 0 ? did_not_start(cluster, from, err) : ended;
}

/* Sends SIGINT, a fast shutdown. */
static int
interrupt(const struct pw_cluster *cluster, pid_t pid, struct pw_err *err)
{
	pw_auto_close int fd = pw_pidfd_open(pid, NULL);

	/* Opened first and looked at then, so that it is the server that gets the signal. */
	if (!works_here(cluster, pid))
		return 0;
	if (fd < 0 ? kill(pid, SIGINT) < 0 && errno != ESRCH : pw_pidfd_signal(fd, SIGINT) < 0)
		return pw_err_errno(err, "private PostgreSQL: stopping server %d", (int)pid);
	return 0;
}

/* Waits until the last of its processes has ended. */
static int
wait_gone(struct pw_cluster *cluster, struct pw_err *err)
{
	pw_auto_close int watch_fd = watch(cluster, err);
	int alive = watch_fd < 0 ? -1 : pw_server_alive(cluster, err);

	while (alive > 0) {
		if (pw_ms_until(cluster->deadline_ns) == 0)
			return pw_err_set(err, PW_ERR_TIMEOUT, "private PostgreSQL: the server in %s does not end: see %s/log",
					  cluster->dir, cluster->dir);
		wait_news(cluster, watch_fd);
		alive = pw_server_alive(cluster, err);
	}
	return alive;
}

int
pw_server_stop(struct pw_cluster *cluster, struct pw_err *err)
{
	struct pw_server server;

	/* One that is just starting gets the signal at once; what a killed one left ends by itself. */
	if (!pw_server_read(cluster, &server) || !works_here(cluster, server.pid)) {
		int ended = pw_server_wait(cluster, &server, err);

		if (ended != 0)
			return ended < 0 ? -1 : 0;
	}
	if (interrupt(cluster, server.pid, err) < 0)
		return -1;
	return wait_gone(cluster, err);
}
