/* SPDX-License-Identifier: MIT */
/*
 * Finding processes: one's own children by /proc/thread-self/children (kernels
 * built without it: by the parent's number in /proc/PID/stat), any others by
 * walking /proc. Runs in the zygote (remains of ended tasks) and in the worker
 * (remains of a zygote or a worker that was killed).
 */
#include "sys/children.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "sys/pidfd.h"

void
pw_children_init(struct pw_children *children)
{
	*children = (struct pw_children){ .fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC) };
}

void
pw_children_done(struct pw_children *children)
{
	if (children->fd >= 0)
		close(children->fd);
	free(children->pids);
	*children = (struct pw_children){ .fd = -1 };
}

static int
add(struct pw_children *children, pid_t pid)
{
	if (children->count == children->cap) {
		size_t cap = children->cap ? 2 * children->cap : 64;
		pid_t *pids = reallocarray(children->pids, cap, sizeof(pid_t));

		if (!pids)
			return -1;
		children->pids = pids;
		children->cap = cap;
	}
	children->pids[children->count++] = pid;
	return 0;
}

/* The kernel's list: numbers, each followed by a space. A piece may end inside a number. */
static int
list_by_kernel(struct pw_children *children, struct pw_err *err)
{
	char data[4096];
	off_t offset = 0;
	pid_t pid = 0;
	ssize_t n;

	while ((n = pread(children->fd, data, sizeof(data), offset)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (data[i] >= '0' && data[i] <= '9') {
				pid = pid * 10 + (data[i] - '0');
			} else if (pid > 0) {
				if (add(children, pid) < 0)
					return pw_err_nomem(err);
				pid = 0;
			}
		}
		if (n < (ssize_t)sizeof(data) && data[n - 1] == ' ')
			break; /* all of it, as good as always: saves the read that only says "end" */
		offset += n;
	}
	if (n < 0)
		return pw_err_errno(err, "read /proc/thread-self/children");
	return 0;
}

static pid_t
parent_of(pid_t pid)
{
	char path[40], data[512];
	pw_auto_close int fd = -1;
	const char *after;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);
	if (n <= 0)
		return -1;
	data[n] = '\0';
	after = strrchr(data, ')'); /* the name before it may hold anything */
	return after && strlen(after) > 4 ? (pid_t)atoi(after + 4) : -1;
}

struct mine {
	struct pw_children *children;
	pid_t self;
	bool failed;
};

static bool
add_if_mine(void *arg, pid_t pid)
{
	struct mine *mine = arg;

	if (parent_of(pid) == mine->self && add(mine->children, pid) < 0)
		mine->failed = true;
	return !mine->failed;
}

int
pw_children_list(struct pw_children *children, struct pw_err *err)
{
	struct mine mine = { .children = children, .self = getpid() };

	children->count = 0;
	if (children->fd >= 0)
		return list_by_kernel(children, err);
	pw_process_each(add_if_mine, &mine);
	return mine.failed ? pw_err_nomem(err) : 0;
}

void
pw_process_each(bool (*fn)(void *arg, pid_t pid), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool more = true;

	if (!dir)
		return;
	while (more && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			more = fn(arg, (pid_t)atoi(entry->d_name));
	closedir(dir);
}

/* --- killing what was left behind --- */

struct hunt {
	bool (*match)(void *arg, pid_t pid);
	void (*killed_one)(void *arg, pid_t pid);
	void *arg;
	int64_t deadline_ns;
	int killed;
};

static bool
is_self_or_ancestor(pid_t pid)
{
	for (pid_t p = getpid(); p > 0; p = parent_of(p))
		if (p == pid)
			return true;
	return false;
}

static bool
kill_if_matched(void *arg, pid_t pid)
{
	struct hunt *hunt = arg;
	pw_auto_close int pidfd = -1;
	int status;

	if (!hunt->match(hunt->arg, pid) || is_self_or_ancestor(pid))
		return true;
	pidfd = pw_pidfd_open(pid, NULL);
	if (pidfd < 0 || !hunt->match(hunt->arg, pid) || pw_pidfd_signal(pidfd, SIGKILL) < 0)
		return true;
	hunt->killed++;
	if (hunt->killed_one)
		hunt->killed_one(hunt->arg, pid);
	if (!pw_pidfd_wait(pidfd, hunt->deadline_ns))
		return false;
	pw_pidfd_reap(pidfd, &status);
	return true;
}

int
pw_processes_kill(bool (*match)(void *arg, pid_t pid), void (*killed)(void *arg, pid_t pid),
		  void *arg, int64_t deadline_ns)
{
	struct hunt hunt = { .match = match, .killed_one = killed, .arg = arg, .deadline_ns = deadline_ns };
	int before;

	do {
		before = hunt.killed;
		pw_process_each(kill_if_matched, &hunt);
	} while (hunt.killed > before && pw_now_ns() < deadline_ns);
	return hunt.killed;
}
