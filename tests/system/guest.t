#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""At a live Pulp where our schema is not installed: the same programs, as guests."""
import json
import os
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import everybody, wait_until

NEED = {"c_hostile": "1.0"}
QUICK = """#include <pulp/plugin.h>
PULP_PLUGIN("quick", "c_quick", "2.0.0", "Immediate tasks");
PULP_TASK(done, "Ends" PULP_IMMEDIATE) { return pulp_done(ctx); }
"""


def guest(h):
    """Makes the test's database one of a live Pulp without our schema; returns what stands in it."""
    pulpdb.without_schema(h.s)
    before = objects(h)
    h.s.be_guest()
    return before


def objects(h):
    """Everything in the catalogue that is not of a session alone."""
    return h.s.q("select relname from pg_class where relnamespace <> all (array(select oid from pg_namespace where nspname ~ '^pg_')) "
                 "union all select proname from pg_proc where pronamespace <> all (array(select oid from pg_namespace where nspname ~ '^pg_')) "
                 "union all select tgname from pg_trigger where tgrelid = 'public.core_task'::regclass order by 1")


def ends(h, task, state, error=None):
    """Its end, which must be this one; a guest keeps nothing else of a run."""
    got = h.wait(task)
    assert (got.state, got.error, got.app_lock_id) == (state, error, None), got
    return got


def task(h, name, **kw):
    """With the versions that a live Pulp demands."""
    return h.task(name, versions=NEED, **kw)


@everybody
def runs(h):
    """tasks run, one after the other on a resource, with results, errors and progress; nothing is added to the database"""
    before = guest(h)
    h.worker("w", "--poll-interval", "1s")
    h.workers[0].wait_log("event=worker.guest")
    done = [task(h, "result", args=[i], exclusive=["r"]) for i in range(20)]
    failed, crashed = task(h, "fail"), task(h, "raise", signal=9)
    for i, t in enumerate(done):
        got = ends(h, t, "completed")
        assert got.result == [i] and got.started_at and got.unblocked_at, got
    assert [r[0] for r in h.s.q("select pulp_id from core_task where reserved_resources_record[1] = 'r' order by started_at")] == done
    assert h.wait(failed).error["description"] == "it is 12 degrees too hot"
    ends(h, crashed, "failed", {"reason": "Killed by signal 9."})
    t = task(h, "progress")
    h.wait(t)
    assert h.s.v("select count(*) from core_progressreport where task_id = %s", t) > 0
    h.drain()
    assert objects(h) == before



def foreign(h):
    """what is not ours is not touched: other modules, newer versions, tasks without versions of Python"""
    guest(h)
    others = [pulpdb.bare_task(h.s, ["shared:x"], n, versions=v, state=s) for n, v, s in (
        ("pulpcore.app.tasks.x", "core=>3.120", "waiting"), ("hostile.done", "c_hostile=>99", "waiting"),
        ("pulp_file.app.x", "", "waiting"), ("pulp_file.app.y", "file=>1", "running"), ("pulp_file.app.z", "", "canceling"),
        ("hostile.done", "c_hostile=>nonsense", "waiting"))]
    h.s.q("create table touched (id uuid, state text, owner uuid)")
    h.s.q("create function touch() returns trigger language plpgsql as $$ begin "
          "insert into touched values (new.pulp_id, new.state, new.app_lock_id); return null; end $$")
    h.s.q("create trigger touch after update of state, app_lock_id on core_task for each row execute function touch()")
    w = h.worker()
    w.wait_log("event=requirement.faulty")
    ends(h, task(h, "done", exclusive=["y"]), "completed")
    assert not h.s.q("select * from touched where id = any (%s::uuid[])", [str(o) for o in others])
    why = h.run("pulp-task", "why", str(others[1])).stdout
    assert "No live worker has c_hostile >= 99" in why, why


