#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Cancel, at every moment of a task's life and by everybody who may."""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import everybody, wait_until


def pid_of(h, file, task):
    """The process of a task that noted its start."""
    wait_until("the task to run", lambda: any(str(task) in line for line in h.read(file)), system.PATIENCE)
    return [int(line.split()[2]) for line in h.read(file) if str(task) in line][-1]


def before_it_runs(h):
    """blocked and ready tasks are canceled at once, and never started"""
    h.worker(slots=1)
    holder = h.task("mark", exclusive=["r"], until="go")
    h.wait_lines("marks", 1)
    blocked, ready = h.task("mark", exclusive=["r"], file="never"), h.task("mark", file="never")
    foreign = h.task("nosuch.task")
    wait_until("the ready one to be settled", lambda: h.look(ready).unblocked_at)
    for t in blocked, ready, foreign:
        assert h.cancel(t) == "canceled"
        got = h.look(t)
        assert (got.state, got.started_at, got.error, got.kind) == ("canceled", None, None, None) and got.finished_at, got
        assert h.cancel(t) == "canceled"
    after = h.task("mark", exclusive=["r"], file="after")
    h.release("go")
    h.ends(holder, "completed")
    h.ends(after, "completed")
    assert h.cancel(holder) == "completed" and not h.read("never")


@everybody
def while_it_runs(h):
    """a task that asks ends by itself, others by TERM, the deaf by KILL"""
    h.worker("w", "--cancel-term-after", "500ms", "--cancel-kill-after", "1s")
    obey = h.task("obey")
    pid_of(h, "obey", obey)
    assert h.cancel(obey) == "canceling"
    got = h.ends(obey, "canceled")
    assert got.result is None and [line.split()[0] for line in h.read("obey")] == ["start", "asked"], got
    finish = h.task("finish")
    pid_of(h, "finish", finish)
    h.cancel(finish)
    assert h.ends(finish, "canceled").result is None
    for task, least in ("deaf", 0), ("stubborn", 1), ("stopped", 0.5):
        t = h.task(task)
        pid = pid_of(h, task, t)
        start = time.monotonic()
        h.cancel(t)
        assert h.wait(t).state == "canceled" and h.look(t).error is None
        took = time.monotonic() - start
        assert least <= took < least + 15, (task, took)
        assert not system.alive(pid)
    h.works()


def just_claimed(h):
    """a cancel at any moment between dispatch and the end ends it as canceled, or it had ended"""
    w = h.worker(slots=2)
    mine, other = pulpdb.Session(h.db), pulpdb.Session(h.db)
    for i in range(150):
        t = h.task("mark", ms=3, file="just", session=mine)
        end = time.monotonic() + (i % 50) / 2000
        while time.monotonic() < end:
            pass
        said = other.v("select pulp_worker.cancel_task(%s)", t)
        got = h.wait(t)
        assert got.state == said or (said == "canceling" and got.state == "canceled"), (said, got)
    assert len(re.findall("event=task.started", w.log())) > 0
    mine.close()
    other.close()
    h.works()


def heard_at_once(h):
    """a cancel at any moment is heard by its notification alone, also one that meets the turn which claims"""
    h.worker("w", "--poll-interval", "1h", slots=2)
    mine, other = pulpdb.Session(h.db), pulpdb.Session(h.db)
    for i in range(100):
        t = h.task("obey", session=mine)
        end = time.monotonic() + (i % 50) / 10000
        while time.monotonic() < end:
            pass
        other.v("select pulp_worker.cancel_task(%s)", t)
        assert h.wait(t).state == "canceled"
    mine.close()
    other.close()


def processes(h):
    """what a canceled task forked is gone, also from its session and with an environment of its own"""
    h.worker("w", "--cancel-term-after", "100ms", "--cancel-kill-after", "500ms")
    tasks = [h.task("daemon", count=3, then="hang", file="d0"), h.task("daemon", count=2, then="obey", file="d1"),
             h.task("daemon", count=1, clean=1, then="hang", file="d2"), h.task("daemon", count=2, clean=1, file="d3")]
    pids = []
    for i, n in enumerate((4, 3, 2, 1)):  # the last may be killed before it can write
        pids += [int(line.split()[2]) for line in h.wait_lines("d%d" % i, n)]
    for t in tasks[:3]:
        h.cancel(t)
    ends = [h.wait(t) for t in tasks]
    assert [e.state for e in ends] == ["canceled", "canceled", "canceled", "completed"], ends
    # one without an environment cannot say whose it was
    assert ends[3].remains == 2 and sum(e.remains for e in ends[:3]) == 6, ends
    assert not [p for p in pids if system.alive(p)], pids
    breed = h.task("breed", ms=500)
    h.ends(breed, "completed")
    h.works()


