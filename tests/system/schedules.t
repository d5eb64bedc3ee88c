#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Schedules, whole: pulp-task makes them, workers dispatch them, each due time once."""
import datetime
import json
import os
import re
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import crons
import pulpdb
import system
from system import wait_until

RUNS = "select count(*) from core_task where state = 'completed' and name = %s"
BACK = "update core_taskschedule set next_dispatch = now() where name = %s"


def task(h, *args, status=0):
    done = h.run("pulp-task", *args)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    return done


def dispatched(h):
    """a worker dispatches what is due, at its time, says so, and goes on along the grid"""
    w = h.worker()
    schedule = task(h, "schedule", "add", "i", "hostile.result", "--every", "1h", "--args", "[7]", "--exclusive", "r").stdout.strip()
    wait_until("the task", lambda: h.s.v(RUNS, "hostile.result") == 1)
    cid = h.s.v("select replace(pulp_id::text, '-', '') from core_task where name = 'hostile.result' and replace(pulp_id::text, '-', '') = logging_cid")
    w.wait_log("event=schedule\\.dispatched cid=" + cid + r" schedule=\"i\" .*Dispatched scheduled task hostile.result as task id \S+ in domain default")
    got = json.loads(task(h, "schedule", "show", "i", "--json").stdout)
    assert got["pulp_id"] == schedule and got["last_task"] and got["exclusive_resources"] == ["r"], got
    h.s.q("update core_taskschedule set next_dispatch = next_dispatch - interval '10 h'")
    wait_until("the second one", lambda: h.s.v(RUNS, "hostile.result") == 2)
    assert h.s.v("select next_dispatch > now() and next_dispatch <= now() + interval '1 h' from core_taskschedule")
    out = task(h, "schedule", "run", "i").stdout.strip()
    assert h.wait(out).state == "completed"
    task(h, "schedule", "add", "c", "hostile.result", "--cron", "* * * * *", "--timezone", "Europe/Vienna", "--args", "[7]")
    h.s.q(BACK, "c")
    wait_until("the cron", lambda: h.s.v(RUNS, "hostile.result") >= 4)
    assert h.s.v("select next_dispatch > now() from core_taskschedule where name = 'c'")


def crons_at_random(h):
    """expressions at random are read, and fire next, as a walk over all minutes says; what never fires is refused"""
    r = crons.some(pulpdb.SEED)
    now = h.s.v("select date_trunc('minute', now(), 'UTC')").astimezone(datetime.timezone.utc)
    walks = {zone: crons.Walk(zone, now, 4) for zone in crons.ZONES[:3]}
    asked = 0
    while asked < (200 if pulpdb.LONG else 20):
        zone = r.choice(list(walks))
        text, parts = crons.draw(r)
        where = "%s '%s' (seed %d)" % (zone, text, pulpdb.SEED)
        add = ["schedule", "add", "r%d" % asked, "t.x", "--cron", text, "--timezone", zone]
        asked += 1
        if not crons.ever(parts):
            assert "never fires" in task(h, *add, status=64).stderr, where
            continue
        id = task(h, *add).stdout.strip()
        got = dict(zip(parts, h.s.one("select %s from pulp_worker.cron where schedule = %%s" % ", ".join(parts), id)))
        assert got == parts, (where, got, parts)
        made, due = h.s.one("select pulp_created, next_dispatch from core_taskschedule where pulp_id = %s", id)
        want = crons.following(walks[zone].fires(parts), made)
        assert due == want if want else due >= walks[zone].end(), (where, due, want)


def killed(h):
    """two workers, one of them killed while schedules come due: each due time is served once"""
    a, b = h.worker("a"), h.worker("b")
    for n in range(20):
        task(h, "schedule", "add", "s%d" % n, "hostile.result", "--at", "now", "--args", "[7]")
        if n == 10:
            a.kill()
    wait_until("all", lambda: h.s.v("select count(*) from core_taskschedule where next_dispatch is not null") == 0)
    assert h.s.v("select count(*) from core_task where name = 'hostile.result'") == 20
    h.s.q("update core_appstatus set last_heartbeat = now() - ttl - ttl where name = 'a'")
    wait_until("it to be removed", lambda: h.s.v("select count(*) from core_appstatus") == 1)
    wait_until("all to end", lambda: h.s.v("select count(*) from core_task where state not in ('completed', 'failed')") == 0)
    assert b.process.poll() is None
    h.worker("a")     # which takes away what was left of it


