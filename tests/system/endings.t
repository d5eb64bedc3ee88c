#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every ending of a task: its state, its error as clients see it, and its typed kind."""
import contextlib
import os
import re
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import below, everybody, processes_with, wait_until


def reason(text):
    """An error that the worker writes."""
    return {"reason": text}


def not_sanitized():
    """Where sanitizers see a crash first, or want memory beyond all limits."""
    if system.SANITIZED:
        raise pulpdb.Skip("built with sanitizers")


def described(text):
    """A failure that the task reports."""
    return {"description": text, "traceback": ""}


@everybody
def the_task_says(h):
    """results and failures that a task reports"""
    h.worker()
    got = h.ends(h.task("result", args=[1, {"a": "é"}, None]), "completed")
    assert got.result == [1, {"a": "é"}, None] and got.started_at <= got.finished_at, got
    assert got.unblocked_at <= got.started_at and got.worker == "w" and got.remains == 0 and got.max_rss_kb > 0, got
    assert h.ends(h.task("done"), "completed").result is None
    h.ends(h.task("fail"), "failed", described("it is 12 degrees too hot"))
    h.ends(h.task("hostile.nosuch"), "failed", described("module 'hostile' has no task 'nosuch'"))
    h.ends(h.task("hostile.no.such"), "failed", described("module 'hostile' has no task 'no.such'"))
    h.works()


@everybody
def it_dies(h):
    """exits and signals, from inside and from outside"""
    not_sanitized()
    w = h.worker()
    died = "Task process died unexpectedly with exitcode %d."
    h.ends(h.task("crash"), "failed", reason("Killed by signal 11."), "signal")
    h.ends(h.task("abort"), "failed", reason("Killed by signal 6."), "signal")
    h.ends(h.task("raise", signal=signal.SIGXCPU), "failed", reason("Killed by signal 24."), "signal")
    h.ends(h.task("exit", status=3), "failed", reason(died % 3), "exit")
    h.ends(h.task("exit", status=0), "failed", reason(died % 0), "exit")
    h.ends(h.task("exit", status=207), "failed", reason(died % 207), "exit")
    h.ends(h.task("forget"), "failed", reason(died % 0), "exit")
    for number in signal.SIGKILL, signal.SIGTERM:
        t = h.task("deaf")
        wait_until("the task to run", lambda: any(str(t) in line for line in h.read("deaf")))
        os.kill(int(h.read("deaf")[-1].split()[2]), number)
        h.ends(t, "failed", reason("Killed by signal %d." % number), "signal")
    assert h.ends(h.task("twice"), "completed").result == "parent"
    assert not system.below(w.pid) or set(system.below(w.pid)) == set(w.zygotes().values())
    h.works()


def results(h):
    """results that are none, or that PostgreSQL cannot hold"""
    h.worker()
    invalid = reason("Result is not valid JSON.")
    for task in "bad_json", "nul", "not_utf8", "huge_number", "deep":
        got = h.wait(h.task(task))
        assert (got.state, got.error, got.result) == ("failed", invalid, None), (task, got)
    h.ends(h.task("bad_json"), "failed", invalid, "protocol")
    h.ends(h.task("large", mb=50), "failed", reason("Result is larger than 16777216 bytes."), "protocol")
    got = h.ends(h.task("large", mb=12), "completed")
    assert got.result == "x" * (12 << 20)
    assert h.ends(h.task("deep", depth=400), "completed").result is not None
    # one bad result does not hurt those that are written with it
    tasks = [(h.task("nul"), "failed"), (h.task("done"), "completed")] * 10
    for task, state in tasks:
        assert h.wait(task).state == state
    h.works()


