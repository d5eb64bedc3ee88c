#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The sharp edges of the original that show in running workers, by their numbers (tests/README.md);
the others are in tests/sql/edges.t. Where nothing but the event may help, polling is 5 minutes away."""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from cryptography.fernet import Fernet
from system import wait_until

SELDOM = ("--poll-interval", "300s")
SHORT = ("--worker-ttl", "2s")
MISSING = {"reason": "Worker has gone missing."}
QUICK = r"""
#include <pulp/plugin.h>
#include <signal.h>
#include <unistd.h>

PULP_PLUGIN("quick", "c_quick", "1.0", "Immediate tasks");
PULP_TASK(done, "End" PULP_IMMEDIATE) { return pulp_done(ctx); }
PULP_TASK(block, "Never end, and never ask" PULP_IMMEDIATE)
{
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
	return pulp_done(ctx);
}
"""


def started(h, file, task):
    """Its process, once it has noted its start."""
    wait_until("the task to start", lambda: any(str(task) in line for line in h.read(file)), system.PATIENCE)
    return [int(line.split()[2]) for line in h.read(file) if str(task) in line][0]


def at_once(h, *args):
    """Dispatches an immediate task by pulp-task; the id."""
    done = h.run("pulp-task", "dispatch", "--immediate", *args)
    assert done.returncode == 0, done
    return done.stdout.strip()


def edge_01_queued_before_the_worker(h):
    """what was queued while no worker listened runs when one starts, with nothing else to wake it"""
    tasks = [h.task("done", exclusive=["r"]) for _ in range(3)]
    h.worker("w", *SELDOM, slots=1)
    for t in tasks:
        h.ends(t, "completed")


def edge_02_running_task_of_a_dead_worker(h):
    """it is ended on an otherwise idle system"""
    a = h.worker("a", *SHORT)
    t = h.task("deaf")
    started(h, "deaf", t)
    h.worker("b", *SHORT, *SELDOM)
    a.kill()
    h.ends(t, "failed", MISSING, "lost")
    h.workers[1].stop()
    h.worker("a", *SHORT)       # sweeps what was left


def edge_04_cancel_of_what_nobody_serves(h):
    """canceled and abandoned tasks that the worker cannot run are ended by it nevertheless"""
    h.worker("w", *SELDOM)
    canceled, abandoned = (h.task("done", versions={"c_hostile": "99"}) for _ in range(2))
    for t in canceled, abandoned:
        wait_until("it to be settled", lambda t=t: h.look(t).unblocked_at)
    h.works()
    h.s.q("update core_task set state = 'canceling' where pulp_id = %s", canceled)
    h.s.q("update core_task set state = 'running', started_at = now() where pulp_id = %s", abandoned)
    h.s.q("select pg_notify('pulp_worker_wakeup', 'unblock')")
    assert h.wait(canceled, "canceled").error is None
    assert h.wait(abandoned, "failed").error == MISSING


def edge_06_immediate_but_blocked(h):
    """it runs when its blocker ends, with nothing else to wake the worker"""
    h.build(QUICK, "quick")
    h.worker("w", *SELDOM)
    holder = h.task("mark", until="go", exclusive=["r"])
    started(h, "marks", holder)
    t = at_once(h, "quick.done", "--exclusive", "r")
    assert h.look(t).state == "waiting"
    h.release("go")
    h.ends(holder, "completed")
    assert h.ends(t, "completed").worker == "w"


def edge_07_busy_lock_and_burst(h):
    """a burst worker that finds lock 84 taken does not end before it has looked"""
    x = pulpdb.Session(h.db)
    x.begin()
    x.q("select pg_advisory_xact_lock(0, 84)")
    t = h.task("done")
    w = h.worker("w", "--burst", ready=False)
    w.wait_log("event=plugin.up")
    assert h.look(t).state == "waiting" and w.process.poll() is None
    x.rollback()
    assert w.wait() == 0
    h.ends(t, "completed")


def edge_09_not_deferrable_and_taken(h):
    """immediate, not deferrable, resources taken: canceled, and nothing is locked"""
    h.build(QUICK, "quick")
    h.worker()
    holder = h.task("mark", until="go", exclusive=["r"])
    started(h, "marks", holder)
    t = at_once(h, "quick.done", "--exclusive", "r", "--no-deferred")
    got = h.look(t)
    assert (got.state, got.error, got.app_lock_id) == ("canceled", {"reason": "Resources temporarily unavailable."}, None), got
    assert h.s.v("select count(*) from core_appstatus") == 1
    h.release("go")
    h.ends(holder, "completed")


def edge_11_cancel_before_it_is_started(h):
    """a cancel between the claim and the start: canceled, and the task never runs"""
    w = h.worker()
    zygote = w.zygotes()["hostile"]
    os.kill(zygote, signal.SIGSTOP)
    t = h.task("mark", file="never")
    h.wait(t, "running")
    assert h.cancel(t) == "canceling"
    w.wait_log("%s.* event=task.cancel" % t)        # it has heard of it
    os.kill(zygote, signal.SIGCONT)
    h.ends(t, "canceled")
    assert not h.read("never")


def edge_12_ends_while_canceling(h):
    """a task that is done before its worker hears of the cancel is canceled, and the worker's log says what its row says"""
    w = h.worker("w", *SELDOM)
    t = h.task("mark", until="go")
    started(h, "marks", t)
    h.s.q("update core_task set state = 'canceling' where pulp_id = %s", t)     # and no notification
    h.release("go")
    got = h.wait(t)
    assert (got.state, got.error, got.result) == ("canceled", None, None) and got.finished_at, got
    w.wait_log("%s.* event=task.ended" % t)
    ends = re.findall(r"%s.* event=task\.ended .*" % t, w.log())
    assert len(ends) == 1 and " state=canceled kind=canceled " in ends[0] and ends[0].endswith(" said=completed"), ends
    h.works()


