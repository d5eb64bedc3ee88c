#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The database goes away, comes back, cuts connections, or is not what it should be."""
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from server import DATA, Server
from system import LONG, wait_until

@contextlib.contextmanager
def outage(h, how="fast"):
    """Without PostgreSQL."""
    h.s.close()
    Server.stop(how)
    try:
        yield
    finally:
        Server.start()
        h.s = pulpdb.Session(h.db)


def starts(h, *files):
    """Which tasks have started, one entry each time."""
    return [line.split()[1] for f in files for line in h.read(f) if line.startswith("start")]


def restarts(h):
    """it is restarted in every way while tasks run and end: none fails, none runs twice, notifications come again"""
    w = h.worker("w", "--poll-interval", "300s", slots=6)
    for n, how in enumerate(("fast", "immediate", "kill")):
        f = "f%d" % n
        tasks = [h.task("mark", file=f, until=f + ".during") for _ in range(3)]
        tasks += [h.task("mark", file=f, until=f + ".after") for _ in range(3)]
        waiting = [h.task("mark", file=f, ms=1) for _ in range(3)]
        h.wait_lines(f, 6)
        with outage(h, how):
            h.release(f + ".during")
            h.wait_lines(f, 9)  # three have stopped
            time_out = re.findall("event=task.ended", w.log())
            assert len(time_out) >= 0
        for t in tasks[:3]:
            h.ends(t, "completed")
        assert [h.look(t).state for t in tasks[3:]] == ["running"] * 3
        h.release(f + ".after")
        for t in tasks[3:] + waiting:
            h.ends(t, "completed")
        assert sorted(starts(h, f)) == sorted(str(t) for t in tasks + waiting)
        w.wait_connected()
        with outage(h, how):  # while it is idle
            pass
        w.wait_connected()
        wait_until("it to listen", lambda: h.s.v("select count(*) from pg_stat_activity where datname = current_database() "
                                                 "and application_name = 'pulp-worker' and state = 'idle'") == 2)
        start = time.monotonic()
        h.works()
        assert time.monotonic() - start < 20
    assert w.process.poll() is None


def restarts_of_guests(h):
    """the same of a guest at a live Pulp: its sessions get their functions again"""
    need = {"c_hostile": "1.0"}
    pulpdb.without_schema(h.s)
    h.s.be_guest()
    w = h.worker("w", "--poll-interval", "300s", slots=2)
    for n, how in enumerate(("fast", "immediate", "kill")):
        f = "g%d" % n
        tasks = [h.task("mark", file=f, until=f + ".go", versions=need) for _ in range(2)]
        waiting = [h.task("mark", file=f, ms=1, exclusive=["r"], versions=need) for _ in range(3)]
        h.wait_lines(f, 2)
        with outage(h, how):
            h.release(f + ".go")
            h.wait_lines(f, 4)
        h.s.be_guest()
        for t in tasks + waiting:
            assert h.wait(t).state == "completed"
        assert sorted(starts(h, f)) == sorted(str(t) for t in tasks + waiting)
        w.wait_connected()
    assert w.process.poll() is None


def long_outage(h):
    """an outage longer than the ttl: children are stopped when others could have taken their tasks"""
    w = h.worker("w", "--worker-ttl", "2s")
    tasks = [h.task("stubborn"), h.task("daemon", then="hang")]
    pids = [int(line.split()[2]) for line in h.wait_lines("stubborn", 1) + h.wait_lines("daemons", 2)]
    with outage(h):
        start = time.monotonic()
        wait_until("the children to be stopped", lambda: not [p for p in pids if system.alive(p)], 20)
        took = time.monotonic() - start
        assert 0.5 < took < 10, took
        w.wait_log("event=lease.over")
        assert w.process.poll() is None
    for t in tasks:
        h.ends(t, "failed", {"reason": "Worker has gone missing."}, "lost")
    h.works()


def stop_without_database(h):
    """told to stop while the database is away: it ends, kills its children, says what it could not write"""
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT:
        w = h.worker("w", "--worker-ttl", "3s", "--task-grace-interval", "100ms", "--cancel-kill-after", "500ms")
        t = h.task("stubborn")
        wait_until("the task to run", lambda: str(t) in starts(h, "stubborn"), system.PATIENCE)
        with outage(h):
            w.send(number)
            if number == signal.SIGTERM:
                w.wait_log("event=worker.stopping")
                w.send(signal.SIGINT)
            assert w.wait() == 0, w.status
            assert not system.processes_with(b"PULP_WORKER_ID=" + w.id.encode())
            assert "event=endings.unwritten" in w.log(), w.log()
        b = h.worker("b", "--worker-ttl", "3s")
        h.ends(t, "failed", {"reason": "Worker has gone missing."}, "lost")
        assert b.stop() == 0


