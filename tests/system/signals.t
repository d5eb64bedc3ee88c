#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Signals to the worker: drain, stop, at once, reload, pause."""
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import LONG, everybody, wait_until

ABORTED = {"reason": "Aborted during worker shutdown."}


def running(h, *names):
    """Dispatches these tasks and waits until they have noted their start."""
    tasks = [h.task(name) for name in names]
    for name, t in zip(names, tasks):
        wait_until("the task to run", lambda n=name, t=t: any(str(t) in line for line in h.read(n)), system.PATIENCE)
    return tasks


def marking(h, file, until):
    """One that can be let go."""
    t = h.task("mark", file=file, until=until)
    h.wait_lines(file, 1)
    return t


@everybody
def term_drains(h):
    """TERM: the running ones go on, nothing new is taken"""
    w = h.worker()
    t = marking(h, "a", "go")
    w.send(signal.SIGTERM)
    w.wait_log("event=worker.stopping")
    late = h.task("done")
    wait_until("a full turn after the dispatch", lambda: h.look(late).unblocked_at)
    h.release("go")
    assert w.wait() == 0
    h.ends(t, "completed")
    assert h.look(late).state == "waiting" and h.look(late).app_lock_id is None
    h.worker("w", "--burst", ready=False)
    h.ends(late, "completed")
    assert h.workers[-1].wait() == 0


def term_twice(h):
    """a second TERM is an INT, a third is at once"""
    w = h.worker("w", "--task-grace-interval", "1s")
    t, = running(h, "obey")
    w.send(signal.SIGTERM)
    w.wait_log("event=worker.stopping")
    start = time.monotonic()
    w.send(signal.SIGTERM)
    assert w.wait() == 0 and 1 <= time.monotonic() - start < 20
    h.ends(t, "failed", ABORTED, "shutdown")
    w = h.worker()
    t, = running(h, "stubborn")
    start = time.monotonic()
    for n in 1, 2, 3:
        w.send(signal.SIGTERM)
        if n < 3:
            w.wait_log("event=worker.stopping", n)
    assert w.wait() == 0 and time.monotonic() - start < 20
    h.ends(t, "failed", ABORTED, "shutdown")


@everybody
def int_stops(h):
    """INT: the grace, then the ladder, and the original's reason"""
    w = h.worker("w", "--task-grace-interval", "500ms", "--cancel-term-after", "200ms", "--cancel-kill-after", "600ms")
    short = h.task("mark", file="short", ms=100)
    h.wait_lines("short", 1)
    tasks = running(h, "obey", "deaf", "stubborn")
    w.send(signal.SIGINT)
    assert w.wait() == 0
    h.ends(short, "completed")
    for t in tasks:
        h.ends(t, "failed", ABORTED, "shutdown")
    # a task that is done in time is done
    w = h.worker("w", "--task-grace-interval", "300ms")
    t, = running(h, "finish")
    w.send(signal.SIGINT)
    assert w.wait() == 0
    assert h.ends(t, "completed").result == "nevertheless"


def at_once(h):
    """INT twice and QUIT: KILL, then the endings are written"""
    for how in (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGQUIT), (signal.SIGQUIT,):
        w = h.worker(slots=8)
        tasks = running(h, "obey", "stubborn", "deaf") + [h.task("daemon", then="hang", count=2, file="d%d" % len(h.workers))]
        lines = h.wait_lines("d%d" % len(h.workers), 3)
        start = time.monotonic()
        for n, number in enumerate(how, 1):
            w.send(number)
            if n < len(how):
                w.wait_log("event=worker.stopping", n)
        assert w.wait() == 0 and time.monotonic() - start < 15
        for t in tasks:
            h.ends(t, "failed", ABORTED, "shutdown")
        assert not [line for line in lines if system.alive(int(line.split()[2]))]


def idle(h):
    """every stop of a worker without tasks is quick and good"""
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT:
        w = h.worker()
        start = time.monotonic()
        assert w.stop(number) == 0 and time.monotonic() - start < 5, number
        assert not h.leftovers(), h.leftovers()
    # in the midst of its start
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP:
        w = h.worker(ready=False)
        w.wait_log("event=worker.registered")
        w.send(number)
        if number == signal.SIGHUP:
            w.wait_ready()
            h.works()
            number = signal.SIGTERM
            w.send(number)
        status = w.wait()
        # before its handlers are there it may simply die of the signal: nothing has been started yet
        assert status in (0, -number), status
    if h.s.v("select count(*) from core_appstatus"):
        h.s.q("update core_appstatus set last_heartbeat = now() - interval '1 day'")
        h.worker("w", ready=False).wait_log("event=cleanup.removed")


