#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A guest at a live Pulp without our schema: its pass is the walk of pulp-spec 4.4, its claims take what is
its own and nothing else, and what is there afterwards is what was there before."""
import os
import random
import re
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session

STEPS = int(os.environ.get("PULP_TEST_STEPS", 1500))
SEED = int(os.environ.get("PULP_TEST_SEED", random.SystemRandom().randrange(1 << 31)))
INCOMPLETE = "('waiting', 'running', 'canceling')"


def guest(db):
    """The database of a live Pulp without our schema, and a guest's session."""
    s = Session(db)
    pulpdb.without_schema(s)
    s.be_guest()
    return s


def say_modules(s, *modules):
    """What a worker says of itself on the link of its turns."""
    s.q("select set_config('pulp_worker.modules', %s, false)", "{%s}" % ",".join(modules))


def marked_by(s, walk):
    """Whom a pass marks; it is undone."""
    s.q("savepoint pass")
    before = s.set("select pulp_id from core_task where unblocked_at is not null")
    s.q(walk)
    after = s.set("select pulp_id from core_task where unblocked_at is not null")
    s.q("rollback to savepoint pass")
    return after - before


def step(s, rnd):
    """Something that happens to tasks, by plain statements."""
    what = rnd.random()
    names = ["r%d" % i for i in range(5)] + ["%", "shared:", ""]
    if what < 0.5:
        record = [rnd.choice(("", "shared:")) + rnd.choice(names[:5] if rnd.random() < 0.9 else names)
                  for _ in range(rnd.choice((0, 1, 1, 2, 3)))]
        if rnd.random() < 0.1:
            record = rnd.choice((None, record + [None], record + record))
        pulpdb.bare_task(s, record, rnd.choice(("t.x", "py.x")), state=rnd.choice(("waiting",) * 8 + ("running", "canceling")))
    elif what < 0.8:
        s.q("update core_task set state = %s, app_lock_id = null where pulp_id = (select pulp_id from core_task where state in "
            + INCOMPLETE + " order by md5(pulp_id::text || %s) limit 1)",
            rnd.choice(("completed", "failed", "canceled", "canceling", "running")), str(rnd.random()))
    elif what < 0.9:
        s.q("update core_task set reserved_resources_record = array_append(reserved_resources_record, %s) where pulp_id = "
            "(select pulp_id from core_task where state = 'running' limit 1)", rnd.choice(names[:5]))
    else:
        s.q("select pulp_worker.pass(1000)")


def the_walk(db):
    """a pass marks whom the walk of Pulp's workers marks, step by step"""
    print("# seed %d, %d steps" % (SEED, STEPS))
    s, rnd, most = guest(db), random.Random(SEED), 0
    s.begin()
    for n in range(STEPS):
        step(s, rnd)
        theirs, ours = marked_by(s, "select python_walk()"), marked_by(s, "select pulp_worker.pass(1000)")
        assert ours == theirs, (SEED, n, ours - theirs, theirs - ours)
        most = max(most, len(ours))
        if n % 100 == 0:
            s.commit()
            s.begin()
    assert most > 1, "nothing was ever marked: nothing was shown"
    s.rollback()


def lock(db):
    """while somebody else has lock 84 nothing is marked, and the wish stays"""
    s, other = guest(db), Session(db)
    t = pulpdb.bare_task(s, ["r"])
    with pulpdb.lock84(other):
        assert s.one("select * from pulp_worker.unblock_tasks()") == (None, None)
        assert pulpdb.turn(s, uuid.uuid4()).passed == "busy"
    assert s.one("select * from pulp_worker.unblock_tasks()") == (1, False)
    assert s.v("select unblocked_at is not null from core_task where pulp_id = %s", t)
    other.close()


def held_row(db):
    """a row that somebody holds is left for the next pass, and nobody waits for it"""
    s, other = guest(db), Session(db)
    first, second = pulpdb.bare_task(s, ["a"]), pulpdb.bare_task(s, ["b"])
    other.begin()
    other.q("select from core_task where pulp_id = %s for update", first)
    assert s.one("select marked, more from pulp_worker.unblock_tasks()") == (1, True)
    assert s.v("select unblocked_at is not null from core_task where pulp_id = %s", second)
    other.rollback()
    assert s.one("select marked, more from pulp_worker.unblock_tasks()") == (1, False)
    other.close()


def claims(db):
    """only what is ours and what we serve is claimed, immediate ones first; a claim leaves it waiting until it is started"""
    s = guest(db)
    me = pulpdb.register(s)
    for name, versions in (("py.x", ""), ("t.x", "t=>1"), ("t.x", "t=>99"), ("py.y", "core=>1")):
        pulpdb.bare_task(s, None, name, versions=versions)
    ours = s.v("select pulp_id from core_task where versions = 't=>1'")
    quick = pulpdb.bare_task(s, None, "t.x", versions="t=>1", immediate=True)
    say_modules(s, "t")
    first = pulpdb.turn(s, me, slots=9, known=0)
    assert not first.claimed and first.marked == 5
    rows = s.q("select id, module, versions, immediate from pulp_worker.requirement order by id")
    assert sorted((m, v["t"], i) for _, m, v, i in rows) == [("t", "1", False), ("t", "1", True), ("t", "99", False)], rows
    served = [0] + [n for n, _, v, _ in rows if v["t"] == "1"]
    got = pulpdb.turn(s, me, slots=1, served=served)
    assert got.claimed == [(quick, "t.x", "running")], got.claimed
    assert pulpdb.turn(s, me, slots=9, served=served).claimed == [(ours, "t.x", "running")]
    assert s.q("select state, count(*) from core_task where app_lock_id = %s group by 1", me) == [("waiting", 2)]
    assert s.q("select count(*) from core_task where app_lock_id is not null") == [(2,)]
    started = s.q("select task, state from pulp_worker.start_tasks(%s, %s::uuid[])", me, [str(ours)])
    assert started == [(ours, "running")]
    # an answer that was lost: what was claimed and not started is run, what has started is not run twice
    assert sorted(s.q("select state from pulp_worker.my_tasks(%s)", me)) == [("abandoned",), ("running",)]
    assert pulpdb.turn(s, me, ended=[pulpdb.ending(ours)]).ended == {ours: "completed"}
    assert s.v("select pulp_worker.unregister_worker(%s)", me)
    assert s.one("select state, app_lock_id from core_task where pulp_id = %s", quick) == ("waiting", None)


