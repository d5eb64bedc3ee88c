#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the database side costs: one JSON object a line, {name, value, unit, compared_with, ratio}.

What is compared runs by turns with it, in blocks, and the quietest block of each counts: other
load on the machine disturbs both alike. PULP_BENCH_SQL names another tree whose core/sql is measured.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session, Worker

pulpdb.need_server(("fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=128MB"))
pulpdb.TOP = os.environ.get("PULP_BENCH_SQL", pulpdb.TOP)
BARE = """insert into bare (pulp_id, pulp_created, state, name, logging_cid, enc_args, enc_kwargs, reserved_resources_record,
    pulp_domain_id, versions, immediate, deferred, pulp_api_version)
    values (gen_random_uuid(), clock_timestamp(), 'waiting', 'm.t', '95be2fc64de6402b90a0f461971be987', '[]', '{}',
    '{shared:prn:core.domain:95be2fc6-4de6-402b-90a0-f461971be987}', '95be2fc6-4de6-402b-90a0-f461971be987', '', false, true, 'v3')"""


def report(name, value, unit, compared_with=None, other=None):
    print(json.dumps(dict(name=name, value=round(value, 3), unit=unit, compared_with=compared_with,
                          ratio=round(value / other, 3) if other else None)), flush=True)


def us(f, n=1):
    start = time.perf_counter()
    f()
    return (time.perf_counter() - start) * 1e6 / n


def by_turns(one, other, n, blocks=12):
    """The quietest block of each, in microseconds a call."""
    def block(f):
        def many():
            for _ in range(n):
                f()
        return us(many, n)
    block(one), block(other)
    times = [(block(one), block(other)) for _ in range(blocks)]
    return min(t[0] for t in times), min(t[1] for t in times)


def fresh():
    db = pulpdb.fresh()
    s = Session(db)
    s.q("create table bare (like core_task including indexes)")
    return db, s


def dispatch():
    _, s = fresh()
    ours, bare = by_turns(lambda: s.k.execute("select pulp_worker.dispatch('m.t')"), lambda: s.k.execute(BARE), 200)
    report("dispatch", ours, "us", "a bare INSERT of the same row into a table without triggers", bare)


def life():
    """A task from dispatch to its ending, in turns of 64, the client's own time left out as far as psycopg2 allows."""
    db, s = fresh()
    w, spent = Worker(db, slots=64), [0.0, 0]
    times = []
    for _ in range(6):
        for _ in range(1280):
            s.k.execute("select pulp_worker.dispatch('m.t')")
        start, done = time.perf_counter(), 0
        while done < 1280:
            ended = list(w.running)
            done += len(ended)
            w.turn(ended=ended)
        times.append((time.perf_counter() - start) * 1e6 / 1280)
    ours, bare = by_turns(lambda: s.k.execute("select pulp_worker.dispatch('m.t')"), lambda: s.k.execute(BARE), 200, 5)
    report("life_turns", min(times), "us", "a bare INSERT", bare)
    report("life", min(times) + ours, "us", "a bare INSERT", bare)


def idle():
    db, s = fresh()
    w = Worker(db)
    ours, one = by_turns(w.turn, lambda: w.s.q("select 1"), 100)
    report("turn_idle", ours, "us", "select 1", one)


def chain():
    """A turn that ends one task and starts the next, behind it DEPTH more on the same resource."""
    w = {}
    for depth in (10, 10000):
        db, s = fresh()
        s.q("select pulp_worker.dispatch('m.t', exclusive_resources => '{a}') from generate_series(1, %s)", depth + 400)
        w[depth] = Worker(db, slots=1)
        while w[depth].turn(slots=0).passed == "more":
            pass
        w[depth].turn()
    deep, shallow = by_turns(*(lambda x=w[d]: x.turn(ended=list(x.running)) for d in (10000, 10)), 30, 8)
    report("end_cost_depth", deep, "us", "the same with 10 to 400 waiters", shallow)


if __name__ == "__main__":
    pulpdb.make_template(pulpdb.TEMPLATE)
    for part in (dispatch, life, idle, chain):
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part()
