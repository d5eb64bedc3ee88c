#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Arguments at rest: encrypted by Python and read here, the reverse, keys that change, and what is no key and no token."""
import json
import os
import signal
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from cryptography.fernet import Fernet, MultiFernet


class Keys:
    """A file of keys, and what Python does with them: as pulpcore's EncryptedJSONField."""

    def __init__(self, h, *keys, name="keys"):
        self.path = os.path.join(h.dir, name)
        self.set(*(keys or (Fernet.generate_key(),)))

    def set(self, *keys):
        """Makes these the keys."""
        self.keys = keys
        self.fernet = MultiFernet([Fernet(k) for k in keys])
        with open(self.path, "wb") as file:
            file.write(b"".join(k + b"\n" for k in keys))
        os.chmod(self.path, 0o644)

    def seal(self, value):
        """What Pulp stores."""
        if isinstance(value, dict):
            return {k: self.seal(v) for k, v in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.seal(v) for v in value]
        return self.fernet.encrypt(json.dumps(value).encode()).decode()

    def open(self, value):
        """What Pulp reads."""
        if isinstance(value, dict):
            return {k: self.open(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.open(v) for v in value]
        return json.loads(self.fernet.decrypt(value.encode()))


def stored(h, task):
    """Arguments as they lie in the database."""
    return h.s.one("select enc_args, enc_kwargs from core_task where pulp_id = %s", task)


def plain(h, task):
    """Whether a task is marked as plain."""
    return h.s.v("select count(*) from pulp_worker.options where id = %s and plain", task) == 1


def dispatch(h, *args, **env):
    """By pulp-task; the id."""
    done = h.run("pulp-task", "dispatch", *args, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bare(h, name, args, kwargs):
    """A task as another program inserts it."""
    h.s.begin()
    task = pulpdb.bare_task(h.s, [], name=name)
    h.s.q("update core_task set enc_args = %s, enc_kwargs = %s where pulp_id = %s", json.dumps(args), json.dumps(kwargs), task)
    h.s.commit()
    return task


VALUE = [None, True, 1.5, 12345678901234567890, "\u00e9\"\\\n", {"k": None, "z": [1, {"q": "s"}, [], {}]}]


@system.everybody
def python_to_us(h):
    """what Python encrypted is what the task gets"""
    keys = Keys(h)
    h.env["PULP_DB_ENCRYPTION_KEY"] = keys.path
    h.worker("w", "--poll-interval", "300ms")
    t = bare(h, "hostile.echo", keys.seal(VALUE), keys.seal({"a": VALUE, "b": "\u20ac"}))
    got = h.wait(t, "completed").result
    assert got == {"args": VALUE, "kwargs": {"a": VALUE, "b": "\u20ac"}}, got
    t = bare(h, "hostile.echo", [], {})
    assert h.wait(t, "completed").result == {"args": [], "kwargs": {}}


def us_to_python(h):
    """what pulp-task encrypts Python reads, and our worker too"""
    keys = Keys(h)
    h.env["PULP_DB_ENCRYPTION_KEY"] = keys.path
    t = dispatch(h, "hostile.echo", "--args", json.dumps(VALUE), "--kwargs", json.dumps({"a": VALUE}))
    args, kwargs = stored(h, t)
    assert keys.open(args) == VALUE and keys.open(kwargs) == {"a": VALUE}
    assert "gAAAA" in args[0] and list(args[5]) == ["k", "z"] and args[5]["z"][2:] == [[], {}], args
    assert not plain(h, t)
    empty = dispatch(h, "hostile.echo")
    assert stored(h, empty) == ([], {}) and not plain(h, empty)
    for verb in "show", "list":
        out = h.run("pulp-task", verb, *([t] if verb == "show" else []), "--json").stdout
        assert "enc_args" not in out and "gAAAA" not in out, out
    h.worker()
    assert h.wait(t, "completed").result == {"args": VALUE, "kwargs": {"a": VALUE}}
    assert h.wait(empty, "completed").result == {"args": [], "kwargs": {}}
    body = {"func": "hostile.echo", "args": None, "kwargs": {"a": None}, "versions": None}
    made = h.ends(h.task("ask", operation="dispatch", body=json.dumps(body).replace('"', "'")), "completed").result["pulp_id"]
    assert h.wait(made, "completed").result == {"args": [], "kwargs": {"a": None}}, "what is null is not there"

def marked(h):
    """SQL marks what it stores in clear: with a key that runs as it is, and nothing else in clear does"""
    keys = Keys(h)
    w = h.worker("w", "--poll-interval", "300ms", "--db-encryption-key", keys.path)
    t = h.task("echo", args=["gAAAA", 1], k=None)
    assert plain(h, t) and not plain(h, h.task("done"))
    assert h.wait(t, "completed").result == {"args": ["gAAAA", 1], "kwargs": {"k": None}}
    other = Keys(h, name="other")
    for args, why in (
            ([1], "a value that is not encrypted"), (["x"], "not a Fernet token"),
            (other.seal(["x"]), "a token of another key, or a damaged one"),
            (keys.seal([float("nan")]), "a token that holds no JSON")):
        h.ends(bare(h, "hostile.echo", args, {}), "failed", {"reason": "Arguments cannot be decrypted: %s." % why}, "setup")
        h.ends(bare(h, "hostile.echo", [], {"k": args}), "failed", {"reason": "Arguments cannot be decrypted: %s." % why}, "setup")
    h.works()
    h.s.q("delete from core_task where pulp_id = %s", t)
    assert not plain(h, t)
    w.wait_log("event=task.ended")


def without_key(h):
    """without a key all is in clear"""
    t = dispatch(h, "hostile.echo", "--args", "[1]")
    assert stored(h, t) == ([1], {}) and plain(h, t)
    h.worker("w", "--poll-interval", "300ms")
    assert h.wait(t, "completed").result == {"args": [1], "kwargs": {}}
    assert h.wait(bare(h, "hostile.echo", ["x"], {}), "completed").result["args"] == ["x"]


def children(h):
    """what a running task dispatches is encrypted by its worker, and has its correlation id"""
    keys = Keys(h)
    h.worker("w", "--db-encryption-key", keys.path)
    cid = "0123456789abcdef0123456789abcdef"
    t = dispatch(h, "hostile.dispatch", "--correlation-id", cid, "--kwargs", '{"func": "hostile.echo", "until": "then"}',
                 PULP_DB_ENCRYPTION_KEY=keys.path)
    child = h.wait(t, "completed").result["pulp_id"]
    assert keys.open(stored(h, child)[1]) == {"until": "then"} and not plain(h, child)
    assert h.wait(child, "completed").result == {"args": [], "kwargs": {"until": "then"}}
    assert h.s.v("select array_agg(distinct logging_cid) from core_task") == [cid]
    env = dispatch(h, "hostile.done", PULP_CORRELATION_ID=cid)
    assert h.s.v("select logging_cid from core_task where pulp_id = %s", env) == cid
    done = h.run("pulp-task", "dispatch", "hostile.done", "--correlation-id", "x")
    assert done.returncode == 64 and "--correlation-id" in done.stderr, done
    done = h.run("pulp-task", "dispatch", "hostile.done", PULP_CORRELATION_ID="x")
    assert done.returncode == 78 and "PULP_CORRELATION_ID" in done.stderr, done
    h.s.fails("22023", "select pulp_worker.dispatch('hostile.done', correlation_id => 'x')")


def bad_keys(h):
    """a file of keys that was named and is none: 78, with the reason, in both programs; a reload keeps the old keys"""
    keys = Keys(h)
    empty = os.path.join(h.dir, "empty")
    with open(empty, "w"):
        pass
    for file, why in (h.dir + "/none", "No such file"), (h.dir, "not a regular file"), (empty, "there is no key in it"):
        for program in (system.PREFIX + "/sbin/pulp-worker", "--burst"), ("pulp-task", "dispatch", "hostile.echo", "--args", "[1]"):
            done = h.run(*program, PULP_DB_ENCRYPTION_KEY=file)
            assert done.returncode == 78 and file in done.stderr and why in done.stderr, done
    assert h.run("pulp-task", "dispatch", "hostile.done", PULP_DB_ENCRYPTION_KEY=empty).returncode == 0
    w = h.worker("w", "--db-encryption-key", keys.path, "--poll-interval", "300ms")
    old, new = keys.keys[0], Fernet.generate_key()
    t = bare(h, "hostile.echo", keys.seal([1]), {})
    h.wait(t, "completed")
    with open(keys.path, "w") as file:
        file.write("nonsense")
    w.send(signal.SIGHUP)
    w.wait_log("event=reload.failed .*line 1: not a Fernet key")
    h.wait(bare(h, "hostile.echo", keys.seal([1]), {}), "completed")
    keys.set(new, old)
    w.send(signal.SIGHUP)
    w.wait_log("event=worker.reloaded")
    assert h.wait(bare(h, "hostile.echo", keys.seal([2]), {}), "completed").result["args"] == [2]


def live(h):
    """at a live Pulp arguments are encrypted or refused"""
    keys = Keys(h)
    h.s.q("create table django_migrations (app text)")
    h.s.fails("0A000", "select pulp_worker.dispatch('hostile.echo', args => '[1]')")
    done = h.run("pulp-task", "dispatch", "hostile.echo", "--args", "[1]")
    assert done.returncode != 0 and "db_encryption_key" in done.stderr, done
    dispatch(h, "hostile.echo")
    t = dispatch(h, "hostile.echo", "--args", "[1]", PULP_DB_ENCRYPTION_KEY=keys.path)
    assert keys.open(stored(h, t)[0]) == [1]


def rotate(h):
    """db rotate-key: all arguments by the first key, also those in clear; what cannot be decrypted is named and stays"""
    keys = Keys(h)
    env = {"PULP_DB_ENCRYPTION_KEY": keys.path}
    sealed = [dispatch(h, "hostile.echo", "--args", "[%d]" % i, "--kwargs", '{"a": {"b": null}}', **env) for i in range(300)]
    clear = dispatch(h, "hostile.echo", "--args", '[1.0, "x"]')
    none = dispatch(h, "hostile.echo")
    assert plain(h, clear) and not plain(h, sealed[0])
    done = h.run("pulp-task", "db", "rotate-key")
    assert done.returncode == 78 and "there is no key" in done.stderr, done
    before = h.s.q("select pulp_id, enc_args, enc_kwargs from core_task order by 1")
    assert json.loads(h.run("pulp-task", "db", "rotate-key", "--json", **env).stdout) == {
        "tasks": 1, "schedules": 0, "undecryptable": 0}
    assert not plain(h, clear) and keys.open(stored(h, clear)[0]) == [1.0, "x"]
    assert [r for r in before if r not in h.s.q("select pulp_id, enc_args, enc_kwargs from core_task order by 1")] == [
        r for r in before if str(r[0]) == clear], "what is encrypted so already is left alone"
    new = Fernet.generate_key()
    keys.set(new, keys.keys[0])
    lost = bare(h, "hostile.echo", [Fernet(Fernet.generate_key()).encrypt(b"1").decode()], {})
    done = h.run("pulp-task", "db", "rotate-key", **env)
    assert done.returncode == 64 and str(lost) in done.stderr and "301 tasks" in done.stdout, done
    keys.set(new)
    for i, t in enumerate(sealed):
        args, kwargs = stored(h, t)
        assert keys.open(args) == [i] and keys.open(kwargs) == {"a": {"b": None}}
    assert stored(h, none)[0] in ([], None)
    h.s.q("delete from core_task where pulp_id = %s", lost)
    done = h.run("pulp-task", "db", "rotate-key", **env)
    assert done.returncode == 0 and "0 tasks" in done.stdout, done
    assert "arguments        encrypted, 1 key\n" in h.run("pulp-task", "db", "check", **env).stdout
    assert "in clear" in h.run("pulp-task", "db", "check").stdout
    assert json.loads(h.run("pulp-task", "db", "check", "--json", **env).stdout)["arguments"] == "encrypted, 1 key"


system.run(python_to_us, us_to_python, marked, without_key, children, bad_keys, live, rotate)
