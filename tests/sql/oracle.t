#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The walk of pulp-spec 4.4, by brute force, against unblock_tasks.

Histories of random steps; after each, bounded passes under lock (0, 84). Between passes nothing
may be ready that the walk does not allow; when there is no more to do, what is ready is exactly
what the walk allows, and the ready list is exactly what is ready and has no owner, each under its
requirement. The walk goes in the order of settling, which is read from the queues and is itself
checked: a task whose dispatch was committed before another's began comes first.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb

RESOURCES = ["r%d" % i for i in range(6)]
VERSIONS = [None, {}, {"t": "1.0"}, {"t": "2.0", "u": "1"}]
LOCK, UNLOCK = "select pg_advisory_lock(0, 84)", "select pg_advisory_unlock(0, 84)"


class Task:
    def __init__(self, id, ex, sh, need, began):
        self.id, self.ex, self.sh, self.need = id, set(ex), set(sh) - set(ex), need
        self.state, self.owner, self.by_hand, self.started = "waiting", None, False, False
        self.began, self.committed, self.order = began, None, None


class Other:
    """A session with a transaction open, and what it will have done if it commits."""

    def __init__(self, db):
        self.s = pulpdb.Session(db, auto=False, timeout="5s")
        self.new, self.touched, self.then, self.claims = [], set(), [], False

    def end(self, commit):
        (self.s.c.commit if commit else self.s.c.rollback)()
        new, then = self.new, self.then
        self.new, self.touched, self.then, self.claims = [], set(), [], False
        if commit:
            for f in then:
                f()
            return new
        return []

    def open(self):
        return bool(self.new or self.touched or self.claims)


