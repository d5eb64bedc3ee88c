#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tests that the design of readiness demands (ten_01 is oracle.t, ten_03 mixed.t, ten_06 and
ten_10 load.t): late commits, idle transactions, false statistics, poison, lost clients, installing."""
import os
import random
import re
import sys
import time
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import psycopg2
import pulpdb
from pulpdb import Session, Worker, bare_task, dispatch, settle, state, turn

READY = "select pulp_id from core_task where unblocked_at is not null and state in ('waiting', 'running', 'canceling')"
CONFLICTS = """select a.pulp_id, b.pulp_id from core_task a, core_task b, unnest(a.reserved_resources_record) n
    where a.pulp_id <> b.pulp_id and n not like 'shared:%%' and b.reserved_resources_record && array[n, 'shared:' || n]
    and a.unblocked_at is not null and b.unblocked_at is not null
    and a.state in ('waiting', 'running', 'canceling') and b.state in ('waiting', 'running', 'canceling')"""


def ten_02_late_commits(db):
    """a late commit with a lower number, across passes and beyond the low-water mark: never two conflicting ready"""
    for numbers in (0, 1300):
        for walk in (False, True):
            name = pulpdb.fresh()
            late_commit(name, numbers, walk)
            pulpdb.drop(name)


def late_commit(db, numbers, walk):
    s, x, w = Session(db), Session(db, auto=False), Worker(db, slots=3000)
    if walk:
        pulpdb.live_pulp(s)
    w.turn()
    dispatch(s, exclusive_resources=["first"], shared_resources=[])
    s.q("delete from core_task")
    # the domain in a live Pulp makes dispatches wait for each other: names of their own, without it
    late = [bare_task(x, ["a"]), bare_task(x, ["b", "shared:c"])]
    same = None if walk else bare_task(s, ["a", "b"])
    other = [bare_task(s, ["d%d" % (i % 7)]) for i in range(max(4, numbers))]
    for _ in range(3 if numbers else 1):
        w.turn(slots=0)
        for _ in range(numbers // 3):
            dispatch(s, shared_resources=["e"]) if not walk else bare_task(s, ["shared:e"])
    w.turn(slots=0)
    assert not s.q(CONFLICTS) and s.v("select count(*) from core_task where unblocked_at is not null") >= 4
    # where it may still come is not given up
    assert x.v("select bool_and(exists (select from pulp_worker.cut c, unnest(c.starts, c.ends) r (low, high) "
               "where i.number between r.low and r.high)) from pulp_worker.inbox i where i.task = any(%s)", late)
    x.commit()
    w.turn(slots=0)
    if walk:
        s.q("select python_walk()")
    w.turn(slots=0)
    assert not s.q(CONFLICTS)
    place = dict(s.q("select distinct task, position from pulp_worker.reservation"))
    assert all(t in place for t in late + other), "a late commit was overlooked"
    if same:        # it was settled first, and stays first
        assert place[same] < place[late[0]] and s.set(READY) & {same, *late} == {same}
    else:
        assert set(late) <= s.set(READY)
    assert len(w.drain()) >= len(other) + 2
    assert pulpdb.left(s) == {}
    for session in (s, x, w.s):
        session.close()


IDLE = (
    ("select for update", lambda s, t, g, o: s.q("select from core_task where pulp_id = %s for update", t)),
    ("select for no key update", lambda s, t, g, o: s.q("select from core_task where pulp_id = %s for no key update", t)),
    ("select for share", lambda s, t, g, o: s.q("select from core_task where pulp_id = %s for share", t)),
    ("select for key share", lambda s, t, g, o: s.q("select from core_task where pulp_id = %s for key share", t)),
    ("a progress report", lambda s, t, g, o: s.q(
        "set constraints all immediate; insert into core_progressreport select gen_random_uuid(), now(), now(), 'm', 'c', "
        "'running', null, 0, null, %s", t)),
    ("cancel by update", lambda s, t, g, o: s.q("update core_task set state = 'canceling' where pulp_id = %s", t)),
    ("cancel_task", lambda s, t, g, o: s.q("select pulp_worker.cancel_task(%s)", t)),
    ("cancel_task_group", lambda s, t, g, o: s.q("select pulp_worker.cancel_task_group(%s)", g)),
    ("an ending", lambda s, t, g, o: s.q("update core_task set state = 'failed', finished_at = now() where pulp_id = %s", t)),
    ("a mark", lambda s, t, g, o: s.q("update core_task set unblocked_at = now() where pulp_id = %s", t)),
    ("a lock by Python", lambda s, t, g, o: s.q("update core_task set app_lock_id = %s where pulp_id = %s", o, t)),
    ("a record that grows", lambda s, t, g, o: s.q(
        "update core_task set reserved_resources_record = reserved_resources_record || 'more'::text where pulp_id = %s", t)),
    ("a delete", lambda s, t, g, o: s.q("delete from core_task where pulp_id = %s", t)),
    ("a dispatch", lambda s, t, g, o: dispatch(s, "t.more", exclusive_resources=["new"])))


def ten_04_idle_transactions(db):
    """an idle transaction after each kind of statement on a task's row holds nobody up, and the task is served afterwards"""
    s, w, slow = Session(db), Worker(db, slots=50), []
    o = pulpdb.register(s, "python")
    for what, statement in IDLE:
        for when in ("blocked", "ready", "running"):
            for commit in (True, False):
                g = s.v("select pulp_worker.create_task_group('g')")
                before = [dispatch(s, exclusive_resources=["a"])] if when == "blocked" else []
                t = dispatch(s, exclusive_resources=["a"], task_group=g)
                behind = dispatch(s, exclusive_resources=["a"])
                if when != "ready":
                    w.turn(slots=1)
                    w.turn(slots=1) if not w.running else None
                else:
                    w.turn(slots=0)
                x = Session(db, auto=False)
                statement(x, t, g, o)
                beside = [dispatch(s) for _ in range(3)]
                start = time.monotonic()
                for _ in range(4):      # whatever the other holds, turns go on, and the rest is served
                    held = [k for k in w.running if k != t or when != "running"]
                    w.turn(ended=held)
                slow.append((time.monotonic() - start, what, when))
                assert set(beside) <= s.set("select pulp_id from core_task where state = 'completed'"), (what, when)
                (x.commit if commit else x.rollback)()
                s.q("update core_task set app_lock_id = null where app_lock_id = %s", o)
                w.drain()
                assert not s.q("select name, state from core_task where state not in ('completed', 'canceled', 'failed')"), (
                    what, when, commit)
                assert pulpdb.left(s) == {}, (what, when, commit, pulpdb.left(s))
                if not commit:
                    assert [state(s, k) for k in before + [t, behind]] == ["completed"] * (len(before) + 2), (what, when)
                x.close()
    worst = max(slow)
    pulpdb.diag("the slowest four turns beside one: %.0f ms (%s, %s)" % (worst[0] * 1000, worst[1], worst[2]))
    assert worst[0] < 1, worst