def no_notifications(h):
    """every notification lost: one worker, two tasks, and a chain of them, by polling"""
    h.worker("w", "--poll-interval", "500ms", slots=1)
    first, second = (pulpdb.bare_task(h.s, [], name="hostile.done") for _ in range(2))
    for t in first, second:
        h.ends(t, "completed")
    chain = [pulpdb.bare_task(h.s, ["r"], name="hostile.done") for _ in range(4)]
    for t in chain:
        h.ends(t, "completed")
    t = pulpdb.bare_task(h.s, [], name="hostile.obey")
    wait_until("the task to run", lambda: str(t) in starts(h, "obey"))
    h.s.q("update core_task set state = 'canceling' where pulp_id = %s", t)
    assert h.wait(t).state == "canceled"


def strange_notifications(h):
    """payloads that nobody knows, and a great many of them"""
    w = h.worker()
    for channel in "pulp_worker_wakeup", "pulp_worker_cancel", "pulp_worker_metrics_heartbeat":
        for payload in "", "junk", "0" * 7000, "\u2603", "' or 1", "00000000-0000-0000-0000-000000000000":
            h.s.q("select pg_notify(%s, %s)", channel, payload)
    h.s.q("select pg_notify('pulp_worker_wakeup', i::text) from generate_series(1, 5000) i")
    h.works()
    assert w.process.poll() is None


