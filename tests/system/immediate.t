#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Immediate tasks: run by who dispatches them, before dispatch returns; and by workers, within 5 seconds."""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import everybody, wait_until

QUICK = r"""
#include <pulp/plugin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

PULP_PLUGIN("quick", "c_quick", "2.0.0", "Immediate tasks");

/* Goes on whatever is asked of it. */
static void deaf(pulp_context *ctx, const char *name)
{
	signal(SIGTERM, SIG_IGN);
	printf("%s in %s\n", name, ctx->directory);
	fflush(stdout);
	for (;;)
		pause();
}

PULP_TASK(echo, "Say it" PULP_IMMEDIATE)
{
	pulp_progress(ctx, "steps", "Steps", 1, 2);
	printf("out\n");
	pulp_log(ctx, PULP_WARNING, "logged");
	pulp_progress(ctx, "steps", "Steps", 2, 2);
	return pulp_result(ctx, ctx->kwargs);
}
PULP_TASK(wrong, "Fail" PULP_IMMEDIATE) { return pulp_fail(ctx, "it went wrong"); }
PULP_TASK(slow, "Never end" PULP_IMMEDIATE) { deaf(ctx, "slow"); return pulp_done(ctx); }
PULP_TASK(brief, "Never end, with a limit of its own" PULP_IMMEDIATE PULP_TIMEOUT(1s)) { deaf(ctx, "brief"); return pulp_done(ctx); }
PULP_TASK(crash, "Crash" PULP_IMMEDIATE) { abort(); }
PULP_TASK(plain, "Not to be run at once") { return pulp_done(ctx); }
PULP_TASK(parent, "Dispatch another" PULP_IMMEDIATE)
{
	const char *answer;

	if (pulp_request(ctx, "dispatch", "{\"func\": \"quick.plain\"}", &answer) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_result(ctx, answer);
}
PULP_TASK(purge, "What only trusted ones may" PULP_IMMEDIATE)
{
	const char *answer;

	if (pulp_request(ctx, "purge_batch", "{\"finished_before\": \"2020-01-01\", \"states\": [\"completed\"], \"limit\": 1}", &answer) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_result(ctx, answer);
}
PULP_TASK(daemon, "Leave something behind" PULP_IMMEDIATE)
{
	if (fork() == 0) {
		setsid();
		for (;;)
			pause();
	}
	return pulp_done(ctx);
}
"""


def run(h, *args, **env):
    return h.run("pulp-task", "dispatch", "--immediate", *args, **env)


def ran(h, *args, status=0, **env):
    """Runs it; returns its id."""
    done = run(h, *args, **env)
    assert done.returncode == status, done
    return done.stdout.strip()


def nothing_left(h):
    """No row, no directory, no lock."""
    assert h.s.v("select count(*) from core_appstatus where name like 'immediate-%'") == 0
    assert not [x for x in os.listdir(h.work) if "immediate" in x], os.listdir(h.work)
    assert h.s.v("select count(*) from core_task where app_lock_id is not null") == 0
    assert not pulpdb.left(h.s), pulpdb.left(h.s)