def ten_04_group_cancel_against_turns(db):
    """groups are canceled and turns taken at once, without a deadlock"""
    s, w = Session(db), Worker(db, slots=40)
    for _ in range(40 if pulpdb.LONG else 8):
        g = s.v("select pulp_worker.create_task_group('g')")
        s.q("select pulp_worker.dispatch('t.x', task_group => %s, exclusive_resources => array['r' || i %% 9]) "
            "from generate_series(1, 200) i", g)
        w.turn()
        with pulpdb.background(db, "select pulp_worker.cancel_task_group(%s)", g) as one, \
                pulpdb.background(db, "select pulp_worker.cancel_task_group(%s)", g) as two:
            while one.waiting() or two.waiting():
                w.turn(ended=list(w.running)[:3])
            one(), two()
        w.drain()
        assert not s.v("select count(*) from core_task where state not in ('completed', 'canceled')")
    assert pulpdb.left(s) == {}


SCANS = re.compile(r"(Seq Scan on (?:core_task|core_progressreport|reservation|ready|inbox|again|wake|log|attempt|"
                   r"requirement)\b.*|JIT:.*|Hash Join.*|Merge Join.*)")


def explained(s):
    s.q("load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; "
        "set client_min_messages = log")
    s.c.notices = []


def scans(s):
    found = {m.group(1).split("  (")[0] for n in s.c.notices for m in SCANS.finditer(n)}
    s.c.notices = []
    return found


def lives(w, ended):
    start = time.monotonic()
    w.turn(ended=ended)
    return time.monotonic() - start


