#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The sharp edges of the original that lie in the database, by their numbers (tests/README.md); the
others are in tests/system/edges.t, those of schedules in schedules.t."""
import os
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, background, bare_task, dispatch, register, settle, state, turn, wait_blocked

READ = """select coalesce(sum(seq_tup_read + idx_tup_fetch), 0) from pg_stat_xact_user_tables
    where relname in ('core_task', 'reservation', 'ready', 'inbox', 'wake')"""
DECIDE = "select pulp_worker.decide_immediate(%s, %s, %s)"


def reads(s, act):
    """What act() returns, and how many rows of tasks and of their notes it has read."""
    s.begin()
    before = s.v(READ)
    got = act()
    after = s.v(READ)
    s.commit()
    return got, after - before


def first(w):
    """What it claims once it has learnt which classes there are."""
    return w.turn().tasks + w.turn().tasks


def immediate(s, me, deferred, *names):
    """An immediate task of a caller, as the library dispatches it."""
    return s.v("select pulp_id from pulp_worker.dispatch_task('t.x', '[]', '{}', null, %s, null, true, %s, null, null, null, "
               "owner => %s)", list(names), deferred, me)


def caller(s):
    """The row of who dispatches immediate tasks."""
    return s.v("select pulp_worker.register_caller('immediate', '30 s', 't', 't', '1.0')")


def edge_03_cancel_of_a_blocked_task(db):
    """it is canceled at once, by us and as Python does it, while its blocker goes on"""
    s, w = Session(db), Worker(db, slots=1)
    holder, ours, theirs = (dispatch(s, exclusive_resources=["a"]) for _ in range(3))
    assert first(w) == [holder]
    assert s.v("select pulp_worker.cancel_task(%s)", ours) == "canceled"
    assert s.one("select finished_at is not null, unblocked_at from core_task where pulp_id = %s", ours) == (True, None)
    s.q("update core_task set state = 'canceling' where pulp_id = %s and state = 'waiting'", theirs)
    # no slot is free (-1, as a supervisor says it): to end it needs none
    assert [(c[0], c[2]) for c in w.turn(slots=-1).claimed] == [(theirs, "canceling")]
    w.turn(slots=-1, ended=[pulpdb.ending(theirs, "canceled")])
    assert state(s, theirs) == "canceled"
    assert state(s, holder) == "running"


def edge_05_who_cannot_serve_hides_nothing(db):
    """a worker that does not serve a task never locks it: another claims it while that one's turn is still open"""
    s, a, b = Session(db), Worker(db, "a", serves=lambda module, detail: False), Worker(db, "b")
    t = dispatch(s, versions={"t": "1.0"})
    settle(s)
    b.turn(slots=0)
    a.s.begin()
    assert a.turn().claimed == []
    assert b.turn().tasks == [t]
    a.s.commit()


def edge_06_the_blocker_ends_meanwhile(db):
    """immediate, blocked and deferrable, and the blocker ends before that is saved: the next pass finds it"""
    s, x, l, w = Session(db), Session(db), Session(db), Worker(db)
    me = caller(s)
    holder = dispatch(s, exclusive_resources=["a"])
    assert first(w) == [holder]
    t = immediate(s, me, True, "a")
    x.begin()
    assert x.v(DECIDE, me, t, True) == "deferred"
    w.turn(ended=[holder])          # its pass cannot be had now: that session has the lock
    assert state(s, t) == "waiting"
    l.listen()
    x.commit()
    assert ("wakeup", "unblock") in l.heard()
    assert w.drain() == [t]


def edge_07_busy_lock_84(db):
    """a turn that finds the lock taken says so, and the wish is not lost: the next one that gets it does all"""
    s, x, w = Session(db), Session(db), Worker(db)
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 84)")
    t = dispatch(s)
    got = w.turn()
    assert got.passed == "busy" and not got.claimed, vars(got)
    x.rollback()
    assert first(w) == [t]


def edge_08_the_deferral_reverts_nothing(db):
    """a cancel and an unblock while an immediate task is decided stay as they are"""
    s, x, w = Session(db), Session(db), Worker(db)
    me = caller(s)
    holder = dispatch(s, exclusive_resources=["a"])
    assert first(w) == [holder]
    canceled = immediate(s, me, True, "a")
    assert s.v("select pulp_worker.cancel_task(%s)", canceled) == "canceling"
    assert s.v(DECIDE, me, canceled, True) == "canceling" and state(s, canceled) == "canceling"
    after = immediate(s, me, True, "a")
    x.begin()
    assert x.v(DECIDE, me, after, True) == "deferred"
    with background(db, "select pulp_worker.cancel_task(%s)", after) as result:
        wait_blocked(s, result.session.pid)
        x.commit()
        assert result() == [("canceled",)]
    assert state(s, after) == "canceled"
    free = immediate(s, me, True, "b")
    settle(s)
    when = s.v("select unblocked_at from core_task where pulp_id = %s", free)
    assert when and s.v(DECIDE, me, free, True) == "run"
    assert s.v("select unblocked_at from core_task where pulp_id = %s", free) == when


