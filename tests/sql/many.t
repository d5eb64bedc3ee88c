#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""dispatch_many: many tasks in one call, all or none."""
import json
import os
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import psycopg2
import pulpdb
from pulpdb import Session

MANY = "select * from pulp_worker.dispatch_many(%s)"


def many(s, *tasks):
    """The rows, by the names of their fields."""
    s.k.execute(MANY, (json.dumps(tasks),))
    return [dict(zip([d.name for d in s.k.description], row)) for row in s.k.fetchall()]


def each_as_by_dispatch(db):
    """each task is what dispatch makes of the same arguments, and they come in their order"""
    s = Session(db)
    group = str(s.v("select pulp_worker.create_task_group('a group')"))
    cid = "01920000-0000-7000-8000-000000000001"
    wanted = [{"func": "t.plain"},
              {"func": "mod.path.name", "args": [1, None, {"a": "é"}], "kwargs": {"k": [True]}, "task_group": group,
               "exclusive_resources": ["b", "a", "b"], "shared_resources": ["c", "b"], "immediate": True, "deferred": True,
               "versions": {"lab": "1.2.dev0"}, "correlation_id": cid},
              {"func": "t.null", **dict.fromkeys(("args", "kwargs", "task_group", "exclusive_resources", "shared_resources", "immediate",
                                                  "deferred", "versions", "correlation_id"))}]
    rows = many(s, *wanted)
    assert [r["name"] for r in rows] == [w["func"] for w in wanted]
    created = [r["pulp_created"] for r in rows]
    assert created == sorted(created), created
    own = ("pulp_id", "pulp_created", "logging_cid")
    for row, want in zip(rows, wanted):
        s.k.execute("select * from pulp_worker.dispatch(%s)" % ", ".join("%s => %%s%s" % (n, {
            "args": "::jsonb", "kwargs": "::jsonb", "versions": "::jsonb", "task_group": "::uuid"}.get(n, ""))
            for n, v in want.items() if v is not None),
            [json.dumps(v) if n in ("args", "kwargs", "versions") else v for n, v in want.items() if v is not None])
        alone = dict(zip([d.name for d in s.k.description], s.k.fetchone()))
        for name, value in alone.items():
            assert name in own or row[name] == value, (name, row[name], value)
        stored = "select enc_args, enc_kwargs, (select plain from pulp_worker.options where id = pulp_id) from core_task where pulp_id = %s"
        assert s.one(stored, row["pulp_id"]) == s.one(stored, alone["pulp_id"])
    assert rows[1]["logging_cid"] == cid and rows[0]["logging_cid"] == rows[0]["pulp_id"].hex
    assert many(s) == []


def all_or_none(db):
    """what is wrong with one is said with its number, and then none is there"""
    s = Session(db)
    good = {"func": "t.x"}
    for bad, code, text in (
            ({"func": "nodot"}, "22023", "has no dot"), ({}, "22023", "func must be a string"), ({"func": 1.5}, "22023", "func must be"),
            ({"func": "t.x", "arg": []}, "22023", "there is no argument 'arg'"), ({"func": "t.x", "args": {}}, "22023", "args must be"),
            ({"func": "t.x", "kwargs": []}, "22023", "kwargs must be"), ([], "22023", "a JSON object"), ("t.x", "22023", "a JSON object"),
            ({"func": "t.x", "exclusive_resources": "r"}, "22023", "resources must be"),
            ({"func": "t.x", "shared_resources": [1]}, "22023", "resources must be"),
            ({"func": "t.x", "exclusive_resources": ["shared:r"]}, "22023", "is not a resource name"),
            ({"func": "t.x", "versions": {"a": 1}}, "22023", "versions must be"), ({"func": "t.x", "task_group": "x"}, "22P02", "uuid"),
            ({"func": "t.x", "task_group": "01920000-0000-7000-8000-000000000000"}, "P0002", "there is no task group"),
            ({"func": "t.x", "immediate": "perhaps"}, "22P02", "boolean"), ({"func": "t.x", "correlation_id": "x"}, "22023", "is not a UUID"),
            ({"func": "t.x", "deferred": False}, "22023", "deferred"),
            ({"func": "t.x", "deferred": False, "immediate": True}, "0A000", "SQL cannot run")):
        said = s.fails(code, MANY, json.dumps([good, good, bad, good]))
        assert said.startswith("task 3: ") and text in said, said
    try:
        s.q(MANY, json.dumps([{"func": "t.x", "arg": []}]))
    except psycopg2.Error as error:
        assert error.diag.message_hint.startswith("There are: func, args, kwargs, "), error.diag.message_hint
    for bad in ("{}", "1", None):
        assert s.fails("22023", MANY, bad) == "tasks must be a JSON array"
    s.fails("22P02", MANY, "no json")
    assert s.v("select count(*) from core_task") == 0
    assert pulpdb.left(s) == {}


def belongs_to_the_caller(db):
    """in a transaction they are there when that is committed; one announcement is enough"""
    s, o = Session(db), Session(db)
    o.listen()
    s.begin()
    many(s, {"func": "t.x"}, {"func": "t.y"})
    assert o.v("select count(*) from core_task") == 0 and o.heard() == []
    s.rollback()
    assert o.v("select count(*) from core_task") == 0 and o.heard() == []
    many(s, *[{"func": "t.x"}] * 100)
    assert o.heard() == [("wakeup", "unblock")]
    w = pulpdb.Worker(db)
    w.turn(slots=200)
    assert len(w.turn(slots=200).tasks) == 100


def at_a_live_pulp(db):
    """arguments in clear and tasks without versions are refused there too"""
    s = Session(db)
    pulpdb.live_pulp(s)
    v = {"func": "t.x", "versions": {"t": "1"}}
    assert "must be encrypted" in s.fails("0A000", MANY, json.dumps([v, dict(v, args=[1])]))
    assert "task 2: versions must be given" in s.fails("0A000", MANY, json.dumps([v, {"func": "t.x"}]))
    assert len(many(s, v, dict(v, args=[]))) == 2
    pulpdb.register(s, "a", modules=[("t", "lab", "1.10", "1.10")])
    assert many(s, {"func": "t.x"})[0]["versions"] == {"lab": "1.10"}


def crosswise(db):
    """two who dispatch the same resources the other way round do not deadlock at Pulp's trigger"""
    s, holder = Session(db), Session(db)
    pulpdb.live_pulp(s)
    low, high = [n for (n,) in s.q("select n from unnest('{a,b,c,d,e,f}'::text[]) n order by hashtext(n)")][1:5:3]
    holder.begin()
    holder.q("select pg_advisory_xact_lock(4711, hashtext(%s))", low)
    tasks = [{"func": "t.x", "versions": {"t": "1"}, kind: [name]} for kind, name in
             (("exclusive_resources", high), ("shared_resources", low))]
    with pulpdb.background(db, MANY, json.dumps(tasks)) as result:
        pulpdb.wait_blocked(s, result.session.pid)
        held = s.set("select objid::bigint from pg_locks where locktype = 'advisory' and classid = 4711 and granted and pid = %s",
                     result.session.pid)
        assert s.v("select hashtext(%s)::bigint & 4294967295", high) not in held, "the later lock is held by who waits for the earlier"
        holder.commit()
        assert len(result()) == 2


pulpdb.run(each_as_by_dispatch, all_or_none, belongs_to_the_caller, at_a_live_pulp, crosswise)
