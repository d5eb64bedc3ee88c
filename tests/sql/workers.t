#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who is there (registration, heartbeat, clean-up), what a running task may ask for, purge, and why."""
import json
import os
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task, dispatch, register, state

OLD = "update core_appstatus set last_heartbeat = now() - %s::interval where pulp_id = %s"
CLEANUP = "select * from pulp_worker.app_worker_cleanup()"


def registration(db):
    """a worker's rows: app status as Pulp shows it, plugins, and what it ever brought"""
    s = Session(db)
    me = register(s, "1@host", "30 s", [("m", "lab", "1.0", "1"), ("n", "other", "2", "2")], 7)
    assert s.one("select app_type, name, ttl::text, hstore_to_json(versions), clock_timestamp() - last_heartbeat < '5 s', "
                 "pulp_last_updated is not null from core_appstatus where pulp_id = %s", me) == (
        "worker", "1@host", "00:00:30", {"lab": "1.0", "other": "2"}, True, True)
    assert s.one("select name, host, pid, slots from pulp_worker.worker where id = %s", me) == ("1@host", "host", 1, 7)
    assert s.q("select module, label, version, version_key from pulp_worker.worker_module order by 1") == [
        ("m", "lab", "1.0", "1"), ("n", "other", "2", "2")]
    s.q("select pulp_worker.set_worker_modules(%s, '{m}', '{lab2}', '{1.1}', '{11}')", me)
    assert s.v("select hstore_to_json(versions) from core_appstatus") == {"lab2": "1.1"}
    assert s.q("select module, label, version from pulp_worker.worker_module") == [("m", "lab2", "1.1")]
    assert s.q("select * from pulp_worker.module order by 1") == [("m", "lab2"), ("n", "other")]
    s.q("select pulp_worker.set_worker_modules(%s, '{}', '{}', '{}', '{}')", me)
    assert s.v("select versions = '' from core_appstatus") and s.q("select * from pulp_worker.worker_module") == []
    assert register(s, "1@host", modules=()) != me      # names are not unique


def heartbeats(db):
    """a beat is the database's time; false when the row is gone"""
    s = Session(db)
    me = register(s)
    s.q(OLD, "20 s", me)
    assert s.v("select pulp_worker.heartbeat(%s)", me) is True
    assert s.v("select clock_timestamp() - last_heartbeat < '5 s' from core_appstatus")
    assert s.v("select pulp_worker.unregister_worker(%s)", me) is True
    assert s.v("select pulp_worker.heartbeat(%s)", me) is False
    assert s.v("select pulp_worker.unregister_worker(%s)", me) is True
    assert [s.v("select count(*) from " + t) for t in ("core_appstatus", "pulp_worker.worker", "pulp_worker.worker_module")] == [0] * 3


def unregistering(db):
    """on exit what it still held is free, and a task that somebody's transaction holds keeps the row for the next try"""
    s, x, l, o = Session(db), Session(db), Session(db), Worker(db, "o", slots=9)
    me = register(s)
    a = bare_task(s, state="running", app_lock_id=me, unblocked_at="now")
    b = bare_task(s, state="canceling", app_lock_id=me, unblocked_at="now")
    done = bare_task(s, state="completed", app_lock_id=me)
    x.begin()
    x.q("select from core_task where pulp_id = %s for update", b)
    l.listen()
    assert s.v("select pulp_worker.unregister_worker(%s)", me) is False
    assert l.heard() == [("wakeup", "unblock")]
    assert s.v("select pulp_worker.heartbeat(%s)", me) is True
    x.rollback()
    assert s.v("select pulp_worker.unregister_worker(%s)", me) is True
    assert s.v("select count(*) from core_task where app_lock_id is not null") == 0
    assert {(t, d) for t, _, d in o.turn().claimed} == {(a, "abandoned"), (b, "canceling")} and state(s, done) == "completed"


