/* SPDX-License-Identifier: MIT */
/* Linux mechanics: removal of trees, children, environments, descriptors in packets, words to the service manager. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/tap.h"
#include "sys/children.h"
#include "sys/environ.h"
#include "sys/fdpass.h"
#include "sys/oom.h"
#include "sys/pidfd.h"
#include "sys/rmtree.h"
#include "sys/sdnotify.h"

static char home[] = "/tmp/pulp-test-sys-XXXXXX";

/* --- rm -rf --- */

static void
make(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0)
		bail("mkdir %s", path);
}

static void
make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0);

	if (fd < 0)
		bail("open %s", path);
	close(fd);
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
make_deep(int depth)
{
	make("tree/deep", 0700);
	if (chdir("tree/deep") < 0)
		bail("chdir");
	for (int i = 0; i < depth; i++) {
		make("a-rather-long-name-so-that-the-path-is-longer-than-any-limit", 0700);
		make_file("f");
		if (chdir("a-rather-long-name-so-that-the-path-is-longer-than-any-limit") < 0)
			bail("chdir");
	}
	if (symlink(home, "home") < 0 || chdir(home) < 0)
		bail("symlink");
}

static void
test_rmtree(void)
{
	struct pw_rmtree *rm;
	struct pw_err err;
	int more, steps = 0;

	ok(pw_rmtree(AT_FDCWD, "absent", &err) == 0, "what is not there is gone");
	make_file("file");
	ok(pw_rmtree(AT_FDCWD, "file", &err) == 0 && !exists("file"), "a file is removed");
	make("outside", 0700);
	make_file("outside/precious");
	make("tree", 0700);
	make("tree/closed", 0700);
	make("tree/closed/inner", 0700);
	make_file("tree/closed/inner/file");
	make("tree/.pw-rm-0", 0700); /* a name that the removal would choose */
	make_file("tree/.pw-rm-0/file");
	if (symlink("../outside", "tree/link") < 0 || symlink("../../outside", "tree/closed/link") < 0 ||
	    symlink("nowhere", "tree/dangling") < 0 || mkfifo("tree/fifo", 0) < 0 || chmod("tree/closed/inner", 0) < 0 ||
	    chmod("tree/closed", 0) < 0 || symlink("outside", "link") < 0)
		bail("symlink");
	make_deep(300);
	ok(pw_rmtree_new(AT_FDCWD, "tree", &rm, &err) == 0 && rm, "a tree is not gone at once");
	while ((more = pw_rmtree_step(rm, 10, &err)) > 0)
		steps++;
	ok(more == 0 && steps > 50, "it goes in %d pieces", steps);
	pw_rmtree_free(rm);
	ok(!exists("tree"), "a deep tree with unreadable folders is gone");
	ok(exists("outside/precious"), "what links point to stays");
	ok(pw_rmtree(AT_FDCWD, "link", &err) == 0 && !exists("link") && exists("outside/precious"),
	   "a link itself is removed, not followed");
	make("half", 0700);
	make("half/way", 0700);
	make_file("half/way/file");
	if (pw_rmtree_new(AT_FDCWD, "half", &rm, &err) < 0 || pw_rmtree_step(rm, 1, &err) < 0)
		bail("half");
	pw_rmtree_free(rm);
	ok(pw_rmtree(AT_FDCWD, "half", &err) == 0 && !exists("half"), "what was left half done is finished");
	ok(pw_rmtree(AT_FDCWD, "outside", &err) == 0, "a plain tree is removed");
}

/* As an ordinary user a folder of somebody else's stays; as root only an immutable one or a mount would. */
static void
test_rmtree_failure(void)
{
	pid_t pid;
	int status;

	if (geteuid() != 0) {
		skip("only root can make what an ordinary user cannot remove", "what cannot be removed is named");
		return;
	}
	make("mixed", 0777);
	make("mixed/mine", 0700);
	make_file("mixed/mine/file");
	make("mixed/free", 0777);
	make_file("mixed/free/file");
	if (chmod("mixed", 0777) < 0 || chmod("mixed/free", 0777) < 0 || chown("mixed", 65534, 65534) < 0 || chown("mixed/free", 65534, 65534) < 0 || chmod(home, 0777) < 0)
		bail("chmod");
	pid = fork();
	if (pid == 0) {
		struct pw_err err;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(9);
		if (pw_rmtree(AT_FDCWD, "mixed", &err) == 0)
			_exit(1);
		if (err.kind != PW_ERR_OS || !strstr(err.text, "mine"))
			_exit(2);
		_exit(exists("mixed/free") ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	is_int(WEXITSTATUS(status), 0, "what cannot be removed is named, the rest is gone");
	ok(exists("mixed/mine/file"), "and it is still there");
	ok(pw_rmtree(AT_FDCWD, "mixed", NULL) == 0, "root removes it");
}

/* --- processes --- */

static pid_t
child_with(const char *variable)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe2(fds, O_CLOEXEC) < 0)
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		char *argv[] = { (char *)"cat", NULL }, *envp[] = { (char *)"A=1", (char *)(uintptr_t)variable, (char *)"Z=26", NULL };
		int hold[2];

		if (pipe(hold) < 0 || dup2(hold[0], 0) < 0) /* it waits for a writer that is itself */
			_exit(1);
		execve("/bin/cat", argv, envp);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) != 0) /* closed by the exec */
		bail("read");
	close(fds[0]);
	return pid;
}

