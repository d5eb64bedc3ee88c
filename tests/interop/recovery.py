# SPDX-License-Identifier: MIT
"""Who dies hard, and whose tasks are ended then: exactly his own."""
import os
import signal

import system
from live import SLEEP, fresh_id
from table import quick, seats

MISSING = {"reason": "Worker has gone missing."}
TTL = "9"


@quick
@seats(python=1, ours=1, alone=True)
def python_killed(p):
    """kill -9 of a pulpcore-worker: its task is ended by another of Python's, ours go on; successors on the resource run"""
    short = p.python_worker("short", PULP_WORKER_TTL=TTL)
    p.python.pop("p0").stop()
    name = fresh_id()
    mine = p.dispatch("hostile.obey")
    lost = p.dispatch(SLEEP, 600, exclusive=[name])
    heirs = [p.dispatch("example.greet", exclusive=[name]), p.dispatch(SLEEP, 0, exclusive=[name])]
    p.wait(mine, "running")
    p.wait(lost, "running")
    child = system.below(short.pid)
    short.kill()
    for pid in child:
        os.kill(pid, signal.SIGKILL)
    p.python_worker("p0")
    p.ends(lost, "failed", MISSING)
    for t in heirs:
        p.ends(t)
    assert p.look(mine).state == "running"
    assert p.s.v("select count(*) from core_appstatus where pulp_id = %s", short.id) == 0
    p.cancel(mine)
    p.ends(mine, "canceled")


@quick
@seats(python=2, ours=1, alone=True)
def ours_killed(p):
    """kill -9 of a pulp-worker: its tasks are ended by another of ours, Python's go on; successors run"""
    short = p.our_worker("short", "--worker-ttl", TTL + "s")
    p.ours.pop("w0").stop()
    name = fresh_id()
    lost = [p.dispatch("hostile.obey", exclusive=[name]), p.dispatch("hostile.deaf")]
    theirs = p.dispatch(SLEEP, 600)
    heirs = [p.dispatch(SLEEP, 0, exclusive=[name]), p.dispatch("example.greet", exclusive=[name])]
    for t in lost + [theirs]:
        p.wait(t, "running")
    short.kill()
    p.our_worker("w0").allowed += [r"event=worker\.swept"]  # of the one that was killed
    for t in lost:
        p.ends(t, "failed", MISSING)
    for t in heirs:
        p.ends(t)
    assert p.look(theirs).state == "running"
    p.cancel(theirs)
    p.ends(theirs, "canceled")


@seats(python=1, ours=1)
def canceled_at_once(p):
    """Pulp's cancel of a task that our worker just took, twenty times: each ends canceled, none hangs"""
    for _ in range(20):
        task = p.dispatch("hostile.obey")
        assert p.cancel(task).status == 200
        p.ends(task, "canceled")


@seats(python=1, ours=1)
def orderly_end(p):
    """both kinds stop and start by turns while tasks of both come: nothing is lost"""
    tasks = []
    for turn in range(2):
        tasks += [p.dispatch("example.greet") for _ in range(5)] + [p.dispatch(SLEEP, 0) for _ in range(3)]
        for kind, start in (p.ours, p.our_worker), (p.python, p.python_worker):
            name, worker = kind.popitem()
            assert worker.stop() == 0, worker.log()
            tasks += [p.dispatch("example.greet"), p.dispatch(SLEEP, 0)]
            start(name)
    # Python's does not look at its start (edge 1), ours asks it to
    for t in tasks:
        p.ends(t)


@seats(python=1, ours=1, alone=True)
def migrates(p):
    """a migrate of Pulp while both work: it is not refused because of us, and everything goes on"""
    before = p.dispatch("hostile.obey")
    p.wait(before, "running")
    p.manager("migrate", "--no-input")
    p.ends(p.dispatch("example.greet"))
    p.ends(p.dispatch(SLEEP, 0))
    assert p.look(before).state == "running"
    p.cancel(before)
    p.ends(before, "canceled")


SCENARIOS = [python_killed, ours_killed, canceled_at_once, orderly_end, migrates]
