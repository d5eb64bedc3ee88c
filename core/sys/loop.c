/* SPDX-License-Identifier: MIT */
/*
 * The event loop: epoll and a binary heap of absolute deadlines. Runs in the
 * supervisor and in a thread of the client library; one loop belongs to one
 * thread.
 *
 * A watch that is freed while a batch of events is being handed out is only
 * marked; its memory goes when the batch is through, so that an event that still
 * points to it finds the mark. A timer leaves the heap before it is called, and
 * a timer armed during a turn waits for the next one, so that no turn is endless.
 */
#include "sys/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

#define BATCH 128
#define UNARMED SIZE_MAX

struct pw_watch {
	struct pw_loop *loop;
	struct pw_watch *prev, *next; /* in loop->watches, or, once freed, in loop->freed by next */
	const char *name;
	pw_watch_fn *fn; /* NULL once freed */
	void *arg;
	int fd;
	uint32_t events;
};

struct pw_timer {
	struct pw_loop *loop;
	struct pw_timer *prev, *next;
	const char *name;
	pw_timer_fn *fn;
	void *arg;
	int64_t deadline_ns;
	uint64_t number; /* of arming: equal deadlines fire in the order in which they were set */
	size_t place;	 /* in the heap, or UNARMED */
};

struct pw_loop {
	int epoll_fd;
	int depth; /* of pw_loop_once inside callbacks */
	bool stop;
	struct pw_watch *watches, *freed;
	struct pw_timer *timers;
	struct pw_timer **heap;
	size_t armed, cap, timer_count;
	uint64_t number;
};

int
pw_loop_new(struct pw_loop **ret_loop, struct pw_err *err)
{
	struct pw_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return pw_err_nomem(err);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return pw_err_errno(err, "epoll_create1");
	}
	*ret_loop = loop;
	return 0;
}

static void
free_marked(struct pw_loop *loop)
{
	while (loop->freed) {
		struct pw_watch *watch = loop->freed;

		loop->freed = watch->next;
		free(watch);
	}
}

struct pw_loop *
pw_loop_free(struct pw_loop *loop)
{
	if (!loop)
		return NULL;
	while (loop->watches)
		pw_watch_free(loop->watches);
	while (loop->timers)
		pw_timer_free(loop->timers);
	free_marked(loop);
	free(loop->heap);
	close(loop->epoll_fd);
	free(loop);
	return NULL;
}

/* --- the heap --- */

static bool
earlier(const struct pw_timer *a, const struct pw_timer *b)
{
	return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns :
						  a->number < b->number;
}