def ten_05_plans(db):
    """with false statistics every statement still goes by index, and takes its time only"""
    count = 20000 if pulpdb.LONG else 4000
    bulk = ("insert into core_task (pulp_id, pulp_created, state, name, logging_cid, reserved_resources_record, pulp_domain_id, "
            "versions, immediate, deferred, pulp_api_version) select gen_random_uuid(), now(), 'waiting', 't.x', 'c', "
            "array['r' || i %% 50, 'shared:d'], d.pulp_id, '', false, true, 'v3' from core_domain d, generate_series(1, %s) i")
    for pulp in (False, True):
        for kind in ("never analyzed", "analyzed empty", "analyzed when all was final", "cached on empty"):
            name = pulpdb.fresh()
            s = Session(name)
            if pulp:
                pulpdb.live_pulp(s)
            s.q("alter table core_task set (autovacuum_enabled = off)")
            w = Worker(name, slots=64, serves=lambda m, d: True)
            w.s.q("set jit = on")
            if kind == "cached on empty":
                dispatch(s, versions={"t": "1"})
                for _ in range(8):
                    w.turn(ended=list(w.running))
            if kind == "analyzed empty":
                s.q("analyze")
            if kind == "analyzed when all was final":
                s.q("alter table core_task disable trigger user")
                s.q(bulk.replace("'waiting'", "'completed'"), count)
                s.q("alter table core_task enable trigger user")
                s.q("analyze")
            s.q(bulk, count)
            start = time.monotonic()
            while w.turn(slots=0).passed == "more":
                pass
            took = time.monotonic() - start
            assert took < count / 1000 * 2, "%s: settling %d took %.1f s" % (kind, count, took)
            w.turn()
            explained(w.s)
            worst = max(lives(w, list(w.running)[:32]) for _ in range(6))
            w.turn(reports=[(uuid.uuid4(), t, "c", "m", "running", 1, 1, None) for t in list(w.running)[:3]],
                   logs=[(t, 1, "x") for t in list(w.running)[:3]], look=list(w.running))
            bad = scans(w.s)
            assert not bad, "%s%s: %s" % (kind, " with Pulp's indexes" if pulp else "", bad)
            assert worst < 1, "%s: a turn took %.2f s" % (kind, worst)
            s.close(), w.s.close()
            pulpdb.drop(name)


def ten_07_poison(db):
    """a row that cannot be settled stops nobody; it is named, and ended with the reason"""
    s, w = Session(db), Worker(db, slots=20)
    s.q("alter table pulp_worker.reservation add check (resource <> hashtextextended('poison', 0))")
    nulls = bare_task(s, [None, "n", None])
    good = [dispatch(s, exclusive_resources=["g%d" % i]) for i in range(3)]
    bad = dispatch(s, exclusive_resources=["poison"])
    held = dispatch(s, exclusive_resources=["poison", "held"])
    behind = dispatch(s, exclusive_resources=["held"])
    x = Session(db, auto=False)
    x.q("select from core_task where pulp_id = %s for key share; select from core_task where pulp_id = %s for update", bad, held)
    w.turn()
    came = set(w.turn().tasks)
    assert came == {nulls, behind, *good}, came
    assert s.one("select state, error->>'reason' like 'Task cannot be queued: %%' from core_task where pulp_id = %s", bad) == (
        "failed", True)
    assert "check" in s.v("select why from pulp_worker.bad where task = %s", bad)
    assert "check" in s.v("select pulp_worker.why_facts(%s) ->> 'bad'", held)
    assert state(s, held) == "waiting"
    x.rollback()
    w.turn()
    assert state(s, held) == "failed", "it was locked when it was set aside, and was forgotten"
    w.drain()
    assert pulpdb.left(s) == {}
    s.q("delete from core_task")
    assert s.v("select count(*) from pulp_worker.bad") == 0


def ten_07_hash_collisions(db):
    """names whose hashes collide, in one task or in two, only wait for each other"""
    s = Session(db)
    s.q("create function pulp_worker.hashtextextended(text, bigint) returns bigint language sql immutable as 'select 1::bigint'")
    w = Worker(db, slots=20)
    a = dispatch(s, exclusive_resources=["a", "b"], shared_resources=["c"])
    b = dispatch(s, exclusive_resources=["d"])
    c = dispatch(s, shared_resources=["e"])
    d = dispatch(s, shared_resources=["f"])
    w.turn()
    assert w.turn().tasks == [a] and w.turn(ended=[a]).tasks == [b] and w.turn(ended=[b]).tasks == [c, d]
    w.drain()
    assert pulpdb.left(s) == {}


