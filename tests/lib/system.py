# SPDX-License-Identifier: MIT
"""The running whole, for tests in Python: workers as installed, a plugin that does what it should not,
and PostgreSQL of pulpdb.py.

    import system

    def what_it_shows(h):
        '''One line that goes behind the name.'''
        w = h.worker()
        t = h.task("crash")
        assert h.wait(t, "failed").error == {"reason": "Killed by signal 11."}

    system.run(what_it_shows, ...)

Each function gets a House: a database, a folder and plugins of its own. When it has returned, its workers are
drained, and then nothing may be left: no process, no directory, no lock file, no descriptor more than at the
start, no app status row, no lock of a task. A function marked by @everybody runs as root (if that runs it) and as an ordinary user.
"""
import contextlib
import functools
import glob
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pulpdb  # noqa: E402
from pulpdb import LONG, Session, wait_until  # noqa: E402,F401

FINAL = ("completed", "failed", "canceled", "skipped")
with open(os.environ["top_builddir"] + "/Makefile") as makefile:
    # A crash ends differently then, and memory is another's.
    SANITIZED = re.search("^SANITIZE = .*fsanitize", makefile.read(), re.M) is not None
PREFIX = os.environ.get("PULP_TEST_PREFIX", "")
BUILD = os.environ["top_builddir"]
# Waiting for something good may take long on a busy machine; nothing is ever waited for in vain.
PATIENCE = 60


def everybody(test):
    """Run as whoever runs the tests, and if that is root as an ordinary user too."""
    test.users = (False, True) if os.getuid() == 0 else (False,)
    return test


def stat_of(pid):
    """State and parent of a process, or None."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def alive(pid):
    """Is there such a process, and is it more than a zombie?"""
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def below(pid):
    """All processes below one."""
    parents = {int(p): stat_of(int(p)) for p in os.listdir("/proc") if p.isdigit()}
    found, look = [], [pid]
    while look:
        parent = look.pop()
        children = [p for p, stat in parents.items() if stat and stat[1] == parent]
        found += children
        look += children
    return found


def processes_with(entry):
    """Those whose environment has this entry (bytes)."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if entry in file.read().split(b"\0"):
                found.append(int(path.split("/")[2]))
    return [p for p in found if alive(p)]