def clean_up(db):
    """who was not heard of for its own ttl is removed, of any type; who was, stays"""
    s, l = Session(db), Session(db)
    short, long_one, fresh = register(s, "short", "10 s"), register(s, "long", "100 s"), register(s, "fresh", "10 s")
    api = uuid.uuid4()
    s.q("insert into core_appstatus values (%s, now(), now(), 'api', 'an api', '', '2 minutes', now() - interval '3 minutes')", api)
    assert [r[0] for r in s.q(CLEANUP)] == [api]
    assert s.q(CLEANUP) == []
    t = bare_task(s, state="running", app_lock_id=short, unblocked_at="now")
    s.q(OLD, "11 s", short)
    s.q(OLD, "11 s", long_one)
    l.listen()
    assert s.q(CLEANUP) == [(short, "worker", "short")]
    assert l.heard() == [("wakeup", "unblock")], "what it had is to be looked at"
    assert s.v("select app_lock_id from core_task where pulp_id = %s", t) is None
    assert s.set("select pulp_id from core_appstatus") == {long_one, fresh}
    assert s.set("select id from pulp_worker.worker") == {long_one, fresh}
    pulpdb.live_pulp(s)     # Python's pass does not look for the running ones: edge 2
    bare_task(s, state="running", app_lock_id=long_one)
    s.q(OLD, "101 s", long_one)
    s.q(CLEANUP)
    assert l.heard() == [("wakeup", "handle"), ("wakeup", "unblock")]


def clean_up_by_one(db):
    """one session at a time cleans up (lock 11); the others go on, and so do those whose row is locked"""
    s, x = Session(db), Session(db)
    a, b = register(s, "a"), register(s, "b")
    s.q(OLD, "31 s", a)
    s.q(OLD, "31 s", b)
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 11)")
    assert s.q(CLEANUP) == []
    x.rollback()
    x.begin()
    x.q("select pulp_worker.heartbeat(%s)", a)      # it lives after all
    assert [r[2] for r in s.q(CLEANUP)] == ["b"]
    x.commit()
    assert s.q(CLEANUP) == [] and s.set("select pulp_id from core_appstatus") == {a}


def abandoned_of_other_modules(db):
    """in a live Pulp only tasks of modules that some worker of ours registered are ours to end"""
    s = Session(db)
    pulpdb.live_pulp(s)
    w = Worker(db, modules=(("mine", "mine", "1", "1"),))
    ours, theirs = bare_task(s, state="canceling", name="mine.x"), bare_task(s, state="running", name="pulpcore.x")
    later = bare_task(s, state="running", name="later.x")
    assert w.turn().claimed == [(ours, "mine.x", "canceling")]
    assert w.turn().claimed == []
    register(s, "o", modules=(("later", "later", "1", "1"),))
    assert w.turn().claimed == [(later, "later.x", "abandoned")], "a module that comes later brings its abandoned tasks"
    assert state(s, theirs) == "running" and w.turn().claimed == []


def request(s, me, task, number, operation, **args):
    ok, reply = s.one("select * from pulp_worker.task_request(%s, %s, %s, %s, %s)", me, task, number, operation,
                      args.pop("body", None) or json.dumps(args))
    return ok, json.loads(reply) if ok else reply


def requests(db):
    """each operation a running task may ask for, and its repetition by number"""
    s = Session(db)
    me = register(s)
    g = s.v("select pulp_worker.create_task_group('g')")
    t = bare_task(s, state="running", app_lock_id=me, task_group_id=g, unblocked_at="now")
    ok, child = request(s, me, t, 1, "dispatch", func="t.child", args=[1], kwargs={"a": 2}, exclusive_resources=["x"],
                        shared_resources=["y"], versions={"t": "1"}, task_group=str(g), immediate=True)
    assert ok and child["parent_task_id"] == str(t) and child["logging_cid"] == "x" and child["versions"] == {"t": "1"}
    assert child["reserved_resources_record"][:2] == ["x", "shared:y"] and child["immediate"] is True
    assert request(s, me, t, 1, "dispatch", func="t.child") == (True, child)        # after a lost reply
    assert s.v("select count(*) from core_task where parent_task_id = %s", t) == 1
    assert request(s, me, t, 2, "group_progress", code="c", message="m", total=10, done=1)[1] == {"code": "c", "done": 1, "total": 10}
    assert request(s, me, t, 3, "group_progress", code="c", done=4)[1] == {"code": "c", "done": 5, "total": 10}
    assert request(s, me, t, 3, "group_progress", code="c", done=4)[1]["done"] == 5
    assert s.q("select message, total, done, suffix, task_group_id from core_groupprogressreport") == [("m", 10, 5, None, g)]
    assert request(s, me, t, 20, "group_progress", code="c", message="n", total=-1, suffix="files")[1] == {"code": "c", "done": 5, "total": 9}
    assert request(s, me, t, 21, "group_progress", code="c", done=1)[1] == {"code": "c", "done": 6, "total": 9}
    assert s.q("select message, suffix from core_groupprogressreport") == [("n", "files")]
    ok, group = request(s, me, t, 22, "create_task_group", description="of its own")
    assert ok and request(s, me, t, 22, "create_task_group") == (True, group)
    assert request(s, me, t, 23, "finish_task_group", task_group=group["pulp_id"]) == (True, {})
    assert s.q("select description, all_tasks_dispatched from core_taskgroup where pulp_id = %s", group["pulp_id"]) == [("of its own", True)]
    assert "no task group" in request(s, me, t, 24, "finish_task_group", task_group=str(uuid.uuid4()))[1]
    what = uuid.uuid4()
    ok, made = request(s, me, t, 4, "created_resource", app_label="file", model="filerepository", object_id=str(what))
    assert ok and s.q("select c.app_label, c.model, r.object_id, r.task_id from core_createdresource r "
                      "join django_content_type c on c.id = r.content_type_id") == [("file", "filerepository", what, t)]
    assert request(s, me, t, 4, "created_resource", app_label="file", model="filerepository", object_id=str(what)) == (True, made)
    assert request(s, me, t, 5, "created_resource", app_label="file", model="filerepository", object_id=str(what))[0]
    assert s.v("select count(*) from core_createdresource") == 2
    ok, purged = request(s, me, t, 6, "purge_batch", finished_before="2100-01-01", states=["completed"], limit=10)
    assert ok and purged == {"failed": 0, "more": False, "deleted": {}}
    pulpdb.turn(s, me, ended=[pulpdb.ending(t)])
    assert s.v("select count(*) from pulp_worker.request") == 0
    assert request(s, me, t, 9, "dispatch", func="t.x") == (False, "the task is not running here any more")


