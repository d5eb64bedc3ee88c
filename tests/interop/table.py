# SPDX-License-Identifier: MIT
"""Runs scenarios at a live Pulp, speaking TAP.

    import table

    @table.seats(python=2, ours=1)
    def what_it_shows(p):
        '''One line that goes behind the name.'''
        task = p.dispatch("example.greet")
        assert p.ends(task).result == "Hello, world!"

    table.run("newest", module, ...)

p is a live.Live, the same for all scenarios of a module (its "table") until one fails; a scenario finds exactly the
workers of its seats running and may start more. After each no task may be left unfinished or locked, nobody may have
died, and no log of either side may have a line worse than information. @table.quick marks those that
"make check-interop-quick" runs. Arguments of the script choose scenarios by name.
"""
import os
import subprocess
import sys
import time
import traceback

import install
import live
import pulpdb

# TAP's mark for a failure that is expected.
EXPECTED = " # TO" "DO %s"


def seats(python=1, ours=1, alone=False, schema=True):
    """Which workers are there when it begins. alone: a database of its own."""
    def mark(scenario):
        scenario.seats = dict(python=python, ours=ours)
        scenario.alone = alone
        scenario.schema = schema
        return scenario
    return mark


def quick(scenario):
    """Also one of the quick ones."""
    scenario.quick = True
    return scenario


def since(version):
    """Only for a pulpcore that is so new: (3, 107)."""
    def mark(scenario):
        scenario.since = version
        return scenario
    return mark


def not_yet(reason):
    """Fails because of a fault that is known; the line says so, and it counts as passed until the fault is mended."""
    def mark(scenario):
        scenario.todo = reason
        return scenario
    return mark


class Table:
    """The live Pulp of a module, made when it is needed and again after a failure."""

    def __init__(self, which, venv, template):
        self.which, self.venv, self.template, self.live = which, venv, template, None

    def sit(self, scenario):
        """The live Pulp with the workers that the scenario wants."""
        schema = getattr(scenario, "schema", True)
        if self.live and (getattr(scenario, "alone", False) or self.live.schema != schema):
            self.leave(True)
        if not self.live:
            self.live = live.Live(self.which, pulpdb.fresh(self.template), self.venv, schema)
            self.live.start()
        self.live.need(**getattr(scenario, "seats", {"python": 1, "ours": 1}))
        return self.live

    def leave(self, good):
        """Takes it down; raises if something was left."""
        was, self.live = self.live, None
        if was:
            try:
                was.close(good)
            finally:
                pulpdb.drop(was.db)

    def logs(self):
        """What everybody wrote last."""
        if self.live:
            for process in self.live.processes:
                pulpdb.diag("log of %s:\n%s" % (process.name, process.log()[-3000:]))


def attempt(table, scenario):
    """True if it went well, and then also its aftermath."""
    try:
        p = table.sit(scenario)
        scenario(p)
        p.aftermath()
        if getattr(scenario, "alone", False):
            table.leave(True)
        return True
    except Exception:
        pulpdb.diag(traceback.format_exc())
        table.logs()
        try:
            table.leave(False)
        except Exception:
            pulpdb.diag(traceback.format_exc())
        return False


def scenarios_of(modules, is_quick):
    """Those to run, in order: (module, scenario)."""
    found = [(m, s) for m in modules for s in m.SCENARIOS]
    if sys.argv[1:]:
        return [(m, s) for m, s in found if s.__name__ in sys.argv[1:]]
    return [(m, s) for m, s in found if not is_quick or getattr(s, "quick", False)]


def template_of(which, venv, name):
    """A database with the migrated Pulp in it."""
    folder = os.path.join(os.environ["TEST_USER_DIR"], "migrate-" + which)
    os.mkdir(folder)
    subprocess.run(["chown", "%s:" % os.environ["PULP_TEST_USER"], folder], check=True)
    path = install.migrated(which, venv, live.account(), folder)
    s = pulpdb.Session("postgres")
    s.q("create database " + name)
    s.close()
    install.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", path)
    return name


def plan(which, chosen):
    """Prints the plan; the scenarios with their lines."""
    version = tuple(int(n) for n in install.version_of(which)[0].split("."))
    print("1..%d" % len(chosen), flush=True)
    lines = []
    for number, (module, scenario) in enumerate(chosen, 1):
        what = "%d - %s %s: %s" % (number, install.version_of(which)[0], scenario.__name__,
                                   (scenario.__doc__ or "").strip().split("\n")[0])
        skip = getattr(scenario, "since", (0,)) > version
        lines.append((module, scenario, what, skip))
    return lines


def run(which, *modules, is_quick=False):
    """Runs them."""
    pulpdb.need_server(["max_connections=200", "log_min_messages=warning"])
    chosen = scenarios_of(modules, is_quick)
    start = time.monotonic()
    venv = install.environment_for(live.account(), which)
    table = Table(which, venv, template_of(which, venv, "pulp_" + which))
    pulpdb.diag("a live pulpcore %s after %.0f s" % (install.version_of(which)[0], time.monotonic() - start))
    failed, last = 0, None
    for module, scenario, what, skip in plan(which, chosen):
        if skip:
            print("ok %s # SKIP pulpcore is older" % what, flush=True)
            continue
        if module is not last and last is not None:
            failed += not_left(table)
        last = module
        start = time.monotonic()
        good = attempt(table, scenario)
        todo = getattr(scenario, "todo", None)
        print("%s %s%s" % ("ok" if good else "not ok", what, EXPECTED % todo if todo else ""), flush=True)
        pulpdb.diag("%.1f s" % (time.monotonic() - start))
        failed += not good and not todo
    failed += not_left(table)
    pulpdb.drop("pulp_" + which)
    sys.exit(1 if failed else 0)


def not_left(table):
    """Leaves the table; 1 if something was left, which ends the whole with a failure."""
    try:
        table.leave(True)
        return 0
    except Exception:
        pulpdb.diag(traceback.format_exc())
        print("Bail out! something was left", flush=True)
        return 1