class Worker:
    """A running pulp-worker."""

    def __init__(self, house, name, options, env, ready):
        self.house, self.name = house, name
        self.log_path = os.path.join(house.dir, name + ".log")
        self.status = None
        with open(self.log_path, "ab") as log:
            self.skip = log.tell()
            self.process = subprocess.Popen(
                [PREFIX + "/sbin/pulp-worker", "--worker-name-template", name, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=house.dir, restore_signals=True,
                env=dict(house.env, **env), **house.account())
        self.pid = self.process.pid
        self.fds_before = None
        if ready:
            self.wait_ready()

    def wait_ready(self):
        """Until its plugins are up (or given up)."""
        def up():
            assert self.process.poll() is None, "the worker ended: " + self.log()
            started = re.search(r"event=worker\.started .* plugins=(\d+)", self.log())
            return started and len(re.findall(r"event=plugin\.(?:up|quarantined|died)", self.log())) >= int(started[1])
        wait_until("worker %s to start" % self.name, up, PATIENCE)
        with open(os.path.join(self.house.work, ".%s.lock" % self.name)) as lock:
            self.id = lock.read().strip()
        self.house.ids.add(self.id)
        self.wait_connected()
        self.fds_before = self.fds()

    def wait_connected(self):
        """Until both links are up."""
        wait_until("two connections", lambda: self.house.s.v(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and application_name = 'pulp-worker'") >= 2, PATIENCE)

    def log(self):
        """What it has logged since it was started."""
        with open(self.log_path, errors="replace") as log:
            log.seek(self.skip)
            return log.read()

    def wait_log(self, pattern, count=1):
        """Until its log has that."""
        wait_until("%r in the log of %s" % (pattern, self.name),
                   lambda: len(re.findall(pattern, self.log())) >= count, PATIENCE)

    def fds(self):
        """How many descriptors it has open."""
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def send(self, number):
        """Sends it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """Waits for its end; returns its status."""
        self.status = self.process.wait(timeout)
        return self.status

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE):
        """Both."""
        self.send(number)
        return self.wait(timeout)

    def kill(self):
        """A crash: KILL to it alone."""
        self.stop(signal.SIGKILL)

    def zygotes(self):
        """Its plugin hosts, by module."""
        return {m: int(p) for m, p in re.findall(r"event=plugin\.up module=(\S+) .*? pid=(\d+)", self.log())}


class House:
    """What one test has for itself."""

    def __init__(self, db, user=False):
        self.db, self.user = db, user
        self.dir = tempfile.mkdtemp(prefix="h.", dir=os.environ["TEST_DIR"])
        os.chmod(self.dir, 0o755)
        self.plugins, self.state, self.work = (os.path.join(self.dir, d) for d in ("plugins", "state", "tmp"))
        for path in self.plugins, self.state, self.work:
            os.mkdir(path)
        if user:
            self.uid = pwd.getpwnam(os.environ["PULP_TEST_USER"])
            for path in self.dir, self.state, self.work:
                os.chown(path, self.uid.pw_uid, self.uid.pw_gid)
        shutil.copy(BUILD + "/tests/plugins/.libs/hostile.so", self.plugins)
        self.config = os.path.join(self.dir, "worker.conf")
        self.configure()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PULP_TEST") and k != "PULP_LIBEXEC_DIR"}
        self.env.update(
            PULP_DATABASE="host=%s port=%s user=%s dbname=%s" % (
                os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGUSER"], db),
            PULP_PLUGIN_PATH=self.plugins, PULP_STATE_DIRECTORY=self.state, PULP_WORKING_DIRECTORY=self.work,
            PULP_CONFIG=self.config, HOME=self.dir)
        self.workers, self.ids = [], set()
        self.s = Session(db)

    def account(self):
        """For subprocess: whose the workers are."""
        if not self.user:
            return {}
        return {"user": self.uid.pw_uid, "group": self.uid.pw_gid, "extra_groups": []}

    def configure(self, **settings):
        """Writes the configuration file."""
        with open(self.config, "w") as file:
            for key, value in settings.items():
                file.write("%s = %s\n" % (key, value))
        os.chmod(self.config, 0o644)

    def worker(self, name="w", *options, slots=4, env=(), ready=True):
        """Starts one, and waits until it is ready."""
        if slots:
            options += ("--slots", str(slots))
        worker = Worker(self, name, options, dict(env), ready)
        self.workers.append(worker)
        return worker

    def run(self, program, *args, **env):
        """Runs a program to its end."""
        return subprocess.run([program, *args], env=dict(self.env, **env), cwd=self.dir, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                              timeout=PATIENCE, check=False, **self.account())

    def limit(self, pid, what, value):
        """Sets the soft limit of a process of a worker; None: back to the hard one."""
        done = self.run("prlimit", "--pid", str(pid), "--raw", "--noheadings", "--output", "HARD", "--" + what)
        hard = done.stdout.strip()
        done = self.run("prlimit", "--pid", str(pid), "--%s=%s:%s" % (what, value or hard, hard))
        assert done.returncode == 0, done.stderr

    # --- plugins

    def build(self, source, name, *flags, into=None):
        """Compiles a plugin and puts it in place as an installer does: whole, under its name."""
        into = into or self.plugins
        if "\n" in source:
            path = os.path.join(self.dir, name + ".c")
            with open(path, "w") as file:
                file.write(source)
            source = path
        draft = os.path.join(self.dir, name + ".so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-std=gnu17", "-D_GNU_SOURCE", "-I" + pulpdb.TOP + "/include",
                        "-Wl,--version-script=" + pulpdb.TOP + "/plugins/plugin.map", "-o", draft, source, *flags],
                       check=True, stdin=subprocess.DEVNULL)
        os.chmod(draft, 0o755)
        os.rename(draft, os.path.join(into, name + ".so"))

    def hostile(self, version):
        """Another version of the plugin of the tests."""
        self.build(pulpdb.TOP + "/tests/plugins/hostile.c", "hostile", '-DHOSTILE_VERSION="%s"' % version)

    def shipped(self, *names):
        """Copies plugins that ship."""
        for name in names:
            shutil.copy("%s/lib/pulp/plugins/%s.so" % (PREFIX, name), self.plugins)

    def kept(self, name):
        """A file in the state directory of the hostile plugin."""
        return os.path.join(self.state, "plugins", "hostile", name)

    def read(self, name):
        """Its lines so far."""
        try:
            with open(self.kept(name)) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def release(self, name):
        """Lets tasks go on that wait for this file."""
        with open(self.kept(name), "w"):
            pass

    # --- tasks

    def task(self, name, exclusive=(), shared=(), group=None, versions=None, args=(), session=None, **kwargs):
        """Dispatches a task of the hostile plugin, or of any with a dot in its name."""
        return pulpdb.dispatch(session or self.s, name if "." in name else "hostile." + name, args=list(args),
                               kwargs=kwargs, exclusive_resources=list(exclusive), shared_resources=list(shared),
                               task_group=group, versions=versions)

    def look(self, task):
        """A task's row and what is kept of its run."""
        row = self.s.one(
            "select t.state, t.result, t.error, t.started_at, t.finished_at, t.unblocked_at, t.app_lock_id, a.kind, "
            "a.remains, a.worker, a.max_rss_kb, a.cpu_ms, extract(epoch from t.finished_at - t.started_at)::float "
            "from core_task t left join pulp_worker.attempt a on a.task = t.pulp_id where t.pulp_id = %s", task)
        return types.SimpleNamespace(**dict(zip((
            "state", "result", "error", "started_at", "finished_at", "unblocked_at", "app_lock_id", "kind",
            "remains", "worker", "max_rss_kb", "cpu_ms", "seconds"), row)))

    def wait(self, task, *states, timeout=PATIENCE):
        """Until the task is in one of these states (any final one without); returns it."""
        states = states or FINAL
        found = []

        def there():
            found[:] = [self.look(task)]
            for worker in self.workers:
                assert worker.status is not None or worker.process.poll() in (None, 0), \
                    "worker %s died: %d" % (worker.name, worker.process.poll())
            assert found[0].state in states or found[0].state not in FINAL, \
                "it ended otherwise: %r" % (found[0],)
            return found[0].state in states
        wait_until("task %s to be %s" % (task, " or ".join(states)), there, timeout)
        return found[0]

    def ends(self, task, state, error=None, kind=None):
        """Waits for its end, which must be this one."""
        got = self.wait(task)
        assert (got.state, got.error, got.kind) == (state, error, kind or state), got
        return got

    def wait_lines(self, name, count, timeout=PATIENCE):
        """Until the tasks have written so many lines."""
        wait_until("%d lines in %s" % (count, name), lambda: len(self.read(name)) >= count, timeout)
        return self.read(name)

    def cancel(self, task):
        """As a program does it; returns the state."""
        return self.s.v("select pulp_worker.cancel_task(%s)", task)

    def log_of(self, task):
        """Its log, whole."""
        return "".join(t for (t,) in self.s.q("select text from pulp_worker.log where task = %s order by part", task))

    def works(self):
        """The next task runs."""
        self.ends(self.task("result", args=[1]), "completed")

    # --- the end

    def leftovers(self):
        """What is left that should not be."""
        left = []
        for wid in self.ids:
            left += ["process %d" % p for p in processes_with(b"PULP_WORKER_ID=" + wid.encode())]
        left += ["in the working directory: " + f for f in os.listdir(self.work)]
        left += ["app status %s" % n for (n,) in self.s.q("select name from core_appstatus")]
        left += ["a locked task %s" % t for (t,) in self.s.q("select pulp_id from core_task where app_lock_id is not null")]
        return left

    def drain(self):
        """Stops the workers that are left: all descriptors must be closed, the end must be a good one."""
        for worker in [w for w in self.workers if w.status is None]:
            if worker.process.poll() is None and worker.fds_before:
                wait_until("descriptors of %s to be closed" % worker.name,
                           lambda w=worker: w.fds() <= w.fds_before, PATIENCE)
            assert worker.stop() == 0, "the worker ended with %s" % worker.status

    def close(self, good):
        """Stops everything; where the test was good nothing may be left."""
        try:
            if good:
                self.drain()
                assert not self.leftovers(), self.leftovers()
        except BaseException:
            good = False
            raise
        finally:
            for worker in self.workers:
                if worker.process.poll() is None:
                    worker.process.kill()
                    worker.process.wait()
            for wid in self.ids:
                for pid in processes_with(b"PULP_WORKER_ID=" + wid.encode()):
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
            if not good:
                for worker in self.workers:
                    pulpdb.diag("log of %s:\n%s" % (worker.name, worker.log()[-6000:]))
            self.s.close()
            subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False)
            shutil.rmtree(self.dir, ignore_errors=not good)


def _housed(test, user):
    """The test as pulpdb.run wants it."""
    @functools.wraps(test)
    def housed(db):
        house = House(db, user)
        good = False
        try:
            test(house)
            good = True
        finally:
            house.close(good)
    if user:
        housed.__doc__ = "as an ordinary user: " + (test.__doc__ or "")
    return housed


def install(session, files=None):
    """As everybody installs the schema: workers want to see that it was."""
    subprocess.run(["pulp-task", "db", "install"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, PULP_DATABASE=session.c.dsn))


def run(*tests, settings=()):
    """Runs them."""
    pulpdb.need_server(settings)
    pulpdb.install = install
    pulpdb.run(*[_housed(t, user) for t in tests for user in getattr(t, "users", (False,))], settings=settings)


def seconds_since(start):
    """For bounds that are measured."""
    return time.monotonic() - start


def dumps(value):
    """JSON text."""
    return json.dumps(value)
