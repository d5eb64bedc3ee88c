/* SPDX-License-Identifier: MIT */
/*
 * What the files of the layer embedded share: one private cluster. Its folder
 * DIR is 0700 and belongs to the account that runs the server:
 *
 *   pg      the data directory; pg.new while it is made
 *   lock    held by whoever makes, starts or stops the server
 *   alive   held by the server's processes as long as one of them lives
 *   log     what the server says
 *   run     symbolic link to the socket's folder, where DIR is too long a name
 */
#ifndef PW_EMBEDDED_CLUSTER_H
#define PW_EMBEDDED_CLUSTER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct pw_cluster {
	char dir[PATH_MAX];	/* real path */
	int dir_fd, lock_fd, alive_fd;
	bool alive_held;	/* alive_fd is locked, so no process of the server lives */
	bool drop;		/* we are root: what we start runs as the account below */
	uid_t uid;
	gid_t gid;
	char account[64];
	char bindir[PATH_MAX];	/* the server's programs, once pw_programs_find has been there */
	int64_t deadline_ns;
};

/* --- place.c --- */

/* Finds (and with MAKE makes) the folder, and the account. Returns 1 without MAKE if there is none. */
int pw_cluster_init(struct pw_cluster *cluster, const char *dir, const char *state_directory, bool make, struct pw_err *err) PW_MUSTCHECK;
void pw_cluster_done(struct pw_cluster *cluster);
/* Opens (or makes) a lock file in the folder, which belongs to the account. Returns the descriptor. */
int pw_cluster_open_file(struct pw_cluster *cluster, const char *name, struct pw_err *err) PW_MUSTCHECK;
/* Waits for the lock until the deadline: PW_ERR_TIMEOUT. */
int pw_cluster_lock(struct pw_cluster *cluster, struct pw_err *err) PW_MUSTCHECK;
void pw_cluster_unlock(struct pw_cluster *cluster);
/* The folder for the socket, made if DIR is too long a name for one. */
int pw_cluster_socket_dir(struct pw_cluster *cluster, char *buf, size_t size, struct pw_err *err) PW_MUSTCHECK;
/* Removes a folder made by the above. */
void pw_cluster_forget_socket_dir(struct pw_cluster *cluster);

/* --- programs.c --- */

/* Sets bindir: programs of the version that made the cluster, the newest if there is none. */
int pw_programs_find(struct pw_cluster *cluster, struct pw_err *err) PW_MUSTCHECK;

/* --- run.c --- */

/* Runs a program of the server as the account and waits for its end. Its last words are the error. It holds the lock as long as it lives. */
int pw_cluster_run(struct pw_cluster *cluster, const char *const *argv, struct pw_err *err) PW_MUSTCHECK;
/* Starts the server: detached, its output to the log, holding "alive". */
int pw_cluster_spawn(struct pw_cluster *cluster, const char *const *argv, struct pw_err *err) PW_MUSTCHECK;
/* Removes DIR/NAME with all that is in it, as the account. */
int pw_cluster_remove(struct pw_cluster *cluster, const char *name, struct pw_err *err) PW_MUSTCHECK;
/* The line that tells most of the LEN bytes that a program said; changes TEXT. */
const char *pw_last_words(char *text, size_t len);

/* --- server.c --- */

struct pw_server {
	pid_t pid;
	bool ready;
	char port[16], socket_dir[108];
};

/* What postmaster.pid says. False if there is none, or half of one. */
bool pw_server_read(const struct pw_cluster *cluster, struct pw_server *ret_server);
/* 1 if a server (or a process that one left) lives, else 0, and "alive" is held from then on. Under the lock. */
int pw_server_alive(struct pw_cluster *cluster, struct pw_err *err) PW_MUSTCHECK;
/* Waits until it is ready: 0, or until all of it has ended: 1. Under the lock. */
int pw_server_wait(struct pw_cluster *cluster, struct pw_server *ret_server, struct pw_err *err) PW_MUSTCHECK;
/* Makes the data directory. Under the lock. */
int pw_server_make(struct pw_cluster *cluster, struct pw_err *err) PW_MUSTCHECK;
/* Starts the server and waits until it is ready. Under the lock, "alive" held: it is the server's afterwards. */
int pw_server_start(struct pw_cluster *cluster, struct pw_server *ret_server, struct pw_err *err) PW_MUSTCHECK;
/* Asks the server for a fast shutdown and waits for the end of all its processes. Under the lock. */
int pw_server_stop(struct pw_cluster *cluster, struct pw_err *err) PW_MUSTCHECK;

#endif
