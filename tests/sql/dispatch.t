#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""dispatch and what else a program calls: each argument, each error by its SQLSTATE, what is
announced, and what plain SQL may do to the tables beside us."""
import io
import json
import os
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, dispatch

FIELDS = ["pulp_id", "pulp_created", "pulp_last_updated", "state", "name", "logging_cid", "unblocked_at",
          "started_at", "finished_at", "error", "app_lock_id", "parent_task_id", "task_group_id",
          "reserved_resources_record", "pulp_domain_id", "versions", "profile_options", "immediate",
          "deferred", "result", "pulp_api_version"]


def record(s, task):
    return s.v("select reserved_resources_record from core_task where pulp_id = %s", task)


def home(s):
    return "prn:core.domain:%s" % s.v("select pulp_id from core_domain where name = 'default'")


def dispatch_returns_the_row(db):
    """the row that dispatch returns is the one that is there, in our own type"""
    s = Session(db)
    s.k.execute("select * from pulp_worker.dispatch('t.x')")
    assert [d.name for d in s.k.description] == FIELDS
    row = dict(zip(FIELDS, s.k.fetchall()[0]))
    assert row["state"] == "waiting" and row["name"] == "t.x" and row["versions"] == {}
    assert row["immediate"] is False and row["deferred"] is True and row["pulp_api_version"] == "v3"
    assert row["logging_cid"] == row["pulp_id"].hex and row["app_lock_id"] is None
    assert row["reserved_resources_record"] == ["shared:" + home(s)]
    assert row["pulp_id"].version == 7 and row["pulp_id"].variant == uuid.RFC_4122
    got = dict(zip(FIELDS, s.one("select * from pulp_worker.get_task(%s)", row["pulp_id"])))
    assert got == row, (got, row)
    age = s.v("select clock_timestamp() - pulp_created from core_task")
    assert 0 <= age.total_seconds() < 5
    born = int.from_bytes(row["pulp_id"].bytes[:6], "big") / 1000
    assert abs(born - row["pulp_created"].timestamp()) < 1
    assert s.q("select enc_args, enc_kwargs from core_task") == [([], {})]
    assert s.q("select * from pulp_worker.get_task(%s)", uuid.uuid4()) == []


def dispatch_takes_each_argument(db):
    """args, kwargs, group, resources, immediate, versions arrive as they were given"""
    s = Session(db)
    group = s.v("select pulp_worker.create_task_group('a group')")
    t = dispatch(s, "mod.path.name", args=[1, None, {"a": "é"}], kwargs={"k": [True]}, task_group=group,
                 exclusive_resources=["b", "a", "b"], shared_resources=["c", None, "b", "c"], immediate=True,
                 deferred=True, versions={"lab": "1.2.dev0", "other": "3"})
    row = s.one("select name, enc_args, enc_kwargs, task_group_id, reserved_resources_record, immediate, deferred, "
                "hstore_to_json(versions) from core_task where pulp_id = %s", t)
    assert row == ("mod.path.name", [1, None, {"a": "é"}], {"k": [True]}, group,
                   ["b", "a", "shared:c", "shared:b", "shared:" + home(s)], True, True,
                   {"lab": "1.2.dev0", "other": "3"}), row
    t = dispatch(s, exclusive_resources=[home(s)])
    assert record(s, t) == [home(s)]
    t = dispatch(s, shared_resources=[home(s)])
    assert record(s, t) == ["shared:" + home(s)]
    t = dispatch(s, exclusive_resources=[None], shared_resources=None, immediate=None, deferred=None, versions=None)
    assert record(s, t) == ["shared:" + home(s)]
    many = ["r%d" % i for i in range(10000)]
    t = dispatch(s, exclusive_resources=many)
    assert record(s, t) == many + ["shared:" + home(s)]
    for i in range(20):
        ids = [u for (u,) in s.q("select pulp_id from generate_series(1, 20), pulp_worker.dispatch('t.x')")]
        assert all(u.version == 7 and u.variant == uuid.RFC_4122 for u in ids)


def dispatch_errors(db):
    """every bad argument of dispatch is refused with its SQLSTATE"""
    s = Session(db)
    d = "select pulp_worker.dispatch("
    for bad in ("nodot", "", ".x", "x.", "a..b", "a b.c", "a.b\n", " a.b", None):
        s.fails("22023", d + "%s)", bad)
    assert "no dot" in s.fails("22023", d + "'nodot')")
    for bad in ("{}", "1", "null", None):
        s.fails("22023", d + "'t.x', args => %s)", bad)
    for bad in ("[]", "1", "null", None):
        s.fails("22023", d + "'t.x', kwargs => %s)", bad)
    assert s.fails("22023", d + "'t.x', deferred => false)") == "A task must be at least `deferred` or `immediate`."
    s.fails("22023", d + "'t.x', immediate => null, deferred => false)")
    s.fails("0A000", d + "'t.x', immediate => true, deferred => false)")
    for bad in ("", "shared:a"):
        s.fails("22023", d + "'t.x', exclusive_resources => array['a', %s])", bad)
        s.fails("22023", d + "'t.x', shared_resources => array[%s])", bad)
    s.fails("P0002", d + "'t.x', task_group => gen_random_uuid())")
    for bad in ('[]', '"x"', '{"a": 1}', '{"a": null}', '{"": "1"}', '{"a": ""}', 'null', '{"a": {"b": "c"}}'):
        s.fails("22023", d + "'t.x', versions => %s)", bad)
    s.fails("22P02", d + "'t.x', args => 'no json')")
    assert s.v("select count(*) from core_task") == 0
    assert pulpdb.left(s) == {}


def dispatch_at_a_live_pulp(db):
    """SQL has no key for arguments at a live Pulp, and says so"""
    s = Session(db)
    s.q("create table django_migrations (app text)")
    s.fails("0A000", "select pulp_worker.dispatch('t.x', args => '[1]')")
    s.fails("0A000", "select pulp_worker.dispatch('t.x', kwargs => '{\"a\": 1}')")
    dispatch(s, "t.x", versions={"t": "1"})
    assert s.v("select count(*) from core_task") == 1
    s.fails("0A000", "select pulp_worker.dispatch('t.x')")
    s.fails("0A000", "select pulp_worker.dispatch('t.x', versions => '{}')")
    pulpdb.register(s, "a", modules=[("t", "lab", "1.10", "1.10")])
    assert s.v("select versions from pulp_worker.dispatch('t.x')") == {"lab": "1.10"}


def dispatch_at_an_older_pulp(db):
    """a Pulp before 3.115, whose tasks have no API version"""
    s = Session(db)
    row = s.one("select * from pulp_worker.dispatch('t.x', versions => '{\"t\": \"1\"}')")
    assert row[-1] == "v3" and s.one("select * from pulp_worker.get_task(%s)", row[0]) == row
    s.q("create table django_migrations (app text); alter table core_task drop column pulp_api_version")
    new = Session(db)
    row = new.one("select * from pulp_worker.dispatch('t.x', versions => '{\"t\": \"1\"}')")
    assert row[-1] is None and new.one("select * from pulp_worker.get_task(%s)", row[0]) == row


def default_versions(db):
    """versions left out are the lowest that a live worker has of the module"""
    s = Session(db)

    def versions():
        return s.v("select versions from pulp_worker.dispatch('m.x')")
    assert versions() == {}
    pulpdb.register(s, "a", modules=[("m", "lab", "1.10", "1.10"), ("n", "no", "0.1", "0.1")])
    old = pulpdb.register(s, "b", modules=[("m", "lab", "1.9", "1.09")])
    pulpdb.register(s, "c", modules=[("m", "lab", "2.0", "2.00")])
    assert versions() == {"lab": "1.9"}
    s.q("update core_appstatus set last_heartbeat = now() - interval '31 s' where pulp_id = %s", old)
    assert versions() == {"lab": "1.10"}, "a worker that is not heard of any more counts"
    s.q("update core_appstatus set last_heartbeat = now() - interval '31 s'")
    assert versions() == {}
    assert s.v("select versions from pulp_worker.dispatch('m.x', versions => '{}')") == {}


def dispatch_belongs_to_the_caller(db):
    """a dispatch is the caller's: rolled back with it, announced with its commit, hindering nobody"""
    s, t, l = Session(db), Session(db, auto=False), Session(db)
    l.listen()
    dispatch(t, exclusive_resources=["a"])
    assert l.heard() == []
    dispatch(s, exclusive_resources=["a"])          # does not wait for the open one
    assert l.heard() == [("wakeup", "unblock")]
    t.rollback()
    assert l.heard() == [] and s.v("select count(*) from core_task") == 1
    s.q("select pulp_worker.dispatch('t.x') from generate_series(1, 100)")
    assert l.heard() == [("wakeup", "unblock")]
    for level in ("repeatable read", "serializable"):
        s.q("begin isolation level %s; select pulp_worker.dispatch('t.x'); commit" % level)
    pulpdb.settle(s)
    assert s.v("select count(*) from core_task where unblocked_at is not null") == 103


