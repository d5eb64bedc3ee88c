/* SPDX-License-Identifier: MIT */
/*
 * The fork server. It maps its one plugin, says HELLO, and forks a child for
 * each SPAWN; it is the parent and only reaper of its children and tells each
 * ending with EXITED, after everything that the task left has been killed.
 *
 * From HELLO on all signals are blocked here, SIGCHLD comes by signalfd, and no
 * plugin code runs. It ends when its channel closes, with all its children and
 * what they have forked; should it be killed the children die by their PDEATHSIG.
 *
 * The deadlines of tasks are the worker's. Only the lease is kept here too: a worker
 * that stands still for longer than its ttl loses its tasks to others, so
 * they are killed here, without it.
 */
#include "zygote/zygote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <pulp/plugin.h>

#include "base/clock.h"
#include "plugin/meta.h"
#include "proto/message.h"
#include "sys/fdpass.h"
#include "sys/pidfd.h"
#include "sys/signals.h"
#include "zygote/child.h"
#include "zygote/load.h"
#include "zygote/reap.h"

struct zygote {
	const struct pw_zygote_config *config;
	struct pw_loaded plugin;
	struct pw_reap reap;
	struct pw_buf out; /* the packet that is being sent */
	char *id_env;	   /* the 36 characters of PULP_TASK_ID in our environment, as /proc shows it */
	pid_t pid;
	int sigchld;
	int64_t lease; /* when the tasks must be gone */
	bool draining, closed;
};

/* A worker that reads no more is gone, or about to kill us: either way there is nobody to tell. */
static void
say(struct zygote *z, enum pw_message type, const void *message, const int *fds, int fd_count)
{
	pw_buf_clear(&z->out);
	if (pw_message_put(&z->out, type, message) < 0)
		abort();
	if (pw_fdpass_send(z->config->control, z->out.data, z->out.len, fds, fd_count, 0) < 0)
		z->closed = true;
}