def channel(h):
    """garbage, half frames, floods, a closed channel"""
    w = h.worker()
    broke = "Task broke the protocol: %s."
    for task, what in (("garbage", r".*"), ("half", "its last message is cut off"), ("claim", ".*"), ("flood", ".*"),
                       ("stall", "closed its channel"), ("hang_up", "closed its channel"), ("foreign", ".*")):
        got = h.wait(h.task(task))
        assert got.state == "failed" and got.kind == "protocol" and list(got.error) == ["reason"], (task, got)
        assert re.fullmatch(broke % what, got.error["reason"]), (task, got.error)
    got = h.wait(h.task("hang_up", **{"and": "returns"}))
    assert got.state == "failed", got
    h.ends(h.task("talk", lines=100000), "completed")
    with open("/proc/%d/status" % w.pid) as status:
        peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
    assert peak < 64 << 10, "the worker took %d kB" % peak
    h.works()


def time_and_memory(h):
    """a task's own limits"""
    not_sanitized()
    h.worker("w", "--cancel-term-after", "100ms", "--cancel-kill-after", "1s")
    for stubborn in 0, 1:
        got = h.ends(h.task("slow", stubborn=stubborn), "failed", reason("Task timed out after 1 seconds."), "timeout")
        assert 1 <= got.seconds < 20, got
    h.ends(h.task("eat", mb=512), "failed", described("no memory"))
    h.ends(h.task("eat", mb=10), "completed")
    h.works()


def host_killed(h):
    """the plugin host dies with tasks running: they end, it comes again"""
    w = h.worker(slots=4)
    others = [h.task("deaf"), h.task("daemon", then="hang")]
    h.wait_lines("deaf", 1)
    h.wait_lines("daemons", 2)
    killer = h.task("kill_host")
    for t in others + [killer]:
        h.ends(t, "failed", reason("Plugin host of hostile died."), "host")
    daemon = int(h.read("daemons")[0].split()[2])
    assert not system.alive(daemon)
    w.wait_log("event=plugin.up", 2)
    h.works()


@everybody
def setup_failures(h):
    """what cannot be set up ends with the step and the errno's text"""
    w = h.worker()
    h.works()
    directory = os.path.join(h.work, "w")
    os.rename(directory, directory + ".away")
    got = h.wait(h.task("done"))
    assert got.state == "failed" and got.kind == "setup", got
    assert re.fullmatch(r"Task setup failed at step start: mkdir .*: No such file or directory\.", got.error["reason"]), got
    os.rename(directory + ".away", directory)
    h.works()
    zygote = w.zygotes()["hostile"]
    if h.user or os.getuid() != 0:
        h.limit(zygote, "nproc", 1)
        h.ends(h.task("done"), "failed", reason("Task setup failed at step fork: Resource temporarily unavailable."), "setup")
        h.limit(zygote, "nproc", None)
        h.works()
    for most in 6, 7, 8, 9:  # no room for the descriptors, or for the process descriptor
        h.limit(zygote, "nofile", most)
        got = h.wait(h.task("done"))
        assert got.state == "completed" or (got.state, got.kind) == ("failed", "setup"), got
        if most == 6:
            assert got.error == reason("Task setup failed at step spawn: the descriptors did not arrive."), got
    h.limit(zygote, "nofile", None)
    h.works()
    if h.user or os.getuid() != 0:
        h.run("prlimit", "--pid", str(zygote), "--as=%d:%d" % (128 << 20, 128 << 20))
        h.ends(h.task("eat"), "failed",
               reason("Task setup failed at step limits: setrlimit RLIMIT_AS: Operation not permitted."), "setup")
        h.works()


def progress(h):
    """reports that are running take the final state of their task, others keep theirs"""
    w = h.worker()
    sql = ("select code, state, done, total, suffix, message from core_progressreport where task_id = %s order by code")
    for how, state in ("completed", "completed"), ("fails", "failed"), ("crashes", "failed"):
        t = h.task("progress", how=how)
        assert h.wait(t).state == state
        rows = h.s.q(sql, t)
        assert [r[0] for r in rows] == ["test.part", "test.whole"], rows
        assert rows[1][1:] == ("completed", 1, 10, "rows", "Doing it"), rows
        assert rows[0][1] == state and rows[0][3:] == (10, "rows", "Doing it"), rows
        assert rows[0][2] == 6, (how, rows)
    t = h.task("progress", how="hangs")
    wait_until("the report to be seen while it runs", lambda: [r[1:3] for r in h.s.q(sql, t)] == [
        ("running", 6), ("completed", 1)])
    h.cancel(t)
    assert h.wait(t).state == "canceled"
    assert [r[1] for r in h.s.q(sql, t)] == ["canceled", "completed"]
    assert w.process.poll() is None