def roles_without_rights(db):
    """a role that may write core_task needs no right on our schema"""
    s = Session(db)
    role = "plain_%s" % db
    s.q("create role %s login" % role)
    try:
        s.q("grant usage on schema public to {0}; grant select, insert, update, delete, truncate on core_task, core_domain, "
            "core_appstatus, core_progressreport, core_createdresource, core_taskschedule to {0}".format(role))
        p = Session(db, user=role)
        p.fails("42501", "select pulp_worker.dispatch('t.x')")
        p.fails("42501", "select * from pulp_worker.inbox")
        a, b = pulpdb.bare_task(p, ["a"]), pulpdb.bare_task(p, ["a"])
        pulpdb.settle(s)
        p.q("update core_task set state = 'canceled' where pulp_id = %s", a)
        pulpdb.settle(s)
        assert s.v("select unblocked_at is not null from core_task where pulp_id = %s", b)
        p.q("delete from core_task where pulp_id = %s", b)
        p.q("set search_path = pg_temp; create temp table rows (pulp_id uuid); create temp table inbox (task uuid)")
        p.q("insert into public.core_task select (jsonb_populate_record(t, jsonb_build_object('pulp_id', "
            "gen_random_uuid(), 'state', 'waiting'))).* from public.core_task t")
        pulpdb.settle(s)
        assert s.v("select count(*) from core_task where unblocked_at is not null") == 2
        p.q("truncate public.core_task, public.core_progressreport, public.core_createdresource, public.core_taskschedule")
        assert pulpdb.left(s) == {}
        p.close()
    finally:
        s.q("drop owned by %s; drop role %s" % (role, role))