static int64_t
usec(struct timeval tv)
{
	return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

static void
tell_exited(void *arg, const struct pw_reap_task *task)
{
	const struct rusage *usage = &task->usage;
	struct pw_msg_exited exited = {
		.id = task->id, .status = (uint32_t)task->status, .remains = (uint32_t)task->remains,
		.utime = usec(usage->ru_utime), .stime = usec(usage->ru_stime), .maxrss = usage->ru_maxrss,
		.minflt = usage->ru_minflt, .majflt = usage->ru_majflt, .inblock = usage->ru_inblock,
		.oublock = usage->ru_oublock, .nvcsw = usage->ru_nvcsw, .nivcsw = usage->ru_nivcsw,
	};

	say(arg, PW_MSG_EXITED, &exited, NULL, 0);
}

/* --- what the worker asks for --- */

static void
spawn_failed(struct zygote *z, const char *id, int os_errno, const char *text)
{
	struct pw_msg_spawn_failed failed = { .id = id, .os_errno = (uint32_t)os_errno, .text = text };

	say(z, PW_MSG_SPAWN_FAILED, &failed, NULL, 0);
}

static void
spawn(struct zygote *z, const struct pw_msg_spawn *msg, const int *fds)
{
	struct pw_msg_spawned spawned = { .id = msg->id };
	pw_auto_close int pidfd = -1;
	pid_t pid = fork();

	if (pid == 0)
		pw_child_main(&(struct pw_child_start){ .spawn = msg,
							.plugin = &z->plugin,
							.id_env = z->id_env,
							.zygote = z->pid,
							.channel = fds[0],
							.output = fds[1],
							.directory = fds[2] });
	if (pid < 0) {
		spawn_failed(z, msg->id, errno, "fork");
		return;
	}
	pidfd = pw_pidfd_open(pid, NULL);
	if (pidfd < 0) {
		/* Killed and, as it is in no table, reaped without a word. */
		spawn_failed(z, msg->id, errno, "pidfd_open");
		kill(pid, SIGKILL);
		return;
	}
	pw_reap_add(&z->reap, msg->id, pid);
	spawned.pid = pid;
	say(z, PW_MSG_SPAWNED, &spawned, &pidfd, 1);
}

static void
on_spawn(struct zygote *z, struct pw_frame *frame, const int *fds, int fd_count)
{
	struct pw_msg_spawn msg;

	if (pw_message_get(frame, PW_MSG_SPAWN, &msg, NULL) < 0 || strlen(msg.id) != 36)
		z->closed = true;
	else if (fd_count != 3)
		spawn_failed(z, msg.id, 0, "the descriptors did not arrive");
	else if (z->draining)
		spawn_failed(z, msg.id, 0, "the plugin host is ending");
	else if (pw_now_ns() >= z->lease)
		spawn_failed(z, msg.id, 0, "the worker stood still for longer than its ttl");
	else
		spawn(z, &msg, fds);
}

/* Only to a child that has not been reaped: its number is then still its own, and that of its group. */
static void
on_signal(struct zygote *z, struct pw_frame *frame)
{
	struct pw_msg_signal msg;
	struct pw_reap_task *task;

	if (pw_message_get(frame, PW_MSG_SIGNAL, &msg, NULL) < 0) {
		z->closed = true;
		return;
	}
	task = pw_reap_find(&z->reap, msg.id);
	if (!task)
		return;
	/* Before its setsid it has no group yet. */
	if (msg.scope == PW_SCOPE_CHILD || kill(-task->pid, (int)msg.signal) < 0 ||
	    msg.scope == PW_SCOPE_ALL)
		kill(task->pid, (int)msg.signal);
}

static void
on_lease(struct zygote *z, struct pw_frame *frame)
{
	struct pw_msg_lease msg;

	if (pw_message_get(frame, PW_MSG_LEASE, &msg, NULL) < 0)
		z->closed = true;
	else
		z->lease = msg.until;
}

static void
on_control(struct zygote *z)
{
	static char packet[PW_PACKET_MAX];
	int fds[PW_FDPASS_MAX], fd_count;
	struct pw_frame frame;
	ssize_t n = pw_fdpass_receive(z->config->control, packet, sizeof(packet), fds, &fd_count,
				      MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || pw_frame_of_packet(packet, (size_t)n, &frame, NULL) < 0) {
		z->closed = true;
		return;
	}
	if (frame.type == PW_MSG_SPAWN)
		on_spawn(z, &frame, fds, fd_count);
	else if (frame.type == PW_MSG_SIGNAL)
		on_signal(z, &frame);
	else if (frame.type == PW_MSG_DRAIN)
		z->draining = true;
	else if (frame.type == PW_MSG_LEASE)
		on_lease(z, &frame);
	else
		z->closed = true;
	for (int i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* --- the life of the process --- */

static void
serve(struct zygote *z)
{
	struct pollfd fds[2] = { { .fd = z->config->control, .events = POLLIN }, { .fd = z->sigchld, .events = POLLIN } };

	while (!z->closed && !(z->draining && z->reap.task_count == 0)) {
		struct signalfd_siginfo info;
		bool over = pw_now_ns() >= z->lease;

		if (over)
			pw_reap_kill_tasks(&z->reap);
		if (poll(fds, 2, over ? -1 : pw_ms_until(z->lease)) < 0 && errno != EINTR)
			break;
		if (fds[1].revents && read(z->sigchld, &info, sizeof(info)) > 0)
			pw_reap_turn(&z->reap, tell_exited, z);
		if (fds[0].revents)
			on_control(z);
	}
}

static int
prepare(struct zygote *z, struct pw_err *err)
{
	static const struct rlimit no_core = { 0, 0 };
	sigset_t sigchld;

	pw_signals_reset(); /* a constructor that raises something must die of it */
	z->pid = getpid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return pw_err_errno(err, "prctl");
	if (getppid() != z->config->parent)
		return pw_err_set(err, PW_ERR_OS, "the worker is gone");
	z->id_env = getenv("PULP_TASK_ID");
	if (!z->id_env || strlen(z->id_env) != 36)
		return pw_err_set(err, PW_ERR_INPUT, "PULP_TASK_ID is not 36 characters wide");
	setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	z->sigchld = signalfd(-1, &sigchld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (z->sigchld < 0)
		return pw_err_errno(err, "signalfd");
	return 0;
}

/* What the plugin's constructors may have done to us is put right, so that each child starts from a clean state. */
static void
settle_after_load(void)
{
	prctl(PR_SET_PDEATHSIG, SIGCONT); /* now the end of the channel is seen, and should we have been stopped, after this */
	fflush(NULL); /* else each child would flush it once more */
	pw_signals_default_all();
	pw_signals_block_all(NULL);
}

int
pw_zygote_run(const struct pw_zygote_config *config)
{
	struct zygote z = { .config = config, .lease = PW_NEVER };
	struct pw_msg_hello hello = { .abi_major = PULP_ABI_MAJOR, .abi_minor = PULP_ABI_MINOR };
	struct pw_err err;

	pw_reap_init(&z.reap);
	if (prepare(&z, &err) < 0 ||
	    pw_load_plugin(config->plugin, config->module, config->digest, &z.plugin, &err) < 0) {
		say(&z, PW_MSG_HELLO_FAILED, &(struct pw_msg_hello_failed){ .text = err.text },
		    NULL, 0);
		pw_reap_kill_all(&z.reap); /* what its constructors have started */
		return EX_CONFIG;
	}
	settle_after_load();
	hello.module = z.plugin.meta->module;
	hello.version = z.plugin.meta->version;
	hello.tasks = (uint32_t)z.plugin.meta->task_count;
	say(&z, PW_MSG_HELLO, &hello, NULL, 0);
	serve(&z);
	pw_reap_kill_all(&z.reap);
	return 0;
}
