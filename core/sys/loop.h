/* SPDX-License-Identifier: MIT */
/*
 * The event loop: epoll for descriptors, a heap of absolute deadlines for
 * timers, one thread. Callbacks may add and remove anything, themselves
 * included; what is removed is not called again, not even in the same turn.
 */
#ifndef PW_SYS_LOOP_H
#define PW_SYS_LOOP_H

#include <stdint.h>

#include "base/err.h"

struct pw_loop;
struct pw_watch; /* a descriptor that is watched */
struct pw_timer;

/* EVENTS: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as epoll(7) reports them. */
typedef void pw_watch_fn(void *arg, uint32_t events);
typedef void pw_timer_fn(void *arg);

int pw_loop_new(struct pw_loop **ret_loop, struct pw_err *err) PW_MUSTCHECK;
/* NULL is fine. Watches and timers still there are freed too. Returns NULL. */
struct pw_loop *pw_loop_free(struct pw_loop *loop);
/* Runs until pw_loop_stop. */
int pw_loop_run(struct pw_loop *loop, struct pw_err *err) PW_MUSTCHECK;
/* Waits for at most one batch of events, at most until the deadline; runs due timers. Returns 0. */
int pw_loop_once(struct pw_loop *loop, int64_t deadline_ns, struct pw_err *err) PW_MUSTCHECK;
void pw_loop_stop(struct pw_loop *loop);

/* The loop does not own FD. EVENTS may be 0 (only hang-up and error are reported then). NAME is a literal, for debugging. */
int pw_watch_new(struct pw_loop *loop, const char *name, int fd, uint32_t events, pw_watch_fn *fn, void *arg,
		 struct pw_watch **ret_watch, struct pw_err *err) PW_MUSTCHECK;
int pw_watch_set(struct pw_watch *watch, uint32_t events, struct pw_err *err) PW_MUSTCHECK;
/* Call it before closing the descriptor. NULL is fine. Returns NULL. */
struct pw_watch *pw_watch_free(struct pw_watch *watch);

/* A timer starts unarmed (PW_NEVER). To arm it takes no memory. */
int pw_timer_add(struct pw_loop *loop, const char *name, pw_timer_fn *fn, void *arg, struct pw_timer **ret_timer,
		 struct pw_err *err) PW_MUSTCHECK;
/* The same for programs of ours: aborts when out of memory. */
struct pw_timer *pw_timer_new(struct pw_loop *loop, const char *name, pw_timer_fn *fn, void *arg);
/* One shot: fires once at or after the deadline (pw_now_ns clock); PW_NEVER disarms. May be called from its own callback. */
void pw_timer_set(struct pw_timer *timer, int64_t deadline_ns);
int64_t pw_timer_deadline(const struct pw_timer *timer);
struct pw_timer *pw_timer_free(struct pw_timer *timer);

#endif
