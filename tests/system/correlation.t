#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The correlation id of a task: in every line of the worker's log about it, in what it runs, in pulp-task show."""
import os
import re
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system

CID = "0123456789abcdef0123456789abcdef"
OTHER = "ffffffffffffffffffffffffffffffff"


def dispatch(h, *args, **env):
    """By pulp-task; the id."""
    done = h.run("pulp-task", "dispatch", *args, **env)
    assert done.returncode == 0, done
    return done.stdout.strip()


def about(w, task):
    """The events of a task in a worker's log, each with its correlation id."""
    return re.findall(r" task=%s (?:cid=(\S+) )?event=(\S+)" % task, w.log())


def every_line(h):
    """from its claim to its end, whatever end it is; also of what another worker left"""
    lost, dropped = (pulpdb.bare_task(h.s, [], name="hostile.done", state=state, logging_cid=CID) for state in ("running", "canceling"))
    w = h.worker("w", "--log-level", "debug", "--poll-interval", "300ms", env={"PULP_CORRELATION_ID": OTHER})
    h.wait(lost, "failed"), h.wait(dropped, "canceled")
    done = dispatch(h, "hostile.done", "--correlation-id", CID)
    canceled = dispatch(h, "hostile.mark", "--kwargs", '{"until": "never"}', PULP_CORRELATION_ID=CID)
    h.wait_lines("marks", 1)
    h.cancel(canceled)
    nobody = pulpdb.bare_task(h.s, [], name="hostile.nosuch", logging_cid=CID)
    h.wait(canceled, "canceled"), h.wait(nobody, "failed"), h.wait(done, "completed")
    for task, events in ((lost, {"task.cleanup"}), (dropped, {"task.cleanup"}), (nobody, {"task.claimed"}),
                         (done, {"task.claimed", "task.started"}), (canceled, {"task.started", "task.cancel"})):
        w.wait_log("task=%s .*event=task.ended" % task)
        lines = about(w, task)
        assert {e for _, e in lines} >= events | {"task.ended"}, lines
        assert {c for c, _ in lines} == {CID}, lines
    assert OTHER not in w.log()


def taken_away(h):
    """the line that says that a task is another's now has it too"""
    w = h.worker("w", "--poll-interval", "300ms")
    t = dispatch(h, "hostile.mark", "--correlation-id", CID, "--kwargs", '{"until": "go"}')
    h.wait_lines("marks", 1)
    h.s.q("update core_task set app_lock_id = null, state = 'failed' where pulp_id = %s", t)
    w.wait_log("event=task.lost")
    assert (CID, "task.lost") in about(w, t)


def nobodys_uuid(h):
    """what another program wrote there stays one value in one line"""
    w = h.worker()
    t = pulpdb.bare_task(h.s, [], name="hostile.done", logging_cid='a "b"\nevent=task.ended')
    h.wait(t, "completed")
    w.wait_log(r' task=%s cid="a \\"b\\" event=task\.ended" event=task\.ended name="hostile\.done" state=completed' % t)


def programs(h):
    """a program that a task runs has it in its environment, and so has what it dispatches"""
    h.shipped("exec")
    w = h.worker(env={"PULP_CORRELATION_ID": OTHER})
    w.wait_log("event=plugin.up module=exec")
    script = 'echo "$PULP_CORRELATION_ID"; pulp-task dispatch hostile.done'
    t = dispatch(h, "exec.run", "--correlation-id", CID, "--kwargs", system.dumps(
        {"argv": ["sh", "-c", script], "env": {"PULP_DATABASE": h.env["PULP_DATABASE"], "PULP_CONFIG": h.config}}))
    got = h.wait(t, "completed").result["stdout"].split()
    assert got[0] == CID, got
    h.wait(got[1], "completed")
    assert h.s.v("select logging_cid from core_task where pulp_id = %s", got[1]) == CID
    env = dict(e.split("=", 1) for e in h.ends(h.task("environment"), "completed").result[2:])
    assert env["PULP_CORRELATION_ID"] == env["PULP_TASK_ID"].replace("-", ""), env
    w.fds_before = w.fds()


def shown(h):
    """pulp-task show prints it"""
    t = dispatch(h, "hostile.done", "--correlation-id", CID)
    done = h.run("pulp-task", "show", t)
    assert re.search("^Correlation +%s$" % CID, done.stdout, re.M), done


system.run(every_line, taken_away, nobodys_uuid, programs, shown)
