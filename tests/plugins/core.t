#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""core.purge, called as a task child calls it, with scripted answers of the worker."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tasks import Task, done, equal, folder, has, run, stop  # noqa: E402

WHEN = "2026-11-24T13:50:00Z"
ALL = ["completed", "failed", "canceled", "skipped"]


def reply(more, failed=0, **deleted):
    """An answer to purge_batch."""
    return json.dumps({"deleted": {"core." + kind: n for kind, n in deleted.items()}, "failed": failed, "more": more})


def purge(top, replies, **kwargs):
    """One call."""
    kwargs.setdefault("finished_before", WHEN)
    return run(top, "core", "purge", kwargs, replies)


def batches(top):
    """Several requests."""
    task = purge(top, [reply(True, Task=1000, ProgressReport=20), reply(True, Task=1000, CreatedResource=7),
                       reply(False, Task=12)])
    equal(task.result, {"deleted": {"core.Task": 2012, "core.ProgressReport": 20, "core.CreatedResource": 7},
                        "failed": 0}, "the counts of all batches are the result")
    equal([(r["operation"], r["value"]) for r in task.requests()],
          [("purge_batch", {"finished_before": WHEN, "states": ALL, "limit": 1000})] * 3,
          "all final states by default, a thousand at a time")
    for code, count in (("total", 2039), ("key.core.Task", 2012), ("key.core.ProgressReport", 20),
                        ("key.core.CreatedResource", 7)):
        got = task.report("purge.tasks." + code)
        equal((got["done"], got["total"], got["state"]), (count, count, "completed"), "report purge.tasks." + code)
    equal(task.report("purge.tasks.error"), None, "no report of errors where there are none")
    codes = [e["code"] for e in task.events if e["event"] == "progress"]
    equal(codes[:2], ["purge.tasks.total", "purge.tasks.key.core.Task"], "the total and tasks come first")
    task = purge(top, [reply(False)])
    equal(task.result, {"deleted": {"core.Task": 0}, "failed": 0}, "nothing to purge")
    equal(task.report("purge.tasks.key.core.Task")["state"], "completed", "is reported too")


def errors(top):
    """Tasks that cannot be purged, and a worker that refuses."""
    task = purge(top, [reply(True, failed=3, Task=997), reply(True, failed=2)])
    equal(task.result, {"deleted": {"core.Task": 997}, "failed": 5}, "a batch that deletes nothing is the last")
    equal(task.report("purge.tasks.error")["done"], 5, "failures are counted in a report")
    place = {"at": WHEN, "id": "01900000-0000-7000-8000-000000000000"}
    task = purge(top, [json.dumps(dict(json.loads(reply(True)), after=place)), reply(False, Task=1)])
    equal([r["value"].get("after") for r in task.requests()], [None, place], "an empty batch goes on where it ended")
    equal(task.result, {"deleted": {"core.Task": 1}, "failed": 0}, "and finds what is behind it")
    task = purge(top, [reply(True, Task=1000), "!plugin core is not trusted"])
    equal(task.failure, "plugin core is not trusted", "a refusal is the error")
    equal((task.report("purge.tasks.total")["done"], task.report("purge.tasks.total")["state"]), (1000, "failed"),
          "what was done before is still reported")
    for answer in ("{", "[]", "{}", '{"deleted": [], "failed": 0, "more": false}',
                   '{"deleted": {"core.Task": "1"}, "failed": 0, "more": false}',
                   '{"deleted": {"core.Task": -1}, "failed": 0, "more": false}',
                   '{"deleted": {}, "failed": 0, "more": "no"}', '{"deleted": {}, "failed": -1, "more": false}'):
        has(purge(top, [answer]).failure, "the worker's answer to purge_batch is not understood",
            "an answer %s" % answer)


def stops(top):
    """Cancel between batches."""
    endless = [reply(True, Task=1)] * 20000
    task = Task(top, "core", "purge", {"finished_before": WHEN}, endless)
    task.until(lambda e: e["event"] == "request")
    task.until_blocked()            # the signal comes while it waits for us to read
    stop(task)
    task.until_handled(signal.SIGUSR1)
    task.end()
    has(task.failure, "stopped; ", "a purge stops between two batches")
    equal(task.report("purge.tasks.total")["state"], "canceled", "its reports are canceled")


def arguments(top):
    """What is refused, before any request."""
    moments = ("2026-11-24T13:50Z", "2026-11-24 13:50:01+01", "2026-11-24T13:50:01.123456-0330", "2024-02-29T00:00:00z",
               "2026-11-24T13:50:59.5+15:59")
    for moment in moments:
        equal(purge(top, [reply(False)], finished_before=moment).requests()[0]["value"]["finished_before"], moment,
              moment + " is taken")
    bad = ("", "now", "2026-11-24", "2026-11-24T13Z", "2026-13-01T00:00Z", "2026-02-29T00:00Z", "2026-00-10T00:00Z",
           "2026-01-32T00:00Z", "2026-11-24T24:00Z", "2026-11-24T13:60Z", "2026-11-24T13:50:60Z", "26-11-24T13:50Z",
           "2026-11-24T13:50:01.Z", "0000-01-01T00:00Z", " 2026-11-24T13:50Z")
    for moment in bad:
        has(purge(top, [], finished_before=moment).failure, "is not a date and time", "%r is refused" % moment)
    has(purge(top, [], finished_before="2026-11-24T13:50:00").failure, "has no time zone", "a time without a zone")
    for moment in (WHEN + "x", "2026-11-24T13:50:00 UTC", "2026-11-24T13:50:00+1", "2026-11-24T13:50:00+16:00",
                   "2026-11-24T13:50:00+01:60", "2026-11-24T13:50:00+01:0"):
        has(purge(top, [], finished_before=moment).failure, "does not end with a time zone", "%r" % moment)
    for kwargs, text in (
            ({}, "argument 'finished_before' is missing"),
            ({"finished_before": 5}, "argument 'finished_before' must be a string, not a number"),
            ({"finished_before": WHEN, "states": "failed"}, "argument 'states' must be an array of strings"),
            ({"finished_before": WHEN, "states": []}, "argument 'states' is empty"),
            ({"finished_before": WHEN, "states": [1]}, "states[0] must be the name of a state, not a number"),
            ({"finished_before": WHEN, "states": ["failed", "running"]}, "states[1]: 'running' is not a final state"),
            ({"finished_before": WHEN, "states": ["waiting"]}, "'waiting' is not a final state"),
            ({"finished_before": WHEN, "states": ["canceling"]}, "'canceling' is not a final state"),
            ({"finished_before": WHEN, "states": ["cancelled"]}, "no state 'cancelled', did you mean 'canceled'?"),
            ({"finished_before": WHEN, "states": ["Completed"]}, "no state 'Completed'"),
            ({"finished_before": WHEN, "states": ["x"]}, "(final ones: completed, failed, canceled, skipped)"),
            ({"finished_before": WHEN, "user_pk": 1}, "unknown argument 'user_pk'")):
        task = run(top, "core", "purge", kwargs)
        has(task.failure, text, text)
        equal(task.requests(), [], "and nothing was asked")
    task = purge(top, [reply(False)], states=["failed", "canceled", "failed"])
    equal(task.requests()[0]["value"]["states"], ["failed", "canceled"], "each state is asked for once")
    equal(purge(top, [reply(False)], states=None).requests()[0]["value"]["states"], ALL, "null is the default")


with folder() as base:
    for part in (batches, errors, stops, arguments):
        where = os.path.join(base, part.__name__)
        os.mkdir(where)
        part(where)
done()