def plain_inserts(db):
    """COPY, ON CONFLICT, INSERT of many, INSERT SELECT: each task is noted"""
    s = Session(db)
    domain = s.v("select pulp_id from core_domain")
    columns = ("pulp_id, pulp_created, state, name, logging_cid, reserved_resources_record, pulp_domain_id, versions, "
               "immediate, deferred, pulp_api_version")
    ids = [uuid.uuid4() for _ in range(5)]
    text = "".join("%s\tnow\twaiting\tt.x\tc\t{a,shared:b}\t%s\t\tf\tt\tv3\n" % (i, domain) for i in ids)
    s.k.copy_expert("copy core_task (%s) from stdin" % columns, io.StringIO(text))
    again = "insert into core_task (%s) select %s from core_task on conflict (pulp_id) " % (columns, columns)
    s.q(again + "do nothing")
    s.q(again + "do update set state = 'canceling'")
    s.q("update core_task set state = 'waiting'")
    assert s.q(again.replace("select pulp_id", "select gen_random_uuid()") + "do nothing") == 5
    pulpdb.settle(s)
    assert s.v("select count(distinct task) from pulp_worker.reservation") == 10
    assert s.set("select pulp_id from core_task where unblocked_at is not null") <= set(ids)
    w = pulpdb.Worker(db)
    assert len(w.drain()) == 10
    assert pulpdb.left(s) == {}
    s.q("truncate core_task cascade")
    assert not s.v("select count(*) from pulp_worker.attempt")


def pulp_created_is_the_databases(db):
    """pulp_created is the database's clock, and stays"""
    s = Session(db)
    t = pulpdb.bare_task(s, created="2001-01-01")
    assert s.v("select clock_timestamp() - pulp_created < interval '10 s' from core_task")
    s.fails("P0001", "update core_task set pulp_created = now() - interval '1 day' where pulp_id = %s", t)
    s.q("update core_task set pulp_created = pulp_created")


