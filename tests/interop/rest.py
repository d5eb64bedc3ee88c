# SPDX-License-Identifier: MIT
"""The original's own functional tests of its tasking, told again through REST: first as they are, with Python's worker
alone able to run them and ours housekeeping beside it, and where a C function can play the part with one of ours too.
README.md lists all 44."""
import uuid

from live import SLEEP, fresh_id, wait_until
from pulpdb import pause
from table import seats, since

TEST = "pulpcore.app.tasks.test."


def state(p, task):
    """As REST says it."""
    return p.get("tasks", task)["state"]


def multi_resource_locking(p):
    """exclusive before shared before exclusive, in the order of dispatch; the third of five is ours"""
    first = p.dispatch(SLEEP, 0.5, exclusive=["AAAA"], shared=["BBBB"])
    second = p.dispatch(SLEEP, 0.5, shared=["AAAA"])
    third = p.dispatch("example.countdown", shared=["AAAA"])
    fourth = p.dispatch(SLEEP, 0, exclusive=["AAAA"])
    fifth = p.dispatch("example.greet", exclusive=["BBBB"])
    one, two, three, four, five = (p.ends(t) for t in (first, second, third, fourth, fifth))
    for before, after in (one, two), (one, three), (two, four), (three, four), (one, five):
        assert before.finished_at < after.started_at, (before, after)


def delete_cancel_waiting(p):
    """DELETE of a waiting task is a 409; canceled within 10 s, never started"""
    for holder, waiter in ((SLEEP, "example.greet"), ("hostile.obey", SLEEP)):
        name = fresh_id()
        args = [600] if holder == SLEEP else []
        blocking = p.dispatch(holder, *args, exclusive=[name])
        task = p.dispatch(waiter, *([0] if waiter == SLEEP else []), exclusive=[name])
        assert state(p, task) == "waiting"
        assert p.rest("DELETE", p.path("tasks", task)).status == 409
        assert p.cancel(task).status == 200
        assert p.cancel(blocking).status == 200
        row = p.wait(task, "canceled", timeout=10)
        assert row.started_at is None and row.finished_at is not None, row
        p.ends(blocking, "canceled")


def delete_cancel_running(p):
    """DELETE of a running task is a 409; canceled within 10 s, started_at stays"""
    # a Python worker that canceled a task moments ago signals the next one a heartbeat later
    for name, args, patience in (SLEEP, [600], 30), ("hostile.obey", [], 10):
        task = p.dispatch(name, *args)
        p.wait(task, "running", timeout=10)
        assert p.rest("DELETE", p.path("tasks", task)).status == 409
        assert p.cancel(task).status == 200
        row = p.wait(task, "canceled", timeout=patience)
        assert row.started_at and row.finished_at, row


def cancel_delete_finished(p):
    """cancel of a finished task is a 409; DELETE is fine"""
    for name, args in (SLEEP, [0]), ("example.greet", []):
        task = p.dispatch(name, *args)
        p.ends(task)
        assert p.cancel(task).status == 409
        wait_until("it to be deleted", lambda t=task: p.rest("DELETE", p.path("tasks", t)).status == 204)


def cancel_nonexistent(p):
    """404"""
    assert p.cancel(uuid.uuid4()).status == 404


def fields(p):
    """fields, exclude_fields, minimal of a task of ours"""
    task = p.dispatch("example.greet")
    p.ends(task)
    assert set(p.get("tasks", task, fields="pulp_href,state,worker")) == {"pulp_href", "state", "worker"}
    assert not {"state", "worker"} & set(p.get("tasks", task, exclude_fields="state,worker"))
    assert not {"progress_reports", "parent_task", "error"} & set(p.get("tasks", task, minimal="true"))


def filters(p):
    """started_at exactly, name, a name that nobody has, pulp_created before and after"""
    first = p.dispatch("example.greet")
    p.ends(first)
    at = p.get("tasks", first)["started_at"]
    found = p.get("tasks", started_at=at)["results"]
    assert [t["pulp_href"] for t in found] == [p.path("tasks", first)], found
    assert all(t["name"] == "example.greet" for t in p.get("tasks", name="example.greet")["results"])
    assert p.get("tasks", name=str(uuid.uuid4()))["count"] == 0
    second = p.dispatch("example.greet")
    p.ends(second)
    between = p.get("tasks", second)["pulp_created"]
    later = {t["pulp_href"] for t in p.get("tasks", pulp_created__gte=between)["results"]}
    earlier = {t["pulp_href"] for t in p.get("tasks", pulp_created__lt=between)["results"]}
    one, two = p.path("tasks", first), p.path("tasks", second)
    assert one in earlier and one not in later and two in later and two not in earlier


