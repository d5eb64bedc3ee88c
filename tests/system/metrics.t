#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The file of the gauges: what stands in it, that exactly one worker of several writes it, who takes over, and when it goes."""
import os
import re
import signal
import stat
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import wait_until

SHORT = ("--worker-ttl", "1500ms", "--poll-interval", "300s")     # measured each half a second
NAMES = ("tasks_unblocked_queue", "tasks_longest_unblocked_time_seconds", "tasks_measured_timestamp_seconds")


def folder(h):
    """Where the collector would look."""
    path = os.path.join(h.dir, "collector")
    os.mkdir(path)
    return path


def gauges(path):
    """What a collector reads there, or None."""
    try:
        with open(path) as file:
            text = file.read()
    except FileNotFoundError:
        return None
    form = "".join("# HELP %s [^\n]+\n# TYPE %s gauge\n%s ([0-9.]+)\n" % (n, n, n) for n in NAMES)
    found = re.fullmatch(form, text)
    assert found, text
    return [float(v) for v in found.groups()]


def renewed(path, times=1):
    """Waits until it is measured anew so often; returns the last."""
    for _ in range(times):
        before = gauges(path)
        wait_until("%s to be written" % path, lambda b=before: gauges(path) not in (None, b), system.PATIENCE)
    return gauges(path)


def what_waits(h):
    """the tasks that nobody has taken and how old the oldest is; readable by all, with nothing beside it; gone at the end"""
    path = os.path.join(folder(h), "pulp.prom")
    w = h.worker("w", *SHORT, "--metrics-file", path)
    assert renewed(path)[:2] == [0, 0]
    tasks = [h.task("done", versions={"c_hostile": "99"}) for _ in range(3)] + [h.task("done", exclusive=["r"]) for _ in range(2)]
    for t in tasks[:3]:
        wait_until("it to be ready", lambda t=t: h.look(t).unblocked_at)
    h.ends(tasks[4], "completed")
    h.s.q("update core_task set unblocked_at = unblocked_at - interval '2 days' where pulp_id = %s", tasks[0])
    h.s.q("update core_task set unblocked_at = unblocked_at - interval '1 min' where pulp_id = %s", tasks[1])
    waiting, oldest, measured = renewed(path, 2)
    assert waiting >= 2 and 172800 <= oldest < 172900, (waiting, oldest)
    assert abs(h.s.v("select extract(epoch from now())::float") - measured) < 60
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644 and os.listdir(os.path.dirname(path)) == ["pulp.prom"]
    for t in tasks[:3]:
        h.cancel(t)
    assert renewed(path, 2)[:2] == [0, 0]
    w.stop()
    assert os.listdir(os.path.dirname(path)) == []


def two_workers(h):
    """Each with a file of its own, when the first has been written: the folder, files and workers by name, who writes, who does not."""
    where = folder(h)
    paths = {n: os.path.join(where, n + ".prom") for n in "ab"}
    workers = {n: h.worker(n, *SHORT, "--metrics-file", paths[n]) for n in "ab"}
    wait_until("one to write", lambda: os.listdir(where), system.PATIENCE)
    one = "a" if os.path.exists(paths["a"]) else "b"
    other = "b" if one == "a" else "a"
    return where, paths, workers, one, other


def exactly_one(h):
    """of two workers one publishes, and goes on; when it is killed the other one takes over, and what it left is removed"""
    where, paths, workers, one, other = two_workers(h)
    renewed(paths[one], 6)
    assert os.listdir(where) == [one + ".prom"]
    assert "metrics." not in workers[other].log()
    workers[one].kill()
    renewed(paths[other], 2)
    workers[other].wait_log("event=metrics.publishing")
    stale = gauges(paths[one])
    h.worker(one, *SHORT, "--metrics-file", paths[one])      # the host is there again
    wait_until("the old file to go", lambda: not os.path.exists(paths[one]), system.PATIENCE)
    assert stale and renewed(paths[other], 2) and os.listdir(where) == [other + ".prom"]


def in_one_place(h):
    """two workers with one file: it is renewed whoever is stopped, and a worker that has handed over leaves it alone"""
    path = os.path.join(folder(h), "pulp.prom")
    a = h.worker("a", *SHORT, "--metrics-file", path)
    a.wait_log("event=metrics.publishing")
    b = h.worker("b", *SHORT, "--metrics-file", path)
    renewed(path, 2)
    a.send(signal.SIGSTOP)
    b.wait_log("event=metrics.publishing")
    a.send(signal.SIGCONT)
    a.wait_log("event=metrics.handed_over host=")
    renewed(path, 3)
    b.stop()
    renewed(path, 2)
    a.wait_log("event=metrics.publishing", 2)


def only_if_asked(h):
    """without the setting, and by an auxiliary worker, nothing is measured; a reload turns it on, elsewhere, and off"""
    where = folder(h)
    one, two = (os.path.join(where, n) for n in ("one.prom", "two.prom"))
    h.worker("x", *SHORT, "--auxiliary", "--metrics-file", two)
    h.configure(worker_ttl="1500ms")
    w = h.worker("w")
    wait_until("some beats", lambda: h.s.v("select last_heartbeat - pulp_created > '2 s' from core_appstatus where name = 'w'"))
    assert h.s.v("select count(*) from pulp_worker.setting where name = 'metrics'") == 0 and os.listdir(where) == []
    for path in one, two, None:
        h.configure(worker_ttl="1500ms", **{"metrics_file": path} if path else {})
        w.send(signal.SIGHUP)
        if path:
            renewed(path, 2)
        wait_until("the right file", lambda p=path: os.listdir(where) == ([os.path.basename(p)] if p else []), system.PATIENCE)


def nowhere_to_write(h):
    """a worker that cannot write says why and lets another one do it"""
    where = folder(h)
    a = h.worker("a", *SHORT, "--metrics-file", os.path.join(where, "missing", "a.prom"))
    a.wait_log('event=metrics.failed msg="open .*missing/a.prom.* No such file or directory')
    h.worker("b", *SHORT, "--metrics-file", os.path.join(where, "b.prom"))
    renewed(os.path.join(where, "b.prom"), 4)
    assert len(re.findall("event=metrics.failed", a.log())) <= 2, "not at every interval"
    h.works()


def as_guests(h):
    """at a live Pulp without our schema one of two workers publishes; when it is killed the other one takes over"""
    pulpdb.without_schema(h.s)
    h.s.be_guest()
    where, paths, workers, one, other = two_workers(h)
    assert renewed(paths[one], 3)[:2] == [0, 0] and os.listdir(where) == [one + ".prom"]
    workers[one].kill()
    renewed(paths[other], 2)
    workers[other].wait_log("event=cleanup.removed")
    assert not [n for n in workers if "metrics.failed" in workers[n].log()]
    h.worker(one)


system.run(what_waits, exactly_one, in_one_place, only_if_asked, nowhere_to_write, as_guests)
