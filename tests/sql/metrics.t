#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The gauges: what they count, who measures them (lock 74), and that their cost does not grow with the queue."""
import os
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task, dispatch, register, settle, state, wait_until

MEASURE = "select waiting, oldest from pulp_worker.measure_tasks(%s, %s, %s)"
PUBLISH = "select outcome, host, period, waiting, oldest, measured from pulp_worker.publish_metrics(%s, %s::interval, '{}', '{}')"
# The original's own query.
TRUTH = ("select count(*) filter (where unblocked_at <= clock_timestamp() - interval '5 s'), "
         "coalesce(extract(epoch from clock_timestamp() - min(unblocked_at)), 0) from core_task "
         "where state = 'waiting' and unblocked_at is not null")


def measure(s, known=(), floors=(), most=10000):
    return s.one(MEASURE, list(known), list(floors), most)


def age(s, how, *tasks):
    """Ready for so long: marks keep their order."""
    s.q("update core_task set unblocked_at = unblocked_at - %s::interval where pulp_id = any(%s)", how, list(tasks))


def right(s):
    """The measure, which must be what the original would have measured."""
    got, truth = measure(s), s.one(TRUTH)
    assert got[0] == truth[0] and abs(got[1] - float(truth[1])) < 2, (got, truth)
    return got


def values(db):
    """ready for 5 s and not claimed, whatever a task needs; blocked, running, canceling and final ones do not count"""
    s = Session(db)
    assert measure(s) == (0, 0.0)
    old = [dispatch(s, versions={"a": str(n % 3)}) for n in range(9)]
    settle(s)
    got = right(s)
    assert got[0] == 0 and 0 < got[1] < 5, "none is old enough, but there is an oldest"
    age(s, "1 min", *old)
    age(s, "9 s", old[0])
    new = [dispatch(s, versions={"a": str(n % 4)}) for n in range(8)]
    holder, blocked = dispatch(s, exclusive_resources=["r"]), dispatch(s, exclusive_resources=["r"])
    settle(s)
    got = right(s)
    assert got[0] == 9 and 69 <= got[1] < 75, got
    assert state(s, blocked) == "waiting" and holder
    w = Worker(db, slots=5, modules=(("t", "a", "2", "2"),))
    w.turn()
    assert len(w.turn().tasks) == 5
    assert right(s)[0] == 4
    for t in new[:2]:
        s.q("select pulp_worker.cancel_task(%s)", t)    # still listed: no pass has come since
    s.q("delete from core_task where pulp_id = %s", new[2])
    right(s)
    bare_task(s, state="running", unblocked_at="2020-01-01")
    bare_task(s, state="canceling", unblocked_at="2020-01-01")
    settle(s)
    assert right(s)[0] == 4
    w.slots = 100
    w.drain()
    assert right(s) == (0, 0.0)


def edge_31_whole_ages(db):
    """a task that has been ready for a day and a minute has been so for that long"""
    s = Session(db)
    t = dispatch(s)
    settle(s)
    age(s, "1 day 1 min", t)
    got = measure(s)
    assert got[0] == 1 and 86460 <= got[1] < 86520, got


def many(s, count, requirements=1):
    s.q("select pulp_worker.dispatch('t.x', versions => jsonb_build_object('a', (n %% %s)::text)) from generate_series(1, %s) n",
        requirements, count)
    settle(s)


def beyond_the_bound(db):
    """up to the bound each is counted; a longer list is as long as the server's own statistics say"""
    s = Session(db)
    many(s, 3000, 7)
    s.q("update core_task set unblocked_at = unblocked_at - interval '1 min'")
    s.q("update core_task set unblocked_at = clock_timestamp() where pulp_id in (select pulp_id from core_task order by pulp_created desc limit 35)")
    assert right(s)[0] == 2965
    assert measure(s, most=2965)[0] >= 2965
    wait_until("the statistics", lambda: measure(s, most=1000)[0] == 3000)