def cancel(h):
    """a running task is stopped, a waiting one is canceled at once"""
    guest(h)
    h.worker()
    running = task(h, "obey", exclusive=["r"])
    h.wait(running, "running")
    waiting = task(h, "done", exclusive=["r"])
    wait_until("the pass", lambda: h.s.v("select count(*) from core_task where unblocked_at is not null") == 1)
    why = h.run("pulp-task", "why", str(waiting)).stdout
    assert 'Waits for resource "r" (wanted exclusively), held by task %s' % running in why, why
    assert h.run("pulp-task", "cancel", str(waiting)).returncode == 0
    ends(h, waiting, "canceled")
    assert h.run("pulp-task", "cancel", str(running)).returncode == 0
    assert h.wait(running).state == "canceled"


def lost_worker(h):
    """a worker that is killed: another ends what it was running, and runs what it had only claimed"""
    guest(h)
    first = h.worker("first", "--worker-ttl", "2s")
    t = task(h, "mark", file="held", until="never", exclusive=["r"])
    h.wait_lines("held", 1)
    waiting = task(h, "done", exclusive=["r"])
    second = h.worker("second", "--worker-ttl", "2s", "--poll-interval", "1s")
    first.kill()
    ends(h, t, "failed", {"reason": "Worker has gone missing."})
    ends(h, waiting, "completed")
    second.wait_log("event=cleanup.removed")
    h.worker("third").wait_log("event=worker.swept")


def lost_claim(h):
    """a worker that was killed when it had claimed and not started: what it claimed waits again, and runs"""
    guest(h)
    lost = pulpdb.register(h.s, "lost")
    t = task(h, "done", exclusive=["r"])
    h.s.q("update core_task set app_lock_id = %s, unblocked_at = now() where pulp_id = %s", lost, t)
    h.s.q("update core_appstatus set last_heartbeat = now() - interval '1 hour'")
    h.worker()
    ends(h, t, "completed")


def held_row(h):
    """somebody's open transaction holds a task that was just claimed: everything else goes on, it starts when it is free"""
    guest(h)
    w = h.worker(slots=2)
    busy = task(h, "mark", file="busy", until="go")
    h.wait_lines("busy", 1)
    # the claim stands still until another waits for the row, and the worker until he has it
    h.s.q("create function stand_still() returns trigger language plpgsql as $$ begin "
          "perform pg_advisory_xact_lock(7); return new; end $$")
    h.s.q("create trigger stand_still before update of app_lock_id on core_task for each row "
          "when (new.name = 'hostile.done' and new.state = 'waiting' and old.app_lock_id is null) execute function stand_still()")
    gate = pulpdb.Session(h.db)
    gate.q("select pg_advisory_lock(7)")
    t = task(h, "done")
    waits = "select pid from pg_stat_activity where application_name = %s and datname = current_database() and wait_event_type = 'Lock'"
    wait_until("the claim", lambda: h.s.v(waits, "pulp-worker"))
    with pulpdb.background(h.db, "select 1 from core_task where pulp_id = %s for update", t, auto=False, name="other") as has_it:
        wait_until("the other to wait", lambda: h.s.v(waits, "other"))
        os.kill(w.pid, signal.SIGSTOP)
        gate.close()
        try:
            assert has_it() == [(1,)]
        finally:
            os.kill(w.pid, signal.SIGCONT)
        h.release("go")
        ends(h, busy, "completed")
        assert h.look(t).state == "waiting" and h.look(t).app_lock_id, h.look(t)
    ends(h, t, "completed")
    assert "event=turn.failed" not in w.log() and "event=database.lost" not in w.log()