class Oracle:
    def __init__(self, db, seed):
        self.db, self.rnd = db, random.Random(seed)
        self.s = pulpdb.Session(db)
        self.others = [Other(db), Other(db)]
        self.me = [pulpdb.register(self.s, "w%d" % i) for i in range(2)]
        self.domain = "prn:core.domain:%s" % self.s.v("select pulp_id from core_domain")
        self.live, self.clock, self.grown, self.steps, self.counts = {}, 0, 0, 0, {}
        self.ready, self.excused = set(), set()

    # What a step may be.

    def tick(self):
        self.clock += 1
        return self.clock

    def names(self):
        return RESOURCES + ["g%d" % (self.grown - 1)]

    def free(self, *states, **want):
        """Tasks that no open transaction of another session has touched."""
        held = set().union(*(o.touched for o in self.others))
        return sorted((t for t in self.live.values() if t.state in states and t.id not in held
                       and all(getattr(t, k) == v for k, v in want.items())), key=lambda t: t.began)

    def pick(self, *states, **want):
        choice = self.free(*states, **want)
        return self.rnd.choice(choice) if choice else None

    def resources(self):
        r = self.rnd
        ex = r.sample(self.names(), r.choice([0, 0, 1, 1, 2, 3]))
        sh = r.sample(self.names(), r.choice([0, 1, 1, 3]))      # may repeat an exclusive one
        return ex, sh

    def insert(self, s):
        """By dispatch, or by a plain INSERT with a record of its own kind."""
        r, began = self.rnd, self.tick()
        ex, sh = self.resources()
        if r.random() < 0.6:
            versions, immediate = r.choice(VERSIONS), r.random() < 0.2
            home = [] if self.domain in ex else [self.domain]
            made = pulpdb.dispatch(s, r.choice(["t.x", "u.y"]), exclusive_resources=ex + [None] * r.choice([0, 0, 1]),
                                   shared_resources=sh + sh[:1], versions=versions, immediate=immediate)
            task = Task(made, ex, sh + home, None, began)
        else:
            record = r.choice([None, [], ex + ["shared:" + x for x in sh], ex + ["shared:" + x for x in sh]])
            if record and r.random() < 0.2:
                record = record + [None] + record[:1]
            if record:
                r.shuffle(record)
            made = pulpdb.bare_task(s, record, r.choice(["t.x", "u.y"]), immediate=r.choice([None, True, False]))
            record = [x for x in record or [] if x is not None]
            task = Task(made, [x for x in record if not x.startswith("shared:")],
                        [x[7:] for x in record if x.startswith("shared:")], None, began)
        return task

    def born(self, tasks):
        now = self.tick()
        for t in tasks:
            t.committed = now
            self.live[t.id] = t

    def change(self, s, task, **to):
        """One plain UPDATE of a task; returns what to do to the model when it is committed."""
        sets = ", ".join("%s = %%s" % k for k in to)
        assert s.q("update core_task set %s where pulp_id = %%s" % sets, *to.values(), task.id) == 1
        def then():
            task.state = to.get("state", task.state)
            if "app_lock_id" in to:
                task.owner = to["app_lock_id"]
                task.by_hand = to["app_lock_id"] is not None
            if task.state not in pulpdb.INCOMPLETE:
                self.live.pop(task.id, None)
        return then

    def step_dispatch(self):
        self.born([self.insert(self.s) for _ in range(self.rnd.choice([1, 1, 1, 4]))])

    def step_end(self):
        t = self.pick("running", "canceling")
        if t:
            self.change(self.s, t, state=self.rnd.choice(["completed", "failed", "canceled"]), app_lock_id=None)()

    def step_end_any(self):
        t = self.pick(*pulpdb.INCOMPLETE)
        if t:
            self.change(self.s, t, state=self.rnd.choice(["canceled", "skipped"]))()

    def step_take(self):
        """A claim and a start, by hand, as Python does it: in two statements."""
        ready = self.s.set("select pulp_id from core_task where unblocked_at is not null and state = 'waiting'")
        t = self.rnd.choice([t for t in self.free("waiting", owner=None) if t.id in ready] or [None])
        if t:
            self.change(self.s, t, app_lock_id=self.rnd.choice(self.me))()
            if self.rnd.random() < 0.8:
                self.change(self.s, t, state="running")()
            elif self.rnd.random() < 0.5:
                self.change(self.s, t, app_lock_id=None)()      # it looked, and let go

    def claim(self, s, n):
        classes = [r[0] for r in self.s.q("select id from pulp_worker.requirement")]
        me = self.rnd.choice(self.me)
        served = self.rnd.sample(classes, self.rnd.randint(1, len(classes)))
        rows = s.q("select * from pulp_worker.iter_tasks(%s, %s, %s, %s)", me, n, served, [0] * len(served))
        return me, {r[0]: r[2] for r in rows}

    def took(self, me, claimed):
        for id, state in claimed.items():
            t = self.live[id]
            assert t.owner is None, "claimed although it has an owner"
            assert state == {"waiting": "running", "running": "abandoned"}.get(t.state, t.state), (state, t.state)
            t.owner, t.by_hand = me, False
            if t.state == "waiting":
                t.state = "running"

    def step_claim(self):
        self.took(*self.claim(self.s, self.rnd.choice([1, 1, 5])))

    def step_cancel(self):
        t = self.pick(*pulpdb.INCOMPLETE)
        if t:
            got = self.s.v("select pulp_worker.cancel_task(%s)", t.id)
            want = "canceled" if t.owner is None and t.state != "running" else "canceling"
            assert got == want, (got, want)
            t.state = got
            if got == "canceled":
                del self.live[t.id]

    def step_cancel_plain(self):
        t = self.pick("waiting", "running")
        if t:
            self.change(self.s, t, state="canceling")()

    def step_revert(self):
        """Edge 8: a full-row save takes a cancel back, and the mark with it."""
        t = self.pick("canceling", owner=None)
        if t:
            self.change(self.s, t, state="waiting", unblocked_at=None)()
            self.excused.discard(t.id)

    def step_delete(self):
        t = self.pick(*pulpdb.INCOMPLETE)
        if t:
            self.s.q("delete from core_task where pulp_id = %s", t.id)
            del self.live[t.id]

    def step_set_back(self):
        t = self.pick("waiting")
        if t:
            self.change(self.s, t, unblocked_at=None)()
            self.excused.discard(t.id)

    def step_grow(self):
        t = self.pick("running")
        if t:
            if self.rnd.random() < 0.7:
                name = "g%d" % self.grown
                self.grown += 1
            else:       # a name that others use: what is ready by now stays so
                name = self.rnd.choice(RESOURCES)
                self.excused |= self.ready
            self.s.q("update core_task set reserved_resources_record = array_append(reserved_resources_record, %s) "
                     "where pulp_id = %s", name, t.id)
            if not t.ex | t.sh:
                t.committed = self.tick()       # it comes to the queues only now
            t.ex.add(name)
            t.sh.discard(name)

    def step_heads(self):
        """What one end in 64 does: the searches begin behind what is gone."""
        self.s.q(LOCK)
        self.s.q("set search_path = pulp_worker, public; select raise_heads(array(select distinct resource from reservation)); "
                 "reset search_path")
        self.s.q(UNLOCK)

    def step_note_twice(self):
        t = self.pick(*pulpdb.INCOMPLETE)
        if t:
            self.s.q("insert into pulp_worker.inbox (task) select %s from generate_series(1, 3)", t.id)

    def step_death(self):
        me = self.rnd.choice(self.me)
        mine = self.free(*pulpdb.INCOMPLETE, owner=me)
        self.s.q("update core_task set app_lock_id = null where pulp_id = any(%s)", [t.id for t in mine])
        for t in mine:
            t.owner, t.by_hand = None, False

    def step_other(self):
        """Something in another session, which stays open for a while."""
        o = self.rnd.choice(self.others)
        if o.open() and self.rnd.random() < 0.5:
            return self.born(o.end(self.rnd.random() < 0.7))
        what = self.rnd.random()
        if what < 0.5:
            o.new += [self.insert(o.s) for _ in range(self.rnd.choice([1, 2]))]
        elif what < 0.8:
            t = self.pick(*pulpdb.INCOMPLETE)
            if t:
                o.then.append(self.change(o.s, t, state=self.rnd.choice(["canceling", "canceled"])))
                o.touched.add(t.id)
        else:
            me, claimed = self.claim(o.s, 2)
            o.claims = True
            o.then.append(lambda: self.took(me, claimed))
            o.touched |= set(claimed)

    STEPS = ((step_dispatch, 40), (step_end, 18), (step_end_any, 6), (step_take, 8), (step_claim, 10),
             (step_cancel, 6), (step_cancel_plain, 4), (step_revert, 2), (step_delete, 3), (step_set_back, 3),
             (step_grow, 4), (step_note_twice, 2), (step_heads, 4), (step_death, 2), (step_other, 14))

    # What must hold.

    def settled(self):
        """Takes the order of settling of what came to the queues since, and checks it; keeps what is ready."""
        rows = self.s.q("select pulp_id, unblocked_at is not null, (select position from pulp_worker.reservation "
                        "where task = pulp_id limit 1) from core_task where state in ('waiting', 'running', 'canceling')")
        self.ready = {r[0] for r in rows if r[1]}
        place = {r[0]: r[2] for r in rows if r[2] is not None}
        fresh = sorted((t for t in self.live.values() if t.order is None and t.id in place),
                       key=lambda t: place[t.id])
        if fresh:
            waiting = [t for t in self.live.values() if t.order is None and t.id not in place and t.ex | t.sh]
            for i, t in enumerate(fresh):
                t.order = place[t.id]
                for earlier in fresh[i + 1:] + waiting:
                    assert not earlier.committed < t.began, (
                        "%s settled before %s, which was there when it came: %s" % (
                            vars(t), vars(earlier), self.s.q("select * from pulp_worker.inbox")))
        for t in self.live.values():
            assert t.order in (None, place.get(t.id)), "lost its place"
        return place

    def walk(self):
        exclusive, shared, ready = set(), set(), set()
        for t in sorted((t for t in self.live.values() if t.order is not None), key=lambda t: t.order):
            if t.state != "waiting" or not (t.ex & (exclusive | shared) or t.sh & exclusive):
                ready.add(t.id)
            exclusive |= t.ex
            shared |= t.sh
        for t in self.live.values():
            if t.order is None and (t.state != "waiting" or not t.ex | t.sh):
                ready.add(t.id)
        return ready

    def passes(self, limit):
        self.s.q(LOCK)
        for _ in range(100000):
            more = self.s.v("select more from pulp_worker.pass(%s)", limit)
            self.settled()
            extra = self.ready - self.walk() - self.excused
            assert not extra, "unsafe between passes: %s" % extra
            if not more:
                break
        else:
            raise AssertionError("settling does not end")
        self.s.q(UNLOCK)

    def quiet(self):
        held = set().union(*(o.touched for o in self.others))
        place = self.settled()
        for t in self.live.values():
            assert t.id in place or not t.ex | t.sh, "not settled: %s" % t.id
        self.excused &= self.ready
        got = self.ready
        want = self.walk() | self.excused
        assert got <= want and want - got <= held, "ready: missing %s, extra %s" % (want - got, got - want)
        listed = {r[0]: r[1:] for r in self.s.q(
            "select r.task, r.requirement, q.module = split_part(t.name, '.', 1) "
            "and q.versions = hstore_to_jsonb(t.versions) and q.immediate = coalesce(t.immediate, false) "
            "from pulp_worker.ready r join pulp_worker.requirement q on q.id = r.requirement "
            "left join core_task t on t.pulp_id = r.task")}
        unowned = {id for id in got if self.live[id].owner is None}
        assert not unowned - set(listed) - held, "not listed: %s" % (unowned - set(listed))
        # an open claim holds the list's row, also of what it passed over: then it is looked at again
        again = self.s.set("select task from pulp_worker.again") if any(o.claims for o in self.others) else set()
        for id in set(listed) - unowned - held - again:
            assert id in self.live and self.live[id].by_hand, "listed although it is not free: %s" % (
                self.s.q("select state, app_lock_id, unblocked_at from core_task where pulp_id = %s", id),)
        for id in set(listed) & unowned - held - again:
            requirement, fits = listed[id]
            assert (requirement == 0) == (self.live[id].state != "waiting") and (requirement == 0 or fits), \
                "under the wrong requirement: %s %s" % (vars(self.live[id]), listed[id])
        stale = self.s.v("select count(*) from pulp_worker.reservation r where not exists (select from core_task t "
                         "where t.pulp_id = r.task and t.state in ('waiting', 'running', 'canceling'))")
        assert stale == 0, "%d stale reservations" % stale
        assert not set(pulpdb.left(self.s)) & {"inbox", "wake"}, pulpdb.left(self.s)

    def history(self, length, limit):
        for _ in range(length):
            self.steps += 1
            for _ in range(self.rnd.randint(1, 4)):
                step = self.rnd.choices([x[0] for x in self.STEPS], [x[1] for x in self.STEPS])[0]
                self.counts[step.__name__] = self.counts.get(step.__name__, 0) + 1
                step(self)
            self.passes(limit)
            self.quiet()

    def finish(self):
        """Everything ends in one of three ways, and nothing may be left."""
        for o in self.others:
            self.born(o.end(self.rnd.random() < 0.5))
        self.s.q(self.rnd.choice([
            "truncate core_task cascade", "delete from core_task",
            "update core_task set state = 'completed', app_lock_id = null where state <> 'completed'"]))
        self.live = {}
        pulpdb.settle(self.s)
        assert not pulpdb.left(self.s), pulpdb.left(self.s)
        assert not self.s.v("select count(*) from pulp_worker.bad")
        self.s.q("delete from core_task")
        self.s.q("delete from pulp_worker.requirement where id > %s", self.rnd.choice([0, 4, 1000]))


def ten_01_oracle(db):
    """what is ready is what the walk of 4.4 allows, in the order of settling"""
    total = int(os.environ.get("PULP_TEST_STEPS") or (100000 if pulpdb.LONG else 5000))
    steps, seed, start, counts = 0, pulpdb.SEED, time.monotonic(), {}
    while steps < total:
        name = pulpdb.fresh()
        o = Oracle(name, seed)
        try:
            for _ in range(8):
                length = o.rnd.choice([20, 20, 50, 50, 100, 200, 500])
                limit = o.rnd.choice([1, 3, 1000])
                o.history(length, limit)
                o.finish()
        except Exception:
            pulpdb.diag("PULP_TEST_SEED=%d limit %d, step %d of this seed" % (seed, limit, o.steps))
            raise
        finally:
            for s in [o.s] + [x.s for x in o.others]:
                s.close()
            pulpdb.drop(name)
        steps, seed = steps + o.steps, seed + 1
        for k, v in o.counts.items():
            counts[k] = counts.get(k, 0) + v
    pulpdb.diag("%d steps in %.0f s: %s" % (steps, time.monotonic() - start, counts))


pulpdb.run(ten_01_oracle)
