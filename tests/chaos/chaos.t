#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults at random, for PULP_TEST_SECONDS: workers, plugin hosts and children are killed and stopped, the database loses
connections and crashes, tasks are canceled; and what must hold holds: every task that was dispatched ends once, none is started
twice, no two in conflict overlap or overtake each other, nothing is left behind."""
import contextlib
import glob
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import psycopg2
import pulpdb
import server
import system
from pulpdb import diag, wait_until

SECONDS = float(os.environ.get("PULP_TEST_SECONDS", "60"))
NAMES = ["r%d" % i for i in range(6)]
WORKERS = 3
MOST = 60      # unfinished tasks
ENDS = ("completed", "failed", "canceled", "skipped")


class Chaos:
    """Who is there, and what is being done to them."""

    def __init__(self, h):
        self.h, self.rnd = h, random.Random(pulpdb.SEED)
        self.later = []         # (when, what)
        self.down = set()       # those that were stopped or paused
        self.count, self.faults = 0, {}
        self.workers = []
        for _ in range(WORKERS):
            self.start()

    def start(self):
        """Another worker; names come again."""
        taken = {w.name for w in self.workers}
        name = next("w%d" % i for i in range(WORKERS) if "w%d" % i not in taken)
        self.workers.append(self.h.worker(name, "--worker-ttl", "2s", "--poll-interval", "1s", slots=3, ready=False))

    def ask(self, what, *args, **kw):
        """Of a session; None where the database is not there, or cut it."""
        for _ in range(2):
            try:
                return what(self.h.s, *args, **kw)
            except psycopg2.Error:
                self.h.s.c.close()
                with contextlib.suppress(psycopg2.Error):
                    guest, self.h.s = self.h.s.guest, pulpdb.Session(self.h.db)
                    self.h.s.guest = guest
                    if guest:
                        self.h.s.be_guest()
        return None

    def sql(self, text, *args):
        """A statement of a program."""
        return self.ask(pulpdb.Session.q, text, *args)

    def replace(self, worker):
        """It has gone: another one."""
        worker.status = worker.process.wait(60)
        self.workers.remove(worker)
        self.start()

    # --- what programs do

    def dispatch(self):
        """A few tasks; sometimes many in one transaction."""
        rnd = self.rnd
        for _ in range(rnd.choice([1, 1, 2, 5])):
            names = rnd.sample(NAMES, rnd.choice([0, 1, 1, 1, 2, 3]))
            cut = rnd.randrange(len(names) + 1)
            name, kwargs = rnd.choice([("mark", {"file": "m", "ms": rnd.choice([0, 1, 5, 30, 200])})] * 24 + [
                ("crash", {}), ("exit", {"status": 3}), ("daemon", {"file": "d"}), ("fail", {}),
                ("mark", {"file": "m", "ms": 9000}), ("daemon", {"file": "d", "then": "crash"})])
            done = self.ask(pulpdb.dispatch, "hostile." + name, kwargs=kwargs, exclusive_resources=names[:cut],
                            shared_resources=names[cut:], versions={"c_hostile": "1.0"})
            self.count += done is not None

    def cancel(self):
        """Any that has not ended."""
        self.sql("select pulp_worker.cancel_task(pulp_id) from core_task where state in ('waiting', 'running') order by random() limit 1")

    # --- what happens

    def kill_worker(self):
        """A crash."""
        worker = self.rnd.choice([w for w in self.workers if w not in self.down] or self.workers)
        worker.process.kill()
        self.down.discard(worker)
        self.replace(worker)

    def stop_worker(self):
        """Its host stands still, perhaps for longer than its ttl."""
        worker = self.rnd.choice(self.workers)
        if worker not in self.down:
            self.down.add(worker)
            worker.send(signal.SIGSTOP)
            self.after(self.rnd.choice([0.1, 1, 10]), worker, signal.SIGCONT)

    def pause_worker(self):
        """As an operator does."""
        worker = self.rnd.choice(self.workers)
        if worker not in self.down:
            self.down.add(worker)
            worker.send(signal.SIGUSR1)
            self.after(self.rnd.random(), worker, signal.SIGUSR2)

    def after(self, seconds, worker, number):
        """That signal, later."""
        def send():
            if worker in self.down:
                self.down.discard(worker)
                worker.send(number)
        self.later.append((time.monotonic() + seconds, send))

    def end_worker(self):
        """An orderly end, of one kind or another."""
        worker = self.rnd.choice(self.workers)
        if worker not in self.down and self.settled(worker):
            worker.send(self.rnd.choice([signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]))
            self.replace(worker)
            assert worker.status == 0, "%s ended with %s" % (worker.name, worker.status)

    def reload_worker(self):
        """Plugins are read again."""
        worker = self.rnd.choice(self.workers)
        if self.settled(worker):
            worker.send(signal.SIGHUP)

    @staticmethod
    def settled(worker):
        """It has come so far that signals mean something to it."""
        return "event=worker.started" in worker.log()

    def kill_below(self):
        """A plugin host, a task's process, or what that has left."""
        below = system.below(self.rnd.choice(self.workers).pid)
        if below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.rnd.choice(below), signal.SIGKILL)

    def cut_connections(self):
        """Of workers and of programs."""
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
                 "and application_name = 'pulp-worker' and random() < 0.5")

    def crash_database(self):
        """Or its administrator restarts it."""
        server.Server.stop(self.rnd.choice(["fast", "immediate", "kill"]))
        pulpdb.pause(self.rnd.choice([0, 0.3, 1]))
        server.Server.start()

    # --- all of it

    def step(self):
        """The next thing that happens."""
        now = time.monotonic()
        for when, what in [x for x in self.later if x[0] <= now]:
            self.later.remove((when, what))
            what()
        for worker in [w for w in self.workers if w.process.poll() is not None]:
            assert worker.process.poll() == 69, "%s died: %s" % (worker.name, worker.process.poll())    # started while there was no database
            self.replace(worker)
        faults = {self.kill_worker: 3, self.stop_worker: 4, self.pause_worker: 2, self.end_worker: 3, self.reload_worker: 1,
                  self.kill_below: 4, self.cut_connections: 3, self.crash_database: 1}
        if self.rnd.random() < 0.03:
            fault = self.rnd.choices(list(faults), faults.values())[0]
            self.faults[fault.__name__] = self.faults.get(fault.__name__, 0) + 1
            fault()
        elif self.rnd.random() < 0.1:
            self.cancel()
        elif self.open() < MOST:
            self.dispatch()
        pulpdb.pause(self.rnd.random() / 30)

    def open(self):
        """How many have not ended; many where that is not known."""
        rows = self.sql("select count(*) from core_task where state not in %s", ENDS)
        return rows[0][0] if rows else MOST

    def calm(self):
        """Nothing more happens; all that was begun comes to its end."""
        for _, what in self.later:
            what()
        for worker in self.workers:
            if worker.process.poll() is not None:
                self.replace(worker)
        wait_until("all tasks to end", lambda: self.open() == 0, 120)