def holder(s):
    """Who holds lock (0, 84), as an operator asks for it."""
    return s.v("select pid from pg_locks where locktype = 'advisory' and classid = 0 and objid = 84 and objsubid = 2 and granted "
               "and database = (select oid from pg_database where datname = current_database())")


def ten_08_a_paused_client(db):
    """a client that stops reading in mid-turn holds no lock: what a turn says fits the socket's buffer"""
    s, w = Session(db), Worker(db, slots=200)
    for i in range(200):
        dispatch(s, "t." + "x" * 100, exclusive_resources=["r%d" % i] * 3, args=["y" * (5000 if i % 2 else 1900)])
    w.turn(slots=0)
    paused = psycopg2.connect(dbname=db, user=os.environ["PGUSER"], async_=True)
    pulpdb.psycopg2.extras.wait_select(paused)
    given = dict.fromkeys((n for n, _ in pulpdb.TURN), [])
    given.update(me=w.me, slots=200, lazy=False, served=list(w.floors), floors=[0] * len(w.floors), known=0)
    paused.cursor().execute(pulpdb.TURN_SQL, given)
    pid = paused.get_backend_pid()      # it does not read the answer
    pulpdb.wait_until("the turn to be over", lambda: s.v("select count(*) from core_task where app_lock_id = %s", w.me) == 200, 5)
    pulpdb.wait_until("its session to rest", lambda: s.v("select state from pg_stat_activity where pid = %s", pid) == "idle", 5)
    assert holder(s) is None
    paused.close()


def ten_08_an_open_transaction(db):
    """who keeps lock 84 in an open transaction is named, hinders no claim, and is ended by its own session's limit"""
    s, w = Session(db), Worker(db, slots=2)
    a = dispatch(s)
    w.turn(slots=0)
    x = Session(db, auto=False, options="-c idle_in_transaction_session_timeout=700ms")
    assert turn(x, w.me).passed == "done"
    assert holder(s) == x.pid
    b = dispatch(s)
    t = w.turn()
    assert t.passed == "busy" and t.tasks == [a]
    assert s.one("select * from pulp_worker.unblock_tasks()") == (None, None)
    pulpdb.wait_until("the server to end it", lambda: holder(s) is None, 5)
    assert w.turn().tasks == [b]


def ten_08_kill(db):
    """SIGKILLed before or after the commit, its reply lost: no task is lost, none is given twice"""
    s, w = Session(db), Worker(db, slots=8)
    ran = {}
    for i in range(40):
        dispatch(s)
    w.turn(slots=0)
    for i in range(30):
        ended = [t for t in w.running][:2]
        before = random.random() < 0.5
        if before:      # nothing of this turn may stay
            w.s.begin()
        t = turn(w.s, w.me, 2, list(w.floors), ended=[pulpdb.ending(e) for e in ended])
        s.q("select pg_terminate_backend(%s)", w.s.pid)
        pulpdb.wait_until("the backend to be gone", lambda: not s.v("select count(*) from pg_stat_activity where pid = %s", w.s.pid))
        w.s.close()
        w.s = Session(db)
        mine = {r[0] for r in w.s.q("select task from pulp_worker.my_tasks(%s)", w.me)}
        if before:
            assert mine == set(w.running), "something of a turn that was not committed stayed"
        else:
            assert mine == set(w.running) - set(ended) | set(t.tasks)
        for task in mine - set(w.running):
            assert task not in ran
            ran[task] = True
        w.running = dict.fromkeys(mine)
    assert len(ran) > 10 and s.v("select count(*) from core_task where state = 'running'") == len(w.running)
    w.drain()
    assert s.v("select count(*) from core_task where state <> 'completed'") == 0 and pulpdb.left(s) == {}


pulpdb.run(ten_02_late_commits, ten_04_idle_transactions, ten_04_group_cancel_against_turns, ten_05_plans, ten_07_poison,
           ten_07_hash_collisions, ten_08_a_paused_client, ten_08_an_open_transaction, ten_08_kill)
