# SPDX-License-Identifier: MIT
"""What users of Pulp have in their hands: pulp-cli and REST, on tasks of ours."""
import json

from live import SLEEP, fresh_id, wait_until
from table import quick, seats


def pulp_list(p, *arguments):
    """pulp task list: the ids."""
    return [t["pulp_href"].split("/")[-2] for t in p.pulp("task", "list", "--limit", "100", *arguments)]


@quick
def cli_cancel(p):
    """pulp task cancel, which waits for the end, on a running and a waiting task of ours"""
    name = fresh_id()
    running = p.dispatch("hostile.obey", exclusive=[name])
    waiting = p.dispatch("example.greet", exclusive=[name])
    p.wait(running, "running")
    p.pulp("task", "cancel", "--href", p.path("tasks", waiting))
    row = p.look(waiting)
    assert (row.state, row.started_at, row.error) == ("canceled", None, None) and row.finished_at, row
    p.pulp("task", "cancel", "--href", p.path("tasks", running))
    row = p.look(running)
    assert (row.state, row.error) == ("canceled", None) and row.started_at and row.finished_at, row


@quick
def cli_list(p):
    """pulp task list finds tasks of ours by state, name, resource and correlation"""
    cid, name = fresh_id() + "0" * 20, fresh_id()
    done = p.dispatch("example.greet", exclusive=[name], cid=cid)
    failed = p.dispatch("hostile.fail", cid=cid)
    p.ends(done)
    p.ends(failed, "failed")
    assert set(pulp_list(p, "--cid", cid)) == {done, failed}
    assert pulp_list(p, "--cid", cid, "--state", "failed") == [failed]
    assert pulp_list(p, "--reserved-resource-in", name) == [done] if "--reserved-resource-in" in p.pulp(
        "task", "list", "--help", check=False).stdout else True
    assert done in pulp_list(p, "--name", "example.greet")
    assert failed in pulp_list(p, "--name-contains", "hostile")


@quick
def cli_workers(p):
    """pulp worker list and show: ours beside Python's, with versions and its current task"""
    task = p.dispatch("hostile.obey")
    p.wait(task, "running")
    rows = {w["name"]: w for w in p.pulp("worker", "list")}
    assert len(rows) == 2 and "w0" in rows, rows
    assert rows["w0"]["versions"]["c_hostile"] == "1.0.0"
    assert rows["w0"]["current_task"] == p.path("tasks", task), rows
    p.cancel(task)
    p.ends(task, "canceled")
    shown = p.pulp("worker", "show", "--href", rows["w0"]["pulp_href"])
    assert shown["current_task"] is None and shown["name"] == "w0", shown


@quick
def cli_group(p):
    """pulp task-group show, and REST cancels it: a group of tasks of both kinds"""
    group = p.run("g = models.TaskGroup.objects.create(description='both'); result = str(g.pk)")
    tasks = [p.dispatch("hostile.obey", group=group), p.dispatch(SLEEP, 60, group=group),
             p.dispatch("example.greet", group=group)]
    p.ends(tasks[2])
    for t in tasks[:2]:
        p.wait(t, "running")
    href = p.path("task-groups", group)
    shown = p.pulp("task-group", "show", "--href", href)
    assert (shown["running"], shown["completed"], shown["waiting"]) == (2, 1, 0), shown
    assert {t["pulp_href"] for t in shown["tasks"]} == {p.path("tasks", t) for t in tasks}
    assert p.rest("PATCH", href, {"state": "canceled"}).status in (200, 409)
    for t in tasks[:2]:
        p.ends(t, "canceled")
    shown = p.pulp("task-group", "show", "--href", href)
    assert (shown["canceled"], shown["completed"], shown["all_tasks_dispatched"]) == (2, 1, True), shown


def our_group(p):
    """a group that pulp-task made, with tasks of ours: pulp-cli shows it, REST cancels it"""
    group = p.program("pulp-task", "group", "create", "--description", "ours")
    tasks = [p.program("pulp-task", "dispatch", f, "--group", group) for f in ("example.greet", "hostile.obey")]
    p.ends(tasks[0])
    p.wait(tasks[1], "running")
    shown = p.pulp("task-group", "show", "--href", p.path("task-groups", group))
    assert (shown["description"], shown["completed"], shown["running"]) == ("ours", 1, 1), shown
    assert p.rest("PATCH", p.path("task-groups", group), {"state": "canceled"}).status in (200, 409)
    p.ends(tasks[1], "canceled")


