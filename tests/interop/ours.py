# SPDX-License-Identifier: MIT
"""Tasks of ours at a live Pulp: dispatched by Python's dispatch(), by our programs, by SQL."""
import json

from live import SLEEP
from table import quick, seats


@quick
def joins(p):
    """our worker is one of Pulp's workers: in REST and in the status, with its versions"""
    w = p.ours["w0"]
    row = p.get("workers", w.id)
    assert row["name"] == "w0" and row["versions"]["c_example"] == "1.0.0", row
    assert "core" not in row["versions"], row
    assert all(row[k] is not None for k in row if k != "current_task"), row
    names = {x["name"] for x in p.rest("GET", "/pulp/api/v3/status/", user=None).body["online_workers"]}
    assert "w0" in names and len(names) == 2, names


@quick
def python_dispatches_ours(p):
    """dispatch() of a Python program with versions and resources: our worker runs it, REST and pulp-cli show it"""
    task = p.dispatch("example.greet", exclusive=["alpha"], shared=["beta"], cid="c0ffee00c0ffee00c0ffee00c0ffee00")
    row = p.ends(task)
    assert row.result == "Hello, world!", row
    assert p.ran_by(task) == "w0"
    seen = p.get("tasks", task)
    assert seen["state"] == "completed" and seen["result"] == "Hello, world!" and seen["error"] is None, seen
    assert seen["logging_cid"] == "c0ffee00c0ffee00c0ffee00c0ffee00"
    assert seen["created_by"].endswith("/users/1/"), seen
    assert set(seen["reserved_resources_record"]) >= {"alpha", "shared:beta"}, seen
    assert seen["pulp_created"] <= seen["unblocked_at"] <= seen["started_at"] <= seen["finished_at"], seen
    shown = p.pulp("task", "show", "--href", p.path("tasks", task))
    assert shown == seen, (shown, seen)


def python_task_beside(p):
    """a task of Python runs on Python's worker, and ours keeps its hands off"""
    task = p.dispatch(SLEEP, 0)
    p.ends(task)
    assert p.ran_by(task) is None
    assert p.s.v("select count(*) from pulp_worker.attempt where task = %s", task) == 0


def newer_than_ours(p):
    """a task that requires more than our plugin has waits, unlocked, and can be canceled"""
    task = p.dispatch("example.greet", versions={"c_example": "99.0"})
    after = p.dispatch("example.greet")
    p.ends(after)
    row = p.look(task)
    assert (row.state, row.app_lock_id) == ("waiting", None), row
    assert p.cancel(task).status == 200
    assert p.ends(task, "canceled").started_at is None


def ours_dispatches_ours(p):
    """pulp-task dispatch at a live Pulp: REST shows every field as of any other task"""
    task = p.program("pulp-task", "dispatch", "example.greet", "--exclusive", "gamma", "--wait")
    seen = p.get("tasks", task)
    beside = p.dispatch("example.greet")
    p.ends(beside)
    other = p.get("tasks", beside)
    assert set(seen) == set(other)
    assert seen["state"] == "completed" and seen["result"] == "Hello, world!", seen
    assert len(seen["logging_cid"]) == 32 and seen["created_by"] is None, seen
    assert "gamma" in seen["reserved_resources_record"] and any(
        r.startswith("shared:prn:core.domain:") for r in seen["reserved_resources_record"]), seen


SCENARIOS = [joins, python_dispatches_ours, python_task_beside, newer_than_ours, ours_dispatches_ours]