def gooey(p):
    """a task that eats every exception, and one of ours that ignores every signal: canceled within 30 s"""
    for name, args in (TEST + "gooey_task", [60]), ("hostile.stubborn", []):
        task = p.dispatch(name, *args)
        p.wait(task, "running", timeout=10)
        assert p.cancel(task).status == 200
        p.wait(task, "canceled", timeout=40)


def user(p, name, *roles):
    """Makes a user; what REST wants of him, and his link."""
    made = p.rest("POST", p.path("users"), {"username": name, "password": "of-the-tests-1"})
    assert made.status == 201, made
    for role in roles:
        given = p.rest("POST", made.body["pulp_href"] + "roles/", {"role": role, "content_object": None, "domain": None})
        assert given.status == 201, given
    return (name, "of-the-tests-1"), made.body["pulp_href"]


def created_by(p):
    """the dispatching user, another one, nobody"""
    login, href = user(p, "carol-" + fresh_id())
    for name, args in (SLEEP, [0]), ("example.greet", []):
        tasks = [p.dispatch(name, *args), p.dispatch(name, *args, user=login[0]), p.dispatch(name, *args, user="")]
        by = []
        for t in tasks:
            p.ends(t)
            by.append(p.get("tasks", t)["created_by"])
        assert by[0].endswith("/1/") and by[1] == href and by[2] is None, by


def ownership(p):
    """exactly owner and dispatcher on the task for who dispatched it, none for others"""
    alice, ahref = user(p, "alice-" + fresh_id(), "core.task_viewer")
    bob, bhref = user(p, "bob-" + fresh_id())
    task = p.dispatch("example.greet", user=alice[0])
    p.ends(task)
    roles = {r["role"]: r["content_object"] for r in p.rest("GET", ahref + "roles/").body["results"]}
    assert roles == {"core.task_owner": p.path("tasks", task), "core.task_user_dispatcher": p.path("tasks", task),
                     "core.task_viewer": None}, roles
    assert p.rest("GET", bhref + "roles/").body["count"] == 0
    assert p.rest("GET", p.path("tasks", task), user=bob).status == 404
    assert p.rest("GET", p.path("tasks", task), user=alice).status == 200


def versions_prevent_pickup(p):
    """core 4.0.0 and a label that nobody has: still waiting after a while, then canceled for good"""
    tasks = [p.dispatch(SLEEP, 0, versions={"core": "4.0.0"}), p.dispatch(SLEEP, 0, versions={"catdog": "0.0.0"}),
             p.dispatch("example.greet", versions={"c_example": "4.0.0"})]
    pause(5)
    assert [state(p, t) for t in tasks] == ["waiting"] * 3
    for t in tasks:
        assert p.cancel(t).status == 200
    p.ends(tasks[2], "canceled")
    # Python's worker ignores for ever what it could not run (edge 4): only another one ends the first two
    p.python.pop("p0").stop()
    p.python_worker("p0")
    p.ends(p.dispatch(SLEEP, 0))
    for t in tasks[:2]:
        p.ends(t, "canceled")


@since((3, 117))
def finalizer(p):
    """the finalizer of a group waits for a shared sibling that is blocked itself"""
    group = p.run("g = models.TaskGroup.objects.create(description='f'); result = str(g.pk)")
    p.dispatch(TEST + "group_task_with_finalizer", fresh_id(), group=group)

    def over():
        g = p.get("task-groups", group)
        return g["completed"] + g["failed"] == 3
    wait_until("the group to end", over)
    assert p.get("task-groups", group)["failed"] == 0
    wait_until("the blocker too", lambda: p.get("tasks", state__in="waiting,running")["count"] == 0)


def cancel_group(p):
    """PATCH of a group: every member canceled or canceling; 403 for who may not"""
    group = p.run("g = models.TaskGroup.objects.create(description='c'); result = str(g.pk)")
    tasks = [p.dispatch("hostile.obey", group=group), p.dispatch("hostile.obey", group=group),
             p.dispatch(TEST + "dummy_group_task", group=group, kwargs={"inbetween": 1, "intervals": [10] * 5})]
    for t in tasks:
        p.wait(t, "running")
    href = p.path("task-groups", group)
    # (asked about a group of several, Pulp's own view answers 500 to who may not)
    viewer, _ = user(p, "eve-" + fresh_id(), "core.task_viewer")
    one = p.run("g = models.TaskGroup.objects.create(description='one'); result = str(g.pk)")
    alone = p.dispatch("hostile.obey", group=one)
    assert p.rest("PATCH", p.path("task-groups", one), {"state": "canceled"}, user=viewer).status == 403
    assert p.rest("PATCH", p.path("task-groups", one), {"state": "canceled"}).status in (200, 409)
    p.ends(alone, "canceled")
    done = p.rest("PATCH", href, {"state": "canceled"})
    assert done.status in (200, 409) and all(t["state"] in ("canceled", "canceling") for t in done.body["tasks"]), done
    for t in tasks:
        p.ends(t, "canceled")
    for child in p.get("tasks", task_group=href)["results"]:
        p.ends(child["pulp_href"].split("/")[-2], "canceled")