def cut_connections(h):
    """connections cut at random under load: every task runs once, and is completed"""
    w = h.worker("w", "--poll-interval", "1s", slots=4)
    killer = pulpdb.Session(h.db)
    tasks, killed, most = [], 0, 0
    end = time.monotonic() + (20 if LONG else 6)
    while time.monotonic() < end:
        tasks += [h.task("mark", file="cut", ms=random.randrange(30), exclusive=[random.choice("abcde")]) for _ in range(3)]
        killed += len(killer.q(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = "
            "'pulp-worker' and random() < 0.5"))
        pause = time.monotonic() + random.random() / 10
        while time.monotonic() < pause:
            h.s.q("select 1")
    for t in tasks:
        got = h.wait(t)
        assert got.state == "completed", got
    once = starts(h, "cut")
    assert sorted(once) == sorted(str(t) for t in tasks), len(once)
    assert killed > 10 and w.process.poll() is None
    w.wait_connected()
    wait_until("two connections", lambda: h.s.v(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'pulp-worker'") == 2)
    pulpdb.diag("%d tasks, %d connections cut" % (len(tasks), killed))
    killer.close()


def connections(h):
    """two, however many slots there are"""
    h.worker(slots=60)
    tasks = [h.task("mark", file="many", until="go") for _ in range(60)]
    h.wait_lines("many", 60)
    assert h.s.v("select count(*) from pg_stat_activity where datname = current_database() "
                 "and application_name = 'pulp-worker'") == 2
    h.release("go")
    for t in tasks:
        h.ends(t, "completed")


def no_room(h):
    """a server that refuses every turn, for a full disk for instance: said once when it lasts, and once when it is over"""
    w = h.worker(slots=1)
    h.works()
    h.s.q("create function full_disk() returns trigger language plpgsql as $$ begin "
          "raise 'No space left on device' using errcode = '53100', hint = 'Check free disk space.'; end $$")
    h.s.q("create trigger full_disk before update of app_lock_id on core_task for each statement execute function full_disk()")
    t = h.task("done")
    w.wait_log("event=turn.failing sqlstate=53100 .*No space left on device.*Check free disk space")
    h.s.q("drop trigger full_disk on core_task")
    h.ends(t, "completed")
    w.wait_log(r"event=turn\.works failures=\d+")
    assert w.log().count("event=turn.failing") == 1 and "event=turn.failed" not in w.log()


def no_room_for_heartbeats(h):
    """a server that refuses every heartbeat is asked now and then, and it is said; when it has room the worker goes on"""
    w = h.worker("w", "--worker-ttl", "3s", slots=1)
    h.works()
    h.s.q("create sequence asked")
    h.s.q("create function full_disk() returns trigger security definer language plpgsql as $$ begin perform nextval('public.asked'); "
          "raise 'No space left on device' using errcode = '53100'; end $$")
    h.s.q("create trigger full_disk before update of last_heartbeat on core_appstatus for each statement execute function full_disk()")
    w.wait_log("event=side.failing sqlstate=53100 .*No space left on device")
    w.wait_log("event=lease.over")
    asked = h.s.v("select last_value from asked")
    assert 5 <= asked <= 50, asked
    h.s.q("drop trigger full_disk on core_appstatus")
    w.wait_log(r"event=side\.works failures=\d+")
    h.works()
    assert w.log().count("event=side.failing") == 1


def read_only(h):
    """a server that takes no writes any more is left more and more time, and used again when it does"""
    w = h.worker(slots=1)
    h.works()
    everybody = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
    h.s.q("alter database %s set default_transaction_read_only = on" % h.db)
    h.s.q(everybody)
    for link in "turns", "side":
        wait_until("both links to be tried again and again", lambda: len(re.findall("link=%s .*takes no writes" % link, w.log())) >= 5)
    times = [float(t) for t in re.findall(r":(\d\d\.\d+)Z [^\n]*link=turns [^\n]*takes no writes", w.log())]
    gaps = [(b - a) % 60 for a, b in zip(times, times[1:])]
    assert gaps[3] > 0.35 and "event=turn.failed" not in w.log(), gaps
    h.s.q("set transaction_read_only = off; alter database %s reset default_transaction_read_only" % h.db)
    h.works()


def locked_rows(h):
    """somebody's open transaction holds rows: everything else goes on"""
    h.worker(slots=2)
    held = h.task("mark", file="held", until="go")
    h.wait_lines("held", 1)
    other = pulpdb.Session(h.db)
    other.begin()
    other.q("select 1 from core_task where pulp_id = %s for update", held)
    h.release("go")
    for _ in range(5):
        h.works()
    assert h.look(held).state == "running"
    other.commit()
    other.close()
    h.ends(held, "completed")


def start_up(h):
    """what is wrong with the database at the start is told, with its status"""
    base = h.env["PULP_DATABASE"]
    free = pulpdb.Session("postgres")
    empty = "empty_%d" % os.getpid()
    free.q("create database %s" % empty)
    free.q("drop role if exists reader")
    free.q("create role reader superuser login")
    free.q("alter role reader set default_transaction_read_only = on")
    try:
        start = time.monotonic()
        for database, status, text in (
                ("host=/nowhere dbname=x", 69, "/nowhere"),
                ("host=127.0.0.1 port=1 dbname=x user=x", 69, "127.0.0.1"),
                (base.replace("dbname=" + h.db, "dbname=nosuch"), None, "nosuch"),
                (base.replace("user=" + os.environ["PGUSER"], "user=nosuch"), None, "nosuch"),
                ("host=/nowhere nosuchkey=1", 78, "nosuchkey"),
                (base.replace("dbname=" + h.db, "dbname=" + empty), 78, "pulp-task db install"),
                (base.replace("user=" + os.environ["PGUSER"], "user=reader"), None, "read-only")):
            got = h.run("pulp-worker", "--worker-name-template", "s", PULP_DATABASE=database)
            assert got.returncode in ((status,) if status else (69, 77, 78)), (database, got)
            assert re.search(text, got.stderr), (database, got)
            assert os.listdir(h.work) == [], (database, os.listdir(h.work))
        assert time.monotonic() - start < 60
        none = {k: v for k, v in h.env.items() if not k.startswith("PG") and k != "PULP_DATABASE"}
        got = subprocess.run(["pulp-worker"], env=none, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             universal_newlines=True, timeout=60, check=False)
        assert got.returncode == 78 and "embedded:" in got.stderr and len(got.stderr.strip().split("\n")) <= 2, got
        h.s.q("insert into pulp_worker.migration (number, name) values (9999, 'future')")
        got = h.run("pulp-worker", "--worker-name-template", "s")
        assert got.returncode == 78 and "newer" in got.stderr, got
        h.s.q("delete from pulp_worker.migration where number = 9999")
        assert h.s.v("select count(*) from core_appstatus") == 0
    finally:
        free.q("drop database %s" % empty)
        free.q("drop role reader")
        free.close()


def wrong_password(h):
    """a password that is wrong is told and not shown"""
    hba = DATA + "/pg_hba.conf"
    with open(hba) as file:
        old = file.read()
    h.s.q("create role locked login password 'right'")
    try:
        with open(hba, "w") as file:
            file.write("local all locked scram-sha-256\n" + old)
        h.s.q("select pg_reload_conf()")
        conninfo = re.sub(r"user=\S+", "user=locked", h.env["PULP_DATABASE"])

        def refused():
            got[0] = h.run("pulp-worker", "--worker-name-template", "s", PULP_DATABASE=conninfo + " password=sesame")
            return "password authentication failed" in got[0].stderr
        got = [None]
        wait_until("the password to be asked for", refused, 20)
        assert got[0].returncode in (69, 77) and "sesame" not in got[0].stderr, got
    finally:
        with open(hba, "w") as file:
            file.write(old)
        h.s.q("select pg_reload_conf()")
        h.s.q("drop role locked")


system.run(no_notifications, strange_notifications, connections, no_room, no_room_for_heartbeats, read_only, locked_rows, start_up, wrong_password, cut_connections, restarts, restarts_of_guests,
           long_outage, stop_without_database, settings=("synchronous_commit=on",))  # a crash must not forget commits
