#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bad input of every kind: a clear error where it entered, and nothing else is harmed (I13)."""
import os
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import system
from system import everybody, wait_until

PLUGIN = """#include <pulp/plugin.h>
%s
PULP_PLUGIN("%s", "%s", "%s", "Made for a test");
PULP_TASK(t, "T") { return pulp_result(ctx, "1"); }
"""


def plugin(h, module, code="", label=None, version="1.0", name=None, into=None):
    """Builds one with some code in it."""
    h.build(PLUGIN % (code, module, label or "c_" + module, version), name or module, into=into)


def constructors(h):
    """a plugin that crashes, hangs, prints, exits, forks or starts a thread when it is loaded: named, and others go on"""
    head = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <pthread.h>\n#include <signal.h>\n"
    constructor = head + "__attribute__((constructor)) static void made(void) { %s }"
    for module, code in (("crash", "abort();"), ("leave", "_exit(0);"), ("quits", "exit(3);"),
                         ("fork", "if (fork() == 0) for (;;) pause();"), ("kills", "kill(getppid(), 0); raise(SIGKILL);"),
                         ("prints", 'printf("hello\\n"); fprintf(stderr, "to you\\n");'),
                         ("signals", "for (int i = 1; i < 32; i++) signal(i, SIG_IGN);"),
                         ("closes", "close(3);")):
        plugin(h, module, constructor % code)
    plugin(h, "thread", head + "static void *run(void *x) { for (;;) pause(); return x; }\n__attribute__((constructor)) "
           "static void made(void) { pthread_t t; pthread_create(&t, 0, run, 0); }")
    w = h.worker("w", slots=4)
    h.works()
    for module in "prints", "signals":
        h.ends(h.task(module + ".t"), "completed")
    for module in "crash", "leave", "quits", "fork", "kills", "thread", "closes":
        w.wait_log(r"event=plugin\.(died|quarantined) module=%s " % module)
        t = h.task(module + ".t")
        wait_until("it to be settled", lambda t=t: h.look(t).unblocked_at)
        assert h.look(t).state == "waiting" and h.cancel(t) == "canceled"
    assert "starts a thread" in w.log() and "starts a process" in w.log()
    h.works()
    # no process of theirs is left
    assert set(system.below(w.pid)) >= set(w.zygotes().values())
    plugin(h, "crash", version="1.1")
    w.send(signal.SIGHUP)
    h.ends(h.task("crash.t"), "completed")
    w.fds_before += 100  # as many plugins come and go as they like


def hanging_constructor(h):
    """one that hangs holds up nobody"""
    plugin(h, "hangs", "#include <unistd.h>\n__attribute__((constructor)) static void made(void) { for (;;) pause(); }")
    w = h.worker("w", ready=False)
    w.wait_log("event=plugin.up module=hostile")
    h.works()
    assert w.stop() == 0


@everybody
def overwritten(h):
    """a plugin's file replaced or written over while tasks run: each ends, the worker goes on"""
    w = h.worker(slots=4)
    so = os.path.join(h.plugins, "hostile.so")
    running = h.task("mark", until="go")
    h.wait_lines("marks", 1)
    h.hostile("2.0.0")  # by rename, as an installer does: nothing changes until the reload
    assert h.ends(h.task("version"), "completed").result == "1.0.0"
    w.send(signal.SIGHUP)
    w.wait_log("event=plugin.up", 2)
    assert h.ends(h.task("version"), "completed").result == "2.0.0"
    h.release("go")
    assert h.ends(running, "completed").result == "1.0.0"
    for junk in b"", b"junk" * 5000:
        with open(so, "r+b") as file:  # in place: the mapping changes under the feet of its host
            file.truncate(0)
            file.write(junk)
        got = h.wait(h.task("version"))
        assert got.state == "completed" or list(got.error) in (["reason"], ["description", "traceback"]), got
        w.send(signal.SIGHUP)
        w.wait_log("event=plugin.refused")
        assert w.process.poll() is None
        h.hostile("3.0.0")
        w.send(signal.SIGHUP)
        wait_until("the new one to be announced", lambda: h.s.v(
            "select count(*) from pulp_worker.worker_module where version = '3.0.0'"))
        got = h.ends(h.task("version", versions={"c_hostile": "3.0.0"}), "completed")
        assert got.result == "3.0.0"
    w.fds_before = None