def bad_requests(db):
    """a bad request is its own answer, undoes only its own work, and its repetition says the same"""
    s = Session(db)
    me, other = register(s), register(s, "o")
    t = bare_task(s, state="running", app_lock_id=me)
    bad = (("dispatch", dict(func="nodot"), "no dot"), ("dispatch", {}, "no dot"), ("dispatch", dict(body="[1]"), "JSON object"),
           ("dispatch", dict(body="{"), "json"), ("dispatch", dict(func="t.x", args={}), "array"),
           ("dispatch", dict(func="t.x", exclusive_resources="a"), "array of strings"),
           ("dispatch", dict(func="t.x", exclusive_resources=[1]), "array of strings"),
           ("dispatch", dict(func="t.x", task_group="x"), "uuid"),
           ("dispatch", dict(func="t.x", task_group=str(uuid.uuid4())), "no task group"),
           ("dispatch", dict(func="t.x", immediate="perhaps"), "boolean"), ("dispatch", dict(func="t.x", versions=[1]), "versions"),
           ("group_progress", dict(code="c"), "no group"), ("created_resource", dict(app_label="a", model="b"), "object_id"),
           ("created_resource", dict(model="b", object_id=str(uuid.uuid4())), "app_label"),
           ("created_resource", dict(app_label="a", model="b", object_id="x"), "uuid"),
           ("purge_batch", dict(finished_before="2100-01-01", states=["running"], limit=1), "final"),
           ("purge_batch", dict(finished_before="nonsense", states=["failed"], limit=1), "timestamp"),
           ("purge_batch", dict(states=["failed"], limit=1), "finished_before"),
           ("purge_batch", dict(finished_before="2100-01-01", states=["failed"]), "limit"),
           ("purge_batch", dict(finished_before="2100-01-01", states=["failed"], limit=0), "limit"),
           ("drop_table", {}, "no request 'drop_table'"))
    for number, (operation, args, text) in enumerate(bad):
        ok, reply = request(s, me, t, number, operation, **args)
        assert not ok and text in reply, (operation, args, reply)
        assert request(s, me, t, number, "dispatch", func="t.x") == (False, reply)
    assert s.v("select count(*) from core_task") == 1 and s.v("select count(*) from core_createdresource") == 0
    g = s.v("select pulp_worker.create_task_group('g')")
    s.q("update core_task set task_group_id = %s", g)
    assert "code" in request(s, me, t, 100, "group_progress", done=1)[1]
    assert request(s, other, t, 101, "dispatch", func="t.x") == (False, "the task is not running here any more")
    assert request(s, me, uuid.uuid4(), 102, "dispatch", func="t.x")[0] is False
    s.q("set statement_timeout = '1ms'")        # the database's trouble is not the task's answer
    s.fails("57014", "select pulp_worker.task_request(%s, %s, 200, 'purge_batch', "
            "'{\"finished_before\": \"2100-01-01\", \"states\": [\"failed\"], \"limit\": 1}') from (select pg_sleep(0.1) offset 0) x", me, t)
    s.q("set statement_timeout = 0")
    assert s.v("select count(*) from pulp_worker.request where number = 200") == 0


