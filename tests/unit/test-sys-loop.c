/* SPDX-License-Identifier: MIT */
/* The event loop: order of timers, removal inside callbacks, and signals as events. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/tap.h"
#include "sys/loop.h"
#include "sys/signals.h"

static struct pw_loop *loop;

static void
turn(int64_t for_ns)
{
	struct pw_err err;

	if (pw_loop_once(loop, pw_now_ns() + for_ns, &err) < 0)
		bail("%s", err.text);
}

/* --- timers --- */

static int order[600], fired;

struct numbered {
	struct pw_timer *timer;
	int number;
};

static void
note_number(void *arg)
{
	order[fired++] = ((struct numbered *)arg)->number;
}

static void
test_order(void)
{
	static struct numbered timers[500];
	int64_t base = pw_now_ns() - 1000;
	int wrong = 0;

	fired = 0;
	srand(7);
	for (int i = 0; i < 500; i++) {
		timers[i].number = i;
		timers[i].timer = pw_timer_new(loop, "numbered", note_number, &timers[i]);
		pw_timer_set(timers[i].timer, base + rand() % 100000);
	}
	for (int i = 0; i < 500; i++)
		pw_timer_set(timers[i].timer, base + i / 2); /* set again: pairs of equal deadlines */
	for (int i = 0; i < 500; i += 5)
		timers[i].timer = pw_timer_free(timers[i].timer);
	for (int i = 1; i < 500; i += 5)
		pw_timer_set(timers[i].timer, PW_NEVER);
	turn(0);
	is_int(fired, 300, "what was freed or disarmed does not fire");
	for (int i = 1; i < fired; i++)
		wrong += order[i] <= order[i - 1];
	is_int(wrong, 0, "timers fire by deadline, equal ones as they were set");
	is_int(pw_timer_deadline(timers[2].timer), PW_NEVER, "a timer that has fired is disarmed");
	for (int i = 0; i < 500; i++)
		pw_timer_free(timers[i].timer);
}

static void
arm_again(void *arg)
{
	struct numbered *n = arg;

	n->number++;
	pw_timer_set(n->timer, pw_now_ns() - 1);
}

static void
free_itself(void *arg)
{
	struct numbered *n = arg;

	n->number++;
	n->timer = pw_timer_free(n->timer);
}

static struct numbered victim;

static void
free_victim(void *arg)
{
	(void)arg;
	victim.timer = pw_timer_free(victim.timer);
}

static void
test_timers_in_callbacks(void)
{
	struct numbered again = { .number = 0 }, suicide = { .number = 0 };
	struct pw_timer *killer = pw_timer_new(loop, "killer", free_victim, NULL);
	int64_t began = pw_now_ns();

	again.timer = pw_timer_new(loop, "again", arm_again, &again);
	suicide.timer = pw_timer_new(loop, "suicide", free_itself, &suicide);
	victim = (struct numbered){ .number = 42 };
	victim.timer = pw_timer_new(loop, "victim", note_number, &victim);
	fired = 0;
	pw_timer_set(again.timer, began - 10);
	pw_timer_set(suicide.timer, began - 10);
	pw_timer_set(killer, began - 10);
	pw_timer_set(victim.timer, began - 5);
	turn(0);
	is_int(again.number, 1, "a timer that arms itself for the past waits for the next turn");
	is_int(suicide.number, 1, "a timer may free itself");
	is_int(fired, 0, "a timer freed by another is not called");
	turn(0);
	is_int(again.number, 2, "the next turn calls it");
	pw_timer_free(again.timer);
	pw_timer_free(killer);
	began = pw_now_ns();
	killer = pw_timer_new(loop, "killer", free_victim, NULL);
	pw_timer_set(killer, began + 20 * PW_MS);
	turn(10 * PW_SEC);
	while (pw_timer_deadline(killer) != PW_NEVER)
		turn(10 * PW_SEC);
	ok(pw_now_ns() - began >= 20 * PW_MS, "a timer is never early");
	pw_timer_free(killer);
}

/* --- watches --- */

struct end {
	int fds[2], calls;
	uint32_t events;
	struct pw_watch *watch;
	struct end *other;
};

static void
note_events(void *arg, uint32_t events)
{
	struct end *end = arg;

	end->calls++;
	end->events = events;
}

static void
free_both(void *arg, uint32_t events)
{
	struct end *end = arg;

	(void)events;
	end->calls++;
	end->watch = pw_watch_free(end->watch);
	end->other->watch = pw_watch_free(end->other->watch);
}

static void
open_end(struct end *end, pw_watch_fn *fn)
{
	struct pw_err err;

	*end = (struct end){ .calls = 0 };
	if (pipe2(end->fds, O_CLOEXEC) < 0 || pw_watch_new(loop, "end", end->fds[0], EPOLLIN, fn, end, &end->watch, &err) < 0)
		bail("pipe");
}

