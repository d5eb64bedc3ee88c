#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Schedules: what is due is dispatched once, whoever looks, and what cannot be hinders nothing."""
import os
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task, left, settle, state

MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS = (1 << 60) - 1, (1 << 24) - 1, (1 << 32) - 2, (1 << 13) - 2, 127


def bits(*values):
    return sum(1 << v for v in values)


def cron(minutes=MINUTES, hours=HOURS, days=DAYS, months=MONTHS, weekdays=WEEKDAYS, either=False, zone="UTC", missed="once"):
    return {"expression": "x", "time_zone": zone, "missed": missed, "minutes": minutes, "hours": hours, "days": days,
            "months": months, "weekdays": weekdays, "either": either}


def add(s, name, func="t.x", args=(), kwargs=None, every=None, at=None, cron=None, exclusive=(), shared=(), sealed=False):
    return s.v("select pulp_worker.add_schedule(%s, %s, %s, %s, %s::interval, %s::timestamptz, %s, %s::text[], %s::text[], %s)",
               name, func, pulpdb.psycopg2.extras.Json(list(args)), kwargs or {}, every, at, cron, list(exclusive), list(shared), sealed)


def refused(s, name, **kw):
    sql = "select pulp_worker.add_schedule(%s, %s, %s, '{}', %s::interval, %s::timestamptz, %s, %s::text[], '{}')"
    return s.fails("22023", sql, name, kw.get("func", "t.x"), kw.get("args", pulpdb.psycopg2.extras.Json([])), kw.get("every"),
                   kw.get("at"), kw.get("cron"), kw.get("exclusive", []))


def look(s, batch=100):
    """What a look dispatches: (kind, schedule, task, detail); when it wants to be called again is s.again."""
    rows = s.q("select * from pulp_worker.dispatch_scheduled_tasks(%s)", batch)
    s.again = rows[-1][4]
    assert [r[0] for r in rows].count("next") == 1
    return [(r[0], r[1], r[3], r[4]) for r in rows[:-1]]


def kinds(rows):
    return [r[:2] for r in rows]


def set_due(s, schedule, age="0"):
    s.q("update core_taskschedule set next_dispatch = clock_timestamp() - %s::interval where pulp_id = %s", age, schedule)


def end(s, task):
    s.q("update core_task set state = 'completed', finished_at = now() where pulp_id = %s", task)


def row(s, schedule, what):
    return s.v("select %s from core_taskschedule where pulp_id = %%s" % what, schedule)


def intervals(db):
    """missed times are one, next_dispatch keeps its grid, the last task is set, and is waited for"""
    s = Session(db)
    i = add(s, "i", args=[1, "ä"], kwargs={"k": None}, every="1 h", exclusive=["r"], shared=["q"])
    (got,) = look(s)
    assert got[:2] == ("dispatched", "i") and got[3] == "default" and row(s, i, "last_task_id") == got[2]
    task = s.one("select name, state, enc_args, enc_kwargs, reserved_resources_record[:2], immediate, deferred, parent_task_id, "
                 "logging_cid ~ '^[0-9a-f]{32}$' from core_task where pulp_id = %s", got[2])
    assert task == ("t.x", "waiting", [1, "ä"], {"k": None}, ["r", "shared:q"], False, True, None, True), task
    assert 3590000 < int(s.again) <= 3600000
    assert look(s) == []
    start = "2001-01-01 00:20:07.123456+00"
    s.q("update core_taskschedule set next_dispatch = %s where pulp_id = %s", start, i)
    assert look(s) == [], "while the last task has not ended"
    end(s, got[2])
    assert kinds(look(s)) == [("dispatched", "i")] and look(s) == []
    assert s.one("select next_dispatch > now(), next_dispatch <= now() + '1 h', to_char(next_dispatch, 'MI:SS.US') "
                 "from core_taskschedule") == (True, True, "20:07.123456")
    assert s.v("select count(*) from core_task") == 2
    settle(s)
    assert left(s)["ready"] == 1, "the second waits for the resource only in the queue"


def one_shots(db):
    """once, then next_dispatch is null; a task that was purged holds nothing up"""
    s, listener = Session(db), Session(db)
    o = add(s, "o", at="now")
    listener.listen()
    assert kinds(look(s)) == [("dispatched", "o")] and row(s, o, "next_dispatch") is None
    assert listener.heard() == [("wakeup", "unblock")]
    assert look(s) == [] and s.again is None
    later = add(s, "later", at="2100-01-01T00:00Z")
    assert look(s) == [] and int(s.again) > 0
    set_due(s, later)
    assert kinds(look(s)) == [("dispatched", "later")]
    s.q("update core_taskschedule set last_task_id = null")
    set_due(s, o)
    assert kinds(look(s)) == [("dispatched", "o")]


