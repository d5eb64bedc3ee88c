#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Everything at once: dispatchers with long and rolled-back transactions, workers by turns, the walk of
Python's workers, cancels in idle transactions, killed backends, workers that die and are cleaned up after.

Each process writes down from when to when it ran what, by one clock: two intervals of tasks that conflict
may not overlap, no task may run twice, everything ends and nothing is left.
"""
import multiprocessing
import os
import random
import sys
import time
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, pause, psycopg2

RESOURCES = ["r%d" % i for i in range(8)]
SECONDS = float(os.environ.get("PULP_TEST_SECONDS") or (60 if pulpdb.LONG else 8))
ENOUGH = int(SECONDS * 20)      # tasks in all, however slow the machine is
DISPATCHING = multiprocessing.Value("i", 0)


def dispatcher(db, seed, end, live):
    rnd, s, count = random.Random(seed), Session(db, auto=False), 0
    while time.time() < end or count < ENOUGH / 2 and time.time() < end + 40:
        count += 1
        try:
            for _ in range(rnd.choice([1, 1, 1, 3])):
                ex = rnd.sample(RESOURCES, rnd.choice([0, 1, 1, 2]))
                sh = [x for x in rnd.sample(RESOURCES, rnd.choice([0, 1, 2])) if x not in ex]
                func = rnd.choice(["t.x", "t.x", "u.x"])
                # at a live Pulp who dispatches knows the version: there may be no worker just then
                pulpdb.dispatch(s, func, versions={func[0]: "1"} if live else None, exclusive_resources=ex, shared_resources=sh,
                                immediate=rnd.random() < 0.1)
                if rnd.random() < 0.1:
                    pause(rnd.random() * 0.03)
            (s.c.rollback if rnd.random() < 0.05 else s.c.commit)()
        except psycopg2.errors.DeadlockDetected:     # the original's insert trigger (edge 23)
            s.c.rollback()
        pause(rnd.random() * 0.04)
    with DISPATCHING:
        DISPATCHING.value -= 1


def canceler(db, seed, end):
    rnd, s = random.Random(seed), Session(db, auto=False)
    while time.time() < end:
        some = ("select pulp_id from core_task where state in ('waiting', 'running') order by random() limit 2")
        try:
            if rnd.random() < 0.5:
                s.q("update core_task set state = 'canceling' where pulp_id in (%s) and state in ('waiting', 'running')" % some)
            else:
                s.q("select pulp_worker.cancel_task(pulp_id) from (%s) x" % some)
            pause(rnd.random() * 0.3)
            (s.c.rollback if rnd.random() < 0.3 else s.c.commit)()
        except psycopg2.errors.DeadlockDetected:
            s.c.rollback()
        pause(0.05)


def walker(db, seed, end):
    rnd, s = random.Random(seed), Session(db)
    while time.time() < end + 3:
        s.q("select python_walk()")
        pause(rnd.random() * 0.05)


def killer(db, seed, end):
    s = Session(db)
    while time.time() < end:
        pause(0.4)
        s.q("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            "and application_name = 'supervisor' order by random() limit 1")


class Supervisor:
    """Takes turns; runs nothing but the clock; now and then dies, and is another one after."""

    def __init__(self, db, seed):
        self.db, self.rnd, self.log = db, random.Random(seed), []
        self.end = None
        self.start()

    def start(self):
        self.w, self.running, self.beat = None, {}, 0
        self.connect()

    def connect(self):
        while True:
            try:
                if self.w is None:
                    self.w = pulpdb.Worker(self.db, "supervisor", slots=5, ttl="2 s",
                                           modules=(("t", "t", "1", "1"), ("u", "u", "1", "1")))
                else:
                    self.w.s = Session(self.db, name="supervisor", timeout="20s")
                # adopt what a lost reply claimed, drop what was written
                now = time.monotonic()
                mine = {t: (state, record) for t, state, record in self.w.s.q(
                    "select m.task, m.state, t.reserved_resources_record from pulp_worker.my_tasks(%s) m "
                    "join core_task t on t.pulp_id = m.task", self.w.me)}
                for t in [t for t in self.running if t not in mine]:
                    self.over(t, self.running[t][2] or now)
                for t, (state, record) in mine.items():
                    if t not in self.running:
                        self.running[t] = [now, record if state == "running" else None, None]
                return
            except psycopg2.OperationalError:
                pause(0.01)

    def over(self, t, at):
        began, record, ended = self.running.pop(t)
        self.log.append((t, began, ended or at, record))

    def die(self):
        """With its children, and without a word: whatever runs ends now."""
        now = time.monotonic()
        for t in list(self.running):
            self.over(t, now)
        self.w.s.close()
        self.start()

    def turn(self):
        for t in self.running:
            if self.running[t][2] is None and self.rnd.random() < 0.5:
                self.running[t][2] = time.monotonic()
        done = [t for t in self.running if self.running[t][2]]
        if self.beat < time.monotonic() - 0.5:
            self.beat = time.monotonic()
            if not self.w.s.v("select pulp_worker.heartbeat(%s)", self.w.me):
                return self.die()
            self.w.s.q("select * from pulp_worker.app_worker_cleanup()")
        t = self.w.turn(ended=done, slots=self.w.slots - len(self.running) + len(done), look=list(self.running), lazy=self.rnd.random() < 0.5)
        for task, outcome in t.ended.items():
            if outcome != "locked":
                self.over(task, time.monotonic())
        for task in t.lost:
            if task in self.running and task not in t.ended:
                self.over(task, time.monotonic())
        now = time.monotonic()
        records = dict(self.w.s.q("select pulp_id, reserved_resources_record from core_task where pulp_id = any(%s)", t.tasks))
        for task, _, detail in t.claimed:
            self.running[task] = [now, records[task] if detail == "running" else None, None]
        return t

    def work(self, end):
        left = True
        while (left or self.running) and time.time() < end + 60:
            if self.rnd.random() < 0.002 and time.time() < end:
                self.die()
            try:
                t = self.turn()
            except psycopg2.OperationalError:
                self.connect()
                continue
            pause(self.rnd.random() * 0.004)
            if time.time() > end + 1 and not DISPATCHING.value and not self.running:
                left = self.w.s.v("select true from core_task where state in ('waiting', 'running', 'canceling') limit 1")


def supervisor(db, seed, end, out):
    s = Supervisor(db, seed)
    s.work(end)
    out.put(s.log)


def overlaps(runs):
    by, found = {}, []
    for t, began, ended, record in runs:
        for name in record or []:
            by.setdefault(name.replace("shared:", "", 1), []).append((began, ended, name.startswith("shared:"), t))
    for name, spans in by.items():
        spans.sort(key=lambda x: x[:2])
        for i, (began, ended, shared, t) in enumerate(spans):
            for began2, ended2, shared2, t2 in spans[i + 1:]:
                if began2 >= ended:
                    break
                if not (shared and shared2) and t != t2:
                    found.append((name, t, t2))
    return found


def everything_at_once(db, python):
    s = Session(db)
    if python:
        pulpdb.live_pulp(s)
    end, out, seed = time.time() + SECONDS, multiprocessing.Queue(), pulpdb.SEED
    ps = [multiprocessing.Process(target=dispatcher, args=(db, seed + i, end, python)) for i in range(3)]
    ps += [multiprocessing.Process(target=f, args=(db, seed + 50, end)) for f in (canceler, killer)]
    if python:
        ps.append(multiprocessing.Process(target=walker, args=(db, seed + 60, end)))
    ps += [multiprocessing.Process(target=supervisor, args=(db, seed + 100 + i, end, out)) for i in range(4)]
    DISPATCHING.value = 3
    for p in ps:
        p.start()
    runs = []
    for _ in range(4):
        runs += out.get(timeout=SECONDS + 90)
    for p in ps:
        p.join(30)
        assert p.exitcode == 0, "a process failed"
    states = dict(s.q("select state, count(*) from core_task group by 1"))
    pulpdb.diag("states %s, runs %d" % (states, len(runs)))
    bad = overlaps(runs)
    assert not bad, "conflicting overlaps: %s" % bad[:5]
    ran = [r[0] for r in runs if r[3] is not None]
    assert len(ran) == len(set(ran)), "a task ran twice"
    assert not set(states) & {"waiting", "running", "canceling"}, states
    s.q("select pulp_worker.unblock_tasks()")
    assert pulpdb.left(s) == {}, pulpdb.left(s)
    assert not s.v("select count(*) from pulp_worker.bad") and sum(states.values()) > ENOUGH


def ten_03_mixed(db):
    """a mixed run, standing alone: no conflicting overlap, no task twice, everything ends, nothing left"""
    everything_at_once(db, False)


def ten_03_mixed_with_python(db):
    """the same beside the walk and the insert trigger of a live Pulp"""
    everything_at_once(db, True)


pulpdb.run(ten_03_mixed, ten_03_mixed_with_python)
