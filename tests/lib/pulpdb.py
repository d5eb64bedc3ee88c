# SPDX-License-Identifier: MIT
"""The database under test, for tests in Python.

A test is an executable file that ends in .t:

    #!/usr/bin/python3
    import os, sys
    sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
    import pulpdb

    def what_it_shows(db):
        '''One line that goes behind the name.'''
        assert pulpdb.Session(db).v("select 1") == 1

    pulpdb.run(what_it_shows, ...)

run() starts a private PostgreSQL (tests/lib/pg.sh) unless PULP_TEST_SERVER says
that PGHOST and so on name one, makes a template with the schema of core/sql, and
calls each function with the name of a fresh database made of it. What raises has
failed. Arguments of the script choose functions by name. PULP_TEST_LONG=1 asks for the long form,
PULP_TEST_SEED repeats a run.
"""
import contextlib
import glob
import json
import os
import random
import re
import sys
import time
import traceback
import uuid

sys.dont_write_bytecode = True
try:
    import psycopg2
    import psycopg2.extensions
    import psycopg2.extras
except ImportError:
    print("Bail out! psycopg2 is missing: apt-get install python3-psycopg2")
    sys.exit(99)

TOP = os.environ.get("PULP_TEST_TREE") or os.environ["top_srcdir"]
LONG = os.environ.get("PULP_TEST_LONG") == "1"
SEED = int(os.environ.get("PULP_TEST_SEED") or random.SystemRandom().randrange(1 << 31))
INCOMPLETE = ("waiting", "running", "canceling")
psycopg2.extras.register_uuid()
# uuids and numbers inside arrays come and go as they are
psycopg2.extensions.register_adapter(dict, psycopg2.extras.Json)


class Session:
    """One connection. q: rows (or how many were touched), v: the first value, one: the first row."""

    def __init__(self, db, auto=True, timeout="60s", user=None, options="", name="test"):
        self.c = psycopg2.connect(
            dbname=db, user=user or os.environ["PGUSER"], application_name=name,
            options="-c statement_timeout=%s %s" % (timeout, options))
        self.c.autocommit = auto
        self.k = self.c.cursor()
        self.pid = self.c.get_backend_pid()
        self.guest = False

    def be_guest(self):
        """As the programs do it at a live Pulp without our schema: its functions are this session's own."""
        self.q(guest_script())
        self.guest = True

    def q(self, sql, *args):
        if self.guest:
            sql = sql.replace("pulp_worker.", "pg_temp.")
        self.k.execute(sql, args or None)
        return self.k.fetchall() if self.k.description else self.k.rowcount

    def one(self, sql, *args):
        rows = self.q(sql, *args)
        return rows[0] if rows else None

    def v(self, sql, *args):
        row = self.one(sql, *args)
        return row[0] if row else None

    def set(self, sql, *args):
        return {r[0] for r in self.q(sql, *args)}

    def begin(self):
        self.c.autocommit = False

    def commit(self):
        self.c.commit()
        self.c.autocommit = True

    def rollback(self):
        self.c.rollback()
        self.c.autocommit = True

    def fails(self, sqlstate, sql, *args):
        """The statement must fail with this SQLSTATE; returns the message."""
        auto = self.c.autocommit
        if not auto:
            self.q("savepoint expected")
        try:
            self.q(sql, *args)
        except psycopg2.Error as e:
            if not auto:
                self.q("rollback to savepoint expected")
            assert e.pgcode == sqlstate, "%s %s instead of %s" % (e.pgcode, e, sqlstate)
            return e.diag.message_primary
        raise AssertionError("no error %s: %s %r" % (sqlstate, sql, args))

    def listen(self, *channels):
        for c in channels or ("pulp_worker_wakeup", "pulp_worker_cancel"):
            self.q("listen " + c)
        self.heard()

    def heard(self):
        """The notifications since the last call: (channel without its prefix, payload), sorted."""
        self.q("select 1")
        self.c.poll()
        got = sorted((n.channel.replace("pulp_worker_", ""), n.payload) for n in self.c.notifies)
        self.c.notifies.clear()
        return got

    def spent(self):
        """Processor time of the session's server process in ms, which other load disturbs least; or the time."""
        try:
            with open("/proc/%d/schedstat" % self.pid) as f:
                return int(f.read().split()[0]) / 1e6
        except OSError:
            return time.perf_counter() * 1000

    def close(self):
        self.c.close()


