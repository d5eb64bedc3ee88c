#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What dies hard, and who puts it right."""
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import system
from system import everybody, wait_until

MISSING = {"reason": "Worker has gone missing."}
TTL = 2
WITHIN = TTL + 10


def pids(lines):
    """The processes that wrote these lines."""
    return [int(line.split()[2]) for line in lines]


def within(start):
    """What was promised, and some patience with a busy machine."""
    took = time.monotonic() - start
    assert took < WITHIN + 20, took
    if took > WITHIN:
        system.pulpdb.diag("recovered after %.1f s" % took)


@everybody
def killed(h):
    """kill -9 of a worker: children die with it, and all that they had forked; others end its tasks"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL, slots=4)
    tasks = [h.task("deaf"), h.task("stubborn"), h.task("daemon", then="hang", count=2, exclusive=["r"])]
    heirs = [h.task("mark", file="heir", exclusive=["r"])]
    lines = h.wait_lines("deaf", 1) + h.wait_lines("stubborn", 1) + h.wait_lines("daemons", 3)
    zygote = a.zygotes()["hostile"]
    a.kill()
    start = time.monotonic()
    wait_until("the children to die", lambda: not [p for p in [zygote] + pids(lines) if system.alive(p)], 10)
    assert time.monotonic() - start < 5
    b = h.worker("b", "--worker-ttl", "%ds" % TTL, slots=4)
    # any worker of that host sweeps, at its start
    assert os.listdir(h.work) in (["b", ".b.lock"], [".b.lock", "b"]), os.listdir(h.work)
    assert re.search(r"event=worker.swept processes=0 directories=1", b.log()), b.log()
    for t in tasks:
        h.ends(t, "failed", MISSING, "lost")
    within(start)
    for t in heirs:
        h.ends(t, "completed")
    assert h.s.v("select count(*) from core_appstatus") == 1
    h.works()


def stopped_host(h):
    """kill -9 of a worker whose plugin host is stopped: it is woken, and clears away"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t = h.task("daemon", then="hang")
    lines = h.wait_lines("daemons", 2)
    zygote = a.zygotes()["hostile"]
    os.kill(zygote, signal.SIGSTOP)
    a.kill()
    wait_until("all to die", lambda: not [p for p in [zygote] + pids(lines) if system.alive(p)], 10)
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    h.ends(t, "failed", MISSING, "lost")


def same_name(h):
    """the restarted worker of that name does all that for itself"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t = h.task("daemon", then="hang")
    lines = h.wait_lines("daemons", 2)
    with open(os.path.join(h.work, "a", "left"), "w"):
        pass
    a.kill()
    h.worker("a", "--worker-ttl", "%ds" % TTL)
    wait_until("all to die", lambda: not [p for p in pids(lines) if system.alive(p)], 10)
    assert os.listdir(os.path.join(h.work, "a")) == [], os.listdir(os.path.join(h.work, "a"))
    h.ends(t, "failed", MISSING, "lost")
    h.works()


def host_and_worker_together(h):
    """kill -9 of the whole process group, as at the end of a session"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t = h.task("daemon", then="hang")
    lines = h.wait_lines("daemons", 2)
    os.kill(a.zygotes()["hostile"], signal.SIGKILL)
    a.kill()
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    wait_until("the remains to be gone", lambda: not [p for p in pids(lines) if system.alive(p)])
    got = h.wait(t)
    assert got.state == "failed" and list(got.error) == ["reason"], got


def claimed_not_started(h):
    """a task whose worker was killed between the claim and GO is ended like any lost one"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    zygote = a.zygotes()["hostile"]
    os.kill(zygote, signal.SIGSTOP)
    t = h.task("mark", file="never")
    h.wait(t, "running")
    a.kill()
    os.kill(zygote, signal.SIGCONT) if system.alive(zygote) else None
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    h.ends(t, "failed", MISSING, "lost")
    assert not h.read("never")


def busy_heir(h):
    """lost tasks are ended although every slot of the others is taken"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL, slots=1)
    lost = h.task("deaf")
    h.wait_lines("deaf", 1)
    h.worker("b", "--worker-ttl", "%ds" % TTL, slots=1)
    long = h.task("mark", file="long", until="go")
    h.wait_lines("long", 1)
    a.kill()
    start = time.monotonic()
    h.ends(lost, "failed", MISSING, "lost")
    within(start)
    assert h.look(long).state == "running"
    h.release("go")
    h.ends(long, "completed")
    h.workers[1].stop()
    h.worker("a")  # sweeps what a left