static void
test_watches(void)
{
	struct end a, b;
	struct pw_err err;
	struct pw_watch *watch;

	open_end(&a, note_events);
	turn(0);
	is_int(a.calls, 0, "nothing to read, no call");
	ok(write(a.fds[1], "x", 1) == 1, "written");
	turn(PW_SEC);
	ok(a.calls == 1 && (a.events & EPOLLIN), "one call for what can be read");
	ok(pw_watch_set(a.watch, 0, &err) == 0, "no events");
	turn(0);
	is_int(a.calls, 1, "are watched no more");
	close(a.fds[1]);
	turn(PW_SEC);
	ok(a.calls == 2 && (a.events & EPOLLHUP), "but a hang-up is told always");
	pw_watch_free(a.watch);
	close(a.fds[0]);
	ok(pw_watch_new(loop, "closed", a.fds[0], EPOLLIN, note_events, &a, &watch, &err) < 0 &&
		   strstr(err.text, "watch closed: "),
	   "a closed descriptor is refused: %s", err.text);

	open_end(&a, free_both);
	open_end(&b, free_both);
	a.other = &b;
	b.other = &a;
	if (write(a.fds[1], "x", 1) != 1 || write(b.fds[1], "x", 1) != 1)
		bail("write");
	turn(PW_SEC);
	turn(0);
	is_int(a.calls + b.calls, 1, "what a callback removes is not called in the same turn");
	for (int i = 0; i < 2; i++) {
		close(a.fds[i]);
		close(b.fds[i]);
	}
}

static void
stop(void *arg)
{
	(void)arg;
	pw_loop_stop(loop);
}

/* --- when memory is short: the calls of sys/loop.c come by here (see sys.am) --- */

static int calls_left = -1; /* before one fails; -1: none does */

void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	return calls_left >= 0 && calls_left-- == 0 ? NULL : __real_calloc(count, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return calls_left >= 0 && calls_left-- == 0 ? NULL : __real_reallocarray(old, count, size);
}

static void
test_no_memory(void)
{
	struct pw_timer *timers[40] = { NULL };
	struct pw_loop *own = NULL;
	struct pw_err err = { 0 };
	size_t made = 0;
	int refused = 0;

	calls_left = 0;
	ok(pw_loop_new(&own, &err) < 0 && err.kind == PW_ERR_NOMEM && !own, "no memory for a loop is an error");
	calls_left = -1;
	if (pw_loop_new(&own, &err) < 0)
		bail("%s", err.text);
	/* Each is refused as often as it asks for memory, then made: the first and the 33rd need room in the heap too. */
	for (int fail = 0; made < PW_COUNT(timers);) {
		calls_left = fail;
		if (pw_timer_add(own, "poor", stop, NULL, &timers[made], &err) == 0) {
			made++;
			fail = 0;
		} else {
			fail++;
			refused += err.kind == PW_ERR_NOMEM && !timers[made];
		}
		calls_left = -1;
	}
	is_int(refused, 42, "no memory for a timer is an error, whichever call fails");
	calls_left = 0;
	for (size_t i = 0; i < made; i++)
		pw_timer_set(timers[i], pw_now_ns() + PW_SEC + (int64_t)i);
	is_int(calls_left, 0, "to arm them all takes none");
	calls_left = -1;
	pw_loop_free(own);
}

static void
test_run(void)
{
	struct pw_timer *timer = pw_timer_new(loop, "stop", stop, NULL);
	struct pw_err err;

	pw_timer_set(timer, pw_now_ns() + PW_MS);
	ok(pw_loop_run(loop, &err) == 0, "the loop runs until it is stopped");
	pw_timer_set(timer, pw_now_ns() + PW_MS);
	ok(pw_loop_run(loop, &err) == 0, "and runs again");
	/* The timer is left to pw_loop_free. */
}

/* --- signals --- */

static int usr1, usr2;
static struct pw_signals *signals;

static void
on_usr1(void *arg, const struct signalfd_siginfo *info)
{
	(void)arg;
	usr1 += info->ssi_signo == SIGUSR1;
}

static void
on_usr2(void *arg, const struct signalfd_siginfo *info)
{
	(void)arg;
	usr2 += info->ssi_signo == SIGUSR2;
	signals = pw_signals_free(signals);
}

static void
test_signals(void)
{
	struct pw_err err;
	sigset_t mask;

	if (pw_signals_new(loop, &signals, &err) < 0 ||
	    pw_signals_watch(signals, SIGUSR1, on_usr1, NULL, &err) < 0 ||
	    pw_signals_watch(signals, SIGUSR2, on_usr2, NULL, &err) < 0)
		bail("%s", err.text);
	ok(pw_signals_watch(signals, 0, on_usr1, NULL, &err) < 0, "there is no signal 0");
	raise(SIGUSR1);
	raise(SIGUSR2);
	for (int i = 0; i < 10 && !usr2; i++)
		turn(PW_SEC);
	is_int(usr1, 1, "a signal comes as a call");
	is_int(usr2, 1, "so does the second, which frees all");
	sigprocmask(SIG_SETMASK, NULL, &mask);
	ok(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2), "the mask is as before");
	signal(SIGUSR1, SIG_IGN);
	pw_signals_block_all(NULL);
	pw_signals_reset();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	ok(!sigismember(&mask, SIGUSR1) && signal(SIGUSR1, SIG_DFL) == SIG_DFL, "a child's reset is complete");
}

int
main(void)
{
	struct pw_err err;

	if (pw_loop_new(&loop, &err) < 0)
		bail("%s", err.text);
	test_order();
	test_timers_in_callbacks();
	test_watches();
	test_no_memory();
	test_run();
	test_signals();
	pw_loop_free(loop);
	return tap_done();
}