@everybody
def here(h):
    """it runs on this host, in a child, and has ended when dispatch returns; nothing is left"""
    h.build(QUICK, "quick")
    t = ran(h, "quick.echo", "--kwargs", '{"a": 1}')
    got = h.look(t)
    assert (got.state, got.result, got.error, got.kind) == ("completed", {"a": 1}, None, "completed"), got
    assert got.worker.startswith("immediate-"), got
    assert got.unblocked_at <= got.started_at <= got.finished_at
    assert h.s.one("select immediate, deferred, versions -> 'c_quick' from core_task where pulp_id = %s", t) == (True, True, "2.0.0")
    assert h.s.q("select code, state, done, total from core_progressreport where task_id = %s", t) == [("steps", "completed", 2, 2)]
    assert "out" in h.log_of(t) and "logged" in h.log_of(t)
    nothing_left(h)
    for name, error, kind in (
            ("wrong", {"description": "it went wrong", "traceback": ""}, "failed"),
            ("crash", {"reason": "Killed by signal 6."}, "signal"),
            ("nosuch", {"description": "module 'quick' has no task 'nosuch'", "traceback": ""}, "failed"),
            ("plain", {"description": "[PLP0023] Task type 'quick.plain' is misconfigured: Immediate tasks must be declared PULP_IMMEDIATE.",
                       "traceback": "", "error_code": "PLP0023"}, "failed"),
            ("purge", {"description": "this plugin is not trusted with that request (setting trusted_plugins)", "traceback": ""}, "failed")):
        h.ends(ran(h, "quick." + name), "failed", error, kind)
    done = run(h, "quick.wrong", "--wait")
    assert done.returncode == 1, done
    t = ran(h, "quick.daemon")
    assert h.look(t).remains == 1
    t = ran(h, "quick.parent")
    child = h.look(t).result["pulp_id"]
    assert str(h.s.v("select parent_task_id from core_task where pulp_id = %s", child)) == t
    assert h.look(child).state == "waiting"
    h.cancel(child)
    pulpdb.settle(h.s)
    nothing_left(h)


def limit(h):
    """the 5 seconds are enforced, whatever the task does; also by a worker"""
    h.build(QUICK, "quick")
    start = time.monotonic()
    t = ran(h, "quick.slow")
    took = time.monotonic() - start
    assert 5 <= took < 5 + system.PATIENCE / 3, took
    h.ends(t, "failed", {"description": "[PLP0024] Immediate task %s (type: quick.slow) timed out after 5 seconds." % t,
                         "traceback": "", "error_code": "PLP0024"}, "timeout")
    t = ran(h, "quick.brief")
    assert h.look(t).seconds < 4 and "after 1 seconds" in h.look(t).error["description"], h.look(t)
    h.worker()
    t = str(h.s.v("select pulp_id from pulp_worker.dispatch('quick.slow', immediate => true)"))
    h.ends(t, "failed", {"description": "[PLP0024] Immediate task %s (type: quick.slow) timed out after 5 seconds." % t,
                         "traceback": "", "error_code": "PLP0024"}, "timeout")
    assert h.look(t).seconds < 5 + system.PATIENCE / 3
    t = str(h.s.v("select pulp_id from pulp_worker.dispatch('quick.plain', immediate => true)"))
    h.wait(t, "failed")
    assert h.look(t).error["error_code"] == "PLP0023"


