/* SPDX-License-Identifier: MIT */
/*
 * Runs what the private cluster needs as the account that owns it: initdb,
 * waited for; the server, detached; the removal of a half-made directory. Root
 * never touches files inside the cluster itself, so that nobody's symbolic link
 * can lead it anywhere.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "embedded/cluster.h"
#include "sys/pidfd.h"
#include "sys/rmtree.h"

#define LOG_MAX (8 << 20)

/* What a child that could not go on tells. */
struct report {
	const char *step; /* a constant: the child is a copy of us */
	int number;
};

static void PW_NORETURN
child_fails(int report_fd, const char *step)
{
	struct report report = { step, errno };

	if (write(report_fd, &report, sizeof(report)) < 0)
		_exit(126);
	_exit(127);
}

/* In a child: becomes the account. */
static void
become(const struct pw_cluster *cluster, int report_fd)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	if (cluster->drop &&
	    (setgroups(0, NULL) < 0 || setgid(cluster->gid) < 0 || setuid(cluster->uid) < 0))
		child_fails(report_fd, "becoming the account");
	if (chdir(cluster->dir) < 0)
		child_fails(report_fd, "entering the folder");
}

/* In a child: standard input, output and errors, and of all other descriptors KEEP_FD alone. */
static void
redirect(int keep_fd, int out_fd, int report_fd)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(out_fd, STDERR_FILENO) < 0)
		child_fails(report_fd, "redirecting");
	/* Ours are close-on-exec, but the program that called us may have inherited others. */
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (fcntl(keep_fd, F_SETFD, 0) < 0)
		child_fails(report_fd, "keeping the lock");
}

/* The environment of the server's programs: nothing of PG* or NOTIFY_SOCKET may reach them. */
static void PW_NORETURN
execute(const struct pw_cluster *cluster, const char *const *argv, int report_fd)
{
	static const char *const kept[] = { "TZ", "LD_LIBRARY_PATH" };
	char path[PATH_MAX + 16], entries[PW_COUNT(kept)][1024];
	const char *args[32] = { path };
	char *envp[PW_COUNT(kept) + 3] = { (char[]){ "PATH=/usr/local/bin:/usr/bin:/bin" }, (char[]){ "LC_ALL=C" } };
	size_t n = 2;

	for (size_t i = 0; i < PW_COUNT(kept); i++) {
		const char *value = getenv(kept[i]);

		if (value && snprintf(entries[i], sizeof(entries[i]), "%s=%s", kept[i], value) < (int)sizeof(entries[i]))
			envp[n++] = entries[i];
	}
	/* The full path, since that is how they find their libraries and each other. */
	snprintf(path, sizeof(path), "%s/%s", cluster->bindir, argv[0]);
	for (size_t i = 1; argv[i] && i < PW_COUNT(args) - 1; i++)
		args[i] = argv[i];
	execve(path, (char **)args, envp);
	child_fails(report_fd, argv[0]);
}

/* Waits until a child has gone on to its program (or ended well); -1 and *err if it could not. */
static int
read_report(const struct pw_cluster *cluster, int fd, struct pw_err *err)
{
	struct report report;

	if (pw_fd_read_all(fd, &report, sizeof(report), NULL) != (ssize_t)sizeof(report))
		return 0;
	errno = report.number;
	if (errno == EACCES && strcmp(report.step, "entering the folder") == 0)
		return pw_err_set(err, PW_ERR_CONFIG, "private PostgreSQL: the account %s, which has to run it, cannot enter %s: name a folder "
						      "below one that it can enter (PULP_DATABASE=embedded:DIR)",
				  cluster->account, cluster->dir);
	return pw_err_errno(err, "private PostgreSQL: %s as %s: %s", cluster->dir, cluster->account, report.step);
}

const char *
pw_last_words(char *text, size_t len)
{
	static const char *const marks[] = { "FATAL:", "PANIC:", "error:", "ERROR:", "could not" };
	char *end;

	text[len] = '\0';
	while (len && strchr("\n \t", text[len - 1]))
		text[--len] = '\0';
	for (size_t i = 0; i < PW_COUNT(marks); i++) {
		char *line = strstr(text, marks[i]);

		if (!line)
			continue;
		while (i >= 2 && line > text && line[-1] != '\n') /* the log's first two have the time before them */
			line--;
		line[strcspn(line, "\n")] = '\0';
		return line;
	}
	end = strrchr(text, '\n');
	return end ? end + 1 : text;
}

