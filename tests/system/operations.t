#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The operations of the original, by name, each with its documented contract."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import wait_until


def handle_worker_heartbeat(h):
    """updates the row; makes a new one under a new id where it is gone; creation at info, beats at debug"""
    w = h.worker("w", "--worker-ttl", "1s", "--log-level", "debug")
    row = "select pulp_id, last_heartbeat, name, app_type, ttl, versions -> 'c_hostile', pulp_last_updated is not null from core_appstatus"
    first = h.s.one(row)
    assert first[2:4] == ("w", "worker") and first[4].total_seconds() == 1 and first[5:] == ("1.0.0", True), first
    wait_until("a beat", lambda: h.s.one(row)[1] > first[1])
    assert h.s.one(row)[0] == first[0]
    assert re.search(r" info .* event=worker.registered", w.log())
    w.wait_log(r" debug .* event=worker.beat ")
    assert abs(h.s.v("select extract(epoch from clock_timestamp() - last_heartbeat)::float from core_appstatus")) < 1
    t = h.task("deaf")
    child = int(h.wait_lines("deaf", 1)[0].split()[2])
    h.s.q("select pulp_worker.remove_app_status(array[%s])", first[0])
    w.wait_log("event=worker.registered", 2)
    assert not system.alive(child), "its tasks are stopped before"
    assert h.s.v("select pulp_id from core_appstatus") != first[0] and h.s.v("select count(*) from core_appstatus") == 1
    assert h.wait(t).error == {"reason": "Worker has gone missing."}
    h.works()


def unblock_tasks(h):
    """marked where at least one was marked, 0 if none, null where the lock is busy"""
    call = "select marked from pulp_worker.unblock_tasks()"
    assert h.s.v(call) == 0
    t = h.task("done", exclusive=["r"])
    blocked = h.task("done", exclusive=["r"])
    assert h.s.v(call) == 1 and h.look(t).unblocked_at and not h.look(blocked).unblocked_at
    assert h.s.v(call) == 0
    other = pulpdb.Session(h.db)
    other.begin()
    other.q("select pg_advisory_xact_lock(0, 84)")
    assert h.s.one(call) == (None,)
    # a worker that finds it busy keeps its wish
    w = h.worker("w", "--poll-interval", "300s")
    third = h.task("done")
    wait_until("the worker to have looked", lambda: h.s.v(
        "select count(*) from pg_stat_activity where application_name = 'pulp-worker' and query ~ 'turn'"))
    assert not h.look(third).unblocked_at
    other.commit()
    other.close()
    for task in t, blocked, third:
        h.ends(task, "completed")
    assert w.process.poll() is None


def iter_tasks(h):
    """takes none that it cannot start: while its plugin's host is away such tasks wait, others go on"""
    h.shipped("example")
    w = h.worker("w", "--poll-interval", "300ms")
    w.wait_log("event=plugin.up module=example")
    zygote = w.zygotes()["hostile"]
    os.kill(zygote, signal.SIGKILL)
    w.wait_log("event=plugin.died module=hostile")
    t = h.task("done")
    h.ends(h.task("example.greet"), "completed")
    h.ends(t, "completed")  # after the rest of its host
    assert h.look(t).started_at > h.look(t).unblocked_at
    h.works()
    w.fds_before = w.fds()


def supervise_task(h):
    """refuses without the lock: an ending of a task that was taken away changes no row"""
    w = h.worker("w", "--poll-interval", "300ms")
    t = h.task("mark", until="go")
    h.wait_lines("marks", 1)
    other = h.s.v("select pulp_worker.register_worker('other', '1 hour', 'h', 1, 1, '{}', '{}', '{}', '{}')")
    h.s.q("update core_task set app_lock_id = %s where pulp_id = %s", other, t)
    w.wait_log("event=task.lost")
    assert h.look(t).state == "running" and h.look(t).app_lock_id == other
    assert [line.split()[0] for line in h.read("marks")] == ["start"]
    h.s.q("select pulp_worker.remove_app_status(array[%s])", other)
    assert h.wait(t).error == {"reason": "Worker has gone missing."}
    h.works()


