#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Turns: claims (order, classes, floors, what others hold), endings, progress, logs."""
import json
import os
import random
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task, dispatch, ending, turn


def serve_all(s):
    return [r[0] for r in s.q("select id from pulp_worker.requirement order by id")]


def order_of_claims(db):
    """what is to be ended comes first, then immediate tasks, then in the order of readiness"""
    s, w = Session(db), Worker(db, slots=100)
    first = [dispatch(s) for _ in range(3)]
    w.turn(slots=0)
    now = [dispatch(s, immediate=True, versions={"a": "1"}) for _ in range(2)]
    late = [dispatch(s, versions={"t": "1"}) for _ in range(2)]
    old = bare_task(s, state="running")
    canceling = bare_task(s, state="canceling", versions="z=>9")
    w.turn(slots=0)
    t = w.turn()
    got = t.claimed
    assert t.cids == dict(s.q("select pulp_id, logging_cid from core_task")) and t.cids[old] == "x", t.cids
    assert set(s.q("select task, cid from pulp_worker.my_tasks(%s)", w.me)) == set(t.cids.items())
    assert [g[0] for g in got] == [old, canceling] + now + first + late, got
    assert [g[2] for g in got] == ["abandoned", "canceling"] + ["running"] * 7
    assert {g[1] for g in got} == {"t.x"}
    rows = {r[0]: r[1:] for r in s.q("select pulp_id, state, app_lock_id, started_at is not null from core_task")}
    assert rows[old] == ("running", w.me, False) and rows[canceling] == ("canceling", w.me, False)
    assert all(rows[t] == ("running", w.me, True) for t in now + first + late)


def slots_bound_a_claim(db):
    """a claim takes as many as there are free slots, and no more"""
    s, w = Session(db), Worker(db)
    for _ in range(300):
        dispatch(s)
    w.turn(slots=0)
    assert len(w.turn(slots=1).tasks) == 1 and len(w.turn(slots=0).tasks) == 0
    assert len(w.turn(slots=-3).tasks) == 0
    assert len(w.turn(slots=199).tasks) == 199 and len(w.turn(slots=500).tasks) == 100


def served_classes_only(db):
    """I6: a task whose class is not served is not claimed, in whatever order things happen"""
    s = Session(db)
    a = Worker(db, "a", lambda module, d: module == "a")
    b = Worker(db, "b", lambda module, d: module == "b" and d["versions"].get("b", "1") <= "2")
    none = Worker(db, "none", lambda module, d: False)
    for i in range(50):
        dispatch(s, "a.x")
        dispatch(s, "b.x", versions={"b": random.choice(["1", "2"])})
        dispatch(s, "b.x", versions={"b": "3"})
    dead = [bare_task(s, name="b.y", state=x, versions="b=>9") for x in ("running", "canceling")]
    assert none.turn().tasks == dead
    for w in (a, b, none):
        w.slots = 1000
        w.turn()
        w.turn()
    name = dict(s.q("select pulp_id, name || ' ' || versions::text from core_task"))
    assert {name[t] for t in a.running} == {"a.x "}
    assert {name[t] for t in b.running} == {'b.x "b"=>"1"', 'b.x "b"=>"2"'}
    assert set(none.running) == set(dead)
    assert s.v("select count(*) from core_task where state = 'waiting' and versions = 'b=>3'") == 50
    assert set(a.running) | set(b.running) == s.set("select pulp_id from core_task where name <> 'b.y' and state = 'running'")


def locked_heads_are_passed_over(db):
    """what somebody's transaction holds is skipped, and comes when it is free"""
    s, w, o = Session(db), Worker(db, slots=200), Session(db)
    tasks = [dispatch(s) for _ in range(150)]
    w.turn(slots=0)
    o.begin()
    o.q("select from core_task where pulp_id = any(%s) for update", tasks[:100])
    assert w.turn(slots=10).tasks == tasks[100:110]
    o.rollback()
    assert w.turn(slots=5).tasks == tasks[:5]
    o.begin()       # another session's claim, not committed yet
    assert turn(o, w.me, 10, serve_all(o)).tasks == tasks[5:15]
    assert w.turn(slots=10).tasks == tasks[15:25]
    o.rollback()
    assert w.turn(slots=10).tasks == tasks[5:15], "a claim that was rolled back does not come again"
    o.begin()
    o.q("select from core_task where pulp_id = any(%s) for key share", tasks)      # as a child row's foreign key does
    assert w.turn(slots=10).tasks == tasks[25:35]
    o.rollback()