def edge_13_orphan_and_resource(h):
    """what a killed worker ran is dead before the next task of its resource starts"""
    a = h.worker("a", *SHORT)
    lost = h.task("stubborn", exclusive=["r"])
    pid = started(h, "stubborn", lost)
    h.worker("b", *SHORT)
    heir = h.task("mark", exclusive=["r"])
    a.kill()
    started(h, "marks", heir)
    assert not system.alive(pid)
    h.ends(lost, "failed", MISSING, "lost")
    h.ends(heir, "completed")
    h.workers[1].stop()
    h.worker("a", *SHORT)


def edge_14_versions_that_are_none(h):
    """a row with unparsable or NULL versions kills no worker, now or after a restart"""
    bad = [pulpdb.bare_task(h.s, [], name="hostile.done", versions=v) for v in ('c_hostile=>"no version"', "c_hostile=>NULL")]
    for _ in range(2):
        w = h.worker()
        for t in bad:
            wait_until("it to be settled", lambda t=t: h.look(t).unblocked_at)
        h.works()
        assert w.process.poll() is None
        assert [h.look(t).state for t in bad] == ["waiting"] * 2
        assert w.stop() == 0
    for t in bad:
        assert h.cancel(t) == "canceled"


def edge_15_cancel_of_an_immediate_task(h):
    """one that a worker runs, and one that it is about to run, are canceled; the worker goes on"""
    h.build(QUICK, "quick")
    w = h.worker()
    for before in False, True:
        zygote = w.zygotes()["quick"]
        if before:
            os.kill(zygote, signal.SIGSTOP)
        t = h.s.v("select pulp_id from pulp_worker.dispatch('quick.block', immediate => true)")
        h.wait(t, "running")
        assert h.cancel(t) == "canceling"
        if before:
            os.kill(zygote, signal.SIGCONT)
        h.ends(t, "canceled")
    h.works()
    assert w.process.poll() is None


def edge_16_junk_and_lost_connections(h):
    """junk on every channel and the loss of all connections kill no worker (database.t restarts PostgreSQL)"""
    w = h.worker("w", "--poll-interval", "1s")
    channels = ("wakeup", "cancel", "metrics_heartbeat")
    for channel in channels:
        for junk in "", "junk", "a:b:c:d", "\u00e9" * 1000, "2026-13-45", "{}", "1" * 5000:
            h.s.q("select pg_notify(%s, %s)", "pulp_worker_" + channel, junk)
    h.works()
    row = h.s.v("select pulp_id from core_appstatus")
    assert h.s.q("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pulp-worker' "
                 "and datname = current_database()") == [(True,)] * 2
    h.works()
    w.wait_connected()
    assert w.process.poll() is None and h.s.v("select pulp_id from core_appstatus") == row