def purge(db):
    """a batch deletes finished tasks of the states given, oldest first, with what hangs on them"""
    s = Session(db)
    old = [bare_task(s, state="completed", finished_at="2020-01-0%d" % i) for i in range(1, 6)]
    failed = bare_task(s, state="failed", finished_at="2020-01-01")
    new = bare_task(s, state="completed", finished_at="2020-02-01")
    child = bare_task(s, state="completed", finished_at="2030-01-01", parent_task_id=old[0])
    waiting = bare_task(s)
    s.q("insert into core_progressreport select gen_random_uuid(), now(), now(), 'm', 'c', 'completed', 1, 1, null, %s "
        "from generate_series(1, 3)", old[0])
    s.q("insert into core_createdresource select gen_random_uuid(), now(), now(), 1, gen_random_uuid(), %s", old[1])
    s.q("insert into core_taskschedule select gen_random_uuid(), now(), null, 'n', null, null, 't.x', '[]', '{}', %s, pulp_id "
        "from core_domain", old[2])
    s.q("insert into pulp_worker.log (task, part, text) values (%s, 0, 'x'), (%s, 0, 'y')", old[0], new)
    s.q("insert into pulp_worker.attempt values (%s, 'w', 'completed', 0, 0, 0)", old[0])
    batch = "select pulp_worker.purge_batch(%s, %s, %s)"
    got = s.v(batch, "2020-02-01", ["completed"], 2)
    assert got.pop("after")["id"] == str(old[1])
    assert got == {"failed": 0, "more": True, "deleted": {"core.Task": 2, "core.ProgressReport": 3, "core.CreatedResource": 1}}
    assert s.set("select pulp_id from core_task") == {*old[2:], failed, new, child, waiting}
    assert s.v("select parent_task_id from core_task where pulp_id = %s", child) is None
    assert s.q("select text from pulp_worker.log") == [("y",)] and s.v("select count(*) from pulp_worker.attempt") == 0
    x = Session(db)
    x.begin()
    x.q("select from core_task where pulp_id = %s for update", old[3])
    assert s.v(batch, "2020-02-01", ["completed"], 10) == {"failed": 0, "more": False, "deleted": {"core.Task": 2}}
    x.rollback()
    assert s.v("select last_task_id from core_taskschedule") is None
    assert s.v(batch, "2020-02-01", ["completed", "failed", "canceled", "skipped"], 10)["deleted"] == {"core.Task": 2}
    assert s.set("select pulp_id from core_task") == {new, child, waiting}
    for bad in (["running"], ["completed", "waiting"], [None], None):
        s.fails("22023", batch, "2020-02-01", bad, 1)
    for bad in (0, -1, None):
        s.fails("22023", batch, "2020-02-01", ["failed"], bad)
    s.fails("22023", batch, None, ["failed"], 1)
    assert s.v(batch, "2020-02-01", [], 1) == {"failed": 0, "more": False, "deleted": {}}
    pulpdb.settle(s)
    assert pulpdb.left(s).keys() == {"ready"}