def lock(db):
    """another session holds lock 42: nothing is dispatched now, and it is asked again soon; with nothing due it is not even tried"""
    s, x = Session(db), Session(db)
    i = add(s, "i", every="1 h")
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 42)")
    assert look(s) == [] and s.again == "busy"
    x.rollback()
    assert kinds(look(s)) == [("dispatched", "i")]
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 42)")
    assert look(s) == [] and s.again != "busy"
    x.rollback()
    end(s, row(s, i, "last_task_id"))
    set_due(s, i)
    x.begin()
    x.q("select from core_taskschedule where pulp_id = %s for update", i)
    assert look(s) == [], "a row that somebody changes is left alone"
    x.q("update core_taskschedule set next_dispatch = now() + interval '1 h' where pulp_id = %s", i)
    x.commit()
    assert look(s) == []


def edge_34_a_correlation_id_per_run(db):
    """each run has a correlation id of its own, and the session that dispatched it keeps none"""
    s = Session(db)
    a, b = add(s, "a", every="1 h"), add(s, "b", every="1 h")
    look(s)
    assert len(s.set("select logging_cid from core_task")) == 2 and a != b
    mine = pulpdb.dispatch(s, "t.other")
    assert s.v("select count(*) from core_task group by logging_cid order by 1 desc limit 1") == 1 and mine


def edge_35_failing_schedules(db):
    """said once, tried again after a growing time, hinders no other; what is mended goes on, on its grid"""
    s = Session(db)
    bad, good, worse = add(s, "a bad one", every="1 h"), add(s, "good", every="1 h"), add(s, "worse", at="now")
    s.q("update core_taskschedule set task_name = 'nodot' where pulp_id = any (%s)", [bad, worse])
    never = add(s, "never", every="1 h")
    s.q("update core_taskschedule set dispatch_interval = '-1 h' where pulp_id = %s", never)
    got = look(s)
    assert kinds(got) == [("failed", "a bad one"), ("dispatched", "good"), ("failed", "worse"), ("failed", "never")], got
    assert "nodot" in got[0][3] and "not a positive one" in got[3][3]
    assert s.v("select count(*) from core_task") == 1 and row(s, bad, "next_dispatch <= now()")
    again = "update pulp_worker.schedule set retry_at = now() where retry_at is not null"
    wait = "select retry_at > now() + %s::interval, failures from pulp_worker.schedule where schedule = %s"
    assert look(s) == [] and s.one(wait, "25 s", bad) == (True, 1)
    for n in range(2, 9):
        s.q(again)
        assert look(s) == [], "it is said once"
        assert s.one(wait, "%d s" % min(15 * 2 ** n - 5, 3595), bad) == (True, n)
    s.q("update core_taskschedule set task_name = 't.y' where pulp_id = any (%s)", [bad, worse])
    s.q(again)
    assert sorted(kinds(look(s))) == [("dispatched", "a bad one"), ("dispatched", "worse")]
    assert s.v("select count(*) from pulp_worker.schedule where failures > 0") == 1


def edge_35_names_by_domain(db):
    """two domains may use one name: each is dispatched in its own; removing one leaves the other"""
    s = Session(db)
    other = s.v("insert into core_domain select gen_random_uuid(), now(), null, 'other', null, '', 'x', '{}', true, false returning pulp_id")
    mine = add(s, "same", every="1 h")
    s.q("insert into core_taskschedule select gen_random_uuid(), now(), now(), name, now(), dispatch_interval, task_name, task_args, "
        "task_kwargs, null, %s from core_taskschedule", other)
    assert sorted(r[3] for r in look(s)) == ["default", "other"]
    assert s.set("select pulp_domain_id from core_task where reserved_resources_record = array['shared:prn:core.domain:' || pulp_domain_id]") == \
        s.set("select pulp_id from core_domain")
    assert s.v("select pulp_worker.find_schedule('same')") == mine
    s.q("select pulp_worker.remove_schedule('same')")
    assert s.set("select pulp_domain_id from core_taskschedule") == {other}
    assert s.v("select count(*) from pulp_worker.schedule") == 0 and s.v("select count(*) from core_task") == 2