def a_flicker_of_somebody_elses_lock(db):
    """a task that Python locked to look at comes back when it lets go"""
    s, w = Session(db), Worker(db)
    t = dispatch(s)
    w.turn(slots=0)
    s.q("update core_task set app_lock_id = %s", pulpdb.register(s, "python"))
    assert w.turn().tasks == []
    s.q("update core_task set app_lock_id = null")
    assert w.turn().tasks == [t]
    assert w.turn(ended=[t]).ended == {t: "completed"}
    assert pulpdb.left(s) == {}


def many_workers_one_list(db):
    """workers that take turns at once never take the same task, and take all"""
    s = Session(db)
    tasks = {dispatch(s) for _ in range(500)}
    workers = [Worker(db, "w%d" % i, slots=1000) for i in range(3)]
    came = []
    while len(came) < 500:
        for w in workers:
            w.s.begin()
        for w in workers:
            came += w.turn(slots=random.randint(1, 9)).tasks
        for w in workers:
            w.s.commit()
    assert len(came) == 500 and set(came) == tasks


def floors_hide_nothing(db):
    """property: with floors, a claim sees what a claim without floors sees"""
    for seed in range(pulpdb.SEED, pulpdb.SEED + (60 if pulpdb.LONG else 12)):
        floors_history(random.Random(seed), seed)


def floors_history(rnd, seed):
    db = pulpdb.fresh()
    s = Session(db)
    ws = [Worker(db, "w%d" % i, lambda module, d, i=i: i == 0 or module == "mn"[i - 1], slots=10000) for i in range(3)]
    for w in ws:
        w.open, w.before = False, None
    moved = 0
    for step in range(150):
        what = rnd.random()
        w = rnd.choice(ws)
        if what < 0.45:
            held, count = rnd.choice([([], 1), ([], 20), ([], 300), (["a"], 5)])
            s.q("select pulp_worker.dispatch(%s, exclusive_resources => %s::text[], immediate => %s) "
                "from generate_series(1, %s)", rnd.choice(["m.x", "n.x"]), held, rnd.random() < 0.1, count)
        elif what < 0.55 and not w.open:
            w.s.begin()
            w.open, w.before = True, (dict(w.running), dict(w.floors), w.known)
        elif what < 0.65 and w.open:
            if rnd.random() < 0.5:      # with the transaction goes all that it said
                w.s.rollback()
                w.running, w.floors, w.known = w.before
            else:
                w.s.commit()
            w.open = False
        elif what < 0.7:
            t = s.v("select task from pulp_worker.ready order by random() limit 1 ")
            if t:
                s.q("select from core_task where pulp_id = %s for update skip locked", t)
                s.q("update core_task set unblocked_at = null where pulp_id in "
                    "(select pulp_id from core_task where pulp_id = %s for update skip locked)", t)
        else:
            ended = rnd.sample(list(w.running), min(len(w.running), rnd.choice([0, 1, 40])))
            old = dict(w.floors)
            w.turn(ended=ended, slots=rnd.choice([0, 1, 5, 200]))
            moved += any(w.floors[n] > old.get(n, 0) for n in w.floors)
        if step % 5 == 0:       # the committed list against the floors that stand
            for w in ws:
                if not w.open:
                    hidden = s.q("select r.* from pulp_worker.ready r join unnest(%s, %s) f (id, low) on f.id = r.requirement "
                                 "where r.number < f.low", list(w.floors), list(w.floors.values()))
                    assert not hidden, "seed %d: hidden by a floor: %s" % (seed, hidden)
    for w in ws:
        if w.open:
            w.s.rollback()
            w.running, w.floors, w.known = w.before
    for _ in range(3):
        for w in ws:
            w.drain(ended=lambda t: ending(t))
    assert s.v("select count(*) from core_task where state <> 'completed'") == 0, "seed %d" % seed
    assert pulpdb.left(s) == {} and moved > 3, moved
    for x in [s] + [w.s for w in ws]:
        x.close()
    pulpdb.drop(db)


