#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who runs beside whom: slots, resources (I1 to I3 over recorded intervals), versions (I6), burst."""
import os
import random
import re
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import LONG, wait_until


def intervals(h, *files):
    """Start and stop of each task; each must have started once and stopped once."""
    start, stop = {}, {}
    for f in files:
        for line in h.read(f):
            what, task, _, when, _ = line.split()
            where = start if what == "start" else stop
            assert task not in where, "%s: twice %s" % (task, what)
            where[task] = float(when)
    assert set(start) == set(stop)
    return {t: (start[t], stop[t]) for t in start}


def slots(h):
    """N at once, and never more"""
    h.worker(slots=3)
    first = [h.task("mark", file="first", until="go") for _ in range(3)]
    h.wait_lines("first", 3)
    rest = [h.task("mark", file="rest", ms=random.randrange(20)) for _ in range(60)]
    assert h.s.v("select count(*) from core_task where state = 'running'") == 3
    assert not h.read("rest")
    h.release("go")
    for t in first + rest:
        h.ends(t, "completed")
    points = sorted([(a, 1) for a, _ in intervals(h, "first", "rest").values()] +
                    [(b, -1) for _, b in intervals(h, "first", "rest").values()])
    now = most = 0
    for _, step in points:
        now += step
        most = max(most, now)
    assert most == 3, most


def settled_soon(h):
    """a worker with more to do than slots puts settling off for a moment only: what an ended task held is soon free"""
    w = h.worker("w", "--poll-interval", "1h", slots=1)
    first = h.task("mark", file="first", until="go")
    h.wait_lines("first", 1)
    between = [h.task("done") for _ in range(3)] + [h.task("done", exclusive=["r"])]
    last = h.task("mark", file="last", until="end")
    waits = h.task("done", exclusive=["r"])
    h.release("go")
    h.wait_lines("last", 1)         # claimed by the turn that told the end of the one that held r
    wait_until("what waited for r to be ready", lambda: h.look(waits).unblocked_at)
    assert h.look(last).state == "running"
    h.release("end")
    for t in [first, last, waits] + between:
        h.ends(t, "completed")
    assert w.stop() == 0


def settled_by_others(h):
    """a worker that dies after a turn that put settling off: the next turn of anybody settles"""
    gone = pulpdb.Worker(h.db, "gone", slots=1, modules=(("hostile", "c_hostile", "1.0.0", "1"),))
    held, waits = h.task("done", exclusive=["r"]), h.task("done", exclusive=["r"])
    ready = h.task("done")
    gone.turn(slots=0)
    assert gone.turn().tasks == [held]
    t = gone.turn(ended=[held], lazy=True)
    assert (t.ended, t.tasks, t.passed) == ({held: "completed"}, [ready], "later")
    gone.s.close()
    h.worker("w", "--poll-interval", "1s")
    h.ends(waits, "completed")
    h.s.q("update core_appstatus set last_heartbeat = now() - interval '1 hour' where name = 'gone'")
    assert h.wait(ready).error == {"reason": "Worker has gone missing."}


def resources(h):
    """300 tasks, 8 resources, 2 workers: no conflict runs at once, nobody overtakes, nobody starves"""
    names = "abcdefgh"
    for name in "v", "w":
        h.worker(name, "--poll-interval", "1s", slots=4)
    wanted = {}
    order = []
    for _ in range(1000 if LONG else 300):
        mine = random.sample(names, random.choice((0, 1, 1, 2, 3)))
        cut = random.randint(0, len(mine))
        t = h.task("mark", file="r", ms=random.randrange(15), exclusive=mine[:cut], shared=mine[cut:])
        wanted[str(t)] = set(mine[:cut]), set(mine[cut:])
        order.append(str(t))
    for t in order:
        assert h.wait(t).state == "completed"
    ran = intervals(h, "r")
    assert set(ran) == set(order)

    def conflict(a, b):
        (ax, ash), (bx, bsh) = wanted[a], wanted[b]
        return ax & (bx | bsh) or bx & ash
    for i, a in enumerate(order):
        for b in order[i + 1:]:
            if conflict(a, b):
                # dispatched one after the other in transactions of their own: a came first, so it has stopped before b starts
                assert ran[a][1] <= ran[b][0], (a, wanted[a], ran[a], b, wanted[b], ran[b])
    workers = h.s.q("select worker, count(*) from pulp_worker.attempt group by 1")
    assert len(workers) == 2 and min(n for _, n in workers) > len(order) / 20, workers
    assert pulpdb.left(h.s) == {}, pulpdb.left(h.s)


def free_is_not_delayed(h):
    """a task without a conflict passes a long queue of blocked ones"""
    h.worker(slots=2)
    holder = h.task("mark", file="holder", until="go", exclusive=["r"])
    h.wait_lines("holder", 1)
    blocked = [h.task("mark", file="blocked", exclusive=["r"]) for _ in range(50)]
    h.works()
    assert not h.read("blocked")
    h.release("go")
    for t in [holder] + blocked:
        h.ends(t, "completed")
    started = [line.split()[1] for line in h.read("blocked") if line.startswith("start")]
    assert started == [str(t) for t in blocked], "first in, first out"


def burst(h):
    """--burst ends when nothing is left: also with what its tasks dispatch, and what it cannot serve stays"""
    tasks = [h.task("mark", file="b", ms=1, exclusive=["r"] if i % 2 else []) for i in range(30)]
    foreign, newer = h.task("nosuch.task"), h.task("done", versions={"c_hostile": "99"})
    parent = h.task("dispatch", func="hostile.done")
    w = h.worker("w", "--burst", slots=3, ready=False)
    assert w.wait() == 0
    for t in tasks + [parent]:
        assert h.look(t).state == "completed", h.look(t)
    child = h.s.v("select state from core_task where parent_task_id = %s", parent)
    assert child == "completed", child
    for t in foreign, newer:
        assert h.look(t).state == "waiting"
    w = h.worker("w", "--burst", ready=False)
    assert w.wait() == 0
    assert not h.leftovers(), h.leftovers()


