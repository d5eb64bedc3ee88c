# SPDX-License-Identifier: MIT
"""Everything at once: tasks of both kinds on few resources, and what must hold of their intervals."""
import random

import pulpdb
from live import SLEEP, wait_until
from table import quick, seats

DISPATCH = """
import random
rnd, result = random.Random(%d), []
for i in range(%d):
    names = rnd.sample(["load-%%d" %% n for n in range(%d)], rnd.choice([0, 1, 1, 2]))
    cut = rnd.randrange(len(names) + 1)
    kw = {"exclusive_resources": names[:cut], "shared_resources": names[cut:]}
    if rnd.random() < %f:
        result.append(dispatch("%s", args=(0,), **kw))
    else:
        result.append(dispatch("example.greet", versions={"c_example": "1.0.0"}, **kw))
"""


def names_of(record):
    """(exclusive, shared) of a record."""
    exclusive = {r for r in record if not r.startswith("shared:")}
    return exclusive, {r[7:] for r in record if r.startswith("shared:")} - exclusive


def conflict(a, b):
    """A name is exclusive in one and present in the other."""
    return bool(a[0] & (b[0] | b[1]) or b[0] & a[1])


def check_intervals(p, tasks):
    """I1 to I4 over what the rows say of when each ran."""
    rows = p.s.q("select pulp_id, pulp_created, started_at, finished_at, reserved_resources_record, state, app_lock_id, name "
                 "from core_task where pulp_id = any (%s::uuid[]) order by pulp_created", list(tasks))
    assert len(rows) == len(tasks)
    by_name = {}
    for row in rows:
        assert row[5] == "completed" and row[2] <= row[3], row
        exclusive, shared = names_of(row[4])
        for name in exclusive | shared:
            by_name.setdefault(name, []).append((row, (exclusive, shared)))
    pairs = 0
    for name, queue in by_name.items():
        if name.startswith("prn:core.domain:"):
            continue
        for i, (later, its) in enumerate(queue):
            for earlier, other in queue[:i]:
                if conflict(its, other):
                    pairs += 1
                    assert earlier[3] <= later[2], "overtaken or overlapped on %s: %r %r" % (name, earlier, later)
    ours = sum(row[7].startswith("example.") for row in rows)
    assert not p.schema or p.s.v("select count(*) from pulp_worker.attempt where task = any (%s::uuid[])", list(tasks)) == ours
    return pairs


def mixed(p, count, resources, share):
    """Dispatches on both sides, waits for the end, checks."""
    tasks = p.run(DISPATCH % (pulpdb.SEED, count, resources, share, SLEEP))
    extra = [pulpdb.dispatch(p.s, "example.greet", versions={"c_example": "1.0.0"},
                             exclusive_resources=["load-%d" % (i % resources)])
             for i in range(count // 10)]
    tasks += [str(t) for t in extra]

    def over():
        p.alive()
        return p.s.v("select count(*) from core_task where state in ('waiting', 'running', 'canceling')") == 0
    wait_until("all tasks to end", over, 600)
    pulpdb.diag("%d pairs in conflict, all in order" % check_intervals(p, tasks))


@quick
@seats(python=2, ours=1)
def few(p):
    """150 tasks on 10 resources"""
    mixed(p, 150, 10, 0.2)


@seats(python=2, ours=1, alone=True)
def many(p):
    """2,000 tasks on 50 resources: our worker beside two of Python's, I1 to I4 over the recorded intervals"""
    mixed(p, 1819, 50, 0.2)


SCENARIOS = [few, many]