def dispatch_meets_stop(h):
    """a task dispatched at the very moment of a stop runs, or waits: it is never lost"""
    mine = pulpdb.Session(h.db)
    tasks = []
    for i in range(60 if LONG else 12):
        w = h.worker(slots=3)
        pause = random.random() / 200
        tasks += [h.task("done", session=mine) for _ in range(3)]
        end = time.monotonic() + pause
        while time.monotonic() < end:
            pass
        assert w.stop(signal.SIGTERM if i % 2 else signal.SIGINT) == 0
        for t in tasks:
            got = h.look(t)
            assert got.state in ("waiting", "completed") and got.app_lock_id is None, (i, got)
    w = h.worker("w", "--burst", ready=False)
    assert w.wait() == 0
    for t in tasks:
        h.ends(t, "completed")
    mine.close()


@everybody
def hup_plugins(h):
    """HUP: a new version for new tasks, the running ones finish on the old"""
    w = h.worker()
    old = marking(h, "old", "go")
    h.hostile("2.0.0")
    h.task("done")
    w.send(signal.SIGHUP)
    w.wait_log("event=plugin.up", 2)
    wait_until("the new version to be announced", lambda: h.s.v(
        "select version from pulp_worker.worker_module") == "2.0.0")
    assert h.s.v("select versions -> 'c_hostile' from core_appstatus") == "2.0.0"
    assert h.ends(h.task("version"), "completed").result == "2.0.0"
    assert h.look(old).state == "running"
    h.release("go")
    assert h.ends(old, "completed").result == "1.0.0"
    w.wait_log("event=plugin.drained")
    # again, and without any change: nothing is started anew
    w.send(signal.SIGHUP)
    w.wait_log("event=worker.reloaded", 2)
    h.works()
    assert len(re.findall("event=plugin.up", w.log())) == 2
    # a plugin that goes
    os.unlink(os.path.join(h.plugins, "hostile.so"))
    w.send(signal.SIGHUP)
    w.wait_log("event=plugin.drained", 2)
    t = h.task("done")
    wait_until("it to be settled", lambda: h.look(t).unblocked_at)
    assert h.look(t).state == "waiting"
    h.hostile("3.0.0")
    w.send(signal.SIGHUP)
    h.ends(t, "completed")
    w.fds_before = w.fds()


def hup_while_claiming(h):
    """reloads under load lose no task"""
    w = h.worker(slots=4)
    tasks = []
    for i in range(8):
        h.hostile("2.0.%d" % i)
        w.send(signal.SIGHUP)
        tasks += [h.task("version") for _ in range(10)]
    for t in tasks:
        got = h.wait(t)
        assert got.state == "completed", got
    assert len(h.s.q("select 1 from core_task where state = 'completed'")) == len(tasks)


def hup_settings(h):
    """HUP: new settings; a bad file is told, and the old ones stay"""
    h.configure(slots=1)
    w = h.worker(slots=0)
    first = marking(h, "first", "go")
    second = h.task("mark", file="second", until="go")
    h.configure(slots=2)
    w.send(signal.SIGHUP)
    h.wait_lines("second", 1)
    assert "slots=2" in w.log()
    assert h.s.v("select slots from pulp_worker.worker") == 2, "others are told of it"
    for bad in "slots = many\n", "no such key = 1\n", "slots = 0\n", "[section\n", "\0\xff\n":
        with open(h.config, "w") as file:
            file.write(bad)
        before = len(re.findall("event=reload.failed", w.log()))
        w.send(signal.SIGHUP)
        w.wait_log("event=reload.failed", before + 1)
    third = h.task("mark", file="third", ms=1)
    wait_until("it to be settled", lambda: h.look(third).unblocked_at)
    assert h.look(third).state == "waiting"
    os.unlink(h.config)
    before = len(re.findall("event=reload.failed", w.log()))
    w.send(signal.SIGHUP)
    w.wait_log("event=reload.failed", before + 1)
    h.configure(slots=3)
    w.send(signal.SIGHUP)
    h.ends(third, "completed")
    h.configure(slots=1)
    w.send(signal.SIGHUP)
    w.wait_log("event=worker.reloaded slots=1")
    h.release("go")
    for t in first, second:
        h.ends(t, "completed")


def pause_and_resume(h):
    """USR1 and USR2: claiming rests, the running ones and cancels go on"""
    w = h.worker()
    t, = running(h, "obey")
    w.send(signal.SIGUSR1)
    w.wait_log("event=worker.paused")
    late = h.task("done")
    wait_until("it to be settled", lambda: h.look(late).unblocked_at)
    assert h.cancel(t) == "canceling"
    assert h.wait(t).state == "canceled"
    assert h.look(late).state == "waiting"
    w.send(signal.SIGUSR2)
    h.ends(late, "completed")
    w.send(signal.SIGUSR1)
    w.wait_log("event=worker.paused", 2)
    assert w.stop() == 0


system.run(term_drains, term_twice, int_stops, at_once, idle, dispatch_meets_stop, hup_plugins, hup_while_claiming,
           hup_settings, pause_and_resume)