static bool
has_mark(void *arg, pid_t pid)
{
	char value[64];

	return pw_environ_of_pid(pid, "MARK", value, sizeof(value)) && strcmp(value, arg) == 0;
}

static int killed_pid;

static void
note_killed(void *arg, pid_t pid)
{
	(void)arg;
	killed_pid = (int)pid;
}

static bool
have_pidfds(void)
{
	int fd = pw_pidfd_open(getpid(), NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
test_processes(void)
{
	char mark[64], value[8];
	struct pw_children children;
	pid_t pid;
	int pidfd, status;

	if (!have_pidfds()) {
		skip("no process descriptors here (valgrind knows none)", "processes that were left behind");
		return;
	}
	snprintf(mark, sizeof(mark), "MARK=test-%d", (int)getpid());
	pid = child_with(mark);
	for (int by_proc = 0; by_proc < 2; by_proc++) {
		pw_children_init(&children);
		if (by_proc) {
			close(children.fd);
			children.fd = -1;
		}
		ok(pw_children_list(&children, NULL) == 0 && children.count == 1 && children.pids[0] == pid, "the one child is listed%s",
		   by_proc ? ", without the kernel's list too" : "");
		pw_children_done(&children);
	}
	ok(pw_environ_of_pid(pid, "A", value, sizeof(value)) && strcmp(value, "1") == 0, "the first variable");
	ok(pw_environ_of_pid(pid, "Z", value, sizeof(value)) && strcmp(value, "26") == 0, "the last variable");
	ok(pw_environ_of_pid(pid, "MARK", value, sizeof(value)) && strcmp(value, "test-") > 0 && strlen(value) == 7, "a value is cut to its room");
	ok(!pw_environ_of_pid(pid, "MAR", value, sizeof(value)) && !pw_environ_of_pid(pid, "ARK", value, sizeof(value)), "names match whole");
	is_int(pw_processes_kill(has_mark, note_killed, mark + 5, pw_now_ns() + 10 * PW_SEC), 1, "the marked process is killed");
	is_int(killed_pid, pid, "and told");
	ok(waitpid(pid, &status, WNOHANG) < 0 && errno == ECHILD, "and reaped");

	pid = child_with("NO=1");
	pidfd = pw_pidfd_open(pid, NULL);
	ok(pidfd >= 0 && !pw_pidfd_wait(pidfd, pw_now_ns()), "a live process is not waited for longer than allowed");
	ok(pw_pidfd_reap(pidfd, &status) == 0, "nor reaped");
	ok(pw_pidfd_signal(pidfd, SIGKILL) == 0 && pw_pidfd_wait(pidfd, pw_now_ns() + 10 * PW_SEC) == 1, "it is killed");
	ok(pw_pidfd_reap(pidfd, &status) == 1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "and how it died is known");
	ok(pw_pidfd_signal(pidfd, SIGKILL) == 0, "a signal to what is dead is no error");
	close(pidfd);
}

static void
test_allowed(void)
{
	static const char *const yes[] = { "PATH=/bin", "LC_ALL=C", "TZ=UTC", "https_proxy=x", "SSL_CERT_DIR=/x" };
	static const char *const no[] = { "PGPASSWORD=x", "PULP_DATABASE=x", "LD_PRELOAD=x", "PATHS=x", "NOTIFY_SOCKET=x", "=" };
	int wrong = 0;

	for (size_t i = 0; i < PW_COUNT(yes); i++)
		wrong += !pw_environ_allowed(yes[i]);
	for (size_t i = 0; i < PW_COUNT(no); i++)
		wrong += pw_environ_allowed(no[i]);
	is_int(wrong, 0, "what may go on to plugin code");
}

/* --- packets --- */

static void
test_fdpass(void)
{
	int sockets[2], fds[PW_FDPASS_MAX], count, pipe_fds[2];
	char data[16];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
	    pipe2(pipe_fds, O_CLOEXEC) < 0)
		bail("socketpair");
	ok(pw_fdpass_send(sockets[0], "hello", 5, pipe_fds, 2, 0) == 0, "a packet with two descriptors goes");
	is_int(pw_fdpass_receive(sockets[1], data, sizeof(data), fds, &count, 0), 5, "and arrives");
	ok(count == 2 && fds[2] == -1 && (fcntl(fds[0], F_GETFD) & FD_CLOEXEC), "with both, close on exec");
	ok(write(fds[1], "x", 1) == 1 && read(pipe_fds[0], data, 1) == 1, "which are the same pipe");
	close(fds[0]);
	close(fds[1]);
	if (pw_fdpass_send(sockets[0], "0123456789abcdefXYZ", 19, pipe_fds, 1, 0) < 0)
		bail("send");
	ok(pw_fdpass_receive(sockets[1], data, sizeof(data), fds, &count, 0) < 0 &&
		   errno == EMSGSIZE && count == 0,
	   "a packet that is too long is refused");
	ok(pw_fdpass_receive(sockets[1], data, sizeof(data), fds, &count, MSG_DONTWAIT) < 0 && errno == EAGAIN, "nothing there: EAGAIN");
	close(sockets[0]);
	is_int(pw_fdpass_receive(sockets[1], data, sizeof(data), fds, &count, 0), 0, "the end");
	close(sockets[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* --- the service manager --- */

static void
test_sdnotify(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[64], data[256], pid[16];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	unsetenv("NOTIFY_SOCKET");
	is_int(pw_sdnotify_ready(), 0, "nobody listens: nothing is sent");
	setenv("NOTIFY_SOCKET", "relative", 1);
	is_int(pw_sdnotify_ready(), -1, "a relative socket is refused");
	snprintf(name, sizeof(name), "@pulp-test-%d", (int)getpid());
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) < 0)
		bail("bind");
	setenv("NOTIFY_SOCKET", name, 1);
	is_int(pw_sdnotify_ready(), 1, "READY is sent to an abstract socket");
	n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
	data[n < 0 ? 0 : n] = '\0';
	is_str(data, "READY=1", "and arrives");
	pw_sdnotify_status("%d of %d", 3, 4);
	n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
	data[n < 0 ? 0 : n] = '\0';
	is_str(data, "STATUS=3 of 4", "a status too");
	pw_sdnotify_reloading();
	n = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
	ok(n > 0 && strncmp(data, "RELOADING=1\nMONOTONIC_USEC=", 27) == 0, "a reload says when");
	close(fd);
	is_int(pw_sdnotify_stopping(), -1, "a manager that has gone is an error, not a crash");
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "3000000", 1);
	unsetenv("WATCHDOG_PID");
	is_int(pw_sdnotify_watchdog_interval_ns(), 1500 * PW_MS, "the watchdog is fed twice as often");
	snprintf(pid, sizeof(pid), "%d", (int)getpid() + 1);
	setenv("WATCHDOG_PID", pid, 1);
	is_int(pw_sdnotify_watchdog_interval_ns(), 0, "if it is ours");
	setenv("WATCHDOG_USEC", "soon", 1);
	unsetenv("WATCHDOG_PID");
	is_int(pw_sdnotify_watchdog_interval_ns(), 0, "nonsense is none");
}

/* --- lack of memory --- */

static void
put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		bail("%s", path);
}