def stopped(h):
    """a worker that stood still for longer than its ttl: its tasks go to others once its children are gone"""
    a = h.worker("a", "--worker-ttl", "%ds" % TTL, slots=1)
    old = h.s.v("select pulp_id from core_appstatus")
    lost = h.task("mark", file="lost", until="go")
    h.wait_lines("lost", 1)
    a.send(signal.SIGSTOP)
    h.worker("b", "--worker-ttl", "%ds" % TTL, slots=1)
    child = pids(h.read("lost"))[0]
    wait_until("the host to stop its child", lambda: not system.alive(child))
    h.ends(lost, "failed", MISSING, "lost")
    a.send(signal.SIGCONT)
    a.wait_log("event=worker.declared_dead|lease.over")
    a.wait_log("event=worker.registered", 2)
    wait_until("two workers", lambda: h.s.v("select count(*) from core_appstatus") == 2)
    assert not h.s.v("select count(*) from core_appstatus where pulp_id = %s", old)
    tasks = [h.task("mark", file="both", until="go2") for _ in range(2)]
    h.wait_lines("both", 2)
    assert len({h.look(t).worker for t in tasks if h.look(t).worker} | {
        h.look(t).app_lock_id for t in tasks}) == 2, "both work"
    h.release("go2")
    for t in tasks:
        h.ends(t, "completed")
    assert h.look(lost).error == MISSING and len(h.read("lost")) == 1


def never_twice(h):
    """no task ever runs twice, whatever is killed or stopped while they run"""
    workers = {n: h.worker(n, "--worker-ttl", "%ds" % TTL, "--poll-interval", "500ms", slots=2) for n in "abc"}
    tasks = [h.task("mark", file="once", ms=30 * (i % 5)) for i in range(150)]
    for i in range(6):
        h.wait_lines("once", 20 * (i + 1))
        name = "abc"[i % 3]
        if i % 2:
            workers[name].kill()
            workers[name] = h.worker(name, "--worker-ttl", "%ds" % TTL, "--poll-interval", "500ms", slots=2)
        else:
            os.kill(workers[name].zygotes()["hostile"], signal.SIGKILL)
            workers[name].wait_log("event=plugin.up", 2)
    for t in tasks:
        got = h.wait(t)
        assert got.state == "completed" or got.error in (MISSING, {"reason": "Plugin host of hostile died."}), got
    starts = [line.split()[1] for line in h.read("once") if line.startswith("start")]
    assert len(starts) == len(set(starts))
    completed = sum(h.look(t).state == "completed" for t in tasks)
    assert completed >= 100, completed
    # One that had no task when it was killed is not waited for by any of the above.
    wait_until("those killed to be cleared away", lambda: h.s.v("select count(*) from core_appstatus") == 3, 60)


def row_deleted(h):
    """somebody deletes the worker's row: its tasks stop, it registers anew under another id"""
    w = h.worker("w", "--worker-ttl", "%ds" % TTL)
    old = h.s.v("select pulp_id from core_appstatus")
    t = h.task("stubborn")
    child = pids(h.wait_lines("stubborn", 1))[0]
    h.s.q("begin; update core_task set app_lock_id = null where app_lock_id = '%s'; "
          "delete from pulp_worker.worker_module; delete from pulp_worker.worker; delete from core_appstatus; commit" % old)
    w.wait_log("event=worker.declared_dead")
    w.wait_log("event=worker.registered", 2)
    assert not system.alive(child)
    h.ends(t, "failed", MISSING, "lost")
    new = h.s.q("select pulp_id, name from core_appstatus")
    assert new[0][0] != old and [n for _, n in new] == ["w"], new
    h.works()


def second_of_that_name(h):
    """it ends with 75 and touches nothing"""
    w = h.worker("w")
    t = h.task("mark", until="go")
    h.wait_lines("marks", 1)
    before = sorted(os.listdir(h.work)), os.listdir(os.path.join(h.work, "w"))
    again = h.worker("w", ready=False)
    h.workers.remove(again)
    assert again.wait() == 75
    assert "another worker of that name is running" in again.log(), again.log()
    assert (sorted(os.listdir(h.work)), os.listdir(os.path.join(h.work, "w"))) == before
    assert h.s.v("select count(*) from core_appstatus") == 1
    assert w.process.poll() is None
    h.release("go")
    h.ends(t, "completed")
    for name in "a/b", ".hidden", "{user}", "x" * 201:
        bad = h.run("pulp-worker", "--worker-name-template", name)
        assert bad.returncode == 78 and "name" in bad.stderr, (name, bad)


system.run(killed, stopped_host, same_name, host_and_worker_together, claimed_not_started, busy_heir, stopped, never_twice, row_deleted,
           second_of_that_name)
