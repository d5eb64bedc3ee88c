#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Our schema comes to a database in use, goes, and comes again: ten_09."""
import os
import random
import sys
import threading
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task, dispatch, settle

FUNCTIONS = [f for f in pulpdb.sql_files() if "/functions/" in f]


def uninstall(s):
    """As "pulp-task db uninstall" does it."""
    with open(pulpdb.TOP + "/core/sql/queries/uninstall.sql") as text:
        s.q("begin; set local lock_timeout = '20s'; " + text.read() + "; commit")


def install_functions(s):
    """As "pulp-task db install" makes them anew."""
    s.q("begin; lock table core_task in share row exclusive mode; " + ";\n".join(open(f).read() for f in FUNCTIONS)
        + "; select pulp_worker.recheck(); commit")


def triggers(s):
    """Those of ours that are on: definition and oid."""
    return dict(s.q("select pg_get_triggerdef(oid), oid from pg_trigger "
                    "where tgrelid = 'core_task'::regclass and tgname like 'pulp_worker%' and tgenabled = 'O'"))


def ready(s):
    return s.set("select pulp_id from core_task where unblocked_at is not null")


def order(s):
    return [r[0] for r in s.q("select task from pulp_worker.reservation where exclusive order by position")]


def ten_09_earlier_and_in_flight(db):
    """tasks from before the schema came, committed or in flight, are settled in order of pulp_created"""
    s, x = Session(db), Session(db, auto=False)
    uninstall(s)
    pulpdb.live_pulp(s)
    me = uuid.uuid4()
    s.q("insert into core_appstatus values (%s, now(), now(), 'worker', 'python', '', '30 s', now())", me)
    running = bare_task(s, ["a"], state="running", app_lock_id=me, unblocked_at="now")
    early = [bare_task(s, ["a"]) for _ in range(3)]
    done = bare_task(s, ["a"], state="completed")
    flying = bare_task(x, ["b"])
    gone = bare_task(x, ["b"])
    x.q("delete from core_task where pulp_id = %s", gone)
    t = threading.Thread(target=lambda: pulpdb.install_beside(Session(db, name="installer")))
    t.start()
    pulpdb.wait_until("the installer to wait for the writer", lambda: s.v(
        "select count(*) from pg_stat_activity where application_name = 'installer' and wait_event_type = 'Lock' "
        "and datname = current_database()") == 1)
    x.commit()
    t.join(30)
    late = bare_task(s, ["a"])
    settle(s)
    assert order(s) == [running] + early + [flying, late], (order(s), running, early, flying, late)
    assert ready(s) == {running, flying} and done not in order(s)
    s.q("update core_task set state = 'completed' where pulp_id = %s", running)
    settle(s)
    assert ready(s) == {running, flying, early[0]}


def ten_09_dropped_and_installed_under_load(db):
    """dropped and installed again while tasks are dispatched, run and canceled: no error for those who dispatch, all end"""
    s = Session(db)
    with pulpdb.background(db, "do $$ begin for i in 1..600 loop insert into core_task (pulp_id, pulp_created, state, name, "
                           "logging_cid, reserved_resources_record, pulp_domain_id, versions, immediate, deferred, pulp_api_version) "
                           "select gen_random_uuid(), now(), 'waiting', 't.x', 'x', array['r' || i % 20], pulp_id, '', false, true, 'v3' "
                           "from core_domain; commit; perform pg_sleep(0.001); end loop; end $$") as writer:
        for i in range(4 if pulpdb.LONG else 2):
            w = Worker(db, slots=30)
            for _ in range(6):
                w.turn(ended=list(w.running))
            s.q("select pulp_worker.cancel_task(pulp_id) from core_task where state = 'waiting' limit 5")
            w.turn(ended=list(w.running), slots=0)
            held = Worker(db, "held", slots=3)
            held.turn()
            held.turn()
            uninstall(s)
            s.q("update core_task set state = 'canceled' where pulp_id in (select pulp_id from core_task where state = 'waiting' limit 5)")
            w.s.fails("3F000", "select * from pulp_worker.unblock_tasks()")
            pulpdb.install_beside(s)
            # what was claimed before is still its owner's
            assert s.v("select count(*) from core_task where app_lock_id = %s", held.me) == len(held.running)
            held.turn(ended=list(held.running), slots=0)
            w.s.close(), held.s.close()
        writer()
    Worker(db, slots=50).drain()
    assert not s.q("select state, count(*) from core_task where state not in ('completed', 'canceled') group by 1")
    assert pulpdb.left(s) == {} and s.v("select count(*) from core_task") == 600


def ten_09_installed_twice(db):
    """installing the functions anew in use changes nothing, and leaves no second one of a name"""
    s, w = Session(db), Worker(db)
    count = "select count(*), count(distinct proname) from pg_proc where pronamespace = 'pulp_worker'::regnamespace"
    before, before_triggers = s.one(count), triggers(s)
    tasks = [dispatch(s, exclusive_resources=["a"]) for _ in range(5)]
    w.turn()
    w.turn()
    for _ in range(2):
        install_functions(s)
        w.turn()
    assert s.one(count) == before and before[0] == before[1], "functions of one name: " + str(before)
    assert order(s) == tasks and w.drain() == tasks[1:] and pulpdb.left(s) == {}
    assert triggers(s) == before_triggers and len(before_triggers) == 4