def matrix(h):
    """immediate and deferred, resources free and taken: as the original's matrix says"""
    h.build(QUICK, "quick")
    w = h.worker()
    holder = h.task("mark", until="go", exclusive=["r"])
    h.wait_lines("marks", 1)
    shared = ran(h, "quick.echo", "--shared", "s")
    assert h.look(shared).state == "completed", "another resource is free"
    done = run(h, "quick.echo", "--exclusive", "r")
    kept = done.stdout.strip()
    assert "left to a worker: a resource that it needs is taken" in done.stderr, done
    got = h.look(kept)
    assert (got.state, got.unblocked_at, got.app_lock_id) == ("waiting", None, None), got
    done = run(h, "quick.echo", "--exclusive", "r", "--no-deferred")
    t = done.stdout.strip()
    assert done.returncode == 0, done
    got = h.look(t)
    assert (got.state, got.error) == ("canceled", {"reason": "Resources temporarily unavailable."}), got
    assert (got.started_at, got.unblocked_at, got.app_lock_id) == (None, None, None) and got.finished_at, got
    done = run(h, "quick.echo", "--shared", "r", "--no-deferred", "--wait")
    assert done.returncode == 3, done
    later = ran(h, "quick.echo", "--exclusive", "r")
    h.release("go")
    h.ends(holder, "completed")
    first, second = h.ends(kept, "completed"), h.ends(later, "completed")
    assert first.worker == "w" and second.worker == "w" and first.finished_at <= second.started_at
    assert h.look(ran(h, "quick.echo", "--exclusive", "r", "--no-deferred")).state == "completed", "free again"
    # not here: left to a worker, or refused
    h.task("done")
    done = run(h, "hostile.done", PULP_PLUGIN_PATH=h.dir)
    t = done.stdout.strip()
    assert "left to a worker: no plugin of this host has its module" in done.stderr, done
    assert h.s.one("select immediate, deferred from core_task where pulp_id = %s", t) == (True, True)
    done = run(h, "nosuch.task", "--no-deferred")
    assert done.returncode == 64 and "no plugin of this host has its module" in done.stderr and not done.stdout, done
    done = run(h, "quick.echo", "--no-deferred", "--require", "c_quick=3")
    assert done.returncode == 64 and "version" in done.stderr, done
    t = ran(h, "quick.echo", "--require", "c_quick=3")
    assert h.look(t).state == "waiting"
    h.cancel(t)
    done = h.run("pulp-task", "dispatch", "quick.echo", "--no-deferred")
    assert done.returncode == 64 and "A task must be at least" in done.stderr, done
    done = run(h, "nodot")
    assert done.returncode == 64 and "dot" in done.stderr, done
    # the operator may have them all deferred
    t = ran(h, "quick.echo", PULP_TASK_PREFER_DEFER="yes")
    assert h.s.v("select immediate from core_task where pulp_id = %s", t) is False
    h.ends(t, "completed")
    done = run(h, "quick.echo", PULP_TASK_PREFER_DEFER="perhaps")
    assert done.returncode == 78 and "neither yes nor no" in done.stderr, done


def busy_lock(h):
    """somebody sits on the lock of the pass: a bounded wait, then it is left to the workers, or canceled"""
    h.build(QUICK, "quick")
    x = pulpdb.Session(h.db)
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 84)")
    t = ran(h, "quick.echo")
    assert h.look(t).state == "waiting" and h.look(t).app_lock_id is None
    u = ran(h, "quick.echo", "--no-deferred")
    assert h.look(u).state == "canceled"
    x.rollback()
    h.worker()
    assert h.ends(t, "completed").worker == "w"


def canceled(h):
    """a cancel reaches it, by notification and without one"""
    h.build(QUICK, "quick")
    for notify in True, False:
        p = subprocess.Popen(["pulp-task", "dispatch", "--immediate", "quick.slow"], env=h.env, stdout=subprocess.PIPE)
        wait_until("it to run", lambda: h.s.v("select count(*) from core_task where state = 'running'"))
        t = h.s.v("select pulp_id from core_task where state = 'running'")
        if notify:
            assert h.cancel(t) == "canceling"
        else:
            h.s.q("update core_task set state = 'canceling' where pulp_id = %s", t)
        p.communicate(timeout=system.PATIENCE)
        assert p.returncode == 0
        got = h.ends(t, "canceled", None)
        assert got.seconds < 5 + system.PATIENCE / 3
    nothing_left(h)


def died(h):
    """who dispatched it is killed: its child dies too, and the task is ended by the workers' clean-up"""
    h.build(QUICK, "quick")
    p = subprocess.Popen(["pulp-task", "dispatch", "--immediate", "quick.slow"], env=dict(h.env, PULP_WORKER_TTL="2s"),
                         stdout=subprocess.PIPE)
    wait_until("it to run", lambda: h.s.v("select count(*) from core_task where state = 'running'"))
    t = h.s.v("select pulp_id from core_task where state = 'running'")
    children = []
    wait_until("its child", lambda: len(children) >= 2 or children.extend(
        c for c in system.below(p.pid) if c not in children))
    p.kill()
    p.communicate()
    wait_until("the children to die", lambda: not [c for c in children if system.alive(c)])
    h.worker("w", "--worker-ttl", "2s")
    h.ends(t, "failed", {"reason": "Worker has gone missing."}, "lost")
    assert not [x for x in os.listdir(h.work) if "immediate" in x], os.listdir(h.work)