def edge_10_cancel_while_it_is_claimed(db):
    """a cancel that meets an open claim waits for it, and tells its worker"""
    s, l, w = Session(db), Session(db), Worker(db)
    t = dispatch(s)
    settle(s)
    w.turn(slots=0)
    l.listen()
    w.s.begin()
    assert w.turn().tasks == [t]
    with background(db, "select pulp_worker.cancel_task(%s)", t) as result:
        wait_blocked(s, result.session.pid)
        w.s.commit()
        assert result() == [("canceling",)]
    assert ("cancel", str(t)) in l.heard()
    assert w.turn(look=[t]).cancel == [t]
    w.turn(ended=[pulpdb.ending(t, "completed")])
    assert state(s, t) == "canceled"


def edge_23_dispatches_do_not_wait(db):
    """an open transaction that dispatched hinders nobody, in whatever order names come, and many names take no locks"""
    a, b = Session(db, auto=False, timeout="10s"), Session(db, auto=False, timeout="10s")
    for s, names in ((a, "xy"), (b, "yx")):
        dispatch(s, exclusive_resources=[names[0]])
    for s, names in ((a, "xy"), (b, "yx")):
        dispatch(s, exclusive_resources=[names[1]])
    b.commit()
    a.q("select pulp_worker.dispatch('t.x', exclusive_resources => array['n' || i, 'm' || i]) from generate_series(1, 5000) i")
    locks = "select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'"
    assert a.v(locks) == 0 and a.v(locks.replace("locktype = 'advisory'", "true")) < 200
    a.commit()
    s = Session(db)
    settle(s)
    assert s.v("select count(*) from core_task where unblocked_at is not null") == 5002


def edge_24_an_end_reads_what_it_frees(db):
    """with 3,000 tasks queued an ending reads a few rows, marks one, and wakes once"""
    s, l, w = Session(db), Session(db), Worker(db)
    s.q("select pulp_worker.dispatch('t.x', exclusive_resources => '{a}', shared_resources => null) from generate_series(1, 3000)")
    settle(s)
    s.q("analyze core_task; analyze pulp_worker.reservation; analyze pulp_worker.ready")
    first(w)
    l.listen()
    for _ in range(3):
        holder, = w.running
        t, rows = reads(w.s, lambda holder=holder: w.turn(ended=[holder]))
        assert len(w.running) == 1 and t.marked == 1, vars(t)
        assert 0 < rows < 300, rows
    assert len(l.heard()) <= 3


def edge_25_claims_go_by_index(db):
    """of 3,000 ready tasks a claim of four reads a few rows, and takes them in order; immediate ones first"""
    s, w = Session(db), Worker(db)
    s.q("select pulp_worker.dispatch('t.x') from generate_series(1, 3000)")
    settle(s)
    s.q("analyze core_task; analyze pulp_worker.ready")
    w.turn(slots=0)
    oldest = [t for (t,) in s.q("select pulp_id from core_task order by pulp_created, pulp_id limit 3")]
    now = s.v("select pulp_id from pulp_worker.dispatch('t.x', immediate => true)")
    w.turn(slots=0)
    t, rows = reads(w.s, w.turn)
    assert t.tasks[0] == now and set(t.tasks[1:]) == set(oldest), (t.tasks, now, oldest)
    assert 0 < rows < 300, rows


def edge_26_what_nobody_serves_wakes_nobody(db):
    """turns and passes over a ready task that no worker serves send nothing"""
    s, l, w = Session(db), Session(db), Worker(db, serves=lambda module, detail: False)
    t = dispatch(s, versions={"t": "99"})
    w.turn()
    w.turn()
    assert s.v("select unblocked_at is not null from core_task where pulp_id = %s", t)
    l.listen()
    for _ in range(5):
        assert w.turn().claimed == []
        s.q("select pulp_worker.unblock_tasks()")
    assert l.heard() == []