def cancel_task(db):
    """cancel_task: what it returns and sends, by state and owner"""
    s, l = Session(db), Session(db)
    l.listen()
    me = pulpdb.register(s)

    def one(state, owner=None, **kw):
        t = pulpdb.bare_task(s, state=state, app_lock_id=owner, **kw)
        l.heard()
        got = s.v("select pulp_worker.cancel_task(%s)", t)
        assert pulpdb.state(s, t) == got
        return got, l.heard(), t
    assert one("waiting")[:2] == ("canceled", [("wakeup", "unblock")])
    assert one("waiting", unblocked_at="now")[:2] == ("canceled", [("wakeup", "unblock")])
    assert one("canceling")[:2] == ("canceled", [("wakeup", "unblock")])
    assert one("running")[:2] == ("canceling", [("wakeup", "unblock")])
    for state in ("waiting", "running", "canceling"):
        got, heard, t = one(state, me)
        assert (got, heard) == ("canceling", [("cancel", str(t))]), (got, heard)
    for state in ("completed", "failed", "canceled", "skipped"):
        assert one(state)[:2] == (state, [])
    assert s.q("select finished_at is not null, started_at, error from core_task where state = 'canceled' "
               "and finished_at is not null") == [(True, None, None)] * 3
    assert "no task" in s.fails("P0002", "select pulp_worker.cancel_task(gen_random_uuid())")
    s.fails("P0002", "select pulp_worker.cancel_task(null)")


def cancel_leaves_children_and_reports(db):
    """a canceled task's children go on; running reports of what it left are canceled"""
    s = Session(db)
    me = pulpdb.register(s)
    parent = pulpdb.bare_task(s, state="running", app_lock_id=me, started_at="now")
    child = s.v("select (pulp_worker.task_request(%s, %s, 1, 'dispatch', '{\"func\": \"t.child\"}')).reply::json ->> 'pulp_id'",
                me, parent)
    s.q("insert into core_progressreport select gen_random_uuid(), now(), now(), 'm', 'c', 'running', null, 0, null, %s", parent)
    s.q("update core_task set app_lock_id = null, state = 'canceling' where pulp_id = %s", parent)
    assert s.v("select pulp_worker.cancel_task(%s)", parent) == "canceled"
    assert s.v("select state from core_progressreport") == "canceled"
    assert pulpdb.state(s, child) == "waiting"


def cancel_task_group(db):
    """cancel_task_group: closes the group, cancels what is waiting or running, counts them"""
    s, l = Session(db), Session(db)
    l.listen()
    me = pulpdb.register(s)
    g = s.v("select pulp_worker.create_task_group('g')")
    assert s.q("select description, all_tasks_dispatched from core_taskgroup") == [("g", False)]
    waiting = [dispatch(s, task_group=g, exclusive_resources=["a"]) for _ in range(3)]
    running = pulpdb.bare_task(s, state="running", app_lock_id=me, task_group_id=g)
    done = pulpdb.bare_task(s, state="completed", task_group_id=g)
    canceling = pulpdb.bare_task(s, state="canceling", app_lock_id=me, task_group_id=g)
    outside = dispatch(s)
    l.heard()
    assert s.v("select pulp_worker.cancel_task_group(%s)", g) == 4
    assert l.heard() == [("cancel", str(running)), ("wakeup", "unblock")]
    assert [pulpdb.state(s, t) for t in waiting] == ["canceled"] * 3
    assert [pulpdb.state(s, t) for t in (running, done, canceling, outside)] == [
        "canceling", "completed", "canceling", "waiting"]
    assert s.v("select all_tasks_dispatched from core_taskgroup")
    assert s.v("select pulp_worker.cancel_task_group(%s)", g) == 0
    s.fails("P0002", "select pulp_worker.cancel_task_group(gen_random_uuid())")
    assert s.v("select description from core_taskgroup where pulp_id = pulp_worker.create_task_group(null)") in ("", None)
    dispatch(s, task_group=g)       # a closed group still takes tasks, as since 3.84
    other = s.v("select pulp_worker.create_task_group('other')")
    s.q("select pulp_worker.finish_task_group(%s)", other)
    assert s.q("select all_tasks_dispatched from core_taskgroup where pulp_id = %s", other) == [(True,)]
    dispatch(s, task_group=other)
    s.fails("P0002", "select pulp_worker.finish_task_group(gen_random_uuid())")