def begun(h, **env):
    """One that runs: the program, its task, and its processes."""
    p = subprocess.Popen(["pulp-task", "dispatch", "--immediate", "quick.slow"], env=dict(h.env, **env), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, universal_newlines=True)
    wait_until("it to run", lambda: h.s.v("select count(*) from core_task where state = 'running'"))
    wait_until("its processes", lambda: len(system.below(p.pid)) >= 2)
    return p, h.s.v("select pulp_id from core_task where state = 'running'"), system.below(p.pid)


def database_lost(h):
    """its connection is cut while it runs: it is stopped, that is said, and the workers end the task"""
    h.build(QUICK, "quick")
    p, t, children = begun(h)
    h.s.q("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pulp-immediate'")
    out, err = p.communicate(timeout=system.PATIENCE)
    assert p.returncode == 69 and out.strip() == str(t), (p.returncode, out, err)
    assert "the database was lost while task %s ran here, so it was stopped" % t in err, err
    assert not [c for c in children if system.alive(c)] and os.listdir(h.work) == [], os.listdir(h.work)
    h.s.q("update core_appstatus set last_heartbeat = now() - interval '1 hour'")
    h.worker()
    h.ends(t, "failed", {"reason": "Worker has gone missing."}, "lost")


def stood_still(h):
    """who dispatched it is stopped for longer than its ttl: the child is killed without him, and he is told"""
    h.build(QUICK, "quick")
    p, t, children = begun(h, PULP_WORKER_TTL="2s")
    os.kill(p.pid, signal.SIGSTOP)
    h.worker("w", "--worker-ttl", "2s")
    h.ends(t, "failed", {"reason": "Worker has gone missing."}, "lost")
    assert len([c for c in children if system.alive(c)]) <= 1, "only the host waits for him"
    os.kill(p.pid, signal.SIGCONT)
    out, err = p.communicate(timeout=system.PATIENCE)
    assert p.returncode == 75 and "was taken away from this process" in err, (p.returncode, out, err)
    assert not [c for c in children if system.alive(c)]


def stopped_host(h):
    """its host stands still: the limit is kept all the same, and nothing is left"""
    h.build(QUICK, "quick")
    p, t, children = begun(h)
    os.kill(children[0], signal.SIGSTOP)
    p.communicate(timeout=2 * system.PATIENCE)
    assert p.returncode == 0
    h.wait(t, "failed")
    assert h.look(t).kind == "timeout" and not [c for c in children if system.alive(c)]
    nothing_left(h)


def no_room(h):
    """no directory can be made: it fails with that reason"""
    h.build(QUICK, "quick")
    t = ran(h, "quick.echo", PULP_WORKING_DIRECTORY=os.path.join(h.dir, "worker.conf"))
    got = h.wait(t, "failed")
    assert got.kind == "setup" and "Task setup failed at step start: " in got.error["reason"], got


def from_sql(h):
    """SQL leaves it to a worker, which takes it first; one that may not be deferred is refused"""
    h.build(QUICK, "quick")
    try:
        h.s.q("select pulp_worker.dispatch('quick.echo', immediate => true, deferred => false)")
        raise AssertionError("it was not refused")
    except pulpdb.psycopg2.Error as e:
        assert e.pgcode == "0A000", e
    plain = [h.task("done") for _ in range(3)]
    t = h.s.v("select pulp_id from pulp_worker.dispatch('quick.echo', immediate => true)")
    h.worker(slots=1)
    got = h.ends(t, "completed")
    for p in plain:
        assert h.ends(p, "completed").started_at >= got.started_at


system.run(here, limit, matrix, busy_lock, canceled, died, database_lost, stood_still, stopped_host, no_room, from_sql)