static void
test_oom(void)
{
	static const char nested[] = "12:cpu,memory:/a/b\n0::/u\n";

	make("cg", 0700);
	make("cg/u", 0700);
	make("cg/memory", 0700);
	make("cg/memory/a", 0700);
	make("cg/memory/a/b", 0700);
	is_int(pw_oom_kills_of("0::/u\n", "cg"), -1, "a group that does not say");
	put("cg/u/memory.events.local", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n");
	put("cg/memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
	is_int(pw_oom_kills_of("0::/u\n", "cg"), 2, "version 2");
	is_int(pw_oom_kills_of(nested, "cg"), 7, "version 1, several controllers in one");
	is_int(pw_oom_kills_of("3:memoryless:/a/b\n4:cpu:/a/b\n", "cg"), -1, "another controller");
	is_int(pw_oom_kills_of("3:memory:/gone\n0::/u", "cg"), 2, "where version 1 does not say, version 2 may");
	put("cg/u/memory.events.local", "oom_kill 9");
	is_int(pw_oom_kills_of("0::/u", "cg"), 9, "without a line end");
	is_int(pw_oom_kills_of("", "cg") + pw_oom_kills_of("x\n:\n1:\n", "cg"), -2, "nonsense");
	ok(pw_oom_kills() >= -1, "of this machine");
	ok(unlink("cg/u/memory.events.local") == 0 && unlink("cg/memory/a/b/memory.oom_control") == 0 && rmdir("cg/memory/a/b") == 0 &&
		   rmdir("cg/memory/a") == 0 && rmdir("cg/memory") == 0 && rmdir("cg/u") == 0 && rmdir("cg") == 0,
	   "and gone");
}

int
main(void)
{
	if (!mkdtemp(home) || chdir(home) < 0)
		bail("mkdtemp");
	test_rmtree();
	test_rmtree_failure();
	test_processes();
	test_allowed();
	test_fdpass();
	test_sdnotify();
	test_oom();
	ok(chdir("/") == 0 && rmdir(home) == 0, "nothing is left");
	return tap_done();
}
