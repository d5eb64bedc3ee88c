#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A queued task whose record grows: its new name counts before anybody else is marked."""
import os
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker, bare_task


def no_note(s):
    """A pass that takes no note at all."""
    with pulpdb.lock84(s):
        s.q("select * from pulp_worker.pass(0)")


def growing(db):
    """a running task that grew by a name holds back whoever waits for it, however many notes stand before its own"""
    s = Session(db)
    w = Worker(db)
    holder, grower = bare_task(s, ["r"]), bare_task(s, ["mine"])
    w.turn()        # hears of the requirement
    assert set(w.turn().tasks) == {holder, grower}
    waiter = bare_task(s, ["r"])
    pulpdb.settle(s)
    unsettled = bare_task(s, ["shared:late"])
    first = bare_task(s, ["late"])
    for t in grower, first:
        s.q("update core_task set reserved_resources_record = reserved_resources_record || '{r}' where pulp_id = %s", t)
    s.q("insert into pulp_worker.inbox (number, task) values (-1, %s)", holder)
    s.q("update pulp_worker.cut set starts = '{-1}', ends = '{9223372036854775807}'")
    s.q("update core_task set state = 'completed', app_lock_id = null where pulp_id = %s", holder)
    with pulpdb.lock84(s):
        s.q("select * from pulp_worker.pass(1)")
    assert s.set("select task from pulp_worker.reservation where resource = hashtextextended('r', 0)") == {grower, waiter}, \
        "it has its place, the ended one has none, and one that is not settled waits for its turn"
    assert not s.v("select unblocked_at from core_task where pulp_id = %s", waiter)
    pulpdb.settle(s)
    assert not s.v("select unblocked_at from core_task where pulp_id = %s", waiter)
    order = [r[0] for r in s.q("select task from pulp_worker.reservation group by task order by min(position)")]
    assert order == [grower, waiter, unsettled, first], order
    s.q("update core_task set state = 'completed', app_lock_id = null where pulp_id = %s", grower)
    pulpdb.settle(s)
    assert s.v("select unblocked_at from core_task where pulp_id = %s", waiter)
    assert s.v("select count(*) from pulp_worker.grown") == 0


def growing_late(db):
    """it is seen when its transaction ends, however many passes went by, and after a restore into a cluster with low xids"""
    s, x = Session(db), Session(db)
    w = Worker(db)
    grower, busy = bare_task(s, ["mine"]), bare_task(s, ["busy"])
    w.turn()
    assert len(w.turn().tasks) == 2
    x.begin()
    x.q("update core_task set reserved_resources_record = '{mine,r}' where pulp_id = %s", grower)
    for i in range(3):
        s.q("update core_task set reserved_resources_record = reserved_resources_record || %s where pulp_id = %s", ["n%d" % i], busy)
        pulpdb.settle(s)
    x.commit()
    no_note(s)
    assert s.v("select count(*) from pulp_worker.reservation where task = %s", grower) == 2
    s.q("update pulp_worker.cut set grown = '1000000000000'")
    s.q("update core_task set reserved_resources_record = '{mine,r,q}' where pulp_id = %s", grower)
    no_note(s)
    assert s.v("select count(*) from pulp_worker.reservation where task = %s", grower) == 3


pulpdb.run(growing, growing_late)
