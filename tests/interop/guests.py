# SPDX-License-Identifier: MIT
"""Our schema not installed: the same scenarios, with our workers and programs as guests."""
import functools

import arguments
import clients
import load
import locks
import ours
import recovery
import rest
from table import quick, seats


def as_guest(scenario):
    """It, at a live Pulp without our schema."""
    @functools.wraps(scenario)
    def guest(p):
        assert not p.s.v("select count(*) from pg_namespace where nspname = 'pulp_worker'")
        scenario(p)
        assert not p.s.v("select count(*) from pg_trigger where tgname like 'pulp_worker%%'")
    guest.__name__ = "guest_" + scenario.__name__
    guest.__doc__ = "as guests: " + (scenario.__doc__ or "")
    guest.quick = False
    guest.schema = False
    return guest


@quick
@seats(schema=False)
def guest_refused(p):
    """what a guest cannot do it says: schedules of ours; what no plugin of its host gives a version"""
    done = p.program("pulp-task", "schedule", "add", "x", "example.greet", "--every", "1h", check=False)
    assert done.returncode == 78 and "pulp-task db install" in done.stderr, done
    done = p.program("pulp-task", "dispatch", "nosuch.task", check=False)
    assert done.returncode != 0 and "versions must be given" in done.stderr, done
    assert "programs join as guests" in p.program("pulp-task", "db", "check")


SCENARIOS = [guest_refused] + [as_guest(s) for s in (
    ours.joins, ours.python_dispatches_ours, ours.python_task_beside, ours.newer_than_ours, ours.ours_dispatches_ours,
    arguments.python_encrypts, arguments.ours_encrypts, arguments.many_at_once,
    *locks.SCENARIOS, clients.cli_cancel, clients.our_cancel, clients.our_group, clients.our_sight, clients.failures, rest.immediate,
    *recovery.SCENARIOS, load.few, load.many)]
for s in SCENARIOS:
    if s.__name__ in ("guest_few", "guest_ours_killed"):
        quick(s)