def edge_17_row_deleted_while_canceling(h):
    """the worker's row is deleted while a task is canceling: it registers anew, and the task is canceled"""
    w = h.worker("w", *SHORT)
    t = h.task("stubborn")
    pid = started(h, "stubborn", t)
    h.s.q("begin; update core_task set app_lock_id = null, state = 'canceling' where app_lock_id is not null; "
          "delete from core_appstatus; commit")
    w.wait_log("event=worker.registered", 2)
    assert h.wait(t, "canceled").error is None
    assert not system.alive(pid) and w.process.poll() is None
    h.works()


def edge_18_cancel_after_term(h):
    """a worker that drains, or has read its settings anew, still cancels"""
    w = h.worker("w", "--cancel-term-after", "100ms", "--cancel-kill-after", "300ms")
    for number, said in (signal.SIGHUP, "event=worker.reloaded"), (signal.SIGTERM, "event=worker.stopping"):
        t = h.task("stubborn")
        pid = started(h, "stubborn", t)
        w.send(number)
        w.wait_log(said)
        assert h.cancel(t) == "canceling"
        h.ends(t, "canceled")
        assert not system.alive(pid)
    assert w.wait() == 0


def edge_19_steps_of_a_cancel(h):
    """TERM and KILL come when the settings say, not with a heartbeat; KILL comes to who ignores all else"""
    h.worker("w", "--worker-ttl", "3000s", "--cancel-term-after", "300ms", "--cancel-kill-after", "900ms", *SELDOM)
    for name, least in ("deaf", 0.3), ("stubborn", 0.9):
        t = h.task(name)
        pid = started(h, name, t)
        start = time.monotonic()
        assert h.cancel(t) == "canceling"
        h.ends(t, "canceled")
        took = time.monotonic() - start
        assert least <= took < least + system.PATIENCE / 3, took
        assert not system.alive(pid)


def edge_20_second_int(h):
    """no child, row or directory is left; after a kill the next worker removes the directory, whatever its name"""
    w = h.worker()
    t = h.task("stubborn")
    pid = started(h, "stubborn", t)
    w.send(signal.SIGINT)
    w.wait_log("event=worker.stopping")
    w.send(signal.SIGINT)
    assert w.wait() == 0
    assert not system.alive(pid) and not h.leftovers(), h.leftovers()
    h.wait(t, "failed")
    a = h.worker("a", *SHORT)
    assert os.path.isdir(os.path.join(h.work, "a"))
    a.kill()
    h.worker("b", *SHORT)
    assert not os.path.isdir(os.path.join(h.work, "a"))
    wait_until("its row to go", lambda: h.s.q("select name from core_appstatus") == [("b",)], system.PATIENCE)


def edge_21_two_of_one_name(h):
    """the second is refused, and the first keeps its directory and its task"""
    h.worker("same")
    t = h.task("mark", until="go")
    started(h, "marks", t)
    inside = os.listdir(os.path.join(h.work, "same"))
    second = h.worker("same", ready=False)
    h.workers.remove(second)
    assert second.wait() == 75, second.log()
    assert inside and os.listdir(os.path.join(h.work, "same")) == inside
    h.release("go")
    h.ends(t, "completed")


def edge_22_blocking_immediate_task(h):
    """heartbeats go on while it blocks, and it is ended after 5 seconds"""
    h.build(QUICK, "quick")
    h.worker("w", *SHORT)
    beat = "select last_heartbeat from core_appstatus where name = 'w'"
    t = h.s.v("select pulp_id from pulp_worker.dispatch('quick.block', immediate => true)")
    h.wait(t, "running")
    before = h.s.v(beat)
    wait_until("two heartbeats", lambda: h.s.v(beat + " and last_heartbeat > %s + interval '1 s'", before), system.PATIENCE)
    assert h.look(t).state == "running"
    got = h.ends(t, "failed", {"description": "[PLP0024] Immediate task %s (type: quick.block) timed out after 5 seconds." % t,
                               "traceback": "", "error_code": "PLP0024"}, "timeout")
    assert 5 <= got.seconds < 5 + system.PATIENCE / 3
    h.works()