def bounded(db):
    """at most a batch a call, and those that wait for their last task hide nobody; what is not due costs nothing"""
    s = Session(db)
    task = bare_task(s, state="running")
    s.q("insert into core_taskschedule select gen_random_uuid(), now(), now(), 's' || n, case when n <= 150 then now() - interval '1 h' "
        "when n <= 160 then now() - interval '1 s' else now() + interval '1 h' end, '1 d', 't.x', '[]', '{}', "
        "case when n <= 150 then %s::uuid end, d.pulp_id from generate_series(1, 3000) n, core_domain d", task)
    s.q("analyze core_taskschedule")
    got, calls = [], 0
    while True:
        calls += 1
        rows = look(s, 4)
        assert len(rows) <= 4
        got += rows
        if s.again != "0":
            break
    assert len(got) == 10 and calls >= 4, (len(got), calls)
    assert s.v("select count(*) from pulp_worker.setting where name = 'schedules_from'") == 0
    plan = "\n".join(r[0] for r in s.q("explain select * from core_taskschedule where next_dispatch <= now() order by next_dispatch, pulp_id limit 10"))
    assert "core_taskschedule_next_dispatch" in plan, plan


def crons(db):
    """a cron is a one-shot in Pulp's table that is set anew; one that somebody else dispatched so goes on"""
    s = Session(db)
    c = add(s, "c", cron=cron(minutes=bits(30)))
    assert s.one("select dispatch_interval is null, extract(minute from next_dispatch), next_dispatch <= now() + '1 h' from core_taskschedule") == (True, 30, True)
    assert look(s) == []
    set_due(s, c, "3 h")
    assert kinds(look(s)) == [("dispatched", "c")] and look(s) == []
    assert s.one("select extract(minute from next_dispatch), next_dispatch > now() from core_taskschedule") == (30, True)
    # as a Python worker does it, at its time
    s.q("update core_taskschedule set next_dispatch = null")
    s.q("update pulp_worker.cron set look_at = now()")
    assert look(s) == [] and row(s, c, "extract(minute from next_dispatch)") == 30
    assert s.v("select look_at = next_dispatch from pulp_worker.cron, core_taskschedule")
    # due, and its task still runs: seen again later, not set anew
    set_due(s, c, "10 s")
    s.q("update pulp_worker.cron set look_at = now()")
    assert look(s) == [] and row(s, c, "next_dispatch <= now()") and s.v("select look_at > now() from pulp_worker.cron")
    s.q("delete from core_taskschedule")
    s.q("update pulp_worker.cron set look_at = now()")
    assert look(s) == []
    assert s.v("select count(*) from pulp_worker.cron") + s.v("select count(*) from pulp_worker.schedule") == 0


def missed(db):
    """skip: what is more than a minute late is left; also where the last task has taken too long"""
    s = Session(db)
    c = add(s, "c", cron=cron(minutes=bits(30), missed="skip"))
    set_due(s, c, "50 s")
    assert kinds(look(s)) == [("dispatched", "c")]
    task = row(s, c, "last_task_id")
    set_due(s, c, "50 s")
    assert look(s) == [] and row(s, c, "next_dispatch <= now()")
    set_due(s, c, "70 s")
    assert kinds(look(s)) == [("skipped", "c")] and row(s, c, "next_dispatch > now()")
    assert s.v("select count(*) from core_task") == 1 and row(s, c, "last_task_id") == task


