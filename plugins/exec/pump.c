/* SPDX-License-Identifier: MIT */
/*
 * One poll loop over a program's end, its input and its two outputs, so that
 * none can block another. Runs in the task child.
 *
 * When the task is to stop, TERM is passed on to the program's group, once; a
 * TERM that reaches the task child itself counts as that too and does not end
 * it: the program gets all the time that the worker's ladder leaves, and KILL,
 * which nobody can catch, comes from there.
 */
#include "exec/pump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "exec/program.h"

/*
 * A signal ends poll() at once. Only one that comes between the question and
 * poll() is seen this much later.
 */
#define STOP_CHECK_MS 250
/* A pipe holds at most 1 MiB unless root made it larger: enough to empty it, an end for who writes on and on. */
#define DRAIN_LIMIT (1024 * 1024)

enum { ENDED, IN, OUT, ERR };

static volatile sig_atomic_t term_came;

static void
note_term(int sig PW_UNUSED)
{
	term_came = 1;
}

/* 1: there may be more, 0: nothing now, or the end. */
static int
take(int *fd, struct pw_capture *capture)
{
	char chunk[65536];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n > 0)
		pw_capture_add(capture, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		pw_program_close(fd);
	return n > 0;
}

static void
feed(struct pw_program *program, const struct pw_order *order, size_t *fed)
{
	ssize_t n = write(program->in, order->in + *fed, order->in_len - *fed);

	if (n > 0)
		*fed += (size_t)n;
	/* A program that does not read all of its input is not wrong: EPIPE is an end like any other. */
	if (*fed == order->in_len || (n < 0 && errno != EAGAIN && errno != EINTR))
		pw_program_close(&program->in);
}

static void
drain(int *fd, struct pw_capture *capture)
{
	uint64_t limit = capture->total + DRAIN_LIMIT;

	while (*fd >= 0 && capture->total < limit && take(fd, capture))
		;
}

static int
pump(pulp_context *ctx, const struct pw_order *order, struct pw_program *program,
     struct pw_outcome *outcome, struct pw_err *err)
{
	size_t fed = 0;

	for (;;) {
		struct pollfd fds[] = {
			[ENDED] = { program->pidfd, POLLIN, 0 },
			[IN] = { program->in, POLLOUT, 0 },
			[OUT] = { program->out, POLLIN, 0 },
			[ERR] = { program->err, POLLIN, 0 },
		};

		if (!outcome->stopped && (term_came || pulp_should_stop(ctx))) {
			outcome->stopped = true;
			pw_program_terminate(program);
		}
		if (poll(fds, PW_COUNT(fds), outcome->stopped ? -1 : STOP_CHECK_MS) < 0) {
			if (errno != EINTR)
				return pw_err_errno(err, "poll");
			continue;
		}
		if (fds[IN].revents)
			feed(program, order, &fed);
		if (fds[OUT].revents)
			take(&program->out, &outcome->out);
		if (fds[ERR].revents)
			take(&program->err, &outcome->err);
		if (fds[ENDED].revents)
			return 0;
	}
}

static int
start_and_pump(pulp_context *ctx, const struct pw_order *order, struct pw_outcome *outcome,
	       struct pw_err *err)
{
	struct pw_program program = PW_PROGRAM_INIT;
	int rc;

	if (pw_program_start(order, ctx->directory, &program, err) < 0)
		return -1;
	rc = pump(ctx, order, &program, outcome, err);
	if (rc == 0) {
		drain(&program.out, &outcome->out);
		drain(&program.err, &outcome->err);
		rc = pw_program_reap(&program, &outcome->status, err);
	}
	pw_program_done(&program);
	return rc;
}

int
pw_pump(pulp_context *ctx, const struct pw_order *order, struct pw_outcome *outcome,
	struct pw_err *err)
{
	struct sigaction on_term = { .sa_handler = note_term }, on_pipe = { .sa_handler = SIG_IGN };
	struct sigaction old_term, old_pipe;
	int rc;

	/* Before the program starts, or a TERM that comes early would end this process instead. */
	term_came = 0;
	sigaction(SIGTERM, &on_term, &old_term);
	sigaction(SIGPIPE, &on_pipe, &old_pipe);
	rc = start_and_pump(ctx, order, outcome, err);
	sigaction(SIGTERM, &old_term, NULL);
	sigaction(SIGPIPE, &old_pipe, NULL);
	return rc;
}
