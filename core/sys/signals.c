/* SPDX-License-Identifier: MIT */
/*
 * Signals as events. Runs in the supervisor; the reset functions run in forked
 * children too. The watched signals stay blocked while the object lives, so
 * none is ever lost between two turns, and none interrupts anything.
 */
#include "sys/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct pw_signals {
	struct pw_watch *watch;
	int fd;
	sigset_t set, old;
	struct {
		pw_signal_fn *fn;
		void *arg;
	} to[NSIG];
};

static void
on_readable(void *arg, uint32_t events PW_UNUSED)
{
	struct pw_signals *signals = arg;
	struct signalfd_siginfo info;

	/* One a call: the callback may free SIGNALS; epoll calls again while there are more. */
	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo < NSIG && signals->to[info.ssi_signo].fn)
		signals->to[info.ssi_signo].fn(signals->to[info.ssi_signo].arg, &info);
}

int
pw_signals_new(struct pw_loop *loop, struct pw_signals **ret_signals, struct pw_err *err)
{
	struct pw_signals *signals = calloc(1, sizeof(*signals));

	if (!signals)
		return pw_err_nomem(err);
	sigemptyset(&signals->set);
	sigprocmask(SIG_BLOCK, NULL, &signals->old);
	signals->fd = signalfd(-1, &signals->set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0) {
		free(signals);
		return pw_err_errno(err, "signalfd");
	}
	if (pw_watch_new(loop, "signals", signals->fd, EPOLLIN, on_readable, signals, &signals->watch, err) < 0) {
		close(signals->fd);
		free(signals);
		return -1;
	}
	*ret_signals = signals;
	return 0;
}

int
pw_signals_watch(struct pw_signals *signals, int signal, pw_signal_fn *fn, void *arg,
		 struct pw_err *err)
{
	if (signal <= 0 || signal >= NSIG || sigaddset(&signals->set, signal) < 0)
		return pw_err_set(err, PW_ERR_INPUT, "signal %d cannot be watched", signal);
	if (sigprocmask(SIG_BLOCK, &signals->set, NULL) < 0)
		return pw_err_errno(err, "sigprocmask");
	if (signalfd(signals->fd, &signals->set, 0) < 0)
		return pw_err_errno(err, "signalfd");
	signals->to[signal].fn = fn;
	signals->to[signal].arg = arg;
	return 0;
}

struct pw_signals *
pw_signals_free(struct pw_signals *signals)
{
	if (!signals)
		return NULL;
	pw_watch_free(signals->watch);
	close(signals->fd);
	sigprocmask(SIG_SETMASK, &signals->old, NULL);
	free(signals);
	return NULL;
}

void
pw_signals_block_all(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, old);
}

void
pw_signals_default_all(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &action, NULL); /* fails for KILL, STOP and those of the C library: no matter */
}

void
pw_signals_reset(void)
{
	sigset_t none;

	pw_signals_default_all();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