def endings(db):
    """completed, failed, canceled as told; a canceling task is canceled whatever it still said"""
    s, w = Session(db), Worker(db, slots=10)
    a, b, c, d, e = [dispatch(s) for _ in range(5)]
    w.turn()
    w.turn()
    s.q("update core_task set state = 'canceling' where pulp_id = any(%s)", [c, d, e])
    t = w.turn(slots=0, ended=[
        ending(a, result='{"x": [1]}', kind="completed", remains=2, rss=300, cpu=4),
        ending(b, "failed", error='{"description": "no", "traceback": ""}', kind="exit"),
        ending(c, "completed", result='1'), ending(d, "failed", error='{"reason": "Killed by signal 9."}'),
        ending(e, "canceled", error='{"reason": "as told"}')])
    # what the row says in the end, whatever was given
    assert t.ended == {a: "completed", b: "failed", c: "canceled", d: "canceled", e: "canceled"}, t.ended
    rows = {r[0]: r[1:] for r in s.q("select pulp_id, state, result, error, app_lock_id, finished_at >= started_at from core_task")}
    assert rows[a] == ("completed", {"x": [1]}, None, None, True)
    assert rows[b] == ("failed", None, {"description": "no", "traceback": ""}, None, True)
    assert rows[c] == ("canceled", None, None, None, True) == rows[d]
    assert rows[e] == ("canceled", None, {"reason": "as told"}, None, True)
    assert s.one("select * from pulp_worker.attempt where task = %s", a) == (a, "w", "completed", 2, 300, 4)
    assert s.one("select kind from pulp_worker.attempt where task = %s", b) == ("exit",)
    t = w.turn(slots=0, ended=[ending(a, "failed")])        # a late writer changes no row (I4)
    assert t.ended == {a: "lost"} and rows[a] == s.one(
        "select state, result, error, app_lock_id, finished_at >= started_at from core_task where pulp_id = %s", a)


def results_that_are_no_json(db):
    """a result that PostgreSQL cannot hold fails its own task and no other"""
    s, w = Session(db), Worker(db, slots=10)
    tasks = [dispatch(s) for _ in range(6)]
    w.turn()
    w.turn()
    deep = "[" * 20000 + "]" * 20000
    bad = ['{"x": ', '"\\u0000"', '1e999999', deep]
    t = w.turn(slots=0, ended=[ending(tasks[0], result='"good"')] + [
        ending(x, result=r) for x, r in zip(tasks[1:], bad)] + [ending(tasks[5], "failed", error='{"no')])
    assert [t.ended[x] for x in tasks] == ["completed"] + ["failed"] * 5, t.ended
    got = [s.one("select state, result, error from core_task where pulp_id = %s", x) for x in tasks]
    assert got[0] == ("completed", "good", None)
    assert got[1:5] == [("failed", None, {"reason": "Result is not valid JSON."})] * 4, got[1:5]
    assert got[5] == ("failed", None, None)


def outcomes(db):
    """each ending is answered: its final state, locked (give it again), lost (not mine any more)"""
    s, w, o = Session(db), Worker(db, slots=10), Worker(db, "o")
    a, b, c, d = [dispatch(s) for _ in range(4)]
    w.turn()
    w.turn()
    x = Session(db)
    x.begin()
    x.q("select from core_task where pulp_id = %s for update", b)
    s.q("update core_task set app_lock_id = %s where pulp_id = %s", o.me, c)
    s.q("update core_task set app_lock_id = null, state = 'failed' where pulp_id = %s", d)
    gone = uuid.uuid4()
    t = w.turn(slots=0, ended=[a, b, c, d, gone])
    assert t.ended == {a: "completed", b: "locked", c: "lost", d: "lost", gone: "lost"}, t.ended
    assert s.v("select count(*) from pulp_worker.attempt") == 1
    x.rollback()
    assert w.turn(slots=0, ended=[b]).ended == {b: "completed"}
    assert s.one("select state, app_lock_id from core_task where pulp_id = %s", c) == ("running", o.me)


def arguments_come_along(db):
    """a claim brings what a child needs, as long as it is little: the rest start_tasks has"""
    s, w = Session(db), Worker(db, slots=20)
    group = s.v("select pulp_worker.create_task_group('g')")
    small = dispatch(s, args=[1, "x"], kwargs={"k": None}, task_group=group)
    now = dispatch(s, immediate=True)
    many = [dispatch(s, args=["z" * 1500]) for _ in range(10)]
    large = dispatch(s, args=["".join(chr(random.randrange(33, 120)) for _ in range(3000))])
    little = dispatch(s)
    over = pulpdb.bare_task(s, state="canceling")
    w.turn(slots=0)
    t = w.turn()
    assert t.given[small] == ('[1, "x"]', '{"k": null}', group, True, False), t.given[small]
    assert t.given[now] == ("[]", "{}", None, False, True)
    assert t.given[large][:2] == t.given[over][:2] == (None, None)
    assert len([1 for m in many if t.given[m][0]]) == 5, "at most 8 kB in all"
    assert t.given[little][0] == "[]", "what is too much leaves room for what is not"
    got = {r[0]: r[1:] for r in s.q("select task, args, kwargs, task_group, plain, immediate from pulp_worker.start_tasks(%s, %s)", w.me, t.tasks)}
    assert len(got) == 15 and all(given == got[task] for task, given in t.given.items() if given[0])
    assert len(json.loads(got[large][0])[0]) == 3000


