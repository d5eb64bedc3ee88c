#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pulp is upgraded below our worker: from the oldest pulpcore that we join to the newest, while both of ours work."""
import os
import sys
import threading
import traceback

sys.path[:0] = [os.environ["top_srcdir"] + "/tests/lib", os.environ["top_srcdir"] + "/tests/interop"]
import install
import live
import pulpdb
import table
from live import SLEEP

GREET = ("pulp-task", "dispatch", "example.greet", "--kwargs", '{"name": "you"}')


class Stream:
    """A program of ours that dispatches one task after the other."""

    def __init__(self, p):
        self.tasks, self.over, self.error = [], threading.Event(), None
        self.thread = threading.Thread(target=self.work, args=(p,))
        self.thread.start()

    def work(self, p):
        """As long as it may."""
        try:
            while not self.over.is_set():
                self.tasks.append(p.program(*GREET, "--exclusive", "one"))
        except Exception as error:
            self.error = error

    def stop(self):
        """What it has dispatched."""
        self.over.set()
        self.thread.join()
        assert not self.error, self.error
        return self.tasks


def upgrade(p, newest):
    """a task that runs meanwhile is left alone, others are dispatched and run, before, meanwhile and afterwards"""
    p.our_worker("w0")
    held = p.program("pulp-task", "dispatch", "hostile.obey")
    p.wait(held, "running")
    p.ends(p.program(*GREET))
    stream = Stream(p)
    pulpdb.wait_until("some tasks", lambda: len(stream.tasks) > 3)
    before = p.s.set("select name from django_migrations where app = 'core'")
    p.manager("migrate", "--no-input", venv=newest)
    count = len(stream.tasks)
    pulpdb.wait_until("more tasks", lambda: len(stream.tasks) > count + 3)
    for task in stream.stop():
        assert p.ends(task).result == "Hello, you!"
    assert p.s.set("select name from django_migrations where app = 'core'") > before
    pulpdb.diag("%d tasks meanwhile" % len(stream.tasks))
    assert p.look(held).state == "running"

    p.venv = newest
    p.start_helper()
    p.python_worker("p0")
    first = p.dispatch(SLEEP, 0.5, exclusive=["both"])
    second = p.dispatch("example.greet", exclusive=["both"])
    third = p.dispatch(SLEEP, 0, exclusive=["both"])
    rows = [p.ends(t) for t in (first, second, third)]
    assert all(a.finished_at <= b.started_at for a, b in zip(rows, rows[1:])), rows
    api = p.s.v("select pulp_api_version from core_task where pulp_id = %s", p.program(*GREET, "--wait"))
    assert api == "v3", api
    p.program("pulp-task", "cancel", held)
    p.ends(held, "canceled")
    p.aftermath()


def guest_upgrade(p, newest):
    """as guests: the same"""
    upgrade(p, newest)


def main():
    """Both."""
    pulpdb.need_server(["max_connections=200", "log_min_messages=warning"])
    venv, newest = (install.environment_for(live.account(), which) for which in ("oldest", "newest"))
    template = table.template_of("oldest", venv, "pulp_oldest")
    failed = 0
    print("1..2", flush=True)
    for number, (scenario, schema) in enumerate(((upgrade, True), (guest_upgrade, False)), 1):
        p = live.Live("oldest", pulpdb.fresh(template), venv, schema)
        good = False
        try:
            scenario(p, newest)
            good = True
        except Exception:
            pulpdb.diag(traceback.format_exc())
            for process in p.processes:
                pulpdb.diag("log of %s:\n%s" % (process.name, process.log()[-3000:]))
        p.close(good)
        pulpdb.drop(p.db)
        print("%s %d - %s: %s" % ("ok" if good else "not ok", number, scenario.__name__, scenario.__doc__), flush=True)
        failed += not good
    pulpdb.drop("pulp_oldest")
    sys.exit(1 if failed else 0)


main()