@contextlib.contextmanager
def little_memory(limit):
    """The name of a control group with so little memory."""
    try:
        with open("/proc/self/cgroup") as groups:
            own = re.search(r"^\d+:([^:\n]*,)?memory(,[^:\n]*)?:(.*)$", groups.read(), re.M)
        place = "/sys/fs/cgroup/memory%s/pulp-test-%d" % (own[3], os.getpid()) if own else "/sys/fs/cgroup/pulp-test-%d" % os.getpid()
        os.mkdir(place)
    except OSError as error:
        raise pulpdb.Skip("no control group can be made: %s" % error) from None
    try:
        try:
            with open(place + ("/memory.limit_in_bytes" if own else "/memory.max"), "w") as file:
                file.write(str(limit))
        except OSError as error:
            raise pulpdb.Skip("no control group of memory can be made: %s" % error) from None
        yield place
    finally:
        with open(place + "/cgroup.procs") as procs:
            for pid in procs.read().split():
                with open(os.path.dirname(place) + "/cgroup.procs", "w") as others:
                    others.write(pid)
        os.rmdir(place)


def out_of_memory(h):
    """what the kernel kills for lack of memory is told from what somebody kills"""
    not_sanitized()
    with little_memory(64 << 20) as group:
        w = h.worker("w", "--worker-ttl", "3s", "--log-level", "debug")
        for pid in [w.pid] + below(w.pid):
            with open(group + "/cgroup.procs", "w") as procs:
                procs.write(str(pid))
        w.wait_log("event=worker.beat ", w.log().count("event=worker.beat ") + 3)     # it has seen what was counted there before
        killed = h.task("mark", file="killed", until="never")
        h.wait_lines("killed", 1)
        child = next(p for p in below(w.pid) if p in processes_with(b"PULP_TASK_ID=" + str(killed).encode()))
        os.kill(child, signal.SIGKILL)
        h.ends(killed, "failed", reason("Killed by signal 9."), "signal")
        h.ends(h.task("eat", mb=150), "failed", reason("Killed by signal 9. The host was out of memory."), "oom")
        assert w.stop() == 0


def logs(h):
    """output: in order, head and tail kept under the cap, any bytes"""
    h.worker("w", "--task-log-limit", "64K")
    t = h.task("order")
    h.ends(t, "completed")
    assert h.log_of(t) == "one\nwarning: two\nthree\nfour\nfive without end", h.log_of(t)
    t = h.task("print", bytes=50)
    h.ends(t, "completed")
    text = h.log_of(t)
    assert text.startswith("head\nabc") and text.endswith("\ntail\n") and len(text) == 61, text
    t = h.task("print", bytes=4 << 20)
    h.ends(t, "completed")
    text = h.log_of(t)
    left_out = re.search(r"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n", text)
    assert text.startswith("head\nabc") and text.endswith("\ntail\n") and left_out, (len(text), text[:50], text[-50:])
    assert len(text) - len(left_out[0]) == 65536 and int(left_out[1]) == (4 << 20) + 11 - 65536, (len(text), left_out)
    t = h.task("print", bytes=4096, binary=1)
    h.ends(t, "completed")
    text = h.log_of(t)
    assert text.startswith("head\n") and text.endswith("\ntail\n") and "\ufffd" in text and "\0" not in text, text
    t = h.task("crash")
    h.wait(t)
    h.works()


system.run(the_task_says, it_dies, results, channel, time_and_memory, host_killed, setup_failures, out_of_memory, progress, logs)