def edge_28_locks_rows_and_purge(db):
    """no final task keeps a lock; a row of a caller goes without touching its tasks; purge reads what it deletes"""
    s = Session(db)
    me = caller(s)
    ran = immediate(s, me, True, "a")
    assert s.v(DECIDE, me, ran, True) == "run"
    turn(s, me, ended=[pulpdb.ending(ran)])
    holder = dispatch(s, exclusive_resources=["a"])
    settle(s)
    refused = immediate(s, me, False, "a")
    assert s.v(DECIDE, me, refused, True) == "canceled"
    assert s.q("select state, app_lock_id from core_task where pulp_id = any (%s) order by 1", [ran, refused]) == [
        ("canceled", None), ("completed", None)]
    before = s.q("select pulp_id, xmin::text from core_task order by 1")
    s.q("select pulp_worker.unregister_worker(%s)", me)
    assert s.q("select pulp_id, xmin::text from core_task order by 1") == before
    assert s.v("select count(*) from core_appstatus") == 0 and state(s, holder) == "waiting"
    s.q("select pulp_worker.dispatch('t.x') from generate_series(1, 3000)")
    s.q("analyze core_task")
    got, rows = reads(s, lambda: s.v("select pulp_worker.purge_batch(now(), '{completed}', 10)"))
    assert got["deleted"] == {"core.Task": 1} and rows < 300, (got, rows)


def edge_30_one_clock(db):
    """every time that counts is the database's: no function of a worker takes one, and a life is in order"""
    s, w = Session(db), Worker(db)
    assert s.q("select p.proname from pg_proc p, unnest(p.proargtypes) a where p.pronamespace = 'pulp_worker'::regnamespace and "
               "p.proname = any ('{register_worker,register_caller,heartbeat,app_worker_cleanup,turn,unregister_worker,"
               "dispatch,cancel_task,decide_immediate}') and a in ('timestamptz'::regtype, 'timestamp'::regtype)") == []
    start = s.v("select clock_timestamp()")
    t = dispatch(s)
    assert w.drain() == [t]
    s.q("select pulp_worker.heartbeat(%s)", w.me)
    times = list(s.one("select pulp_created, unblocked_at, started_at, finished_at from core_task"))
    times = [start] + times + [s.v("select last_heartbeat from core_appstatus"), s.v("select clock_timestamp()")]
    assert times == sorted(times), times


def edge_31_whole_durations(db):
    """who was silent for a day and a moment is as dead as who was silent for an hour; a ttl of 36 h is 36 h"""
    s = Session(db)
    a, b, c = register(s, "a", "30 s"), register(s, "b", "36 h"), register(s, "c", "36 h")
    for w, age in (a, "1 day 1 s"), (b, "35 h"), (c, "37 h"):
        s.q("update core_appstatus set last_heartbeat = now() - %s::interval where pulp_id = %s", age, w)
    assert {r[2] for r in s.q("select * from pulp_worker.app_worker_cleanup()")} == {"a", "c"}


def edge_33_nothing_to_unblock(db):
    """a pass over nothing marks nothing and is no error; a task that went away meanwhile neither"""
    s = Session(db)
    assert s.one("select * from pulp_worker.unblock_tasks()") == (0, False)
    dispatch(s)
    s.q("delete from core_task")
    assert s.v("select marked from pulp_worker.unblock_tasks()") == 0
    s.fails("P0002", "select pulp_worker.cancel_task(%s)", uuid.uuid4())


def edge_37_purge_has_no_date_of_its_own(db):
    """what is to be purged is said in each call: without a date nothing is deleted"""
    s = Session(db)
    bare_task(s, state="completed", finished_at="2020-01-01")
    s.fails("22023", "select pulp_worker.purge_batch(null, '{completed}', 1)")
    assert s.v("select count(*) from core_task") == 1
    assert s.v("select pulp_worker.purge_batch(now(), '{completed}', 1)")["deleted"] == {"core.Task": 1}


def edge_38_no_correlation_id(db):
    """a dispatch from a plain shell, which has none, gets one"""
    s = Session(db)
    t = s.v("select pulp_id from pulp_worker.dispatch('t.x', correlation_id => null)")
    assert s.v("select logging_cid from core_task") == t.hex


pulpdb.run(edge_03_cancel_of_a_blocked_task, edge_05_who_cannot_serve_hides_nothing, edge_06_the_blocker_ends_meanwhile,
           edge_07_busy_lock_84, edge_08_the_deferral_reverts_nothing, edge_10_cancel_while_it_is_claimed,
           edge_23_dispatches_do_not_wait, edge_24_an_end_reads_what_it_frees, edge_25_claims_go_by_index,
           edge_26_what_nobody_serves_wakes_nobody, edge_28_locks_rows_and_purge, edge_30_one_clock, edge_31_whole_durations,
           edge_33_nothing_to_unblock, edge_37_purge_has_no_date_of_its_own, edge_38_no_correlation_id)