def as_python_does(h):
    """by a plain UPDATE, with and without the notification"""
    h.worker("w", "--poll-interval", "500ms", slots=1)
    for name, notify in ("with", True), ("without", False):
        t = h.task("obey", tag=name)
        pid_of(h, "obey", t)
        h.s.q("update core_task set state = 'canceling' where pulp_id = %s and state in ('waiting', 'running', 'canceling')", t)
        if notify:
            h.s.q("select pg_notify('pulp_worker_cancel', %s)", str(t))
        h.ends(t, "canceled")
    # and one that nobody has claimed, blocked or ready
    holder = h.task("mark", exclusive=["r"], until="go")
    h.wait_lines("marks", 1)
    blocked, ready = h.task("mark", exclusive=["r"], file="never"), h.task("mark", file="never")
    wait_until("the ready one to be settled", lambda: h.look(ready).unblocked_at)
    for t in blocked, ready:
        h.s.q("update core_task set state = 'canceling' where pulp_id = %s and state = 'waiting'", t)
    h.s.q("select pg_notify('pulp_worker_wakeup', 'handle')")
    for t in blocked, ready:
        got = h.wait(t)
        assert got.state == "canceled" and got.started_at is None and got.finished_at and got.error is None, got
    # all that while the only slot is taken
    assert h.look(holder).state == "running"
    h.release("go")
    h.ends(holder, "completed")
    assert not h.read("never")


def while_draining(h):
    """also a worker that drains cancels"""
    w = h.worker("w", "--cancel-term-after", "100ms", "--cancel-kill-after", "500ms")
    tasks = [h.task(name) for name in ("obey", "stubborn")]
    for name, t in zip(("obey", "stubborn"), tasks):
        pid_of(h, name, t)
    w.send(signal.SIGTERM)
    w.wait_log("event=worker.stopping")
    for t in tasks:
        assert h.cancel(t) == "canceling"
    assert w.wait() == 0
    for t in tasks:
        assert h.look(t).state == "canceled"


def worker_gone(h):
    """a canceling task whose worker was killed is canceled by another; its orphans go with the next of that name"""
    a = h.worker("a", "--worker-ttl", "2s", slots=1)
    t = h.task("stubborn")
    pid_of(h, "stubborn", t)
    a.send(signal.SIGSTOP)
    assert h.cancel(t) == "canceling"
    a.kill()
    h.worker("b", "--worker-ttl", "2s", slots=1)
    got = h.wait(t, "canceled", timeout=2 + 10 + system.PATIENCE / 3)
    assert got.error is None and got.finished_at, got
    h.works()


def group(h):
    """cancel_task_group: the waiting and the running, not the ended and not the strangers"""
    h.worker(slots=2)
    g = h.s.v("select pulp_worker.create_task_group('g')")
    ended = h.task("done", group=g)
    h.ends(ended, "completed")
    running = [h.task("obey", group=g) for _ in range(2)]
    for t in running:
        pid_of(h, "obey", t)
    waiting = [h.task("done", group=g, exclusive=["r"]) for _ in range(3)]
    stranger = h.task("done")
    assert h.s.v("select pulp_worker.cancel_task_group(%s)", g) == 5
    assert h.s.v("select all_tasks_dispatched from core_taskgroup")
    for t in running + waiting:
        assert h.wait(t).state == "canceled"
    h.ends(stranger, "completed")
    assert h.look(ended).state == "completed"
    assert h.s.v("select pulp_worker.cancel_task_group(%s)", g) == 0


def not_its_children(h):
    """tasks that a canceled task dispatched go on"""
    h.worker()
    t = h.task("dispatch", func="hostile.mark", stay=1)
    h.wait_lines("dispatch", 1)
    h.wait_lines("marks", 1)
    h.cancel(t)
    assert h.wait(t).state == "canceled"
    child = h.s.v("select pulp_id from core_task where parent_task_id = %s", t)
    assert h.look(child).state == "running"
    h.release("go")
    h.ends(child, "completed")


system.run(before_it_runs, while_it_runs, just_claimed, heard_at_once, processes, as_python_does, while_draining, worker_gone, group,
           not_its_children)
