# SPDX-License-Identifier: MIT
"""A live Pulp: its API, its workers and ours on one database, each in processes of an ordinary account."""
import base64
import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import types
import urllib.parse
import uuid

import install
import pulpdb
import system
from pulpdb import Session, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60
FINAL = ("completed", "failed", "canceled", "skipped")
INCOMPLETE = ("waiting", "running", "canceling")
# What our plugins' tasks require, as a program of Python's would say it.
OURS = {"example": {"c_example": "1.0.0"}, "exec": {"c_exec": "1.0.0"}, "hostile": {"c_hostile": "1.0.0"},
        "file": {"c_file": "1.0.0"}}
SLEEP = "pulpcore.app.tasks.test.sleep"
# A line of Pulp's log that is worse than information, or of somebody who died.
BAD_PYTHON = re.compile(r":(WARNING|ERROR|CRITICAL): |^Traceback |^[A-Za-z.]+(Error|Exception)\b")
BAD_OURS = re.compile(r"level=(warning|error)|^==|[Aa]ssert")


def account():
    """For subprocess: an ordinary account, whoever runs the tests."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(os.environ["PULP_TEST_USER"])
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Process:
    """A running program with its log."""

    def __init__(self, live, name, command, env, bad, allowed=()):
        self.live, self.name, self.bad, self.allowed = live, name, bad, list(allowed)
        self.log_path = os.path.join(live.dir, "log", "%s.%d" % (name, len(live.processes)))
        self.seen = 0
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=live.dir, env=env, restore_signals=True,
                start_new_session=True, **account())
        self.pid = self.process.pid
        self.expected = False
        live.processes.append(self)

    def log(self, new=False):
        """All it has written, or what is new since the last look of complaints()."""
        with open(self.log_path, errors="replace") as log:
            text = log.read()
        return text[self.seen:] if new else text

    def running(self):
        """Is it there?"""
        return self.process.poll() is None

    def wait_log(self, pattern, count=1):
        """Until its log has that."""
        def there():
            assert self.running() or len(re.findall(pattern, self.log())) >= count, \
                "%s ended: %s" % (self.name, self.log()[-2000:])
            return len(re.findall(pattern, self.log())) >= count
        wait_until("%r in the log of %s" % (pattern, self.name), there, PATIENCE)

    def complaints(self):
        """Lines since the last time that should not be there."""
        text = self.log(new=True)
        self.seen += len(text)
        return ["%s: %s" % (self.name, line) for line in text.splitlines()
                if self.bad.search(line) and not any(re.search(a, line) for a in self.allowed)]

    def stop(self, number=signal.SIGTERM):
        """Ends it; its exit status."""
        self.expected = True
        if self.running():
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self):
        """A crash: KILL to it alone."""
        return self.stop(signal.SIGKILL)


class Live:
    """What is around one database."""

    def __init__(self, which, db, venv, schema=True):
        self.which, self.db, self.venv, self.schema = which, db, venv, schema
        self.version = install.version_of(which)[0]
        self.dir = tempfile.mkdtemp(prefix="live.", dir=os.environ["TEST_DIR"])
        os.chmod(self.dir, 0o755)
        install.configure(self.dir, db)
        for name in "log", "plugins", "state", "work":
            os.mkdir(os.path.join(self.dir, name))
        shutil.copy(system.BUILD + "/tests/plugins/.libs/hostile.so", self.dir + "/plugins")
        for name in "example", "exec", "file", "core":
            shutil.copy("%s/lib/pulp/plugins/%s.so" % (system.PREFIX, name), self.dir + "/plugins")
        with open(self.dir + "/worker.conf", "w"):
            pass
        subprocess.run(["chown", "-R", "%s:" % os.environ["PULP_TEST_USER"], self.dir], check=True)
        self.env = install.environment(self.dir)
        self.our_env = {k: v for k, v in os.environ.items() if not k.startswith("PULP_TEST") and k != "PULP_LIBEXEC_DIR"}
        self.our_env.update(
            PULP_DATABASE="host=%s port=%s user=%s dbname=%s" % (
                os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGUSER"], db),
            PULP_PLUGIN_PATH=self.dir + "/plugins", PULP_STATE_DIRECTORY=self.dir + "/state",
            PULP_WORKING_DIRECTORY=self.dir + "/work", PULP_CONFIG=self.dir + "/worker.conf", PULP_DB_ENCRYPTION_KEY=self.dir + "/key", HOME=self.dir)
        self.processes, self.python, self.ours, self.ids = [], {}, {}, set()
        self.helper = self.api = None
        self.s = Session(db)
        if schema:
            self.program("pulp-task", "db", "install")
        else:
            self.s.be_guest()

    # --- processes

    def start_helper(self):
        """What runs pieces of Python in Pulp."""
        self.helper = subprocess.Popen(
            [self.venv + "/bin/python", HERE + "/python_side.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(self.dir + "/log/helper", "wb"), cwd=self.dir, env=self.env, universal_newlines=True,
            start_new_session=True, **account())

    def start(self):
        """The API and the helper; workers when they are needed."""
        self.start_helper()
        self.api = Process(self, "api", install.program(
            self.venv, "pulpcore-api", "--bind", "127.0.0.1:0", "--workers", "1", "--timeout", "90"), self.env,
            BAD_PYTHON, [r"Not Found: ", r"Conflict: ", r"Bad Request: ", r"Forbidden: ", r"Unauthorized: ", r"Method Not Allowed: "])
        self.api.wait_log(r"Listening at: http://127.0.0.1:\d+")
        self.port = int(re.search(r"Listening at: http://127.0.0.1:(\d+)", self.api.log())[1])
        wait_until("the API", lambda: self.rest("GET", "/pulp/api/v3/status/", user=None).status == 200, PATIENCE)

    def python_worker(self, name, *options, allowed=(), ready=True, **env):
        """A real pulpcore-worker. Its names are fixed before 3.94: it gets ours in the table."""
        worker = Process(self, name, install.program(self.venv, "pulpcore-worker", *options), dict(self.env, **env),
                         BAD_PYTHON, allowed)
        self.python[name] = worker
        if ready:
            worker.id = None
            self.wait_registered(worker)
        return worker

    def wait_registered(self, worker):
        """Until its row is there and it sleeps, or works."""
        def there():
            assert worker.running(), "%s ended: %s" % (worker.name, worker.log()[-2000:])
            worker.id = self.s.v("select pulp_id from core_appstatus where name like %s", "%d@%%" % worker.pid)
            return worker.id
        wait_until("%s to register" % worker.name, there, PATIENCE)
        worker.wait_log(r"entering sleep state|Starting task id")

    def our_worker(self, name="w", *options, slots=4, ready=True, allowed=(), **env):
        """A pulp-worker as installed."""
        worker = Process(self, name, [
            system.PREFIX + "/sbin/pulp-worker", "--worker-name-template", name, "--slots", str(slots), *options],
            dict(self.our_env, **env), BAD_OURS, allowed)
        self.ours[name] = worker
        if ready:
            worker.wait_log(r"event=worker\.started .* plugins=(\d+)")
            count = int(re.search(r"event=worker\.started .* plugins=(\d+)", worker.log())[1])
            worker.wait_log(r"event=plugin\.(up|quarantined|died)", count)
            worker.id = re.search(r"event=worker\.registered id=(\S+)", worker.log())[1]
            with open(os.path.join(self.dir, "work", ".%s.lock" % name)) as lock:
                self.ids.add(lock.read().strip())
        return worker

    def need(self, python=1, ours=1):
        """Exactly so many ordinary workers of each kind."""
        for kind, count, start, prefix in ((self.python, python, self.python_worker, "p"),
                                           (self.ours, ours, self.our_worker, "w")):
            for name in [n for n, w in kind.items() if not w.running() or n not in [
                    "%s%d" % (prefix, i) for i in range(count)]]:
                kind.pop(name).stop()
            for i in range(count):
                name = "%s%d" % (prefix, i)
                if name not in kind:
                    start(name)

    def program(self, *command, check=True, **env):
        """Runs one of our programs to its end."""
        done = subprocess.run(command, env=dict(self.our_env, **env), cwd=self.dir, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                              timeout=PATIENCE, check=False, **account())
        assert done.returncode == 0 or not check, "%s: %d %s" % (" ".join(command), done.returncode, done.stderr)
        return done if not check else done.stdout.strip()

    def manager(self, *arguments, venv=None):
        """pulpcore-manager to its end."""
        done = subprocess.run(install.program(venv or self.venv, "pulpcore-manager", *arguments), env=self.env, cwd=self.dir,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=600, check=False, **account())
        assert done.returncode == 0, "pulpcore-manager %s: %d %s" % (" ".join(arguments), done.returncode, done.stdout[-3000:])
        return done.stdout

    # --- Pulp's side

    def run(self, code):
        """Executes Python in Pulp; what it leaves in "result"."""
        self.helper.stdin.write(json.dumps(code) + "\n")
        self.helper.stdin.flush()
        line = self.helper.stdout.readline()
        assert line, "the helper ended: " + open(self.dir + "/log/helper").read()[-2000:]
        answer = json.loads(line)
        if "error" in answer:
            pulpdb.diag(answer["traceback"])
            raise AssertionError("Pulp raised: " + answer["error"])
        return answer["result"]

    def dispatch(self, func, *args, exclusive=(), shared=(), versions=None, **kw):
        """dispatch() of a Python program; named arguments of dispatch() itself, kwargs={} for the task."""
        module = func.split(".")[0]
        kw.update(args=list(args) or None, exclusive_resources=list(exclusive) or None,
                  shared_resources=list(shared) or None, versions=versions or OURS.get(module))
        return self.run("result = dispatch(%r, **%r)" % (func, {k: v for k, v in kw.items() if v is not None}))

    def rest(self, method, path, body=None, user=(install.ADMIN, install.PASSWORD), headers=(), **query):
        """One request; status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        given = {"Content-Type": "application/json", "Accept": "application/json", **dict(headers)}
        if user:
            given["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, given)
            answer = connection.getresponse()
            text = answer.read().decode()
        try:
            content = json.loads(text) if text else None
        except ValueError:
            content = text
        return types.SimpleNamespace(status=answer.status, body=content, headers=dict(answer.getheaders()))

    def path(self, *words, domain="default"):
        """The address of something of the API."""
        return "/pulp/%s/api/v3/%s" % (domain, "".join(str(w) + "/" for w in words))

    def get(self, *words, **query):
        """What must be there."""
        answer = self.rest("GET", self.path(*words), **query)
        assert answer.status == 200, answer
        return answer.body

    def cancel(self, task):
        """As the API's users do it."""
        return self.rest("PATCH", self.path("tasks", task), {"state": "canceled"})

    def pulp(self, *arguments, check=True):
        """Real pulp-cli; its answer."""
        done = subprocess.run(
            install.program(self.venv, "pulp", "--base-url", "http://127.0.0.1:%d" % self.port, "--username", install.ADMIN,
                            "--password", install.PASSWORD, "--no-verify-ssl", "--format", "json", *arguments),
            env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True, timeout=3 * PATIENCE, check=False, **account())
        if not check:
            return done
        assert done.returncode == 0, "pulp %s: %d %s" % (" ".join(arguments), done.returncode, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    # --- tasks

    def look(self, task):
        """Its row."""
        columns = ("state", "name", "result", "error", "started_at", "finished_at", "unblocked_at", "pulp_created",
                   "app_lock_id", "reserved_resources_record", "enc_args", "enc_kwargs")
        row = self.s.one("select %s from core_task where pulp_id = %%s" % ", ".join(columns), task)
        assert row, "no such task: %s" % task
        return types.SimpleNamespace(**dict(zip(columns, row)))

    def wait(self, task, *states, timeout=PATIENCE):
        """Until the task is in one of these states (any final one without); its row."""
        states = states or FINAL
        found = []

        def there():
            found[:] = [self.look(task)]
            self.alive()
            assert found[0].state in states or found[0].state not in FINAL, "it ended otherwise: %r" % (found[0],)
            return found[0].state in states
        try:
            wait_until("task %s to be %s" % (task, " or ".join(states)), there, timeout)
        except AssertionError:
            pulpdb.diag(self.look(task))
            raise
        return found[0]

    def ends(self, task, state="completed", error=None):
        """Waits for its end, which must be this one; its row."""
        got = self.wait(task)
        assert got.state == state and (error is None or got.error == error), got
        return got

    def ran_by(self, task):
        """The worker of ours that ran it, by name; None: Python."""
        if self.schema:
            return self.s.v("select worker from pulp_worker.attempt where task = %s", task)
        for name, worker in self.ours.items():	# guests keep nothing of a run but their logs
            if re.search(r"task=%s .*event=task\.started" % task, worker.log()):
                return name
        return None

    # --- the end

    def alive(self):
        """All that was not stopped on purpose still runs."""
        for process in self.processes:
            assert process.expected or process.running(), "%s died: %s\n%s" % (
                process.name, process.process.poll(), process.log()[-3000:])

    def aftermath(self):
        """What has to hold after every scenario."""
        self.alive()
        complaints = [c for p in self.processes for c in p.complaints()]
        assert not complaints, "\n".join(complaints)
        left = self.s.q("select pulp_id, name, state from core_task where state in %s", INCOMPLETE)
        assert not left, "tasks are left: %r" % left
        # a worker releases the lock after the end
        wait_until("the locks to be released", lambda: not self.s.q(
            "select 1 from core_task t join core_appstatus a on a.pulp_id = t.app_lock_id where a.app_type = 'worker'"))

    def leftovers(self):
        """What is left after everything has been stopped."""
        left = ["process %d" % p for wid in self.ids for p in system.processes_with(b"PULP_WORKER_ID=" + wid.encode())]
        left += ["process %d" % p for p in system.processes_with(b"PULP_SETTINGS=" + self.env["PULP_SETTINGS"].encode())]
        left += ["in the working directory: " + f for f in os.listdir(self.dir + "/work")]
        left += ["app status %s" % n for (n,) in self.s.q("select name from core_appstatus")]
        return left

    def close(self, good):
        """Stops everything; where all was good nothing may be left."""
        try:
            if self.helper:
                self.helper.stdin.close()
                self.helper.wait(PATIENCE)
            for process in reversed(self.processes):
                if process.running():
                    status = process.stop() if good else process.kill()
                    assert status == 0 or not good, "%s ended with %d: %s" % (process.name, status, process.log()[-2000:])
            if good:
                assert not self.leftovers(), self.leftovers()
        finally:
            for process in self.processes:
                if process.running():
                    process.kill()
            if self.helper and self.helper.poll() is None:
                self.helper.kill()
                self.helper.wait()
            for pid in (p for wid in self.ids for p in system.processes_with(b"PULP_WORKER_ID=" + wid.encode())):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in system.processes_with(b"PULP_SETTINGS=" + self.env["PULP_SETTINGS"].encode()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.s.close()
            subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False)
            shutil.rmtree(self.dir, ignore_errors=True)


def fresh_id():
    """A name that nobody has."""
    return uuid.uuid4().hex[:12]