def ten_09_triggers(db):
    """who may only make triggers on core_task can bring the same functions again; the owner mends a trigger that is another"""
    s = Session(db)
    wanted = triggers(s).keys()
    uninstall(s)
    pulpdb.live_pulp(s)
    role = "only_" + db
    s.q("create role %s login; grant create on database %s to %s" % (role, db, role))
    s.q("grant select, insert, update, delete, trigger on all tables in schema public to " + role)
    mine = Session(db, user=role)
    pulpdb.install_beside(mine)
    made = triggers(s)
    assert made.keys() == wanted
    install_functions(mine)
    assert triggers(s) == made
    s.q("drop trigger pulp_worker_note_update on core_task; create trigger pulp_worker_note_update after update of state on core_task "
        "for each row execute function pulp_worker.note_update(); alter table core_task disable trigger pulp_worker_note_insert")
    assert len(triggers(s).keys() & wanted) == 2
    install_functions(s)
    assert triggers(s).keys() == wanted


def ten_09_replica_role(db):
    """what was done with triggers off is found by recheck"""
    s, w = Session(db), Worker(db, slots=20)
    a, b, c, d = [dispatch(s, exclusive_resources=["a"]) for _ in range(4)]
    w.turn(slots=0)
    s.q("set session_replication_role = replica")
    s.q("update core_task set state = 'completed' where pulp_id = %s", a)
    s.q("delete from core_task where pulp_id = %s", b)
    e = bare_task(s, ["a"])
    s.q("set session_replication_role = origin")
    w.turn()
    assert ready(s) == {a}
    s.q("begin; lock table core_task in share row exclusive mode; select pulp_worker.recheck(); commit")
    w.turn(slots=0)
    assert ready(s) == {a, c} and order(s) == [c, d, e]
    assert w.drain() == [c, d, e] and pulpdb.left(s) == {}


def ten_09_restore(db):
    """a restored database: sequences at their start, rows there; nothing gets a number twice, no note is lost"""
    s, w = Session(db), Worker(db, slots=2)
    tasks = [dispatch(s, exclusive_resources=["a%d" % (i % 3)]) for i in range(30)]
    w.turn()
    w.turn()
    s.q("alter sequence pulp_worker.inbox_number restart; alter sequence pulp_worker.position restart; "
        "alter sequence pulp_worker.ready_number restart")
    more = [dispatch(s, exclusive_resources=["a%d" % (i % 3)]) for i in range(30)]
    fresh = Worker(db, "fresh", slots=0)
    (w if random.random() < 0.5 else fresh).turn(slots=0)       # a session that was there before, or a new one
    assert order(s) == tasks + more, "a place was given twice, or lost"
    numbers = [r[0] for r in s.q("select number from pulp_worker.ready")]
    assert len(numbers) == len(set(numbers))
    done = w.drain()
    assert {t for t in tasks + more} == s.set("select pulp_id from core_task where state = 'completed'") and len(done) <= 60
    assert pulpdb.left(s) == {}


def ten_09_truncate(db):
    """TRUNCATE forgets everything, and the next task starts anew"""
    s, w = Session(db), Worker(db, slots=5)
    for i in range(50):
        dispatch(s, exclusive_resources=["a"])
    w.turn()
    w.turn()
    s.q("truncate core_task cascade")
    assert pulpdb.left(s) == {} and w.turn(ended=list(w.running)).lost == []
    a, b = [dispatch(s, exclusive_resources=["a"]) for _ in range(2)]
    assert w.drain() == [a, b]


def ten_09_a_migration(db):
    """what Pulp's own migrations do to core_task is possible while our triggers are there"""
    s, w = Session(db), Worker(db, slots=5)
    a, b = [dispatch(s, exclusive_resources=["a"]) for _ in range(2)]
    w.turn()
    s.q("alter table core_task alter column name type varchar(500); alter table core_task add column extra int; "
        "alter table core_task alter column reserved_resources_record set statistics 100; "
        "drop index core_task_incomplete; alter table core_task alter column state type varchar(20); "
        "create index core_task_incomplete on core_task (pulp_created) where state in ('waiting', 'running', 'canceling')")
    s.q("select pulp_worker.cancel_task(%s)", b)
    c = dispatch(s, exclusive_resources=["a"])
    w = Worker(db, "new", slots=5)
    assert w.drain() == [a, c] and pulpdb.left(s) == {}


pulpdb.run(ten_09_earlier_and_in_flight, ten_09_dropped_and_installed_under_load, ten_09_installed_twice, ten_09_triggers,
           ten_09_replica_role, ten_09_restore, ten_09_truncate, ten_09_a_migration)
