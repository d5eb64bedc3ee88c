#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a task made and did not complete is gone when its ending is there (delete_incomplete_resources)."""
import errno
import os
import re
import signal
import sys
import uuid

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import system
from system import everybody, wait_until

MISSING = {"reason": "Worker has gone missing."}
TTL = 2


class Maker:
    """Things that tasks of the plugin maker make, and what became of them."""

    def __init__(self, h):
        self.h = h
        h.build(system.pulpdb.TOP + "/tests/plugins/maker.c", "maker")
        self.state = os.path.join(h.state, "plugins", "maker")
        self.versions = None

    def make(self, end, *things, exclusive=("r",)):
        """A task that makes these (type and state); returns it and their ids."""
        ids = [str(uuid.uuid4()) for _ in things]
        args = ["%s %s %s" % (kind, i, state) for (kind, state), i in zip(things, ids)]
        return self.h.task("maker.make", args=args + [end], exclusive=exclusive, versions=self.versions), ids

    def two(self, end):
        """One complete, one not."""
        return self.make(end, ("thing", "whole"), ("thing", "part"))

    def there(self, name):
        """Is that file there?"""
        return os.path.exists(os.path.join(self.state, name))

    def hangs(self, task):
        """Waits until it has made what it makes."""
        wait_until("the task to hang", lambda: self.there("%s.hangs" % task), system.PATIENCE)

    def check(self, task, ids):
        """Of the two the first is there, the second is not; both are still noted."""
        whole, part = ids
        assert self.there(whole + ".whole"), "the complete one is gone"
        assert not self.there(part + ".part"), "the incomplete one is there"
        noted = self.h.s.q("select object_id::text from core_createdresource where task_id = %s", task)
        assert sorted(i for (i,) in noted) == sorted(ids), noted

    def look(self):
        """A task that is next on the resource: how many incomplete ones it finds."""
        return self.h.task("maker.look", exclusive=["r"], versions=self.versions)

    def slow(self):
        """A task that fails and leaves one that takes its time to be looked at, when that has begun; returns it and the id."""
        task, ids = self.make("fail", ("slow", "part"))
        wait_until("somebody to look", lambda: self.there(ids[0] + ".go"), system.PATIENCE)
        return task, ids[0]

    def go(self, i):
        """Lets whoever looks at it go on, as soon as somebody does."""
        def opened():
            try:
                os.close(os.open(os.path.join(self.state, i + ".go"), os.O_WRONLY | os.O_NONBLOCK))
                return True
            except OSError as e:
                assert e.errno == errno.ENXIO, e
                return False
        wait_until("somebody to wait for it", opened, system.PATIENCE)


@everybody
def endings(h):
    """failed, crashed, canceled: the incomplete one is gone before the next task on the resource begins"""
    m = Maker(h)
    w = h.worker()
    t, ids = m.two("fail")
    heir = m.look()
    h.ends(t, "failed", {"description": "enough", "traceback": ""})
    m.check(t, ids)
    assert h.ends(heir, "completed").result == 0
    assert re.search(r"looking at %s(.|\n)*looking at %s" % tuple(ids), h.log_of(t)), h.log_of(t)
    t, ids = m.two("crash")
    heir = m.look()
    h.ends(t, "failed", {"reason": "Killed by signal 11."}, "signal")
    m.check(t, ids)
    assert h.ends(heir, "completed").result == 0
    t, ids = m.two("hang")
    heir = m.look()
    m.hangs(t)
    assert m.there(ids[1] + ".part")
    h.cancel(t)
    h.ends(t, "canceled")
    m.check(t, ids)
    assert h.ends(heir, "completed").result == 0
    assert len(re.findall(r"event=resource\.deleted .*type=.maker\.thing", w.log())) == 3, w.log()
    assert len(re.findall(r"event=resources\.done .*deleted=1 complete=1", w.log())) == 3, w.log()


def completed(h):
    """a task that completed is believed"""
    m = Maker(h)
    w = h.worker()
    t, ids = m.two("done")
    h.ends(t, "completed")
    assert m.there(ids[1] + ".part") and "event=resource" not in w.log()


@everybody
def worker_killed(h):
    """kill -9 of the worker: another one deletes, and adds to the log that there is"""
    m = Maker(h)
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t, ids = m.two("hang")
    heir = m.look()
    m.hangs(t)
    h.s.q("insert into pulp_worker.log (task, part, text) values (%s, 1, 'what it said before')", t)
    a.kill()
    assert m.there(ids[1] + ".part")
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    h.ends(t, "failed", MISSING, "lost")
    m.check(t, ids)
    assert h.ends(heir, "completed").result == 0
    assert re.match("what it said before(.|\n)*looking at", h.log_of(t)), h.log_of(t)