def settled_later(db):
    """a lazy turn that fills all slots from what is ready settles nothing and holds no lock; where that is not enough it does both"""
    s, w = Session(db), Worker(db, slots=2)
    first = [dispatch(s) for _ in range(3)]
    assert w.turn(slots=0).marked == 3
    last = dispatch(s)
    x = Session(db, auto=False)
    x.q("select pg_advisory_xact_lock(0, 84)")      # somebody else settles: no matter
    t = w.turn(lazy=True)
    assert (t.tasks, t.passed, t.marked) == (first[:2], "later", 0) and pulpdb.left(s)["inbox"] == 1
    x.c.rollback()
    t = w.turn(ended=first[:2], lazy=True)
    assert (t.tasks, t.passed, t.marked) == ([first[2], last], "done", 1), "one that was ready, one that became it"
    assert t.ended == dict.fromkeys(first[:2], "completed") and "inbox" not in pulpdb.left(s)
    t = w.turn(lazy=True)
    assert (t.tasks, t.passed) == ([], "done"), "no slot is free: it settles"
    assert w.turn(slots=-1, lazy=True).passed == "done"


def a_lost_reply(db):
    """a turn whose reply was lost is repeated: nothing is written twice, what it claimed is found"""
    s, w = Session(db), Worker(db, slots=10)
    for _ in range(4):
        dispatch(s)
    w.turn()
    a, b, c, d = w.turn(slots=4).tasks
    e = dispatch(s)
    w.turn(slots=0, ended=[a, b])
    before = s.q("select * from core_task where pulp_id in (%s, %s) order by 1", a, b)
    again = w.turn(slots=0, ended=[a, b, c])
    assert again.ended == {a: "lost", b: "lost", c: "completed"}
    assert before == s.q("select * from core_task where pulp_id in (%s, %s) order by 1", a, b)
    claimed = turn(w.s, w.me, 1, list(w.floors)).tasks       # and this reply is lost
    assert claimed == [e]
    assert s.set("select pulp_id from core_task where app_lock_id = %s and state in ('running', 'canceling')", w.me) == {d, e}
    assert turn(w.s, w.me, 4, list(w.floors), look=[d, e]).tasks == []
    assert w.turn(slots=0, ended=[d, e]).ended == {d: "completed", e: "completed"}
    assert pulpdb.left(s) == {}


def looking_after_ones_own(db):
    """of the tasks it asks after, a turn names those that are to be canceled and those that are lost"""
    s, w = Session(db), Worker(db, slots=10)
    a, b, c = [dispatch(s) for _ in range(3)]
    w.turn()
    w.turn()
    gone = uuid.uuid4()
    s.q("select pulp_worker.cancel_task(%s)", a)
    s.q("update core_task set app_lock_id = null where pulp_id = %s", b)
    t = turn(w.s, w.me, look=[a, b, c, gone])
    assert t.cancel == [a] and set(t.lost) == {b, gone}