# expression, zone, after, then the times at which it fires
TIMES = (
    (cron(), "UTC", "2026-01-31 23:59:30+00", "2026-02-01 00:00+00", "2026-02-01 00:01+00"),
    (cron(), "UTC", "2026-01-31 23:59:00+00", "2026-02-01 00:00+00"),
    (cron(minutes=bits(0, 30)), "Asia/Kolkata", "2026-01-01 00:01+00", "2026-01-01 00:30+00", "2026-01-01 01:00+00"),
    (cron(bits(0), bits(3)), "Europe/Vienna", "2026-07-01 00:00+00", "2026-07-01 01:00+00", "2026-07-02 01:00+00"),
    (cron(bits(0), bits(3)), "Europe/Vienna", "2026-01-01 02:00+00", "2026-01-02 02:00+00"),
    # a time that does not exist fires once, at the shift, all of them together
    (cron(bits(30), bits(2)), "America/New_York", "2026-03-07 12:00+00", "2026-03-08 07:00+00", "2026-03-09 06:30+00"),
    (cron(bits(*range(0, 60, 10)), bits(2)), "America/New_York", "2026-03-08 06:59+00", "2026-03-08 07:00+00", "2026-03-09 06:00+00"),
    (cron(bits(0), bits(*range(0, 24, 2))), "America/New_York", "2026-03-08 05:00+00", "2026-03-08 07:00+00", "2026-03-08 08:00+00"),
    # one that exists twice fires once, the first
    (cron(bits(30), bits(1)), "America/New_York", "2026-10-31 12:00+00", "2026-11-01 05:30+00", "2026-11-02 06:30+00"),
    (cron(bits(0, 30), bits(1)), "America/New_York", "2026-11-01 05:45+00", "2026-11-02 06:00+00"),
    # what names all hours goes by the minutes that pass
    (cron(bits(30)), "America/New_York", "2026-03-08 06:00+00", "2026-03-08 06:30+00", "2026-03-08 07:30+00"),
    (cron(bits(30)), "America/New_York", "2026-11-01 05:00+00", "2026-11-01 05:30+00", "2026-11-01 06:30+00", "2026-11-01 07:30+00"),
    # half an hour: Lord Howe; a shift at midnight: Santiago; a whole day that was none: Apia
    (cron(bits(10), bits(2)), "Australia/Lord_Howe", "2026-10-03 12:00+00", "2026-10-03 15:30+00", "2026-10-04 15:10+00"),
    (cron(bits(45), bits(1)), "Australia/Lord_Howe", "2026-04-04 12:00+00", "2026-04-04 14:45+00", "2026-04-05 15:15+00"),
    (cron(bits(0), bits(0)), "America/Santiago", "2026-09-05 12:00+00", "2026-09-06 04:00+00", "2026-09-07 03:00+00"),
    (cron(bits(15), days=bits(6)), "America/Santiago", "2026-09-05 12:00+00", "2026-09-06 04:15+00", "2026-09-06 05:15+00"),
    (cron(bits(0), bits(12)), "Pacific/Apia", "2011-12-29 23:00+00", "2011-12-30 10:00+00", "2011-12-30 22:00+00"),
    # calendars
    (cron(bits(0), bits(0), bits(29), bits(2)), "UTC", "2097-01-01 00:00+00", "2104-02-29 00:00+00"),
    (cron(bits(0), bits(0), bits(31)), "UTC", "2026-01-31 00:00+00", "2026-03-31 00:00+00", "2026-05-31 00:00+00"),
    (cron(bits(0), bits(0), bits(13), weekdays=bits(5)), "UTC", "2026-03-14 00:00+00", "2026-11-13 00:00+00"),
    (cron(bits(0), bits(0), bits(13), weekdays=bits(5), either=True), "UTC", "2026-04-04 00:00+00", "2026-04-10 00:00+00", "2026-04-13 00:00+00"),
    (cron(days=bits(1), months=bits(1)), "UTC", "2026-01-01 23:59+00", "2027-01-01 00:00+00", "2027-01-01 00:01+00"),
)


def cron_times(db):
    """when expressions fire: over the ends of months and years, and where clocks are shifted"""
    s = Session(db)
    for c, zone, *times in TIMES:
        for before, after in zip(times, times[1:]):
            c["time_zone"] = zone
            got = s.v("select pulp_worker.cron_next(jsonb_populate_record(null::pulp_worker.cron, %s), %s::timestamptz) - %s::timestamptz",
                      c, before, after)
            assert got is not None and not got, (c, zone, before, after, got)
    none = cron(bits(0), bits(0), bits(30), bits(2))
    assert s.v("select pulp_worker.cron_next(jsonb_populate_record(null::pulp_worker.cron, %s), now())", none) is None