def our_cancel(p):
    """pulp-task cancel ends a task of Python, running or waiting, as Pulp's own cancel does"""
    name = fresh_id()
    running, waiting = p.dispatch(SLEEP, 60, exclusive=[name]), p.dispatch(SLEEP, 60, exclusive=[name])
    p.wait(running, "running")
    p.program("pulp-task", "cancel", waiting)
    p.program("pulp-task", "cancel", running)
    assert p.ends(running, "canceled").error is None
    assert p.ends(waiting, "canceled").started_at is None


def our_sight(p):
    """pulp-task list, show, wait and workers see Python's tasks and workers"""
    task = p.dispatch(SLEEP, 0)
    p.program("pulp-task", "wait", task)
    shown = json.loads(p.program("pulp-task", "show", "--json", task))
    assert (shown["state"], shown["name"]) == ("completed", SLEEP), shown
    assert task in p.program("pulp-task", "list", "--name", SLEEP)
    names = p.program("pulp-task", "workers")
    assert "w0" in names and str(p.python["p0"].pid) + "@" in names, names


def failures(p):
    """a task of ours that fails, crashes or vanishes: REST shows an error in Pulp's words"""
    cases = {"hostile.fail": None, "hostile.crash": {"reason": "Killed by signal 11."},
             "hostile.kill_host": {"reason": "Plugin host of hostile died."}}
    for name, error in cases.items():
        task = p.dispatch(name)
        p.ends(task, "failed", error)
        seen = p.get("tasks", task)
        assert seen["state"] == "failed" and seen["finished_at"], seen
        assert seen["error"] == error if error else "description" in seen["error"], seen
        if name.endswith("host"):
            p.ours["w0"].allowed += [r"event=plugin\.died"]
            p.ours["w0"].wait_log(r"event=plugin\.up module=hostile", 2)


def reports(p):
    """progress reports of a task of ours, while it runs and after"""
    task = p.dispatch("example.countdown")
    wait_until("a report", lambda: p.get("tasks", task)["progress_reports"], 20)
    p.ends(task)
    report, = p.get("tasks", task)["progress_reports"]
    assert report == {"message": "Counting", "code": "countdown", "state": "completed", "total": 10, "done": 10,
                      "suffix": None}, report


@quick
@seats(alone=True)
def cli_purge(p):
    """pulp task purge removes tasks of ours, with what Pulp knows of them; a failed one stays"""
    gone = [p.dispatch("example.countdown"), p.program("pulp-task", "dispatch", "example.greet"), p.dispatch(SLEEP, 0)]
    kept = p.dispatch("hostile.fail")
    for t in gone:
        p.ends(t)
    p.ends(kept, "failed")
    p.pulp("task", "purge", "--finished-before", "2100-01-01", "--state", "completed")
    left = {str(t) for (t,) in p.s.q("select pulp_id from core_task")}
    assert kept in left and not left & set(gone), left
    for table, column in (("pulp_worker.attempt", "task"), ("core_progressreport", "task_id")):
        found = p.s.q("select %s from %s where %s = any (%%s::uuid[])" % (column, table, column), gone)
        assert not found or table.startswith("pulp_worker"), (table, found)
    purge = next(t for t in p.get("tasks")["results"] if t["name"].endswith("purge"))
    reports = {r["code"]: r["done"] for r in purge["progress_reports"]}
    assert reports["purge.tasks.total"] >= 3, reports


@seats(alone=True)
def rest_delete(p):
    """DELETE of a task of ours: 409 while it runs or waits, 204 after; nothing of it is left"""
    name = fresh_id()
    running, waiting = p.dispatch("hostile.obey", exclusive=[name]), p.dispatch("example.greet", exclusive=[name])
    p.wait(running, "running")
    for t in running, waiting:
        assert p.rest("DELETE", p.path("tasks", t)).status == 409
    p.cancel(running)
    p.ends(running, "canceled")
    p.ends(waiting)
    assert p.cancel(waiting).status == 409
    for t in running, waiting:
        assert p.rest("DELETE", p.path("tasks", t)).status == 204
        assert p.rest("GET", p.path("tasks", t)).status == 404
    p.ends(p.dispatch("example.greet", exclusive=[name]))


SCENARIOS = [cli_cancel, cli_list, cli_workers, cli_group, our_group, our_cancel, our_sight, failures, reports, cli_purge,
             rest_delete]