def progress_and_logs(db):
    """progress reports and log parts are written while the task is mine, and follow its end"""
    s, w = Session(db), Worker(db, slots=10)
    a, b, c = [dispatch(s) for _ in range(3)]
    w.turn()
    w.turn()
    s.q("update core_task set app_lock_id = null where pulp_id = %s", c)
    p, q, r = [uuid.uuid4() for _ in range(3)]
    big = 1 << 40
    w.turn(slots=0, reports=[(p, a, "sync.x", "Working", "running", 10, 3, None), (q, b, "y", "Other", "completed", None, 1, "s"),
                             (r, c, "z", "not mine", "running", None, 0, None)],
           logs=[(a, 0, "one\n"), (a, 1, "two\n"), (c, 0, "not mine")])
    get = "select message, code, state, total, done, suffix, task_id from core_progressreport where pulp_id = %s"
    assert s.one(get, p) == ("Working", "sync.x", "running", 10, 3, None, a) and s.one(get, r) is None
    assert s.one(get, q) == ("Other", "y", "completed", None, 1, "s", b)
    assert s.q("select task, part, text from pulp_worker.log order by 2") == [(a, 0, "one\n"), (a, 1, "two\n")]
    w.turn(slots=0, reports=[(p, a, "sync.x", "More", "running", big, 4, "t")], logs=[(a, 1, "two and more\n")])
    assert s.one(get, p) == ("More", "sync.x", "running", 2147483647, 4, "t", a)
    # the same twice in one turn, with gaps: the last word counts
    w.turn(slots=0, reports=[(p, a, "sync.x", "Again", "running", 5, 4, None), (p, a, "sync.x", None, None, None, None, None),
                             (p, a, "sync.x", "Last", "running", 5, -big, None)], logs=[(a, 2, "x"), (a, 2, "xy")])
    assert s.one(get, p) == ("Last", "sync.x", "running", 5, -2147483648, None, a)
    assert s.v("select text from pulp_worker.log where part = 2") == "xy"
    s.q("update core_task set state = 'canceling' where pulp_id = %s", b)
    w.turn(slots=0, reports=[(q, b, "y", "Other", "running", None, 1, "s")])
    w.turn(slots=0, ended=[ending(a, "failed"), ending(b)])
    assert s.one(get, p)[2] == "failed" and s.one(get, q)[2] == "canceled"
    w.turn(slots=0, reports=[(p, a, "sync.x", "too late", "running", 5, 5, None)], logs=[(a, 3, "too late")])
    assert s.one(get, p)[0] == "Last" and s.v("select max(part) from pulp_worker.log") == 2
    s.q("delete from core_progressreport; delete from core_task where pulp_id = %s", a)
    assert s.v("select count(*) from pulp_worker.log where task = %s", a) == 0
    assert s.v("select count(*) from pulp_worker.attempt") == 1


def growing_into_a_hot_queue(db):
    """a task that grows into a queue at a place before the bound from which that queue is searched still counts"""
    s, w = Session(db), Worker(db, slots=1)
    old = dispatch(s, exclusive_resources=["own"])
    w.turn()
    w.turn()
    for _ in range(5):
        dispatch(s, exclusive_resources=["hot"])
    Worker(db, "o", slots=5).drain()
    s.q("set search_path = pulp_worker, public; select raise_heads(array[hashtextextended('hot', 0)]); reset search_path")
    position = s.v("select position from pulp_worker.reservation where task = %s limit 1", old)
    assert s.v("select position from pulp_worker.head where resource = hashtextextended('hot', 0)") > position
    s.q("update core_task set reserved_resources_record = array_append(reserved_resources_record, 'hot') where pulp_id = %s", old)
    behind = dispatch(s, exclusive_resources=["hot"])
    shared = dispatch(s, shared_resources=["hot"])
    w.turn(slots=0)
    ready = "select pulp_id from core_task where unblocked_at is not null and state = 'waiting'"
    assert s.set(ready) == set(), "it does not wait for the task that grew"
    w.turn(ended=[old], slots=0)
    assert s.set(ready) == {behind}
    w.drain()
    assert pulpdb.left(s) == {} and pulpdb.state(s, shared) == "completed"


def nobody_claims_for_the_dead(db):
    """a worker whose row is gone claims nothing, and its late writing changes nothing"""
    s, w, o = Session(db), Worker(db, slots=10), Worker(db, "o", slots=10)
    a, b = dispatch(s), dispatch(s)
    w.turn()
    w.turn(slots=1)
    o.turn()
    s.q("update core_appstatus set last_heartbeat = now() - interval '1 minute' where pulp_id = %s", w.me)
    assert [r[0] for r in s.q("select * from pulp_worker.app_worker_cleanup()")] == [w.me]
    t = w.turn(ended=[a])
    assert t.ended == {a: "lost"} and t.tasks == []
    assert s.v("select count(*) from core_task where app_lock_id is not null") == 0
    assert o.turn().claimed == [(a, "t.x", "abandoned"), (b, "t.x", "running")]


pulpdb.run(order_of_claims, slots_bound_a_claim, served_classes_only, locked_heads_are_passed_over,
           a_flicker_of_somebody_elses_lock, many_workers_one_list, floors_hide_nothing, endings,
           results_that_are_no_json, outcomes, arguments_come_along, settled_later, a_lost_reply, looking_after_ones_own, progress_and_logs,
           growing_into_a_hot_queue, nobody_claims_for_the_dead)