static void
put(struct pw_loop *loop, size_t place, struct pw_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void
sift_up(struct pw_loop *loop, size_t place)
{
	struct pw_timer *timer = loop->heap[place];

	while (place > 0 && earlier(timer, loop->heap[(place - 1) / 2])) {
		put(loop, place, loop->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(loop, place, timer);
}

static void
sift_down(struct pw_loop *loop, size_t place)
{
	struct pw_timer *timer = loop->heap[place];

	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= loop->armed)
			break;
		if (child + 1 < loop->armed && earlier(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!earlier(loop->heap[child], timer))
			break;
		put(loop, place, loop->heap[child]);
		place = child;
	}
	put(loop, place, timer);
}

static void
disarm(struct pw_timer *timer)
{
	struct pw_loop *loop = timer->loop;
	size_t place = timer->place;
	struct pw_timer *last;

	if (place == UNARMED)
		return;
	timer->place = UNARMED;
	timer->deadline_ns = PW_NEVER;
	last = loop->heap[--loop->armed];
	if (last == timer)
		return;
	put(loop, place, last);
	sift_up(loop, place);
	sift_down(loop, last->place);
}

/* --- timers --- */

/* The heap has room for all timers, so that none is left unarmed for want of memory. */
static int
make_room(struct pw_loop *loop)
{
	size_t cap = loop->cap ? 2 * loop->cap : 32;
	struct pw_timer **heap;

	if (loop->timer_count < loop->cap)
		return 0;
	heap = reallocarray(loop->heap, cap, sizeof(*heap));
	if (!heap)
		return -1;
	loop->heap = heap;
	loop->cap = cap;
	return 0;
}

int
pw_timer_add(struct pw_loop *loop, const char *name, pw_timer_fn *fn, void *arg,
	     struct pw_timer **ret_timer, struct pw_err *err)
{
	struct pw_timer *timer = make_room(loop) < 0 ? NULL : calloc(1, sizeof(*timer));

	if (!timer)
		return pw_err_nomem(err);
	*timer = (struct pw_timer){ .loop = loop, .name = name, .fn = fn, .arg = arg,
				    .deadline_ns = PW_NEVER, .place = UNARMED, .next = loop->timers };
	if (timer->next)
		timer->next->prev = timer;
	loop->timers = timer;
	loop->timer_count++;
	*ret_timer = timer;
	return 0;
}

struct pw_timer *
pw_timer_new(struct pw_loop *loop, const char *name, pw_timer_fn *fn, void *arg)
{
	struct pw_timer *timer;

	if (pw_timer_add(loop, name, fn, arg, &timer, NULL) < 0)
		abort();
	return timer;
}

void
pw_timer_set(struct pw_timer *timer, int64_t deadline_ns)
{
	struct pw_loop *loop = timer->loop;

	if (deadline_ns == PW_NEVER) {
		disarm(timer);
		return;
	}
	timer->deadline_ns = deadline_ns;
	timer->number = ++loop->number;
	if (timer->place == UNARMED)
		put(loop, loop->armed++, timer);
	sift_up(loop, timer->place);
	sift_down(loop, timer->place);
}

int64_t
pw_timer_deadline(const struct pw_timer *timer)
{
	return timer->deadline_ns;
}

struct pw_timer *
pw_timer_free(struct pw_timer *timer)
{
	if (!timer)
		return NULL;
	disarm(timer);
	timer->loop->timer_count--;
	if (timer->prev)
		timer->prev->next = timer->next;
	else
		timer->loop->timers = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	free(timer);
	return NULL;
}

/* --- watches --- */

int
pw_watch_new(struct pw_loop *loop, const char *name, int fd, uint32_t events, pw_watch_fn *fn,
	     void *arg, struct pw_watch **ret_watch, struct pw_err *err)
{
	struct pw_watch *watch = malloc(sizeof(*watch));
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (!watch)
		return pw_err_nomem(err);
	*watch = (struct pw_watch){ .loop = loop, .name = name, .fd = fd, .events = events, .fn = fn, .arg = arg,
				    .next = loop->watches };
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(watch);
		return pw_err_errno(err, "watch %s", name);
	}
	if (watch->next)
		watch->next->prev = watch;
	loop->watches = watch;
	*ret_watch = watch;
	return 0;
}

int
pw_watch_set(struct pw_watch *watch, uint32_t events, struct pw_err *err)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (events == watch->events)
		return 0;
	if (epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return pw_err_errno(err, "watch %s", watch->name);
	watch->events = events;
	return 0;
}

struct pw_watch *
pw_watch_free(struct pw_watch *watch)
{
	struct pw_loop *loop;

	if (!watch)
		return NULL;
	loop = watch->loop;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	if (watch->prev)
		watch->prev->next = watch->next;
	else
		loop->watches = watch->next;
	if (watch->next)
		watch->next->prev = watch->prev;
	watch->fn = NULL;
	watch->next = loop->freed;
	loop->freed = watch;
	if (loop->depth == 0)
		free_marked(loop);
	return NULL;
}

/* --- turning --- */

static void
run_due(struct pw_loop *loop)
{
	int64_t now = pw_now_ns();
	uint64_t number = loop->number;

	while (loop->armed && loop->heap[0]->deadline_ns <= now &&
	       loop->heap[0]->number <= number) {
		struct pw_timer *timer = loop->heap[0];

		disarm(timer);
		timer->fn(timer->arg);
	}
}

int
pw_loop_once(struct pw_loop *loop, int64_t deadline_ns, struct pw_err *err)
{
	struct epoll_event events[BATCH];
	int n;

	if (loop->armed && loop->heap[0]->deadline_ns < deadline_ns)
		deadline_ns = loop->heap[0]->deadline_ns;
	n = epoll_wait(loop->epoll_fd, events, BATCH, pw_ms_until(deadline_ns));
	if (n < 0 && errno != EINTR)
		return pw_err_errno(err, "epoll_wait");
	loop->depth++;
	for (int i = 0; i < n; i++) {
		struct pw_watch *watch = events[i].data.ptr;

		if (watch->fn)
			watch->fn(watch->arg, events[i].events);
	}
	if (loop->armed)
		run_due(loop);
	if (--loop->depth == 0)
		free_marked(loop);
	return 0;
}

int
pw_loop_run(struct pw_loop *loop, struct pw_err *err)
{
	int ret = 0;

	while (!loop->stop && ret == 0)
		ret = pw_loop_once(loop, PW_NEVER, err);
	loop->stop = false;
	return ret;
}

void
pw_loop_stop(struct pw_loop *loop)
{
	loop->stop = true;
}