@contextlib.contextmanager
def background(db, sql, *args, **kw):
    """Runs a statement in a session of its own that will have to wait; yields a function that
    waits for its result."""
    import threading
    s = Session(db, **kw)
    out = {}

    def work():
        try:
            out["rows"] = s.q(sql, *args)
        except psycopg2.Error as e:
            out["error"] = e
    t = threading.Thread(target=work)
    t.start()

    def result(timeout=20):
        t.join(timeout)
        assert not t.is_alive(), "still waiting: " + sql
        if "error" in out:
            raise out["error"]
        return out["rows"]
    result.session = s
    result.waiting = t.is_alive
    try:
        yield result
    finally:
        s.c.cancel()
        t.join(20)
        s.close()


def pause(seconds):
    """For what plays a program that takes its time."""
    time.sleep(seconds)


def wait_until(what, condition, timeout=20):
    """Looks again until the condition holds: the one place here that does."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited too long for: " + what
        pause(0.01)


def wait_blocked(s, pid):
    """Until that backend waits for a lock."""
    wait_until("backend %d to wait for a lock" % pid, lambda: s.v(
        "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s", pid))


# The schema.

def sql_files():
    return [f for kind in ("schema", "functions")
            for f in sorted(glob.glob("%s/core/sql/%s/*.sql" % (TOP, kind)))]


def install(s, files=None):
    """As "pulp-task db install" does it on an empty database: every file in a transaction of its own."""
    for f in files or sql_files():
        with open(f) as text:
            s.q("begin; " + text.read() + "; commit")


def install_beside(s):
    """As "pulp-task db install" does it where core_task is in use: our schema, then the functions and
    the notes of all that is unfinished in one transaction that holds writers off."""
    files = [f for f in sql_files() if "0001_contract" not in f]
    install(s, [f for f in files if "/schema/" in f])
    text = ";\n".join(open(f).read() for f in files if "/functions/" in f)
    s.q("begin; set local lock_timeout = '20s'; lock table public.core_task in share row exclusive mode; "
        + text + "; select pulp_worker.recheck(); commit")


def guest_script():
    """What core/sql/sql2c.awk makes of the files that core/sql/guest.am lists."""
    with open(TOP + "/core/sql/guest.am") as text:
        names = re.search(r"SQL_GUEST \+= \\\n((?:.*\\\n)*.*\n)", text.read())[1]
    script = "".join(open("%s/%s" % (TOP, name)).read() for name in names.replace("\\\n", " ").split())
    return script.replace("search_path = pulp_worker, pg_catalog, public, pg_temp", "search_path = pg_temp, pg_catalog, public"
                          ).replace("pulp_worker.", "pg_temp.")


def without_schema(s):
    """A live Pulp where our schema is not installed."""
    s.q("drop schema pulp_worker cascade")
    live_pulp(s)


def live_pulp(s):
    """Makes it look like a live Pulp: its indexes, its insert trigger, its walk as python_walk()."""
    with open(TOP + "/tests/lib/python-side.sql") as text:
        s.q(text.read())
    s.q("create table django_migrations (app text)")


def make_template(name):
    s = Session("postgres")
    s.q("create database %s" % name)
    t = Session(name)
    install(t)
    t.close()
    s.close()


TEMPLATE = "template_%d" % os.getpid()


def fresh(template=TEMPLATE):
    name = "t_" + uuid.uuid4().hex[:12]
    s = Session("postgres")
    s.q("create database %s template %s" % (name, template))
    s.close()
    return name


def drop(name):
    s = Session("postgres")
    s.q("drop database if exists %s with (force)" % name)
    s.close()


# What the programs call.

TURN = (
    ("me", "uuid"), ("slots", "int"), ("served", "int[]"), ("floors", "bigint[]"), ("known", "int"),
    ("look", "uuid[]"), ("ended", "uuid[]"), ("ended_state", "text[]"), ("ended_result", "text[]"),
    ("ended_error", "text[]"), ("ended_kind", "text[]"), ("ended_remains", "int[]"),
    ("ended_rss", "bigint[]"), ("ended_cpu", "bigint[]"), ("report", "uuid[]"),
    ("report_task", "uuid[]"), ("report_code", "text[]"), ("report_message", "text[]"),
    ("report_state", "text[]"), ("report_total", "bigint[]"), ("report_done", "bigint[]"),
    ("report_suffix", "text[]"), ("log_task", "uuid[]"), ("log_part", "int[]"), ("log_text", "text[]"), ("lazy", "boolean"))
TURN_SQL = "select * from pulp_worker.turn(%s)" % ", ".join(
    "%s => %%(%s)s::%s" % (n, n, t) for n, t in TURN)


def ending(task, state="completed", result=None, error=None, kind=None, remains=0, rss=0, cpu=0):
    return (task, state, result, error, kind or state, remains, rss, cpu)


class Turn:
    """What a turn brought, by kind."""

    def __init__(self, rows):
        self.ended = {r[1]: r[4] for r in rows if r[0] == "ended"}
        self.marked, self.passed = [(r[2], r[4]) for r in rows if r[0] == "pass"][0]
        self.claimed = [(r[1], r[3], r[4]) for r in rows if r[0] == "claimed"]
        self.cids = {r[1]: r[5] for r in rows if r[0] == "claimed"}
        self.given = {r[1]: r[6:] for r in rows if r[0] == "claimed"}
        self.tasks = [c[0] for c in self.claimed]
        self.cancel = [r[1] for r in rows if r[0] == "cancel"]
        self.lost = [r[1] for r in rows if r[0] == "lost"]
        self.classes = {r[2]: (r[3], json.loads(r[4])) for r in rows if r[0] == "class"}
        self.floors = {r[2]: int(r[4]) for r in rows if r[0] == "floor"}


def turn(s, me, slots=0, served=(0,), floors=None, known=1 << 30, look=(), ended=(), reports=(), logs=(), lazy=False):
    """ended: of ending(); reports: (id, task, code, message, state, total, done, suffix);
    logs: (task, part, text)."""
    given = dict.fromkeys((n for n, _ in TURN), [])
    given.update(me=me, slots=slots, served=list(served), known=known, look=list(look),
                 floors=list(floors) if floors is not None else [0] * len(served), lazy=lazy)
    for rows, first, count in ((ended, 6, 8), (reports, 14, 8), (logs, 22, 3)):
        for i, column in enumerate(zip(*rows)):
            given[TURN[first + i][0]] = list(column)
    s.k.execute(TURN_SQL.replace("pulp_worker.", "pg_temp.") if s.guest else TURN_SQL, given)
    return Turn(s.k.fetchall())


def dispatch(s, func="t.x", **kw):
    """Named arguments as they are; returns the id. Guests have no key: their arguments are given as if they were encrypted."""
    if s.guest:
        kw = dict({"args": [], "kwargs": {}, "task_group": None, "exclusive_resources": [], "shared_resources": [],
                   "immediate": False, "deferred": True, "versions": None}, **kw)
        return s.v("select pulp_id from pulp_worker.dispatch_task(func => %s, parent => null, cid => null, sealed => true"
                   + "".join(", %s => %%s::%s" % (k, DISPATCH[k]) for k in kw) + ")", func, *(
                       json.dumps(v) if DISPATCH[k] == "jsonb" and v is not None else v for k, v in kw.items()))
    sql = "select pulp_id from pulp_worker.dispatch(func => %s" + "".join(
        ", %s => %%s::%s" % (k, DISPATCH[k]) for k in kw) + ")"
    return s.v(sql, func, *(json.dumps(v) if DISPATCH[k] == "jsonb" and v is not None else v
                            for k, v in kw.items()))


DISPATCH = {"args": "jsonb", "kwargs": "jsonb", "task_group": "uuid", "exclusive_resources": "text[]",
            "shared_resources": "text[]", "immediate": "boolean", "deferred": "boolean",
            "versions": "jsonb"}


def register(s, name="w", ttl="30 s", modules=(("t", "t", "1.0", "1"),), slots=4):
    m = list(zip(*modules)) or [(), (), (), ()]
    return s.v("select pulp_worker.register_worker(%s, %s::interval, 'host', 1, %s, %s::text[], "
               "%s::text[], %s::text[], %s::text[])", name, ttl, slots, *(list(c) for c in m))


def bare_task(s, record=None, name="t.x", state="waiting", created=None, versions="", immediate=False, **kw):
    """A plain INSERT, as Python does it."""
    row = dict(pulp_id=uuid.uuid4(), pulp_created=created or "now", state=state, name=name,
               logging_cid="x", versions=versions, immediate=immediate, deferred=True,
               pulp_api_version="v3", reserved_resources_record=record)
    row.update(kw)
    s.q("insert into public.core_task (%s, pulp_domain_id) select %s, pulp_id "
        "from public.core_domain where name = 'default'" % (
            ", ".join(row), ", ".join({"versions": "%s::public.hstore", "pulp_created": "%s::timestamptz",
                                       "reserved_resources_record": "%s::text[]",
                                       "immediate": "%s::boolean"}.get(k, "%s")
                                      for k in row)), *row.values())
    return row["pulp_id"]


@contextlib.contextmanager
def lock84(s):
    """Passes by hand: the lock of the session, so that each statement is a pass of its own."""
    s.q("select pg_advisory_lock(0, 84)")
    try:
        yield
    finally:
        s.q("select pg_advisory_unlock(0, 84)")


def settle(s, limit=1000, rounds=10000):
    """Passes until there is nothing more to do at once; returns how many."""
    with lock84(s):
        for n in range(1, rounds):
            if not s.v("select more from pulp_worker.pass(%s)", limit):
                return n
    raise AssertionError("settling does not end")


def state(s, task):
    return s.v("select state from public.core_task where pulp_id = %s", task)


def left(s):
    """What is still noted, by table: all empty when everything has ended and was settled."""
    return {t: n for t in ("inbox", "reservation", "ready", "wake", "again", "grown")
            for n in [s.v("select count(*) from pulp_worker." + t)] if n}


class Worker:
    """Plays a supervisor: keeps served classes and floors, ends what it is told to end."""

    def __init__(self, db, name="w", serves=lambda module, detail: True, slots=4, **kw):
        self.s = Session(db, name=name)
        self.me = register(self.s, name, slots=slots, **kw)
        self.serves, self.slots = serves, slots
        self.floors, self.known, self.running = {0: 0}, 0, {}

    def take(self, t):
        for number, (module, detail) in t.classes.items():
            self.known = max(self.known, number)
            if self.serves(module, detail):
                self.floors.setdefault(number, 0)
        self.floors.update(t.floors)
        for task, outcome in t.ended.items():
            if outcome != "locked":
                self.running.pop(task, None)
        for task, _, detail in t.claimed:
            self.running[task] = detail
        return t

    def turn(self, ended=(), slots=None, **kw):
        order = list(self.floors)
        return self.take(turn(
            self.s, self.me, self.slots - len(self.running) + len(ended) if slots is None else slots,
            order, [self.floors[n] for n in order], self.known, ended=[
                e if isinstance(e, tuple) else ending(e) for e in ended], **kw))

    def drain(self, rounds=1000, ended=lambda task: ending(task)):
        """Claims and ends until nothing comes any more; returns the order in which tasks came."""
        came, idle = [], 0
        for _ in range(rounds):
            t = self.turn(ended=[ended(task) for task in list(self.running)])
            came += t.tasks
            idle = 0 if t.claimed or self.running or t.passed != "done" or t.classes else idle + 1
            if idle > 1:
                return came
        raise AssertionError("it does not come to an end: %r" % self.running)


# Running tests.

REEXEC = r"""
. "$top_srcdir/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
pg_start $PULP_TEST_PG_SETTINGS
export PULP_TEST_SERVER=$pg_pid
/usr/bin/python3 "$0" "$@" &
python=$!
at_exit 'kill "$python" 2>/dev/null && wait "$python"'
wait "$python"
"""


def diag(text):
    for line in str(text).rstrip().split("\n"):
        print("#", line, flush=True)


class Skip(Exception):
    """Raised by a test where this machine lacks what it needs; says what."""


def need_server(settings=()):
    """Starts this script again below a private PostgreSQL, unless there is one."""
    if "PULP_TEST_SERVER" not in os.environ:
        script = os.path.abspath(sys.argv[0])
        os.environ["PULP_TEST_PG_SETTINGS"] = " ".join(settings)
        os.execv("/bin/bash", ["/bin/bash", "-c", REEXEC, script] + sys.argv[1:])


def run(*tests, settings=()):
    need_server(settings)
    diag("seed %d (PULP_TEST_SEED=%d repeats it)" % (SEED, SEED))
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed = 0
    print("1..%d" % len(chosen), flush=True)
    make_template(TEMPLATE)
    for i, t in enumerate(chosen, 1):
        random.seed(SEED)
        what = "%s: %s" % (t.__name__, (t.__doc__ or "").strip().split("\n")[0])
        db = fresh()
        start = time.monotonic()
        try:
            t(db)
            print("ok %d - %s" % (i, what), flush=True)
            diag("%.1f s" % (time.monotonic() - start))
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (i, what, why), flush=True)
        except Exception:
            failed += 1
            print("not ok %d - %s" % (i, what), flush=True)
            diag(traceback.format_exc())
        finally:
            drop(db)
    drop(TEMPLATE)
    sys.exit(1 if failed else 0)
