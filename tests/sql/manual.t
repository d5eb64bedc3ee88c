#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pulp-sql(7): the functions are as it says, its examples run as they are printed, and a role with
the rights that it lists, and no others, can do all that it says."""
import contextlib
import io
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
from pulpdb import Session

PAGE = open(os.environ["top_srcdir"] + "/man/pulp-sql.7").read()


def display(after):
    """The literal display that follows this text."""
    text = PAGE[PAGE.index(after):]
    return text[text.index("\n", text.index(".Bd -literal")) + 1:text.index("\n.Ed")].replace("\\-", "-").replace("\\e", "\\")


def functions_are_as_the_page_says(db):
    """names and order of the arguments, and the columns of task_row"""
    s = Session(db)
    for name, args in re.findall(r"^\.It Fn pulp_worker\.(\w+) ?(.*)$", PAGE, re.M):
        got = s.v("select proargnames from pg_proc where pronamespace = 'pulp_worker'::regnamespace and proname = %s", name)
        assert (got or []) == args.split(), (name, got, args)
    listed = PAGE[PAGE.index("has, in this order:"):PAGE.index("They are columns of the table")]
    listed = re.findall(r"\w+", re.sub(r"\(.*?\)|\n\(jsonb\)", "", listed.replace("has, in this order:", "")))
    got = [r[0] for r in s.q("select attname from pg_attribute a join pg_type t on t.typrelid = a.attrelid "
                             "where t.typname = 'task_row' and attnum > 0 order by attnum")]
    assert listed == got, (listed, got)


def psql_example_runs(db):
    """as it is printed"""
    out = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", db], input=display('.\\" psql begins'), text=True,
                         capture_output=True)
    assert out.returncode == 0, out.stderr
    lines = out.stdout.split("\n")
    assert lines[0].endswith("|waiting") and lines[1] == "example.greet|waiting|" and lines[2] == "canceled", out.stdout


def python_example_runs(db):
    """as it is printed, while somebody plays the worker"""
    s = Session(db)
    me = pulpdb.register(s, modules=(("example", "c_example", "1.0", "1"),))
    out = io.StringIO()

    def run():
        with contextlib.redirect_stdout(out):
            exec(compile(display('.\\" python begins').replace("dbname=pulp", "dbname=%s user=%s" % (db, os.environ["PGUSER"])),
                         "pulp-sql.7", "exec"), {})
    example = threading.Thread(target=run)
    example.start()
    pulpdb.wait_until("the task", lambda: s.v("select count(*) from core_task"))
    t = pulpdb.turn(s, me, 1, [r[0] for r in s.q("select id from pulp_worker.requirement")] or [0])
    pulpdb.wait_until("the claim", lambda: t.tasks or t.tasks.extend(
        pulpdb.turn(s, me, 1, [r[0] for r in s.q("select id from pulp_worker.requirement")]).tasks) or t.tasks)
    pulpdb.turn(s, me, ended=[pulpdb.ending(t.tasks[0], result='"Hello, World!"')])
    example.join(20)
    assert out.getvalue() == "completed Hello, World!\n", out.getvalue()


def the_rights_are_enough(db):
    """for everything on the page, and for all questions of the programs; without them 42501"""
    s = Session(db)
    group = s.v("select pulp_worker.create_task_group('theirs')")
    s.q("drop role if exists app; create role app login")
    try:
        app = Session(db, user="app")
        app.fails("42501", "select pulp_worker.dispatch('t.x')")
        s.q(display(".Ss Rights"))
        task = pulpdb.dispatch(app, task_group=group, exclusive_resources=["a"])
        assert app.v("select state from pulp_worker.get_task(%s)", task) == "waiting"
        assert app.v("select pulp_worker.why_facts(%s)", task)["name"] == "t.x"
        assert app.v("select pulp_worker.cancel_task(%s)", task) == "canceled"
        pulpdb.dispatch(app, task_group=group, versions={})
        assert app.v("select pulp_worker.cancel_task_group(%s)", group) == 1
        assert app.v("select pulp_worker.create_task_group('mine')")
        for name, args in (("tasks", 7), ("task_watch", 1), ("task_prefix", 2), ("task_logs", 2), ("group", 2), ("workers", 0),
                           ("task_why", 1)):
            query = open("%s/core/sql/queries/%s.sql" % (pulpdb.TOP, name)).read()
            app.q(re.sub(r"\$\d", "null", query).replace("%", "%%"))
        schedule = "select pulp_worker.add_schedule(schedule_name => 'n', func => 't.x', every => '1 h', args => '[1]')"
        app.fails("42501", schedule)
        s.q(display("Who adds, removes and runs schedules"))
        assert app.v(schedule) and app.v("select pulp_worker.run_schedule('n')")
        query = open("%s/core/sql/queries/schedules.sql" % pulpdb.TOP).read()
        assert len(app.q(query.replace("$1", "null").replace("%", "%%"))) == 1
        assert app.v("select pulp_worker.remove_schedule('n')")
        for sql in ("delete from core_task", "insert into core_domain select * from core_domain",
                    "update core_appstatus set name = ''", "delete from pulp_worker.inbox"):
            app.fails("42501", sql)
        app.close()
    finally:
        s.q("drop owned by app; drop role app")


pulpdb.run(functions_are_as_the_page_says, psql_example_runs, python_example_runs, the_rights_are_enough)
