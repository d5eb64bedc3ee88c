# SPDX-License-Identifier: MIT
"""One queue per resource, whoever dispatches and whoever runs."""
from live import SLEEP, fresh_id
from table import quick, seats

COUNTDOWN = "example.countdown"  # a second


def in_order(p, *tasks):
    """Each began when the one before it had ended."""
    rows = [p.ends(t) for t in tasks]
    for before, after in zip(rows, rows[1:]):
        assert before.finished_at <= after.started_at, (before, after)
    return rows


@quick
def ours_waits_for_python(p):
    """a task that pulp-task dispatches waits for one of Python on the same resource; pulp-task why names it"""
    name = fresh_id()
    first = p.dispatch(SLEEP, 2, exclusive=[name])
    second = p.program("pulp-task", "dispatch", "example.greet", "--exclusive", name)
    p.wait(first, "running")
    row = p.look(second)
    assert row.state == "waiting" and row.unblocked_at is None, row
    why = p.program("pulp-task", "why", second)
    assert name in why and first in why, why
    in_order(p, first, second)


@quick
def python_waits_for_ours(p):
    """a task of Python waits for one of ours"""
    name = fresh_id()
    first = p.program("pulp-task", "dispatch", COUNTDOWN, "--exclusive", name)
    second = p.dispatch(SLEEP, 0, exclusive=[name])
    in_order(p, first, second)


def by_turns(p):
    """ten of one resource, by turns Python's and ours, whoever dispatches: in the order of their dispatch"""
    name, tasks = fresh_id(), []
    for i in range(10):
        if i % 2:
            tasks.append(p.dispatch(SLEEP, 0.1, exclusive=[name]))
        elif i % 4:
            tasks.append(p.dispatch("example.greet", exclusive=[name]))
        else:
            tasks.append(p.program("pulp-task", "dispatch", "example.greet", "--exclusive", name))
    in_order(p, *tasks)


@seats(python=2)
def shared(p):
    """shared ones of both kinds run at once, an exclusive one waits for all, later shared ones wait for it"""
    name = fresh_id()
    readers = [p.dispatch("hostile.obey", shared=[name]), p.dispatch(SLEEP, 60, shared=[name])]
    for t in readers:
        p.wait(t, "running")
    writer = p.dispatch("example.greet", exclusive=[name])
    late = [p.dispatch("example.greet", shared=[name]), p.dispatch(SLEEP, 0, shared=[name])]
    free = [p.dispatch("example.greet"), p.dispatch(SLEEP, 0)]
    for t in free:
        p.ends(t)
    assert [p.look(t).state for t in [writer] + late] == ["waiting"] * 3
    for t in readers:
        assert p.cancel(t).status == 200
    ended = [p.ends(t, "canceled") for t in readers]
    row = p.ends(writer)
    assert all(e.finished_at <= row.started_at for e in ended), (ended, row)
    for t in late:
        assert row.finished_at <= p.ends(t).started_at


def whole_domain(p):
    """a task that has the domain for itself excludes all others, of both kinds"""
    prn = p.s.v("select 'prn:core.domain:' || pulp_id from core_domain where name = 'default'")
    before = p.dispatch(SLEEP, 1)
    alone = p.dispatch(COUNTDOWN, exclusive=[prn])
    after = [p.dispatch("example.greet"), p.dispatch(SLEEP, 0), p.program("pulp-task", "dispatch", "example.greet")]
    row = p.ends(alone)
    assert p.ends(before).finished_at <= row.started_at
    for t in after:
        assert row.finished_at <= p.ends(t).started_at


@seats(python=0)
def without_python(p):
    """while no worker of Python is there, ours unblocks for itself; Python's task waits and runs when one comes"""
    name = fresh_id()
    first = p.dispatch("example.greet", exclusive=[name])
    second = p.dispatch(SLEEP, 0, exclusive=[name])
    third = p.dispatch("example.greet", exclusive=[name])
    p.ends(first)
    p.ends(p.dispatch("example.greet"))
    assert [p.look(t).state for t in (second, third)] == ["waiting"] * 2
    p.python_worker("p0")
    in_order(p, first, second, third)


@seats(ours=0)
def without_ours(p):
    """while no worker of ours is there, ours wait and Python's go on; then ours runs"""
    name = fresh_id()
    first = p.dispatch(SLEEP, 0, exclusive=[name])
    second = p.dispatch("example.greet", exclusive=[name])
    third = p.dispatch(SLEEP, 0, exclusive=[name])
    p.ends(first)
    p.ends(p.dispatch(SLEEP, 0))
    assert [p.look(t).state for t in (second, third)] == ["waiting"] * 2
    p.our_worker("w0")
    in_order(p, first, second, third)


SCENARIOS = [ours_waits_for_python, python_waits_for_ours, by_turns, shared, whole_domain, without_python, without_ours]
