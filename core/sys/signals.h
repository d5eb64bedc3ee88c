/* SPDX-License-Identifier: MIT */
/* Signals as events of the loop, by one signalfd. Only for programs: the client library never touches its host's signals. */
#ifndef PW_SYS_SIGNALS_H
#define PW_SYS_SIGNALS_H

#include <signal.h>

#include "sys/loop.h"

struct pw_signals;
struct signalfd_siginfo;

/* Called from the loop. */
typedef void pw_signal_fn(void *arg, const struct signalfd_siginfo *info);

int pw_signals_new(struct pw_loop *loop, struct pw_signals **ret_signals, struct pw_err *err) PW_MUSTCHECK;
/* Blocks the signal and has FN called for it; a second call for one signal replaces the first. */
int pw_signals_watch(struct pw_signals *signals, int signal, pw_signal_fn *fn, void *arg, struct pw_err *err) PW_MUSTCHECK;
/* Puts the signal mask back as it was. NULL is fine. Returns NULL. */
struct pw_signals *pw_signals_free(struct pw_signals *signals);

/* Blocks everything. OLD (may be NULL) gets the mask as it was. */
void pw_signals_block_all(sigset_t *old);
/* Every handler, the ignored ones included, back to the default. Leaves the mask alone. Async-signal-safe. */
void pw_signals_default_all(void);
/* For a forked child: default handlers, then an empty mask. Async-signal-safe. */
void pw_signals_reset(void);

#endif