def purge_walk(db):
    """a purge goes on where its last batch ended, by either index; what others point at stays, and is counted"""
    s = Session(db)
    batch = "select pulp_worker.purge_batch('2020-02-01', '{completed}', 3, %s)"
    for indexed in True, False:
        if not indexed:
            s.q("drop index core_task_finished")
        s.q("create table export (id int, task_id uuid references core_task deferrable initially deferred)")
        tasks = [bare_task(s, state="completed" if i % 10 == 0 else "failed", finished_at="2020-01-01 00:%02d" % (i // 2))
                 for i in range(100)]
        s.q("insert into export values (1, %s), (2, %s)", tasks[0], tasks[50])
        after, deleted, failed, batches = None, 0, 0, 0
        while True:
            got = s.v(batch, None if after is None else json.dumps(after))
            deleted += got["deleted"].get("core.Task", 0)
            failed += got["failed"]
            batches += 1
            if not got["more"]:
                break
            assert got["after"] != after
            after = got["after"]
        assert (deleted, failed) == (8, 2) and 3 <= batches <= 4, (indexed, deleted, failed, batches)
        assert s.v("select count(*) from core_task where state = 'completed'") == 2
        s.q("drop table export")
        s.q("delete from core_task")


def purge_of_pulps(db):
    """what Pulp's own tables keep of a task: exports forget it, profiles and roles go with it"""
    s = Session(db)
    s.q("create table core_export (task_id uuid references core_task deferrable initially deferred);"
        "create table core_profileartifact (task_id uuid not null references core_task deferrable initially deferred);"
        "create table core_userrole (content_type_id int, object_id text); create table core_grouprole (like core_userrole)")
    gone, stays = (bare_task(s, state="completed", finished_at=when) for when in ("2020-01-01", "2021-01-01"))
    for task in gone, stays:
        for table in "core_export", "core_profileartifact":
            s.q("insert into %s values (%%s)" % table, task)
        for table in "core_userrole", "core_grouprole":
            s.q("insert into %s select id, %%s from django_content_type where model in ('task', 'appstatus')" % table, str(task))
    assert s.v("select pulp_worker.purge_batch('2020-02-01', '{completed}', 10)")["deleted"] == {"core.Task": 1}
    assert sorted(map(str, s.set("select task_id from core_export"))) == sorted(["None", str(stays)])
    assert s.set("select task_id from core_profileartifact") == {stays}
    for table in "core_userrole", "core_grouprole":
        assert s.v("select count(*) from %s where object_id = %%s" % table, str(stays)) == 2
        assert s.v("select count(*) from %s where object_id = %%s" % table, str(gone)) == 1   # that of another kind of object


def why(db):
    """the facts about a task that is not running"""
    s, w = Session(db), Worker(db, "w", modules=(("t", "lab", "1.5", "15"),), slots=2)

    def facts(task):
        return s.v("select pulp_worker.why_facts(%s)", task)
    assert facts(uuid.uuid4()) is None
    a = dispatch(s, "t.holder", exclusive_resources=["a"], versions={"lab": "1"})
    got = facts(a)
    assert not got["settled"] and not got["ready"] and got["state"] == "waiting" and got["versions"] == {"lab": "1"}
    assert got["module"] == "t" and got["name"] == "t.holder" and got["owner"] is None and got["bad"] is None
    assert got["workers"] == [{"name": "w", "slots": 2, "running": 0, "alive": True,
                               "modules": {"t": {"label": "lab", "version": "1.5"}}}]
    w.turn()
    assert facts(a)["settled"] and facts(a)["ready"] and "holder" not in facts(a)
    w.turn()
    assert facts(a)["owner"] == "w" and facts(a)["workers"][0]["running"] == 1
    b = dispatch(s, "t.b", shared_resources=["a"])
    c = dispatch(s, "t.c", shared_resources=["a"])
    d = dispatch(s, "t.d", exclusive_resources=["z", "a"])
    e = dispatch(s, "t.e", exclusive_resources=["a"], shared_resources=["a"])
    w.turn()
    got = facts(b)
    assert (got["resource"], got["exclusive"], got["ahead"]) == ("a", False, 1), got
    assert got["holder"] == {"pulp_id": str(a), "name": "t.holder", "state": "running", "exclusive": True}
    assert facts(c)["ahead"] == 1       # the other shared one is not in its way
    assert (facts(d)["resource"], facts(d)["exclusive"], facts(d)["ahead"]) == ("a", True, 3)
    assert facts(e)["ahead"] == 4 and facts(e)["holder"]["pulp_id"] == str(a)
    w.turn(ended=[a], slots=0)
    assert facts(b)["ready"] and facts(d)["holder"]["pulp_id"] == str(b) and facts(d)["holder"]["exclusive"] is False
    s.q(OLD, "1 minute", w.me)
    assert facts(b)["workers"][0]["alive"] is False
    s.q(CLEANUP)
    assert facts(b)["workers"] == []
    plain = bare_task(s)
    assert facts(plain)["settled"] is False, "it has no resources, but was not looked at yet"
    s.q("select pulp_worker.unblock_tasks()")
    assert facts(plain)["settled"] and facts(plain)["ready"]
    s.q("insert into pulp_worker.bad (task, why) values (%s, 'so')", plain)
    assert facts(plain)["bad"] == "so"


def app_status_of_python(db):
    """tasks of a Python worker are left alone by what is not about them"""
    s, w = Session(db), Worker(db)
    python = uuid.uuid4()
    s.q("insert into core_appstatus values (%s, now(), now(), 'worker', 'python', 'core=>3.100', '30 s', now())", python)
    t = bare_task(s, state="running", name="pulpcore.x", app_lock_id=python, unblocked_at="now")
    assert w.turn(ended=[t]).ended == {t: "lost"} and w.turn().claimed == []
    assert s.one("select state, app_lock_id from core_task") == ("running", python)
    assert request(s, w.me, t, 1, "dispatch", func="t.x")[0] is False


pulpdb.run(registration, heartbeats, unregistering, clean_up, clean_up_by_one, abandoned_of_other_modules, requests,
           bad_requests, purge, purge_walk, purge_of_pulps, why, app_status_of_python)