def refused_files(h):
    """world-writable as root, duplicates, no plugin at all: told with the path, the others serve"""
    plugin(h, "open")
    os.chmod(os.path.join(h.plugins, "open.so"), 0o777)
    plugin(h, "twin", name="twin1")
    plugin(h, "twin", name="twin2", label="c_twin2")
    plugin(h, "zlabel", label="c_twin")  # the first of a name stays, in the order of the files
    plugin(h, "pulp_evil")
    for name, data in (("empty.so", b""), ("text.so", b"#!/bin/sh\n"), ("elf.so", b"\x7fELF" + b"\xff" * 500)):
        with open(os.path.join(h.plugins, name), "wb") as file:
            file.write(data)
    os.symlink("nowhere", os.path.join(h.plugins, "dangling.so"))
    os.mkdir(os.path.join(h.plugins, "folder.so"))
    os.mkfifo(os.path.join(h.plugins, "fifo.so"))
    w = h.worker()
    h.works()
    refused = "\n".join(line for line in w.log().split("\n") if "event=plugin.refused" in line)
    for name in ["twin2.so", "zlabel.so", "pulp_evil.so", "empty.so", "text.so", "elf.so"] + (["open.so"] if os.getuid() == 0 else []):
        assert name in refused, (name, refused)
    h.ends(h.task("twin.t"), "completed")
    if os.getuid() == 0:
        t = h.task("open.t")
        wait_until("it to be settled", lambda: h.look(t).unblocked_at)
        assert h.look(t).state == "waiting" and h.cancel(t) == "canceled"


def arguments(h):
    """sizes, depths and bytes of arguments: refused at dispatch, or arriving whole"""
    h.worker()
    big = "x" * (10 << 20)
    got = h.ends(h.task("sizes", args=[big], key=big), "completed")
    assert got.result == [len(big) + 4, len(big) + 11], got.result
    deep = "[" * 500 + "]" * 500
    h.ends(h.s.v("select pulp_id from pulp_worker.dispatch('hostile.sizes', %s::jsonb)", deep), "completed")
    h.s.fails("54001", "select pulp_worker.dispatch('hostile.sizes', %s::jsonb)", "[" * 100000 + "]" * 100000)
    for sql, code in (("'{}'", "22023"), ("'1'", "22023"), ("'[1'", "22P02"), ("'[\"\\u0000\"]'", "22P05"), ("'null'", "22023")):
        h.s.fails(code, "select pulp_worker.dispatch('hostile.sizes', %s::jsonb)" % sql)
    for args in (["--args", "{}"], ["--args", "[1"], ["--kwargs", "[]"], ["--args", "nonsense"], ["--args", '["\\u0000"]'],
                 ["--args", "[" * 100000], ["--exclusive", ""], ["--exclusive", "shared:x"], ["--require", "label"],
                 ["--require", "=1"], ["--require", "c_hostile=no version"], ["--group", "no-uuid"]):
        got = h.run("pulp-task", "dispatch", "hostile.sizes", *args)
        assert got.returncode in (64, 65) and got.stderr.strip() and not got.stdout, (args[1][:40], got)
    got = h.run("pulp-task", "dispatch", "hostile.sizes", "--args", b'["\xff\xfe"]')
    assert got.returncode in (64, 65) and got.stderr, got
    got = h.run("pulp-task", "dispatch", "nodot")
    assert got.returncode == 64 and "dot" in got.stderr, got
    assert h.s.v("select count(*) from core_task") == 2, "what was refused is not there"
    h.works()


def resources(h):
    """names: odd, empty, with a NUL, and 10,000 of them"""
    h.worker()
    many = ["resource-%d" % i for i in range(10000)]
    a = h.task("mark", exclusive=many, ms=1)
    b = h.task("mark", shared=many, ms=1)
    for t in a, b:
        h.ends(t, "completed")
    lines = h.read("marks")
    assert [line.split()[:2] for line in lines] == [["start", str(a)], ["stop", str(a)], ["start", str(b)], ["stop", str(b)]]
    odd = ["a b", "ä", "\u2603", "%s%n", "'; drop table core_task; --", "{}", "\\", '"', "x" * 100000, "\n", "null", "SHARED:x"]
    for t in h.task("done", exclusive=odd), h.task("done", shared=odd), h.task("done", exclusive=[], shared=[]):
        h.ends(t, "completed")
    h.s.fails("22023", "select pulp_worker.dispatch('hostile.done', exclusive_resources => '{\"\"}')")
    h.s.fails("22021", "select pulp_worker.dispatch('hostile.done', exclusive_resources => array[convert_from('\\xff', 'UTF8')])")
    h.s.fails("54000", "select pulp_worker.dispatch('hostile.done', exclusive_resources => array[chr(0)])")


def requests(h):
    """requests that are none, or not granted: their error is their answer"""
    h.worker()
    for operation, body, text in (("nosuch", "{}", "there is no request"), ("dispatch", "[]", "JSON object"), ("dispatch", "{", "json"),
                                  ("dispatch", "{}", "dot"), ("purge_batch", "{}", "not trusted"),
                                  ("group_progress", "{}", "no group"), ("created_resource", "{}", "null"),
                                  ("x" * 200, "{}", "operation")):
        got = h.wait(h.task("ask", operation=operation, body=body))
        assert got.state == "failed" and text in got.error["description"], (operation, got)
    h.works()


system.run(constructors, hanging_constructor, overwritten, refused_files, arguments, resources, requests)