def group_member_that_ends_meanwhile(db):
    """a member that ends while its group is being canceled is no error, and is not counted"""
    s, o = Session(db), Session(db)
    g = s.v("select pulp_worker.create_task_group('g')")
    a, b = sorted(dispatch(s, task_group=g) for _ in range(2))
    o.begin()
    o.q("update core_task set state = 'completed' where pulp_id = %s", a)
    with pulpdb.background(db, "select pulp_worker.cancel_task_group(%s)", g) as result:
        pulpdb.wait_blocked(s, result.session.pid)
        o.commit()
        assert result() == [(1,)]
    assert [pulpdb.state(s, t) for t in (a, b)] == ["completed", "canceled"]


def what_is_announced(db):
    """each payload where architecture section 4 has it, and nothing else"""
    s, l = Session(db), Session(db)
    l.listen()
    w, o = pulpdb.Worker(db), pulpdb.Worker(db, "o")
    assert l.heard() == []
    a, b = dispatch(s, exclusive_resources=["a"]), dispatch(s, exclusive_resources=["a"])
    assert l.heard() == [("wakeup", "unblock")] * 2
    t = w.turn()            # settles; the class is new to it, so it takes nothing: somebody may
    assert t.marked == 1 and t.tasks == [] and l.heard() == [("wakeup", "handle")]
    assert w.turn().tasks == [a] and l.heard() == []
    assert w.turn().tasks == [] and l.heard() == []
    assert o.turn().tasks == [] and l.heard() == []
    assert w.turn(ended=[a]).tasks == [b] and l.heard() == []       # what became ready was taken at once
    c, d = dispatch(s, exclusive_resources=["c"]), dispatch(s, exclusive_resources=["d"])
    l.heard()
    t = w.turn(slots=1)
    assert t.tasks == [c] and l.heard() == [("wakeup", "handle")]   # one is left
    assert o.turn(slots=0).tasks == [] and l.heard() == []          # but that is no news any more
    got = o.turn().tasks, l.heard()
    assert got == ([d], []), got
    w.turn(ended=[b, c])
    o.turn(ended=[d])
    assert l.heard() == []
    assert s.one("select * from pulp_worker.unblock_tasks()") == (0, False) and l.heard() == []
    dispatch(s)
    l.heard()
    assert s.one("select * from pulp_worker.unblock_tasks()") == (1, False)
    assert l.heard() == [("wakeup", "handle")]
    s.q("create table django_migrations (app text)")
    t, = w.turn().tasks
    w.turn(ended=[t])
    assert l.heard() == [("wakeup", "unblock")]     # Python's workers wait for it
    assert pulpdb.left(s) == {}


def cancel_of_pythons(db):
    """a waiting task of Python's that is canceled, and marked by us after Python has looked: Python's workers are told"""
    s, l = Session(db), Session(db)
    s.q("create table django_migrations (app text)")
    l.listen()
    w = pulpdb.Worker(db)
    held = dispatch(s, exclusive_resources=["r"], versions={"t": "1"})
    theirs = dispatch(s, "pulpcore.app.x", exclusive_resources=["r"], versions={"core": "3"})
    w.turn()
    assert w.turn().tasks == [held]
    l.heard()
    s.q("update core_task set state = 'canceling' where pulp_id = %s", theirs)
    for heard in [("wakeup", "handle")], []:
        t = w.turn()
        got = l.heard()
        assert t.tasks == [] and got == heard, (t.tasks, got)
    assert s.one("select unblocked_at is not null, app_lock_id, state from core_task where pulp_id = %s", theirs) == (True, None, "canceling")


pulpdb.run(dispatch_returns_the_row, dispatch_takes_each_argument, dispatch_errors, dispatch_at_a_live_pulp, dispatch_at_an_older_pulp,
           default_versions, dispatch_belongs_to_the_caller, roles_without_rights, plain_inserts,
           pulp_created_is_the_databases, cancel_task, cancel_leaves_children_and_reports, cancel_task_group,
           group_member_that_ends_meanwhile, what_is_announced, cancel_of_pythons)