/* What was written to a memory file, as the error of a program that failed. */
static int
failed(const char *program, int out_fd, struct pw_err *err)
{
	char text[8192];
	ssize_t n = pread(out_fd, text, sizeof(text) - 1, 0);

	return pw_err_set(err, PW_ERR_DB_LOST, "private PostgreSQL: %s failed: %s", program, n > 0 ? pw_last_words(text, (size_t)n) : "it said nothing");
}

/* Waits for the end of a child, until the deadline; then its whole process group is killed. *ret_good: it exited with 0. */
static int
wait_child(const struct pw_cluster *cluster, pid_t pid, bool *ret_good, struct pw_err *err)
{
	pw_auto_close int fd = pw_pidfd_open(pid, NULL);
	bool late = fd >= 0 && !pw_pidfd_wait(fd, cluster->deadline_ns);
	int status = -1;

	if (late)
		kill(-pid, SIGKILL); /* not reaped yet: the group is its own */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (late)
		return pw_err_set(err, PW_ERR_TIMEOUT, "private PostgreSQL: %s was not made in time", cluster->dir);
	*ret_good = status == 0;
	return 0;
}

int
pw_cluster_run(struct pw_cluster *cluster, const char *const *argv, struct pw_err *err)
{
	pw_auto_close int out = memfd_create("output", MFD_CLOEXEC);
	int ends[2];
	bool good = false;
	pid_t pid;

	if (out < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return pw_err_errno(err, "private PostgreSQL");
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		become(cluster, ends[1]);
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* initdb cleans up then */
		redirect(cluster->lock_fd, out, ends[1]);
		execute(cluster, argv, ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return pw_err_errno(err, "fork");
	}
	if (read_report(cluster, ends[0], err) < 0) {
		close(ends[0]);
		waitpid(pid, NULL, 0);
		return -1;
	}
	close(ends[0]);
	if (wait_child(cluster, pid, &good, err) < 0)
		return -1;
	return good ? 0 : failed(argv[0], out, err);
}

static int
open_log(int report_fd)
{
	struct stat st;
	int fd;

	if (stat("log", &st) == 0 && st.st_size > LOG_MAX)
		rename("log", "log.1");
	fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		child_fails(report_fd, "opening its log");
	return fd;
}

/* In the grandchild. */
static void PW_NORETURN
be_server(const struct pw_cluster *cluster, const char *const *argv, int report_fd)
{
	become(cluster, report_fd);
	redirect(cluster->alive_fd, open_log(report_fd), report_fd);
	execute(cluster, argv, report_fd);
}

int
pw_cluster_spawn(struct pw_cluster *cluster, const char *const *argv, struct pw_err *err)
{
	int ends[2], result;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return pw_err_errno(err, "private PostgreSQL");
	pid = fork();
	if (pid == 0) {
		/* Away from our terminal and from whoever ends our session. */
		if (setsid() < 0)
			child_fails(ends[1], "setsid");
		pid = fork();
		if (pid < 0)
			child_fails(ends[1], "fork");
		if (pid == 0)
			be_server(cluster, argv, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return pw_err_errno(err, "fork");
	}
	waitpid(pid, NULL, 0);
	result = read_report(cluster, ends[0], err);
	close(ends[0]);
	return result;
}

int
pw_cluster_remove(struct pw_cluster *cluster, const char *name, struct pw_err *err)
{
	struct pw_err why;
	int ends[2], result;
	pid_t pid;

	if (faccessat(cluster->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return pw_err_errno(err, "private PostgreSQL");
	pid = fork();
	if (pid == 0) {
		become(cluster, ends[1]);
		if (pw_rmtree(AT_FDCWD, name, &why) < 0) {
			errno = why.os_errno;
			child_fails(ends[1], "removing what was left half-made");
		}
		_exit(0);
	}
	close(ends[1]);
	result = pid < 0 ? pw_err_errno(err, "fork") : read_report(cluster, ends[0], err);
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return result;
}
