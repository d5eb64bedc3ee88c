#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The states: what core/task/states.def says is what the SQL does, for every state and every
event, what the programs write, and what pulp-states(7) says."""
import glob
import os
import re
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session

TOP = os.environ["top_srcdir"]


def rows(kind):
    """The rows of one kind, each as the list of its texts and names."""
    with open(TOP + "/core/task/states.def") as f:
        found = re.findall(r"^%s\((.*)\)$" % kind, f.read(), re.M)
    return [[a or b for a, b in re.findall(r'"([^"]*)"|(\w+)', r)] for r in found]


STATES = [r[0] for r in rows("STATE")]
FINAL = [r[0] for r in rows("STATE") if r[1] == "1"]
EVENTS = [r[0] for r in rows("EVENT")]
MOVES = {(r[0], r[1]): r[2] for r in rows("MOVE")}
OWNED = {"complete", "fail", "end", "cancel_claimed"}


def make(s, me, state, owned):
    """A task in this state, whoever made it so."""
    t = pulpdb.dispatch(s)
    s.q("update core_task set state = %s, unblocked_at = now(), started_at = case when %s <> 'waiting' then now() end, "
        "finished_at = case when %s then now() end, app_lock_id = %s where pulp_id = %s",
        state, state, state in FINAL, me if owned and state not in FINAL else None, t)
    pulpdb.settle(s)
    return t


def finish(s, me, task, state):
    s.q("select * from pulp_worker.finish_tasks(%s, array[%s], array[%s], array[null], array[null], array[%s], "
        "array[0], array[0::bigint], array[0::bigint])", me, task, state, state)


def do(s, me, event, task):
    if event == "claim":
        served = [r[0] for r in s.q("select id from pulp_worker.requirement where id > 0")]
        s.q("select * from pulp_worker.iter_tasks(%s, 1, %s, %s)", me, served, [0] * len(served))
    elif event in ("cancel", "cancel_claimed"):
        s.q("select pulp_worker.cancel_task(%s)", task)
    else:
        finish(s, me, task, {"complete": "completed", "fail": "failed", "end": "canceled"}[event])


def every_event_in_every_state(db):
    """each does what the table says, and nothing where it says nothing"""
    s = Session(db)
    me = pulpdb.register(s)
    for state in STATES:
        for event in EVENTS:
            if (state, event) == ("running", "end"):
                continue  # its owner writes it of a canceling task only
            t = make(s, me, state, event in OWNED)
            do(s, me, event, t)
            got, want = pulpdb.state(s, t), MOVES.get((state, event), state)
            assert got == want, "%s, %s: %s, not %s" % (state, event, got, want)
            final = s.v("select finished_at is not null and app_lock_id is null from core_task where pulp_id = %s", t)
            assert final == (got in FINAL), "%s, %s: finished %s" % (state, event, final)
            s.q("delete from core_task")
            pulpdb.settle(s)


def a_stranger_ends_nothing(db):
    """another worker than the owner changes no state"""
    s = Session(db)
    me, other = pulpdb.register(s), pulpdb.register(s, "other")
    for state in ("running", "canceling"):
        t = make(s, me, state, True)
        for event in ("complete", "fail", "end"):
            do(s, other, event, t)
            assert pulpdb.state(s, t) == state, event


def the_reasons_are_written(db):
    """each reason is one that a program or a function writes"""
    files = sum((glob.glob(TOP + "/core/" + d) for d in ("supervisor/*.c", "exec/*.c", "sql/functions/*.sql")), [])
    text = "".join(open(f).read() for f in files)
    for _, reason, _ in rows("REASON"):
        assert re.split(r" ?<", reason)[0] in text, reason


def the_kinds_are_written(db):
    """each kind of ending is one that a worker writes"""
    text = "".join(open(f).read() for d in ("supervisor", "exec") for f in glob.glob(TOP + "/core/" + d + "/*.c"))
    kinds = {r[0] for r in rows("KIND")}
    assert {k for k in kinds if '"%s"' % k not in text} == set()
    told = set(re.findall(r'pw_ending_of_reason\(\w+, "\w+", "(\w+)"', text))
    assert told <= kinds, told - kinds


def the_page_says_so(db):
    """pulp-states(7) has every row"""
    page = open(TOP + "/man/pulp-states.7").read().replace("\\&", "")
    lines = page.split("\n")

    def under(item, text):
        at = [i for i, line in enumerate(lines) if line == item]
        text = text[0].upper() + text[1:] + "."
        assert any(" ".join(lines[i + 1:i + 4]).startswith(text) for i in at), (item, text)

    for name, final, meaning in rows("STATE"):
        under(".It Sy %s%s" % (name, " Pq final" if final == "1" else ""), meaning)
    for name, meaning in rows("EVENT"):
        under(".It Sy " + name, meaning)
    for before, event, after, comment in rows("MOVE"):
        assert ".It %s Ta %s Ta %s" % (before, event, after) in lines
        under(".It %s , %s" % (before, event), comment)
    for _, text, when in rows("REASON"):
        under('.It Li "%s"' % text, when)
    for name, when in rows("KIND"):
        under(".It Sy " + name, when)
    assert page.count(" Ta ") == 2 * (len(MOVES) + 1)


pulpdb.run(every_event_in_every_state, a_stranger_ends_nothing, the_reasons_are_written, the_kinds_are_written,
           the_page_says_so)