def edge_27_many_tasks_a_worker(h):
    """one worker runs as many at once as it has slots, over two connections"""
    h.worker(slots=8)
    tasks = [h.task("mark", until="go") for _ in range(8)]
    h.wait_lines("marks", 8)
    assert h.s.v("select count(*) from pg_stat_activity where datname = current_database() and application_name <> 'test'") == 2
    h.release("go")
    for t in tasks:
        h.ends(t, "completed")


def edge_28_lock_of_an_immediate_task(h):
    """one that ran where it was dispatched holds no lock afterwards, and no row"""
    h.build(QUICK, "quick")
    got = h.look(at_once(h, "quick.done", "--exclusive", "r"))
    assert (got.state, got.app_lock_id) == ("completed", None), got
    assert h.s.v("select count(*) from core_appstatus") == 0


def edge_31_ttl_of_one_second(h):
    """a ttl of 1 s: the worker stays, and does not spin"""
    w = h.worker("w", "--worker-ttl", "1s", *SELDOM)

    def spent():
        with open("/proc/%d/stat" % w.pid) as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    row, beat = h.s.one("select pulp_id, last_heartbeat from core_appstatus")
    start, before = time.monotonic(), spent()
    wait_until("3 seconds of heartbeats", lambda: h.s.v(
        "select last_heartbeat - %s > interval '3 s' from core_appstatus", beat), system.PATIENCE)
    took = time.monotonic() - start
    assert spent() - before < took / 4, (spent() - before, took)
    assert h.s.q("select pulp_id from core_appstatus") == [(row,)]


def edge_32_time_to_find_the_dead(h):
    """it is the ttl and a few beats: 12 s for a ttl of 2 s"""
    a = h.worker("a", *SHORT)
    t = h.task("deaf")
    started(h, "deaf", t)
    h.worker("b", *SHORT, *SELDOM)
    a.kill()
    start = time.monotonic()
    wait_until("the dead to be found", lambda: h.s.q("select name from core_appstatus") == [("b",)], system.PATIENCE)
    h.ends(t, "failed", MISSING, "lost")
    took = time.monotonic() - start
    assert took < 2 + 10 + 20, took     # 20: patience with a busy machine
    h.workers[1].stop()
    h.worker("a", *SHORT)


def edge_36_key_file(h):
    """one file with a comment and two keys does for the start-up check, the reader and the writer"""
    path = os.path.join(h.dir, "keys")
    with open(path, "wb") as file:
        file.write(b"# newest first\n" + Fernet.generate_key() + b"\n" + Fernet.generate_key() + b"\n")
    os.chmod(path, 0o644)
    h.worker("w", "--db-encryption-key", path)
    done = h.run("pulp-task", "dispatch", "hostile.result", "--args", '["secret"]', PULP_DB_ENCRYPTION_KEY=path)
    assert done.returncode == 0, done
    t = done.stdout.strip()
    assert h.ends(t, "completed").result == ["secret"]
    assert "secret" not in h.s.v("select enc_args::text from core_task where pulp_id = %s", t)


def edge_40_exit_and_outside_signals(h):
    """exit(0) and a signal from outside are reported as what they are; USR1 asks a task here to stop"""
    h.worker()
    h.ends(h.task("exit", status=0), "failed", {"reason": "Task process died unexpectedly with exitcode 0."}, "exit")
    t = h.task("obey")
    os.kill(started(h, "obey", t), signal.SIGUSR1)
    h.ends(t, "failed", {"description": "stopped as asked", "traceback": ""})
    t = h.task("deaf")
    os.kill(started(h, "deaf", t), signal.SIGUSR2)
    h.ends(t, "failed", {"reason": "Killed by signal %d." % signal.SIGUSR2}, "signal")


system.run(*[test for name, test in sorted(globals().items()) if re.match(r"edge_\d\d_", name)])