def cancel_abandoned_task(h):
    """ends running tasks with the reason, canceling ones without; what waits or is final stays"""
    dead = h.s.v("select pulp_worker.register_worker('dead', '1 s', 'h', 1, 1, '{}', '{}', '{}', '{}')")
    tasks = {state: pulpdb.bare_task(h.s, [], name="hostile.done", state=state) for state in (
        "waiting", "running", "canceling", "completed", "failed", "canceled", "skipped")}
    h.s.q("update core_task set app_lock_id = %s where state <> 'waiting'", dead)
    h.s.q("update core_task set started_at = now(), unblocked_at = now() where state = 'running'")
    h.s.q("update core_appstatus set last_heartbeat = now() - interval '1 minute'")
    h.worker("w", "--poll-interval", "300ms")
    ends = {state: h.wait(t) for state, t in tasks.items()}
    assert (ends["running"].state, ends["running"].error) == ("failed", {"reason": "Worker has gone missing."}), ends
    assert (ends["canceling"].state, ends["canceling"].error) == ("canceled", None), ends
    assert ends["waiting"].state == "completed"
    for state in "completed", "failed", "canceled", "skipped":
        assert ends[state].state == state and ends[state].finished_at is None and ends[state].error is None, ends[state]


def current_task(h):
    """of each worker the task that it runs: the first of several, none that is canceling, none at the end"""
    h.worker("w", "--poll-interval", "300s", "--cancel-kill-after", "60s", "--cancel-term-after", "60s")

    def current():
        done = h.run("pulp-task", "workers", "--json")
        assert done.returncode == 0, done
        return [(r["name"], r["current_task"], r["running"]) for r in json.loads(done.stdout)]
    assert current() == [("w", None, 0)]
    first = h.task("deaf")
    h.wait_lines("deaf", 1)
    second = h.task("mark", until="go")
    h.wait_lines("marks", 1)
    assert current() == [("w", str(first), 2)]
    h.s.q("update core_task set state = 'canceling' where pulp_id = %s", first)     # and the worker does not know yet
    assert current() == [("w", str(second), 2)]
    h.release("go")
    h.ends(second, "completed")
    assert current() == [("w", None, 1)]
    h.workers[0].stop(signal.SIGQUIT)
    assert current() == []


def sleep(h):
    """waits on the wake-up channel while beating"""
    w = h.worker("w", "--poll-interval", "300s", "--worker-ttl", "1s")
    h.works()
    row = "select last_heartbeat from core_appstatus"
    beats, start = set(), time.monotonic()
    wait_until("five beats in its sleep", lambda: beats.add(h.s.v(row)) or len(beats) >= 5)
    assert time.monotonic() - start < 20
    with open("/proc/%d/schedstat" % w.pid) as file:
        before = int(file.read().split()[0])
    start = time.monotonic()
    h.works()
    assert time.monotonic() - start < 10, "a notification wakes it"
    beats.clear()
    wait_until("more beats", lambda: beats.add(h.s.v(row)) or len(beats) >= 4)
    with open("/proc/%d/schedstat" % w.pid) as file:
        assert int(file.read().split()[0]) - before < 500e6, "it sleeps, it does not spin"


def handle_available_tasks(h):
    """returns only when nothing is available: one wake-up is enough for all, and none is needed for what an ending frees"""
    w = h.worker("w", "--poll-interval", "300s", slots=1)
    h.s.begin()
    tasks = [h.task("mark", ms=1) for _ in range(30)] + [h.task("mark", ms=1, exclusive=["r"]) for _ in range(10)]
    h.s.commit()  # one notification
    for t in tasks:
        h.ends(t, "completed")
    # two tasks, no notification at all while the first one runs: its end is the look at the second
    first = h.task("mark", file="first", until="go")
    h.wait_lines("first", 1)
    second = pulpdb.bare_task(h.s, [], name="hostile.done")
    h.release("go")
    h.ends(first, "completed")
    h.ends(second, "completed")
    assert w.process.poll() is None


def perform_task(h):
    """runs in a child alone, after GO, while its worker holds the lock"""
    w = h.worker()
    t = h.task("mark", until="go")
    pid = int(h.wait_lines("marks", 1)[0].split()[2])
    got = h.look(t)
    assert got.state == "running" and got.started_at and got.app_lock_id == h.s.v("select pulp_id from core_appstatus")
    assert pid in system.below(w.pid) and system.stat_of(pid)[1] == w.zygotes()["hostile"]
    h.release("go")
    h.ends(t, "completed")
    # without GO it does not begin: the worker stands still between the spawning and the GO
    zygote = w.zygotes()["hostile"]
    os.kill(zygote, signal.SIGSTOP)
    t = h.task("mark", file="never", ms=1)
    h.wait(t, "running")
    assert h.cancel(t) == "canceling"
    w.wait_log("task=%s .*event=task.cancel" % t)
    os.kill(zygote, signal.SIGCONT)
    assert h.wait(t).state == "canceled" and not h.read("never")


system.run(handle_worker_heartbeat, unblock_tasks, iter_tasks, supervise_task, cancel_abandoned_task, current_task, sleep, handle_available_tasks,
           perform_task)