def canceled_without_owner(h):
    """canceled, and the worker killed with -9: the cancel alone does not end it, the next worker does"""
    m = Maker(h)
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t, ids = m.two("hang")
    m.hangs(t)
    os.kill(a.pid, signal.SIGSTOP)
    assert h.cancel(t) == "canceling"
    a.kill()
    h.s.q("select pulp_worker.remove_app_status(array(select pulp_id from core_appstatus))")
    assert h.look(t).app_lock_id is None and h.cancel(t) == "canceling"
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    h.ends(t, "canceled")
    m.check(t, ids)


def what_fails(h):
    """what goes wrong there is told and counted, hinders no other object, and changes nothing about the ending"""
    m = Maker(h)
    w = h.worker()
    t, ids = m.make("fail", ("crash", "part"), ("hang", "part"), ("silly", "part"), ("asks", "part"), ("nobody", "part"),
                    ("thing", "part"))
    heir = m.look()
    h.ends(t, "failed", {"description": "enough", "traceback": ""})
    assert not m.there(ids[5] + ".part"), "the last one is there"
    assert h.ends(heir, "completed").result == 5
    why = dict(re.findall(r"event=resource\.failed .*type=.maker\.(\w+). id=.* msg=(.*)", w.log()))
    assert sorted(why) == ["asks", "crash", "hang", "silly"], why
    assert "Killed by signal 11." in why["crash"] and "timed out" in why["hang"], why
    assert "neither complete nor deleted" in why["silly"] and "the task is over" in why["asks"], why
    assert re.search(r"event=resources\.left .*deleted=1 complete=0 left=4 left_since_start=4", w.log()), w.log()
    assert "Delete created resource, failed: maker.crash " + ids[0] in h.log_of(t), h.log_of(t)
    h.works()


def killed_while_deleting(h):
    """kill -9 of the worker while an object is looked at: the task keeps its resources, another worker looks again and ends it"""
    m = Maker(h)
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t, part = m.slow()
    heir = m.look()
    a.kill()
    h.worker("b", "--worker-ttl", "%ds" % TTL)
    assert h.look(t).state == "running" and h.look(heir).state == "waiting" and m.there(part + ".part")
    m.go(part)
    h.ends(t, "failed", MISSING, "lost")
    assert not m.there(part + ".part")
    assert h.ends(heir, "completed").result == 0


def database_lost_while_deleting(h):
    """the connections break while an object is looked at: the ending is the task's own, written when they are back"""
    m = Maker(h)
    h.worker("a")
    t, part = m.slow()
    h.s.q("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pulp-worker' and datname = current_database()")
    m.go(part)
    h.ends(t, "failed", {"description": "enough", "traceback": ""})
    assert not m.there(part + ".part")


def as_guest(h):
    """at a live Pulp without our schema, too"""
    m = Maker(h)
    m.versions = {"c_maker": "1.0"}
    system.pulpdb.without_schema(h.s)
    h.s.be_guest()
    w = h.worker()
    t, ids = m.two("fail")
    heir = m.look()
    assert h.wait(t).error["description"] == "enough"
    m.check(t, ids)
    assert h.wait(heir).result == 0
    assert re.search(r"event=resources\.done .*deleted=1 complete=1", w.log()), w.log()


def no_plugin(h):
    """a worker without the plugin ends the task all the same, and says what is left"""
    m = Maker(h)
    a = h.worker("a", "--worker-ttl", "%ds" % TTL)
    t, ids = m.two("hang")
    m.hangs(t)
    a.kill()
    os.remove(os.path.join(h.plugins, "maker.so"))
    b = h.worker("b", "--worker-ttl", "%ds" % TTL)
    h.ends(t, "failed", MISSING, "lost")
    assert m.there(ids[1] + ".part")
    assert re.search(r"event=resources\.left .*left=2 .*no such plugin", b.log()), b.log()


def worker_stops(h):
    """QUIT: what its tasks made is deleted before it leaves"""
    m = Maker(h)
    a = h.worker("a")
    t, ids = m.two("hang")
    m.hangs(t)
    assert a.stop(signal.SIGQUIT) == 0
    h.ends(t, "failed", {"reason": "Aborted during worker shutdown."}, "shutdown")
    m.check(t, ids)


def host_dies(h):
    """kill -9 of the plugin's host: the next one deletes"""
    m = Maker(h)
    a = h.worker("a")
    t, ids = m.two("hang")
    m.hangs(t)
    os.kill(a.zygotes()["maker"], signal.SIGKILL)
    h.ends(t, "failed", {"reason": "Plugin host of maker died."}, "host")
    m.check(t, ids)


system.run(endings, completed, worker_killed, canceled_without_owner, what_fails, killed_while_deleting, database_lost_while_deleting, as_guest, no_plugin, worker_stops, host_dies)