def lines(h, name):
    """What tasks wrote there: {task: {what: time}}; each at most once."""
    found = {}
    for line in h.read(name):
        what, task, _, when, _ = line.split()
        assert what not in found.setdefault(task, {}), "twice: " + line
        found[task][what] = float(when)
    return found


def check(h):
    """What must hold of all that has happened."""
    kinds = "null" if h.s.guest else "(select kind from pulp_worker.attempt where task = pulp_id)"
    rows = h.s.q("select pulp_id::text, name, state, started_at, finished_at, reserved_resources_record, %s, error from core_task "
                 "order by pulp_created" % kinds)
    marks = lines(h, "m")
    clock = time.time() - time.monotonic()
    queues, ends = {}, {}
    for task, name, state, started, finished, record, kind, error in rows:
        ends[state, kind] = ends.get((state, kind), 0) + 1
        assert state in ENDS and finished, (task, state)
        seen = marks.get(task, {})
        assert not seen or started, "%s ran and says that it did not: %s %s" % (task, state, error)
        assert max(seen.values(), default=0) + clock < finished.timestamp() + 0.01, "%s went on after its end: %s %s" % (task, state, error)
        if name == "hostile.mark" and state == "completed":
            assert set(seen) == {"start", "stop"}, (task, seen)
        for entry in record:
            if not entry.startswith("shared:prn:core.domain:"):
                queues.setdefault(entry.replace("shared:", ""), []).append((task, started, finished, not entry.startswith("shared:"), seen))
    pairs = 0
    for name, queue in queues.items():
        for i, (task, started, _, alone, seen) in enumerate(queue):
            for other, _, finished, others_alone, others in queue[:i]:
                if started and (alone or others_alone):
                    pairs += 1
                    assert finished <= started, "%s: %s began before %s had ended" % (name, task, other)
                    assert seen.get("start", 1e9) >= max(others.values(), default=0), "%s: %s ran before %s had ended" % (name, task, other)
    diag("%d pairs in conflict, all in order; %s" % (pairs, ", ".join("%s %s: %d" % (k or "", s, n) for (s, k), n in ends.items())))
    return len(rows)


def left_processes(h):
    """All that belong to this test by their environment, but the test."""
    mine = h.dir.encode()
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if mine in file.read():
                found.append(int(path.split("/")[2]))
    return [p for p in found if system.alive(p)]


def faults_at_random(h):
    """everything at once, and what must hold holds"""
    c = Chaos(h)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        c.step()
    diag("%d dispatched, %d open; %s" % (c.count, c.open(), c.faults))
    start = time.monotonic()
    c.calm()
    diag("%.1f s until all had ended" % (time.monotonic() - start))
    assert check(h) >= c.count, "some that were dispatched are gone"
    wait_until("the workers that are gone to be cleaned up after", lambda: h.s.set("select name from core_appstatus") == {
        w.name for w in c.workers} and h.s.v("select count(*) from core_appstatus") == WORKERS, 60)
    diag("%.1f s until the workers that are gone were forgotten" % (time.monotonic() - start))
    for worker in c.workers:
        assert worker.stop() == 0, worker.status
    assert h.s.guest or pulpdb.left(h.s) == {}, pulpdb.left(h.s)
    assert not left_processes(h), left_processes(h)
    for path in glob.glob(h.dir + "/*.log"):
        with open(path, errors="replace") as log:
            strange = [line for line in log if re.match("==|.*([Aa]ssert|Sanitizer)", line)]
        assert not strange, strange[:10]


def guests_too(h):
    """the same at a live Pulp without our schema"""
    pulpdb.without_schema(h.s)
    h.s.be_guest()
    faults_at_random(h)


for test in faults_at_random, guests_too:
    test.users = (os.getuid() == 0,)
system.run(faults_at_random, guests_too, settings=("synchronous_commit=on", "fsync=off", "max_connections=60"))