def immediate(p):
    """Python's immediate tasks in its own process while our worker is there: completed, misconfigured, timed out, failed"""
    ok = p.dispatch(TEST + "asleep", 0.5, immediate=True)
    assert state(p, ok) == "completed"
    bad = p.dispatch(SLEEP, 0.5, immediate=True)
    assert "Immediate tasks must be async functions" in p.get("tasks", bad)["error"]["description"]
    late = p.dispatch(TEST + "asleep", 10, immediate=True)
    assert "timed out after" in p.get("tasks", late)["error"]["description"].lower()


@since((3, 117))
def failing(p):
    """a failing task, immediate and on a worker: the error has the text"""
    for name, kw in ("afailing_task", {"immediate": True}), ("failing_task", {}):
        task = p.dispatch(TEST + name, kwargs={"error_message": "of the tests"}, **kw)
        p.ends(task, "failed")
        assert "of the tests" in p.get("tasks", task)["error"]["description"]


def immediate_with_resources(p):
    """free: completed at once; held by a task of ours: deferred, or canceled where it must not be"""
    name = fresh_id()
    free = p.dispatch(TEST + "asleep", 0.1, immediate=True, deferred=False, exclusive=[name], shared=[name + "s"])
    assert p.get("tasks", free)["state"] == "completed" and p.get("tasks", free)["error"] is None
    holder = p.dispatch("hostile.obey", exclusive=[name])
    p.wait(holder, "running")
    refused = p.dispatch(TEST + "asleep", 0.1, immediate=True, deferred=False, exclusive=[name])
    assert p.get("tasks", refused)["error"] == {"reason": "Resources temporarily unavailable."}
    assert state(p, refused) == "canceled"
    later = p.dispatch(TEST + "asleep", 0.1, immediate=True, exclusive=[name])
    late = p.dispatch(TEST + "asleep", 10, immediate=True, shared=[name])
    assert state(p, later) == state(p, late) == "waiting"
    p.cancel(holder)
    p.ends(holder, "canceled")
    p.ends(later)
    p.ends(late, "failed")
    assert "timed out after" in p.get("tasks", late)["error"]["description"].lower()


def purges(p):
    """by date and state: nothing, only the failed, all; strictly before; bad dates and states are refused"""
    def purge(**body):
        done = p.rest("POST", p.path("tasks", "purge"), body)
        assert done.status == 202, done
        task = done.body["task"].split("/")[-2]
        p.ends(task)
        return {r["code"]: r["done"] for r in p.get("tasks", task)["progress_reports"]}

    good, bad = p.dispatch("example.greet"), p.dispatch("hostile.fail")
    p.ends(good)
    p.ends(bad, "failed")
    there = lambda t: p.rest("GET", p.path("tasks", t)).status == 200  # noqa: E731
    assert purge(finished_before="1970-01-01T00:00:00", states=["completed", "failed"]).get("purge.tasks.total", 0) == 0
    purge()
    assert there(good) and there(bad)
    purge(finished_before=p.get("tasks", good)["finished_at"], states=["completed"])
    assert there(good), "strictly before"
    purge(finished_before="2100-01-01T00:00:00Z", states=["failed"])
    assert there(good) and not there(bad)
    purge(finished_before="2100-01-01T00:00:00Z", states=["completed", "failed", "canceled", "skipped"])
    assert not there(good)
    for body in ({"finished_before": "THISISNOTADATE"}, {"states": ["BADSTATE"]}, {"states": ["running"]}):
        assert p.rest("POST", p.path("tasks", "purge"), body).status == 400, body


def purge_of_a_user(p):
    """a user removes only what he may delete; the administrator all"""
    login, _ = user(p, "dave-" + fresh_id())
    his, other = p.dispatch("example.greet", user=login[0]), p.dispatch("example.greet")
    p.ends(his)
    p.ends(other)
    body = {"finished_before": "2100-01-01T00:00:00Z", "states": ["completed"]}
    done = p.rest("POST", p.path("tasks", "purge"), body, user=login)
    assert done.status == 202, done
    p.ends(done.body["task"].split("/")[-2])
    assert p.rest("GET", p.path("tasks", his)).status == 404 and p.rest("GET", p.path("tasks", other)).status == 200