def adding(db):
    """what is not a schedule is refused with what is wrong, and leaves nothing"""
    s = Session(db)
    add(s, "there", every="1 h")
    assert "already" in refused(s, "there", every="1 h")
    assert "name" in refused(s, "", every="1 h")
    assert "no dot" in refused(s, "a", func="nodot", every="1 h")
    assert "less than a second" in refused(s, "a", every="0")
    assert "less than a second" in refused(s, "a", every="-1 d")
    assert "has passed" in refused(s, "a", at="2001-01-01")
    assert "has passed" in refused(s, "a", at="infinity")
    assert "never fires" in refused(s, "a", cron=cron(days=bits(30), months=bits(2)))
    for zone in "Mars/Base", "XYZ3", "", None:
        assert "no time zone" in refused(s, "a", cron=cron(zone=zone))
    assert "resource" in refused(s, "a", every="1 h", exclusive=["shared:x"])
    assert "array" in refused(s, "a", every="1 h", args="{}")
    assert "object" in s.fails("22023", "select pulp_worker.add_schedule('a', 't.x', kwargs => '[]', every => '1 h')")
    assert "object" in s.fails("22023", "select pulp_worker.add_schedule('a', 't.x', kwargs => null, every => '1 h')")
    assert "name" in s.fails("22023", "select pulp_worker.add_schedule(null, 't.x', every => '1 h')")
    assert "no dot" in s.fails("22023", "select pulp_worker.add_schedule('a', null, every => '1 h')")
    assert s.v("select count(*) from core_taskschedule") == 1 and s.v("select count(*) from pulp_worker.cron") == 0
    add(s, "zone", cron=cron(zone="europe/vienna"))
    assert s.v("select time_zone from pulp_worker.cron") == "Europe/Vienna"
    i = add(s, "later", every="1 h", at="2100-01-01 00:00+00")
    assert row(s, i, "next_dispatch = '2100-01-01 00:00+00'")
    now = s.v("select pulp_worker.add_schedule(schedule_name => 'now', func => 't.x')")
    assert row(s, now, "next_dispatch <= now() and dispatch_interval is null"), "what is left out has the manual's defaults"


def running_and_removing(db):
    """run: out of turn, the grid stays; remove: the tasks stay"""
    s, x = Session(db), Session(db)
    i = add(s, "i", every="1 h", at="2100-01-01 00:00+00", exclusive=["r"])
    task = s.v("select pulp_worker.run_schedule('i')")
    assert row(s, i, "last_task_id") == task and row(s, i, "next_dispatch = '2100-01-01 00:00+00'") and state(s, task) == "waiting"
    second = s.v("select pulp_worker.run_schedule(%s)", str(i))
    assert second != task and row(s, i, "last_task_id") == second
    s.fails("P0002", "select pulp_worker.run_schedule('none')")
    s.fails("P0002", "select pulp_worker.remove_schedule('none')")
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 42)")
    with pulpdb.background(db, "select pulp_worker.remove_schedule('i')") as removed:
        pulpdb.wait_blocked(s, removed.session.pid)
        x.commit()
        assert removed() == [(i,)]
    assert s.v("select count(*) from core_taskschedule") == 0 and s.v("select count(*) from core_task") == 2


def at_a_live_pulp(db):
    """only functions of modules that a worker of ours has brought, with their versions; all others are left to Python"""
    s = Session(db)
    pulpdb.live_pulp(s)
    theirs = add(s, "theirs", func="pulpcore.app.tasks.x", at="now")
    mine = add(s, "mine", func="mine.x", args=["gAAAA"], every="1 h", sealed=True)
    w = Worker(db, modules=(("mine", "lab", "1.2", "1"),))
    got = look(s)
    assert kinds(got) == [("dispatched", "mine")]
    assert s.one("select hstore_to_json(versions), enc_args from core_task") == ({"lab": "1.2"}, ["gAAAA"]), "tokens are copied as they are"
    s.fails("22023", "select pulp_worker.run_schedule('theirs')")
    why = s.fails("0A000", "select pulp_worker.add_schedule('clear', 'mine.x', '[1]', every => '1 h')")
    assert "must be encrypted" in why
    assert row(s, theirs, "next_dispatch is not null and last_task_id is null")
    s.q("select pulp_worker.unregister_worker(%s)", w.me)
    assert "no live worker" in s.fails("0A000", "select pulp_worker.run_schedule('mine')")
    end(s, got[0][2])
    set_due(s, mine)
    ((kind, _, _, why),) = look(s)
    assert kind == "failed" and "no live worker is known to have the module" in why, "never without versions: anybody might run it"


def an_older_pulp(db):
    """a table without arguments and domains (before 3.110 and 3.115)"""
    s = Session(db)
    s.q("alter table core_taskschedule drop column task_args, drop column task_kwargs, drop column pulp_domain_id")
    s.fails("0A000", "select pulp_worker.add_schedule('j', 't.x', '[1]', '{}', '1 h', null, null, '{}', '{}')")
    i = add(s, "i", every="1 h")
    assert kinds(look(s)) == [("dispatched", "i")] and row(s, i, "last_task_id is not null")
    assert s.v("select pulp_worker.find_schedule('i')") == i
    assert s.one("select enc_args, enc_kwargs from core_task") == ([], {})


pulpdb.run(intervals, one_shots, lock, edge_34_a_correlation_id_per_run, edge_35_failing_schedules, edge_35_names_by_domain, bounded,
           crons, missed, cron_times, adding, running_and_removing, at_a_live_pulp, an_older_pulp)
