/* SPDX-License-Identifier: MIT */
/* What a task may call, without a zygote: the ending, late callers, callers in a forked process, and the reaper's remains. */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "zygote/api.h"
#include "zygote/reap.h"

/* A task child keeps what it has until its _exit: no leak there, but one here. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct pw_api api;
static struct pw_frame_stream in;
static int far_end;

static void
begin(void)
{
	static const struct pw_msg_go go = { .id = "i", .name = "m.t", .args = "[]", .kwargs = "{}", .directory = "/" };
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		bail("socketpair");
	far_end = sockets[1];
	pw_frame_stream_init(&in, PW_GO_FRAME_MAX);
	pw_api_init(&api, sockets[0], &in, &go);
}

/* The type of the next frame that the worker would see, 0 if there is none. */
static unsigned
next_type(void)
{
	unsigned char header[PW_FRAME_HEADER];
	char rest[256];
	ssize_t n = recv(far_end, header, sizeof(header), MSG_DONTWAIT);

	if (n != (ssize_t)sizeof(header))
		return 0;
	if (header[0] && recv(far_end, rest, header[0], MSG_DONTWAIT) != header[0])
		bail("half a frame");
	return header[4];
}

static void
test_end(void)
{
	pulp_end end;
	int fds[2], saved = dup(2);
	char text[256];
	ssize_t n;

	begin();
	ok(pulp_progress(&api.context, "a", "A", 1, 5) == 0 && pulp_progress(&api.context, "a", "A", 2, 5) == 0, "two reports at once");
	is_int(next_type(), PW_MSG_PROGRESS, "the first is sent");
	is_int(next_type(), 0, "the second waits");
	end = pulp_done(&api.context);
	is_int(next_type(), 0, "an ending is not told before it is returned");
	is_int(pw_api_end(&api, end), 0, "it is returned");
	is_int(next_type(), PW_MSG_PROGRESS, "the report that waited comes first");
	is_int(next_type(), PW_MSG_RESULT, "then the ending");
	if (pipe(fds) < 0 || dup2(fds[1], 2) < 0)
		bail("pipe");
	pulp_log(&api.context, PULP_INFO, "late");
	end = pulp_result(&api.context, "1");
	dup2(saved, 2);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	is_str(text, "pulp: pulp_log was called after the task had ended\npulp: pulp_result was called after the task had ended\n", "late callers are reported");
	is_int(next_type(), 0, "and send nothing");
	ok(pulp_progress(&api.context, "a", "A", 1, 1) == -1 && pulp_should_stop(&api.context) == 1 && !end.said, "nor do anything");
	close(far_end);
	close(api.channel);
}

static void
test_lost(void)
{
	pulp_end end;

	begin();
	close(far_end);
	end = pulp_result(&api.context, "1");
	ok(pw_api_end(&api, end) != 0, "an ending that cannot be told is not a success");
	close(api.channel);
}

static void
test_forked(void)
{
	int status;
	pid_t pid;

	begin();
	pid = fork();
	if (pid == 0) {
		bool nothing = pulp_progress(&api.context, "a", "A", 1, 1) == -1 && pulp_request(&api.context, "x", "{}", NULL) == -1 &&
			       !pulp_done(&api.context).said;

		pulp_log(&api.context, PULP_INFO, "no");
		_exit(nothing ? pw_api_end(&api, pulp_done(&api.context)) : 9);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked process may call, for nothing");
	is_int(next_type(), 0, "and sends nothing");
	close(far_end);
	close(api.channel);
}

static void
test_cancel(void)
{
	begin();
	is_int(pulp_should_stop(&api.context), 0, "not yet");
	ok(pw_api_catch_cancel(NULL) == 0, "the handler");
	raise(SIGUSR1);
	is_int(pulp_should_stop(&api.context), 1, "asked to stop");
	close(far_end);
	close(api.channel);
}

/* --- the reaper --- */

static struct pw_reap_task told[4];
static int told_count;

static void
tell(void *arg, const struct pw_reap_task *task)
{
	(void)arg;
	told[told_count++] = *task;
}

static void
wait_for_child(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigwait(&set, &signal);
}

static void
test_reap(void)
{
	static const char id[] = "00000000-0000-7000-8000-000000000001";
	struct pw_reap reap;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pw_reap_init(&reap);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			for (;;)
				pause();
		_exit(3);
	}
	pw_reap_add(&reap, id, pid);
	ok(pw_reap_find(&reap, id) != NULL, "a task is known while it lives");
	while (told_count == 0) {
		wait_for_child();
		pw_reap_turn(&reap, tell, NULL);
	}
	ok(told[0].pid == pid && WIFEXITED(told[0].status) && WEXITSTATUS(told[0].status) == 3, "its end is told with its status");
	is_int(told[0].remains, 1, "and what it left");
	ok(waitpid(-1, NULL, WNOHANG) < 0, "after which no child is there");
	ok(pw_reap_find(&reap, id) == NULL && reap.task_count == 0 && reap.remain_count == 0, "and it is forgotten");
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			for (;;)
				pause();
	pw_reap_kill_all(&reap);
	ok(waitpid(-1, NULL, WNOHANG) < 0, "all are killed");
	pw_children_done(&reap.children);
	free(reap.tasks);
	free(reap.remains);
}

int
main(void)
{
	test_end();
	test_lost();
	test_forked();
	test_cancel();
	test_reap();
	return tap_done();
}