def workers(p):
    """list, read, filter by name and heartbeat; every field but two has a value; no DELETE"""
    rows = p.get("workers")["results"]
    for row in rows:
        assert all(v is not None for k, v in row.items() if k not in ("last_heartbeat", "current_task")), row
    ours = next(r for r in rows if r["name"] == "w0")
    same = lambda r: all(r[k] == v for k, v in ours.items() if k not in ("last_heartbeat", "current_task"))  # noqa: E731
    assert same(p.get("workers", ours["pulp_href"].split("/")[-2]))
    assert [same(r) for r in p.get("workers", name="w0")["results"]] == [True]
    assert p.get("workers", name="w0", last_heartbeat__gte=ours["last_heartbeat"])["count"] == 1
    assert p.get("workers", name="w0", last_heartbeat__gte="2100-01-01T00:00:00Z")["count"] == 0
    assert p.get("workers", online="true", name="w0")["count"] == 1
    assert p.rest("DELETE", ours["pulp_href"]).status == 405


SCHEDULE = """
from datetime import timedelta
from django.utils.timezone import now
s = models.TaskSchedule(name=%r, task_name=%r, dispatch_interval=%s and timedelta(%s),
                        next_dispatch=now() + timedelta(seconds=2))
s.save()
result = str(s.pk)
"""


def schedules(p):
    """a schedule of Python's function, one-shot and interval: dispatched once, whoever of us does the housekeeping"""
    for interval in (None, 100):
        name = fresh_id()
        schedule = p.run(SCHEDULE % (name, TEST + "dummy_task", interval, interval))
        wait_until("its dispatch", lambda: p.get("task-schedules", schedule)["last_task"], 30)
        got = p.get("task-schedules", schedule)
        assert (got["next_dispatch"] is None) == (got["dispatch_interval"] is None) == (interval is None), got
        p.ends(got["last_task"].split("/")[-2])
        p.run("models.TaskSchedule.objects.get(pk=%r).delete()" % schedule)


@since((3, 115))
def schedule_domain(p):
    """schedules in a domain of their own, of Python's function and of ours: the tasks land there, and complete"""
    name = fresh_id()
    domain = p.run("d = models.Domain.objects.create(name=%r, storage_class='pulpcore.app.models.storage.FileSystem', "
                   "storage_settings={'MEDIA_ROOT': ''}); result = str(d.pk)" % name)
    theirs = p.run(SCHEDULE % (name, TEST + "dummy_task", None, None)
                   + "s.pulp_domain_id = %r\ns.save()\n" % domain)
    p.program("pulp-task", "schedule", "add", name + "-ours", "example.greet", "--at", "2099-01-01T00:00:00Z")
    p.s.q("update core_taskschedule set pulp_domain_id = %s, next_dispatch = now() where name = %s", domain, name + "-ours")
    for which in name, name + "-ours":
        wait_until("its dispatch", lambda n=which: p.s.v("select last_task_id from core_taskschedule where name = %s", n), 30)
        task = str(p.s.v("select last_task_id from core_taskschedule where name = %s", which))
        row = p.ends(task)
        assert any(r.endswith("prn:core.domain:" + domain) for r in row.reserved_resources_record), row
        assert str(p.s.v("select pulp_domain_id from core_task where pulp_id = %s", task)) == domain
        assert p.rest("GET", p.path("tasks", task, domain=name)).status == 200
    p.run("models.TaskSchedule.objects.filter(pulp_domain_id=%r).delete()" % domain)
    assert theirs


def correlation(p):
    """the id of a request is echoed, and found again on what it dispatched"""
    cid = uuid.uuid4().hex
    done = p.rest("POST", p.path("tasks", "purge"), {"finished_before": "1980-01-01"}, headers={"Correlation-ID": cid})
    assert done.headers["Correlation-ID"] == cid and done.status == 202, done
    task = done.body["task"].split("/")[-2]
    p.ends(task)
    assert p.get("tasks", task)["logging_cid"] == cid


def resource_filters(p):
    """reserved, exclusive and shared resources of a task of ours"""
    a, b = fresh_id(), fresh_id()
    task = p.dispatch("example.greet", exclusive=[a], shared=[b])
    p.ends(task)
    found = lambda **q: [t["pulp_href"] for t in p.get("tasks", **q)["results"]]  # noqa: E731
    href = [p.path("tasks", task)]
    assert found(reserved_resources=a) == found(reserved_resources=b) == href
    assert found(exclusive_resources=a) == href and found(exclusive_resources=b) == []
    assert found(shared_resources=b) == href and found(shared_resources=a) == []
    assert found(reserved_resources__in="%s,%s" % (a, b)) == href


SCENARIOS = [multi_resource_locking, delete_cancel_waiting, delete_cancel_running, cancel_delete_finished, cancel_nonexistent,
             fields, filters, gooey, created_by, ownership, versions_prevent_pickup, finalizer, seats(python=3)(cancel_group),
             immediate, failing, immediate_with_resources, purges, purge_of_a_user, workers, schedules, schedule_domain,
             correlation, resource_filters]
