/* SPDX-License-Identifier: MIT */
/*
 * The trial load of pulp-plugin check and install, both sides of it. Only a
 * dlopen shows missing libraries and constructors that crash, exit, hang or
 * start threads, so it is made once, in a child that is thrown away: this
 * program again, with the hidden verb "trial", in a session of its own, with
 * nothing to read, its output caught, a deadline, and its report on descriptor 3.
 *
 * The report is a row of texts, each ended by a NUL: "S" when the file is
 * loaded, "P<problem>" for each problem, "D" at the end. A plugin could forge
 * it: the trial finds mistakes; it is no defence against the plugin's author.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cmd/pulp_plugin.h"
#include "plugin/loaded.h"

#define REPORT_FD 3
#define TRIAL_VARIABLE "PULP_PLUGIN_TRIAL"
#define OUTPUT_MAX ((size_t)64 << 10)
#define REPORT_MAX ((size_t)256 << 10)
#define REMAINS_TIME (5 * PW_SEC)

extern char **environ;

struct trial {
	pid_t pid;
	int pidfd, output, report; /* what it prints, and its report */
	struct pw_buf report_text;
	bool timed_out;
	int status;    /* as waitpid gives it */
	size_t remains; /* processes it left behind */
};

/* The child's side. */

static void
report(char kind, const char *text)
{
	pw_auto_buf line = PW_BUF_INIT;
	struct pw_err err;

	if (pw_buf_addc(&line, kind) < 0 || pw_buf_adds(&line, text) < 0 ||
	    pw_fd_write_all(REPORT_FD, line.data, line.len + 1, &err) < 0)
		_exit(EX_OSERR);
}

/* The problem without the file's name, which the parent knows better. */
static void
report_problem(const char *path, const char *text)
{
	size_t len = strlen(path);
	bool prefixed = strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0;

	report('P', prefixed ? text + len + 2 : text);
}