def lost_link(h):
    """connections that break: what runs goes on, what is asked is asked again, nothing twice"""
    guest(h)
    w = h.worker("w", "--poll-interval", "1s")
    t = task(h, "mark", file="a", until="go")
    h.wait_lines("a", 1)
    for _ in range(3):
        h.s.q("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pulp-worker' and datname = current_database()")
        wait_until("both links", lambda: h.s.v("select count(*) from pg_stat_activity where application_name = 'pulp-worker' "
                                               "and datname = current_database() and state = 'idle'") == 2)
        ends(h, task(h, "done"), "completed")
    h.release("go")
    ends(h, t, "completed")
    assert len(h.read("a")) == 2
    assert "must be encrypted" in h.wait(task(h, "dispatch", func="hostile.done")).error["description"]
    assert "event=turn.failed" not in w.log()


def many(h):
    """two workers under load: everything ends once, conflicts never overlap"""
    guest(h)
    for name in "v", "w":
        h.worker(name, "--poll-interval", "1s", slots=3)
    tasks = [task(h, "mark", file="m%d" % (i % 4), ms=1, exclusive=["r%d" % (i % 4)]) for i in range(120)]
    for t in tasks:
        ends(h, t, "completed")
    for i in range(4):
        lines = [line.split()[:2] for line in h.read("m%d" % i)]
        assert len(lines) == 60
        for start, stop in zip(lines[::2], lines[1::2]):
            assert (start[0], stop[0]) == ("start", "stop") and start[1] == stop[1], (start, stop)


def programs(h):
    """every command says what is there, or that it needs our schema"""
    guest(h)
    check = h.run("pulp-task", "db", "check")
    assert check.returncode == 0 and "not installed: programs join as guests" in check.stdout, check
    w = h.worker("w", "--log-level", "debug")
    made = h.run("pulp-task", "dispatch", "hostile.done", "--exclusive", "x", "--wait", "--json")
    assert made.returncode == 0 and "warning" not in made.stderr, made
    one = h.s.v("select pulp_id from core_task")
    assert h.s.v("select versions::text from core_task") == '"c_hostile"=>"1.0.0"'
    shown = json.loads(h.run("pulp-task", "show", str(one), "--json").stdout)
    assert shown["state"] == "completed", shown
    assert str(one) in h.run("pulp-task", "list", "--json").stdout
    assert json.loads(h.run("pulp-task", "workers", "--json").stdout)[0]["name"] == "w"
    logs = h.run("pulp-task", "logs", str(one))
    assert logs.returncode == 0 and "no output of tasks is kept here" in logs.stderr, logs
    ends(h, task(h, "print", bytes=20), "completed")
    w.wait_log("event=task.output .*text=")
    group = h.run("pulp-task", "group", "create").stdout.strip()
    member = h.task("done", versions=NEED, group=group)
    ends(h, member, "completed")
    assert '"completed": 1' in h.run("pulp-task", "group", "show", group, "--json").stdout
    refused = h.run("pulp-task", "dispatch", "nosuch.task")
    assert refused.returncode != 0 and "versions must be given" in refused.stderr, refused
    refused = h.run("pulp-task", "schedule", "add", "n", "hostile.done", "--every", "1h")
    assert refused.returncode == 78 and "pulp-task db install" in refused.stderr, refused
    assert h.run("pulp-task", "schedule", "list").returncode == 0


def no_right(h):
    """a role that may not make temporary things, which a guest needs: every program says so, and what to do"""
    guest(h)
    role = "plain_%d" % os.getpid()
    h.s.q("revoke temporary on database %s from public" % h.db)
    h.s.q("create role %s login; grant all on all tables in schema public to %s" % (role, role))
    env = {"PULP_DATABASE": h.env["PULP_DATABASE"].replace("user=" + os.environ["PGUSER"], "user=" + role)}
    advice = "grant temporary on database \"%s\" to \"%s\"" % (h.db, role)
    for command in ("list",), ("db", "check"), ("dispatch", "hostile.done"):
        done = h.run("pulp-task", *command, **env)
        assert done.returncode == 78 and advice in done.stderr, done
    w = h.worker(ready=False, env=env)
    assert w.wait() == 78 and advice in w.log(), w.log()
    h.s.q("grant temporary on database %s to %s" % (h.db, role))
    assert h.run("pulp-task", "list", **env).returncode == 0
    h.s.q("drop owned by %s; drop role %s" % (role, role))


