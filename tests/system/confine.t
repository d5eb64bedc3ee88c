#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a task child has, and what it may do: descriptors, environment, directories, where it may write."""
import ctypes
import os
import re
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import system
from system import everybody

LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1)  # the version, or -1


@everybody
def descriptors(h):
    """0 to 3 and nothing else, whatever the worker has open"""
    w = h.worker(slots=4)
    busy = [h.task("mark", until="go", file="busy") for _ in range(3)]
    h.wait_lines("busy", 3)
    got = dict(f.split(" ", 1) for f in h.ends(h.task("descriptors"), "completed").result)
    assert list(got) == ["0", "1", "2", "3"], got
    assert got["0"] == "/dev/null" and got["1"] == got["2"] and got["1"].startswith("pipe:") and got["3"].startswith("socket:"), got
    for pid in w.zygotes().values():
        links = [os.readlink("/proc/%d/fd/%s" % (pid, f)) for f in os.listdir("/proc/%d/fd" % pid)]
        assert len(links) < 20 and sum(link.startswith("socket:") for link in links) == 1, links
        with open("/proc/%d/maps" % pid) as maps:
            assert "libpq" not in maps.read()
    with open("/proc/%d/maps" % w.pid) as maps:
        assert "hostile" not in maps.read(), "plugin code is mapped in the worker"
    h.release("go")
    for t in busy:
        h.ends(t, "completed")


@everybody
def environment(h):
    """no credential; TMPDIR and HOME inside; the working directory is the task's own"""
    h.worker(env={"PGPASSWORD": "sesame", "AWS_SECRET_KEY": "sesame", "PULP_SECRET": "sesame", "LC_TIME": "C", "TZ": "UTC",
                  "https_proxy": "http://proxy", "LD_PRELOAD": "", "PGSERVICEFILE": "/sesame"})
    t = h.task("environment")
    cwd, given, *entries = h.ends(t, "completed").result
    env = dict(e.split("=", 1) for e in entries)
    assert cwd == given == os.path.join(h.work, "w", str(t)), (cwd, given)
    assert env["TMPDIR"] == env["HOME"] == cwd and env["PULP_TASK_ID"] == str(t), env
    assert env["TZ"] == "UTC" and env["https_proxy"] == "http://proxy", env
    assert not [k for k in env if k.startswith(("PG", "PULP_D", "PULP_S", "AWS", "LD_"))], env
    assert not [v for v in env.values() if "sesame" in v], env
    assert not [k for k in env if k.startswith("PULP") and k not in ("PULP_TASK_ID", "PULP_WORKER_ID", "PULP_CORRELATION_ID")], env
    assert not os.path.exists(cwd)


@everybody
def directory(h):
    """0700, and gone afterwards whatever is in it; links out of it are not followed"""
    h.worker(slots=4)
    h.ends(h.task("mark", file="kept", ms=1), "completed")
    t = h.task("mark", until="go", file="look")
    h.wait_lines("look", 1)
    place = os.path.join(h.work, "w", str(t))
    assert os.stat(place).st_mode & 0o7777 == 0o700 and os.stat(os.path.dirname(place)).st_mode & 0o7777 == 0o700
    assert os.stat(os.path.dirname(h.kept("x"))).st_mode & 0o7777 == 0o700
    for depth in 10, 800:
        h.ends(h.task("mess", depth=depth), "completed")
    h.release("go")
    h.ends(t, "completed")
    assert os.listdir(os.path.join(h.work, "w")) == []
    assert h.read("kept"), "what links lead to stays"


def touch(h, path, what="make", **kwargs):
    """What came of it: ok, or the name of the errno."""
    return h.ends(h.task("touch", path=path, what=what, **kwargs), "completed").result[0]


@everybody
def writing(h):
    """below its directory, the plugin's state directory, and what the operator lists; nowhere else"""
    listed, other = os.path.join(h.dir, "listed"), os.path.join(h.dir, "other")
    for path in listed, other:
        os.mkdir(path)
        os.chmod(path, 0o777)
    single, victim = os.path.join(h.dir, "single"), os.path.join(other, "victim")
    for path in single, victim:
        with open(path, "w") as file:
            file.write("whole")
        os.chmod(path, 0o666)
    w = h.worker("w", "--writable-paths", "%s:/nowhere:%s" % (listed, single))
    for path in "x", "dir/", h.kept("x"), h.kept("dir/"), listed + "/x", listed + "/dir/":
        assert touch(h, path) == "ok", path
    for path in "/dev/null", single:
        assert touch(h, path, "write") == "ok", path
    assert touch(h, h.kept("x"), "rename", to=listed + "/moved") == "ok"
    assert touch(h, "/etc/passwd", "read") == "ok"
    if LANDLOCK < 2:
        return
    for path in (other + "/x", other + "/dir/", os.path.join(h.work, "w", "x"), h.work + "/x", h.state + "/x", "/tmp/pulp-test-x",
                 os.path.join(h.plugins, "evil.so"), "/dev/shm/x", os.path.join(h.state, "plugins", "x")):
        assert touch(h, path) in ("EACCES", "EPERM"), path
        assert not os.path.exists(path.rstrip("/")), path
    assert touch(h, other + "/link", "link") == "EACCES"
    for what in ("write", "remove", "truncate") if LANDLOCK >= 3 else ("write", "remove"):
        assert touch(h, victim, what) == "EACCES", what
    assert touch(h, h.kept("dir"), "rename", to=other + "/dir") in ("EACCES", "EXDEV")
    assert touch(h, victim, "rename", to=listed + "/victim") in ("EACCES", "EXDEV")
    for proc in "/proc/%d/oom_score_adj" % w.pid, "/proc/%d/mem" % w.pid:
        assert touch(h, proc, "write") in ("EACCES", "EPERM"), proc
    with open(victim) as file:
        assert file.read() == "whole"
    # a reload takes the list up
    h.drain()
    h.configure(writable_paths=listed)
    w = h.worker()
    assert touch(h, other + "/later") == "EACCES"
    h.configure(writable_paths=listed + ":" + other)
    w.send(1)
    w.wait_log("event=worker.reloaded")
    assert touch(h, other + "/later") == "ok"


@everybody
def shipped(h):
    """the plugins that ship work inside all that: exec with its children, publish into the state directory"""
    h.shipped("exec", "file", "core")
    h.worker()
    got = h.ends(h.task("exec.run", argv=["sh", "-c", "echo $$ >x && mkdir d && mv x d && cat d/x >/dev/null && pwd"]), "completed")
    assert str(got.result).find(h.work) >= 0, got
    if LANDLOCK >= 2:
        got = h.wait(h.task("exec.run", argv=["sh", "-c", "echo x >%s/x" % h.dir]))
        assert got.state == "failed" and "denied" in str(got.error) + h.log_of(h.s.v(
            "select pulp_id from core_task order by pulp_created desc limit 1")), got
    source = os.path.join(h.dir, "source")
    os.mkdir(source)
    with open(source + "/a", "w") as file:
        file.write("a\n")
    with open(source + "/PULP_MANIFEST", "w") as file:
        file.write("a,87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7,2\n")
    h.ends(h.task("file.sync", repository="r", url="file://%s/PULP_MANIFEST" % source), "completed")
    path = h.ends(h.task("file.publish", repository="r"), "completed").result["path"]
    with open(path + "/a") as file:
        assert file.read() == "a\n"
    if LANDLOCK >= 2:
        got = h.wait(h.task("file.publish", repository="r", path=h.dir + "/published"))
        assert got.state == "failed" and "ermission denied" in got.error["description"], got


system.run(descriptors, environment, directory, writing, shipped)