static size_t
count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	size_t count = 0;

	for (struct dirent *entry; tasks && (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return count;
}

static void
check_tasks(void *handle, const struct pw_plugin_meta *meta)
{
	struct pw_err err;

	if (pw_plugin_check_loaded(handle, meta, &err) < 0)
		report_problem(meta->path, err.text);
	for (size_t i = 0; i < meta->task_count; i++)
		if (!pw_plugin_task_symbol(handle, meta, &meta->tasks[i], &err))
			report_problem(meta->path, err.text);
	for (size_t i = 0; i < meta->resource_count; i++)
		if (!pw_plugin_task_symbol(handle, meta, &meta->resources[i], &err))
			report_problem(meta->path, err.text);
}

int
pulp_plugin_trial(int argc, char **argv)
{
	struct pw_plugin_meta *meta = NULL;
	struct pw_err err;
	void *handle;

	(void)argc;
	if (!getenv(TRIAL_VARIABLE)) {
		fprintf(stderr, "pulp-plugin trial is a part of pulp-plugin check, and not for people\n");
		return EX_USAGE;
	}
	handle = pw_plugin_open(argv[0], &err);
	if (!handle) {
		report_problem(argv[0], err.text);
	} else {
		report('S', "");
		if (count_threads() > 1)
			report('P', "it starts a thread while it is loaded: a worker cannot fork from there");
		/* Where the notes are bad this says nothing new. */
		if (pw_plugin_meta_read(argv[0], &meta, &err) == 0)
			check_tasks(handle, meta);
	}
	report('D', "");
	fflush(NULL);
	_exit(EX_OK);
}

/* The parent's side. */

/* What a plugin has no business to see: databases, keys, the service manager. */
static void
clean_environment(void)
{
	for (char **entry = environ; *entry;) {
		size_t len = strcspn(*entry, "=");
		pw_auto_free char *name = strndup(*entry, len);

		if (name && (strncmp(name, "PG", 2) == 0 || strncmp(name, "PULP_", 5) == 0 || strcmp(name, "NOTIFY_SOCKET") == 0) &&
		    unsetenv(name) == 0)
			entry = environ;
		else
			entry++;
	}
}

/* After fork. Ends in exec or _exit. */
static void PW_NORETURN
become_trial(const char *self, const char *path, int output, int report_to, pid_t parent)
{
	static const struct rlimit no_core = { 0, 0 };
	const char *argv[] = { "pulp-plugin", "trial", "--", path, NULL };
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_OSERR);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	/* Above 3 first, so that none overwrites another. */
	output = fcntl(output, F_DUPFD, 10);
	report_to = fcntl(report_to, F_DUPFD, 10);
	if (dup2(open("/dev/null", O_RDONLY), 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(report_to, REPORT_FD) < 0)
		_exit(EX_OSERR);
	syscall(SYS_close_range, 4, ~0U, 0);
	clean_environment();
	setenv(TRIAL_VARIABLE, "1", 1);
	execv(self, (char *const *)argv);
	dprintf(2, "exec %s: %s\n", self, strerror(errno));
	_exit(EX_OSERR);
}

static int
start(struct trial *trial, const char *path, struct pw_err *err)
{
	int output[2], reports[2];
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	pid_t parent = getpid();

	if (len < 0)
		return pw_err_errno(err, "/proc/self/exe");
	self[len] = '\0';
	if (pipe2(output, O_CLOEXEC) < 0)
		return pw_err_errno(err, "pipe");
	trial->output = output[0];
	if (pipe2(reports, O_CLOEXEC) < 0) {
		close(output[1]);
		return pw_err_errno(err, "pipe");
	}
	trial->report = reports[0];
	fflush(NULL);
	/* Its orphans come to us, so that they can be told and killed. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	trial->pid = fork();
	if (trial->pid == 0)
		become_trial(self, path, output[1], reports[1], parent);
	close(output[1]);
	close(reports[1]);
	if (trial->pid < 0)
		return pw_err_errno(err, "fork");
	trial->pidfd = (int)syscall(SYS_pidfd_open, trial->pid, 0);
	if (trial->pidfd < 0)
		return pw_err_errno(err, "pidfd_open");
	return pw_fd_set_nonblock(trial->output, err) < 0 ||
			       pw_fd_set_nonblock(trial->report, err) < 0 ?
		       -1 :
		       0;
}

/* Reads what is there; what is beyond MAX is dropped. Closes *FD at its end. */
static int
drain(int *fd, struct pw_buf *buf, size_t max, struct pw_err *err)
{
	char chunk[4096];

	while (*fd >= 0) {
		ssize_t n = read(*fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			return 0;
		}
		if ((size_t)n > max - buf->len)
			n = (ssize_t)(max - buf->len);
		if (n && pw_buf_add(buf, chunk, (size_t)n) < 0)
			return pw_err_nomem(err);
	}
	return 0;
}

/* Until it has ended or the time is over. Descriptors that are -1 are left out by poll. */
static int
watch(struct trial *trial, int64_t deadline_ns, struct pw_buf *output, struct pw_err *err)
{
	for (;;) {
		struct pollfd fds[] = { { trial->pidfd, POLLIN, 0 }, { trial->output, POLLIN, 0 }, { trial->report, POLLIN, 0 } };
		int left = pw_ms_until(deadline_ns);

		if (poll(fds, PW_COUNT(fds), left) < 0 && errno != EINTR)
			return pw_err_errno(err, "poll");
		if (drain(&trial->output, output, OUTPUT_MAX, err) < 0 ||
		    drain(&trial->report, &trial->report_text, REPORT_MAX, err) < 0)
			return -1;
		if (fds[0].revents)
			return 0;
		if (left == 0) {
			trial->timed_out = true;
			return 0;
		}
	}
}

/* Kills a child and waits for its end. */
static void
kill_and_reap(pid_t pid, int *status, int64_t deadline_ns)
{
	struct pollfd ended = { (int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 };

	kill(pid, SIGKILL);
	while (poll(&ended, 1, pw_ms_until(deadline_ns)) < 0 && errno == EINTR)
		;
	waitpid(pid, status, WNOHANG | __WALL);
	if (ended.fd >= 0)
		close(ended.fd);
}

/* Every child there is. Returns how many there were: the orphans of these become children in turn. */
static size_t
kill_remains(int64_t deadline_ns)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	size_t count = 0;
	int pid, status;

	for (; children && fscanf(children, "%d", &pid) == 1; count++)
		kill_and_reap(pid, &status, deadline_ns);
	if (children)
		fclose(children);
	return count;
}

static void
end(struct trial *trial)
{
	int64_t deadline_ns = pw_now_ns() + REMAINS_TIME;

	if (trial->pid <= 0)
		return;
	kill_and_reap(trial->pid, &trial->status, deadline_ns);
	for (size_t found; pw_now_ns() < deadline_ns && (found = kill_remains(deadline_ns)) > 0;)
		trial->remains += found;
}

static void
judge(const struct trial *trial, int64_t timeout_ns, struct check *check)
{
	const char *report_end = pw_buf_text(&trial->report_text) + trial->report_text.len, *when = "while it is loaded";
	bool done = false;
	char time[64];

	for (const char *p = pw_buf_text(&trial->report_text); p < report_end; p += strlen(p) + 1) {
		if (*p == 'P')
			check_add(check, "%s", p + 1);
		if (*p == 'S')
			when = "while its tasks are looked up";
		done = done || *p == 'D';
	}
	if (trial->timed_out)
		check_add(check, "it hangs %s: nothing came of it in %s", when, pw_duration_text(timeout_ns, time, sizeof(time)));
	else if (WIFSIGNALED(trial->status))
		check_add(check, "it crashes %s: signal %d (%s)", when, WTERMSIG(trial->status), strsignal(WTERMSIG(trial->status)));
	else if (!done)
		check_add(check, "it exits %s: status %d", when, WEXITSTATUS(trial->status));
	if (trial->remains)
		check_add(check, "it starts processes while it is loaded: %zu were left, and killed", trial->remains);
}

int
trial_run(const char *path, int64_t timeout_ns, struct check *check, struct pw_err *err)
{
	struct trial trial = { .pidfd = -1, .output = -1, .report = -1 };
	pw_auto_buf full = PW_BUF_INIT;
	int ret;

	/* A name without a slash would be searched for. */
	if ((!strchr(path, '/') && pw_buf_adds(&full, "./") < 0) || pw_buf_adds(&full, path) < 0)
		return pw_err_nomem(err);
	ret = start(&trial, full.data, err);
	if (ret == 0)
		ret = watch(&trial, pw_now_ns() + timeout_ns, &check->output, err);
	end(&trial);
	if (ret == 0)
		judge(&trial, timeout_ns, check);
	pw_buf_done(&trial.report_text);
	for (size_t i = 0; i < 3; i++) {
		int fd = (int[]){ trial.pidfd, trial.output, trial.report }[i];

		if (fd >= 0)
			close(fd);
	}
	return ret;
}