def edge_35_failing(h):
    """a schedule that cannot be dispatched is one warning, and others go on"""
    w = h.worker()
    task(h, "schedule", "add", "bad", "hostile.result", "--at", "2100-01-01T00:00Z")
    h.s.q("update core_taskschedule set task_name = 'nodot', next_dispatch = now()")
    w.wait_log(r" warning .* event=schedule\.failed schedule=\"bad\"")
    for name in "x", "y":
        task(h, "schedule", "add", name, "hostile.result", "--at", "now", "--args", "[7]")
        wait_until("the other", lambda n=name: h.s.v("select last_task_id is not null from core_taskschedule where name = %s", n))
    assert len(re.findall(r"event=schedule\.failed", w.log())) == 1
    assert "nodot" in task(h, "schedule", "list").stdout
    h.s.q("delete from core_taskschedule where name = 'bad'")
    wait_until("the end", lambda: h.s.v("select count(*) from core_task where state <> 'completed'") == 0)


def command_line(h):
    """what pulp-task refuses, and what it prints"""
    added = task(h, "schedule", "add", "n", "nobody.has", "--every", "30m")
    assert re.fullmatch(r"[0-9a-f-]{36}\n", added.stdout) and "no live worker has the module nobody" in added.stderr
    for args, why in (
            ([], "when?"), (["--every", "0"], "one second"), (["--every", "soon"], "--every"), (["--every", "99999d"], "hundred"),
            (["--cron", "0 0 30 2 *"], "never fires"), (["--cron", "* * * *"], "five fields"), (["--at", "yesterdayish"], "yesterdayish"),
            (["--at", "2001-01-01"], "has passed"), (["--cron", "@daily", "--timezone", "Mars/Base"], "no time zone"),
            (["--cron", "@daily", "--missed", "never"], "never"), (["--every", "1h", "--timezone", "UTC"], "--cron"),
            (["--every", "1h", "--cron", "@daily"], "neither"), (["--every", "1h", "--args", "{}"], "--args")):
        assert why in task(h, "schedule", "add", "x", "a.b", *args, status=64).stderr, (args, why)
    # what can be seen without the database is said without it
    for args, why in (["--cron", "0 0 30 2 *"], "never fires"), (["--cron", "@daily", "--missed", "never"], "never"), (["--every", "0"], "one second"):
        got = h.run("pulp-task", "schedule", "add", "x", "a.b", *args, PULP_DATABASE="host=/nowhere")
        assert got.returncode == 64 and why in got.stderr, got
    assert "already" in task(h, "schedule", "add", "n", "a.b", "--every", "1h", status=64).stderr
    assert "no dot" in task(h, "schedule", "add", "x", "ab", "--every", "1h", status=64).stderr
    for verb in "show", "run", "remove":
        assert "no schedule" in task(h, "schedule", verb, "none", status=66).stderr
    rows = task(h, "schedule", "list").stdout.splitlines()
    assert rows[0].split("\t")[:3] == ["NAME", "NEXT", "WHEN"] and rows[1].split("\t")[:3] == ["n", "due", "every 30 min"], rows
    assert [s["name"] for s in json.loads(task(h, "schedule", "list", "--json").stdout)] == ["n"]
    assert "every 30 min" in task(h, "schedule", "show", "n").stdout
    assert "none" in task(h, "schedule", "remove", "none", "n", status=66).stderr
    assert json.loads(task(h, "schedule", "list", "--json").stdout) == []


def encrypted(h):
    """with a key the arguments lie as tokens in the schedule and in its task, and the task gets them in clear"""
    key = os.path.join(h.dir, "key")
    with open(key, "w") as file:
        file.write("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n")
    h.env["PULP_DB_ENCRYPTION_KEY"] = key
    h.worker()
    task(h, "schedule", "add", "i", "hostile.result", "--at", "now", "--args", "[7]")
    assert h.s.v("select task_args ->> 0 from core_taskschedule").startswith("gAAAA")
    wait_until("the task", lambda: h.s.v(RUNS, "hostile.result") == 1)
    assert h.s.v("select enc_args ->> 0 from core_task").startswith("gAAAA")


system.run(dispatched, crons_at_random, killed, edge_35_failing, command_line, encrypted)