def versions(h):
    """a task for a newer plugin is not claimed, not for an instant, and runs after a reload"""
    h.s.q("create table seen (task uuid, owner uuid)")
    h.s.q("create function see() returns trigger language plpgsql as $$ begin if new.app_lock_id is not null then "
          "insert into public.seen values (new.pulp_id, new.app_lock_id); end if; return null; end $$")
    h.s.q("create trigger see after update on core_task for each row execute function see()")
    w = h.worker("w", "--poll-interval", "500ms")
    newer = h.task("version", versions={"c_hostile": "2.0"})
    lacks = h.task("version", versions={"c_hostile": "1.0", "nosuch": "1"})
    exact = h.task("version", versions={"c_hostile": "1.0.0"})
    older = h.task("version", versions={"c_hostile": "0.9"})
    local = h.task("version", versions={"c_hostile": "1.0.0+local"})
    for t in exact, older:
        h.ends(t, "completed")
    for t in newer, lacks, local:
        wait_until("it to be settled", lambda t=t: h.look(t).unblocked_at)
    for _ in range(3):
        h.works()
    for t in newer, lacks, local:
        assert h.look(t).state == "waiting" and not h.s.v("select count(*) from seen where task = %s", t)
    said = h.run("pulp-task", "why", str(newer)).stdout
    assert "c_hostile" in said and "2.0" in said, said
    h.hostile("2.0.0")
    w.send(signal.SIGHUP)
    for t in newer, local:
        assert h.ends(t, "completed").result == "2.0.0"
    assert h.look(lacks).state == "waiting" and not h.s.v("select count(*) from seen where task = %s", lacks)
    assert h.cancel(lacks) == "canceled"


def bad_versions(h):
    """unparsable and NULL versions in a row harm nobody, and are told once"""
    w = h.worker("w", "--poll-interval", "200ms")
    bad = [pulpdb.bare_task(h.s, [], name="hostile.done", versions=v) for v in
           ('c_hostile=>"not a version"', "c_hostile=>NULL", 'c_hostile=>""', 'other=>NULL', 'c_hostile=>"1.0", ""=>"x"')]
    h.s.q("select pg_notify('pulp_worker_wakeup', 'unblock')")
    for t in bad:
        wait_until("it to be settled", lambda t=t: h.look(t).unblocked_at or h.look(t).state == "failed")
    for _ in range(5):
        h.works()
    again = pulpdb.bare_task(h.s, [], name="hostile.done", versions='c_hostile=>"not a version"')
    wait_until("it to be settled", lambda: h.look(again).unblocked_at)
    h.works()
    assert w.process.poll() is None
    assert [h.look(t).state for t in bad] == ["waiting"] * len(bad), [h.look(t).state for t in bad]
    assert len(re.findall(r"event=requirement.faulty .*not a version", w.log())) == 1, w.log()
    said = h.run("pulp-task", "why", str(bad[0]))
    assert said.returncode == 0 and "not a version" in said.stdout, said
    for t in bad + [again]:
        assert h.cancel(t) == "canceled"


def strange_rows(h):
    """rows that only another writer could make"""
    w = h.worker("w", "--poll-interval", "200ms")
    empty = pulpdb.bare_task(h.s, [], name="hostile.result")
    null = pulpdb.bare_task(h.s, None, name="hostile.result")
    for t in empty, null:
        h.ends(t, "completed")
    odd = [pulpdb.bare_task(h.s, [], name=n) for n in ("hostile.", "hostile", ".done", "", "hostile..done", "hostile.%s%n", "x" * 3000)]
    args = pulpdb.bare_task(h.s, [], name="hostile.result", enc_args='"text"', enc_kwargs="[]")
    h.s.q("select pg_notify('pulp_worker_wakeup', 'unblock')")
    assert w.process.poll() is None
    assert h.wait(args).state in ("completed", "failed")
    h.works()
    for t in odd:
        wait_until("it to wait or to have failed", lambda t=t: h.look(t).state == "failed" or h.look(t).unblocked_at)
    h.works()
    assert w.process.poll() is None
    assert h.look(odd[1]).error["description"] == "function name 'hostile' has no dot", h.look(odd[1])
    for t in odd:
        if h.look(t).state != "failed":
            assert h.cancel(t) == "canceled", h.look(t)


def auxiliary(h):
    """--auxiliary settles nothing, runs what others found ready, and lets them know what it has ended"""
    first, second = h.task("mark", file="aux", exclusive=["r"]), h.task("mark", file="aux", exclusive=["r"])
    w = h.worker("a", "--auxiliary", "--burst", ready=False)
    assert w.wait() == 0, w.log()
    assert h.s.q("select state, unblocked_at from core_task") == [("waiting", None)] * 2
    pulpdb.settle(h.s)
    listener = pulpdb.Session(h.db)
    listener.listen()
    w = h.worker("a", "--auxiliary", "--burst", ready=False)
    assert w.wait() == 0, w.log()
    assert h.ends(first, "completed").worker == "a"
    assert h.look(second).unblocked_at is None, "that is for others to find out"
    assert ("wakeup", "unblock") in listener.heard(), "they are told"
    aux = h.worker("a", "--auxiliary")
    w = h.worker("b", "--burst", ready=False)
    h.ends(second, "completed")
    assert w.wait() == 0
    pulpdb.settle(h.s)
    aux.stop()


system.run(slots, settled_soon, settled_by_others, resources, free_is_not_delayed, burst, auxiliary, versions, bad_versions, strange_rows)