def cost(db):
    """with 20,000 ready tasks, 5,000 blocked ones and much that was claimed and is still in the index, it stays below a bound"""
    s, w = Session(db), Worker(db, slots=2000, modules=(("t", "a", "9", "9"),))
    many(s, 300)
    s.q("update core_task set unblocked_at = unblocked_at - interval '1 min'")
    few = fastest(s, w)
    many(s, 20000)
    s.q("select pulp_worker.dispatch('t.y', exclusive_resources => '{r}') from generate_series(1, 5000)")
    settle(s)
    s.q("update core_task set unblocked_at = unblocked_at - interval '1 min' where unblocked_at is not null")
    s.q("analyze")
    much = fastest(s, w)
    x = Session(db)     # holds a snapshot: what is claimed now stays in the index for as long
    x.begin()
    x.q("set transaction isolation level repeatable read")
    x.v("select count(*) from core_task")
    w.turn()
    for _ in range(6):
        w.turn()
        w.running.clear()
    left = s.v("select count(*) from core_task where state = 'waiting' and unblocked_at is not null")
    dead = fastest(s, w)
    pulpdb.diag("%.1f ms with 300 ready, %.1f with 20,000 and 5,000 blocked, %.1f with %d of them claimed under a snapshot" % (
        few, much, dead, 20300 - left))
    assert left < 12000 and measure(s, list(w.floors), list(w.floors.values()))[0] > 5000
    assert much < few + 40 and dead < few + 40
    x.rollback()


def fastest(s, w):
    """Of some runs, in ms of the server's time."""
    times = []
    for _ in range(7):
        start = s.spent()
        measure(s, list(w.floors), list(w.floors.values()))
        times.append(s.spent() - start)
    return min(times)


def one_publishes(db):
    """who has begun goes on; another one takes over when he is silent, or gone, and not before"""
    s = Session(db)
    a, b = register(s, "a"), register(s, "b")
    got = s.one(PUBLISH, a, "10 s")
    assert (got[0], got[3], got[4]) == ("publish", 0, 0.0) and abs(got[5] - s.v("select extract(epoch from now())::numeric")) < 5, got
    assert s.one(PUBLISH, b, "1 s")[:4] == ("other", "host", 10.0, None)
    assert s.one(PUBLISH, a, "10 s")[0] == "publish"
    # silent for two intervals of his own
    later = "update pulp_worker.setting set value = jsonb_set(value::jsonb, '{measured}', to_jsonb(extract(epoch from now()) - %s))::text " \
            "where name = 'metrics'"
    s.q(later, 19)
    assert s.one(PUBLISH, b, "1 s")[0] == "other"
    s.q(later, 21)
    assert s.one(PUBLISH, b, "1 s")[0] == "publish" and s.one(PUBLISH, a, "10 s")[:3] == ("other", "host", 1.0)
    # not heard of for his ttl, then gone
    s.q("update core_appstatus set last_heartbeat = now() - ttl - interval '1 s' where pulp_id = %s", b)
    assert s.one(PUBLISH, a, "10 s")[0] == "publish"
    s.q("update core_appstatus set last_heartbeat = now()")
    assert s.one(PUBLISH, b, "10 s")[0] == "other"
    s.q("select pulp_worker.unregister_worker(%s)", a)
    assert s.one(PUBLISH, b, "10 s")[0] == "publish"


def lock_74(db):
    """while somebody has the lock, a Python worker for instance, nobody measures, and nobody waits for it; nothing is announced"""
    s, x, l = Session(db), Session(db), Session(db)
    a = register(s, "a")
    l.listen("pulp_worker_wakeup", "pulp_worker_cancel", "pulp_worker_metrics_heartbeat")
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 74)")
    assert s.one(PUBLISH, a, "10 s")[0] == "busy"
    x.rollback()
    s.begin()
    assert s.one(PUBLISH, a, "10 s")[0] == "publish"
    assert x.v("select pg_try_advisory_xact_lock(0, 74)") is False
    s.commit()
    assert x.v("select pg_try_advisory_xact_lock(0, 74)") is True and l.heard() == []


def guests(db):
    """at a live Pulp without our schema the same is measured, by one session until it ends"""
    s, x = Session(db), Session(db)
    pulpdb.without_schema(s)
    s.be_guest()
    x.be_guest()
    a, b = (bare_task(s, name="hostile.x", versions="a=>1", unblocked_at=at) for at in ("2020-01-01", "now"))
    bare_task(s, state="running", unblocked_at="2019-01-01")
    me = uuid.uuid4()
    got = s.one(PUBLISH, me, "10 s")
    assert (got[0], got[3]) == ("publish", 1) and abs(got[4] - float(s.one(TRUTH)[1])) < 2, (got, a, b)
    assert x.one(PUBLISH, me, "10 s")[:4] == ("other", None, 10.0, None)
    assert s.one(PUBLISH, me, "10 s")[0] == "publish"
    s.close()
    wait_until("the lock to be free", lambda: x.one(PUBLISH, me, "10 s")[0] == "publish")


pulpdb.run(values, edge_31_whole_ages, beyond_the_bound, cost, one_publishes, lock_74, guests)