def immediate(h):
    """an immediate task runs at once; one that has to wait is left to a worker, or canceled"""
    guest(h)
    h.build(QUICK, "quick")
    done = h.run("pulp-task", "dispatch", "quick.done", "--immediate", "--exclusive", "r")
    assert done.returncode == 0 and not done.stderr, done
    assert h.s.q("select state, app_lock_id, error from core_task") == [("completed", None, None)], h.s.q("select state, error, app_lock_id, reserved_resources_record from core_task")
    blocker = pulpdb.bare_task(h.s, ["r"], "py.x", versions="core=>3")
    done = h.run("pulp-task", "dispatch", "quick.done", "--immediate", "--exclusive", "r")
    assert done.returncode == 0 and "left to a worker" in done.stderr, done
    h.run("pulp-task", "dispatch", "quick.done", "--immediate", "--no-deferred", "--exclusive", "r")
    assert h.s.q("select error from core_task where state = 'canceled'") == [({"reason": "Resources temporarily unavailable."},)]
    h.worker()
    h.s.q("update core_task set state = 'completed' where pulp_id = %s", blocker)
    h.s.q("notify pulp_worker_wakeup, 'unblock'")
    wait_until("the deferred one", lambda: h.s.v("select count(*) from core_task where name = 'quick.done' and state = 'completed'") == 2)
    assert not h.s.q("select name from core_appstatus where name like 'immediate%%'")


def reload(h):
    """a new plugin version after HUP serves what needs it"""
    guest(h)
    w = h.worker()
    t = h.task("version", versions={"c_hostile": "7"})
    ends(h, task(h, "done"), "completed")
    assert h.look(t).state == "waiting"
    h.hostile("7.0")
    w.send(signal.SIGHUP)
    assert h.wait(t).result == "7.0"


def gauges(h):
    """one of two guests writes the gauges; when it is gone the other does"""
    guest(h)
    paths = [os.path.join(h.state, n) for n in ("a.prom", "b.prom")]
    h.s.q("update core_task set unblocked_at = now() - interval '1 min' where pulp_id = %s",
          pulpdb.bare_task(h.s, None, "py.x", versions="core=>3"))
    for i in 0, 1:
        h.worker("ab"[i], "--worker-ttl", "1500ms", "--metrics-file", paths[i])
        if i == 0:
            h.workers[0].wait_log("event=metrics.publishing")
    ends(h, task(h, "done"), "completed")
    assert "\ntasks_unblocked_queue 1\n" in open(paths[0]).read() and not os.path.exists(paths[1])
    h.workers[0].stop()
    h.workers[1].wait_log("event=metrics.publishing")
    assert not os.path.exists(paths[0])
    h.workers[1].stop()
    h.s.q("update core_task set state = 'canceled' where name = 'py.x'")


def joins(h):
    """the schema comes while a guest works, and goes again: workers of both kinds serve the same queue"""
    guest(h)
    h.worker("old", "--poll-interval", "1s", slots=1)
    ends(h, task(h, "done"), "completed")
    assert h.run("pulp-task", "db", "install").returncode == 0
    h.worker("new", "--poll-interval", "1s", slots=1)
    tasks = [task(h, "mark", file="r", ms=1, exclusive=["r"]) for _ in range(30)]
    tasks += [task(h, "done") for _ in range(30)]
    for t in tasks:
        assert h.wait(t).state == "completed"
    lines = [line.split()[0] for line in h.read("r")]
    assert lines == ["start", "stop"] * 30
    h.workers[1].stop()
    assert h.run("pulp-task", "db", "uninstall", "--yes").returncode == 0
    ends(h, task(h, "done"), "completed")


system.run(runs, foreign, cancel, lost_worker, lost_claim, held_row, lost_link, many, programs, no_right, immediate, reload, gauges, joins)