def recovery(db):
    """what a lost worker was running is ended where it is ours, and left where it is Python's"""
    s = guest(db)
    me, lost = pulpdb.register(s), pulpdb.register(s, "lost")
    ids = {n: pulpdb.bare_task(s, None, n, state="running", versions="t=>1", app_lock_id=lost) for n in ("t.x", "py.x")}
    stopping = pulpdb.bare_task(s, None, "t.y", state="canceling", versions="t=>1", app_lock_id=lost)
    say_modules(s, "t")
    assert not pulpdb.turn(s, me, slots=9).claimed
    s.q("update core_appstatus set last_heartbeat = now() - interval '1 hour' where pulp_id = %s", lost)
    with pulpdb.lock84(s):
        assert s.q("select id from pulp_worker.app_worker_cleanup()") == [(lost,)]
    got = pulpdb.turn(s, me, slots=9)
    assert sorted(got.claimed) == sorted([(ids["t.x"], "t.x", "abandoned"), (stopping, "t.y", "canceling")]), got.claimed
    assert s.one("select state, app_lock_id from core_task where pulp_id = %s", ids["py.x"]) == ("running", None)


def race(db):
    """two guests that claim at once take different tasks"""
    s, other = guest(db), Session(db)
    other.be_guest()
    tasks = [pulpdb.bare_task(s, None, versions="t=>1") for _ in range(4)]
    mine, theirs = pulpdb.register(s, "a"), pulpdb.register(s, "b")
    for session in s, other:
        say_modules(session, "t")
        pulpdb.turn(session, mine if session is s else theirs, slots=1, known=0)
    other.begin()
    first = pulpdb.turn(other, theirs, slots=2, served=[0, 1])
    second = pulpdb.turn(s, mine, slots=4, served=[0, 1])
    other.commit()
    assert len(first.tasks) == 2 and len(second.tasks) == 2 and set(first.tasks) | set(second.tasks) == set(tasks)
    other.close()


def refused(db):
    """what a guest cannot know or do is refused: arguments in clear, a task without versions"""
    s = guest(db)
    assert "must be encrypted" in s.fails("0A000", "select pulp_worker.dispatch('t.x', args => '[1]', versions => '{\"t\": \"1\"}')")
    assert "versions must be given" in s.fails("0A000", "select pulp_worker.dispatch('t.x')")
    s.q("select pulp_worker.dispatch('t.x', versions => '{\"t\": \"1\"}')")


def requests(db):
    """a request that is repeated does nothing twice; the answers of ended tasks go"""
    s = guest(db)
    me = pulpdb.register(s)
    t, u = (pulpdb.bare_task(s, None, state="running", versions="t=>1", app_lock_id=me) for _ in range(2))
    ask = "select ok, reply from pulp_worker.task_request(%s, %s, %s, 'dispatch', '{\"func\": \"t.y\", \"versions\": {\"t\": \"1\"}}')"
    first = s.one(ask, me, t, 1)
    assert first[0] and s.one(ask, me, t, 1) == first
    assert s.v("select count(*) from core_task where parent_task_id = %s", t) == 1
    # the session is lost after it was done and before it was told
    other = Session(db)
    other.be_guest()
    assert other.one(ask, me, t, 1)[0]
    assert s.v("select count(*) from core_task where parent_task_id = %s", t) == 1
    other.close()
    s.q("update core_task set state = 'completed', app_lock_id = null where pulp_id = %s", t)
    assert s.one(ask, me, u, 1)[0]
    assert s.q("select task from pulp_worker.request") == [(u,)]


def qualified(_db):
    """in pg_temp no function is found without its schema: none is called so"""
    script = pulpdb.guest_script()
    names = set(re.findall(r"create or replace function pg_temp\.(\w+)", script))
    code = re.sub(r"--[^\n]*", "", re.sub(r"/\*.*?\*/", "", script, flags=re.S))
    bare = re.findall(r"(?<![.\w'])(%s)\(" % "|".join(sorted(names)), code)
    assert not bare, sorted(set(bare))


def nothing_stays(db):
    """when the session has gone there is nothing of it: no function, no table, no trigger"""
    count = ("select (select count(*) from pg_proc), (select count(*) from pg_class), (select count(*) from pg_type), "
             "(select count(*) from pg_trigger)")
    s = Session(db)
    pulpdb.without_schema(s)
    before = s.one(count)
    other = Session(db)
    other.be_guest()
    other.be_guest()		# again: nothing is made twice, nothing fails
    assert s.one(count) != before
    pid = other.pid
    other.close()
    pulpdb.wait_until("the session to go", lambda: not s.v("select count(*) from pg_stat_activity where pid = %s", pid))
    assert s.one(count) == before


pulpdb.run(the_walk, lock, held_row, claims, recovery, race, refused, requests, qualified, nothing_stays)
