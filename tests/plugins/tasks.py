# SPDX-License-Identifier: MIT
"""Runs tasks of the plugins that ship by tests/plugins/harness, and prints TAP."""
import array
import concurrent.futures
import contextlib
import fcntl
import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

TOP = os.environ.get("top_builddir") or os.getcwd()
DEADLINE = 60

_count = 0
_failed = 0
_lock = threading.Lock()


def ok(good, what, more=""):
    """One check; more is shown if it fails. Any thread may call it."""
    global _count, _failed
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__:
        frame = frame.f_back
    with _lock:
        _count += 1
        print("%sok %d - %s" % ("" if good else "not ", _count, what), flush=True)
        if not good:
            _failed += 1
            print("# at line %d%s" % (frame.f_lineno, "\n# " + more if more else ""), flush=True)
    return good


def equal(got, want, what):
    """One check that shows both sides if it fails."""
    ok(got == want, what, "got  %.2000r\n# want %.2000r" % (got, want))


def has(text, part, what):
    """Checks that the text holds the part."""
    ok(text is not None and part in text, what, "%r is not in %.2000r" % (part, text))


def together(parts):
    """Runs functions at the same time; what one raises is raised."""
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        for future in [pool.submit(part) for part in parts]:
            future.result()


def done():
    """Ends the test."""
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed else 0)


def plan_skip(why):
    """Ends a test that cannot run here."""
    print("1..0 # SKIP %s" % why, flush=True)
    sys.exit(0)


@contextlib.contextmanager
def folder():
    """A folder of one's own, gone afterwards whatever its modes are."""
    path = tempfile.mkdtemp(prefix="pulp-plugins-")
    try:
        yield path
    finally:
        for where, dirs, _ in os.walk(path):
            for name in dirs:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(where, name), 0o700)
        shutil.rmtree(path)


class Task:
    """One call of a task. top: a folder that holds its state and working directories."""

    _numbers = itertools.count(1)

    def __init__(self, top, plugin, name, kwargs, replies=(), state=None, env=None):
        number = next(Task._numbers)
        self.state = state or os.path.join(top, "state")
        self.directory = os.path.join(top, "work-%d" % number)
        self.log_path = os.path.join(top, "log-%d" % number)
        self.events = []
        self._rest = b""
        os.makedirs(self.directory)
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        if not isinstance(kwargs, str):
            kwargs = json.dumps(kwargs)
        self.process = subprocess.Popen(
            [os.path.join(TOP, "tests/plugins/harness"),
             os.path.join(TOP, "plugins/%s/.libs/%s.so" % (plugin, plugin)), name, kwargs,
             self.directory, self.state, self.log_path, *replies],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            env=None if env is None else dict(os.environ, **env))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ)

    def _read(self, deadline):
        """Takes what the task says; false at its end."""
        if not self._selector.select(max(0, deadline - time.monotonic())):
            self.process.kill()
            raise TimeoutError("the task is silent: %r" % self.events[-3:])
        data = os.read(self.process.stdout.fileno(), 65536)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self.events += [json.loads(line) for line in lines]
        return bool(data)

    def until(self, wanted):
        """Waits until wanted(event) is true of one; returns it, None if the task ended before."""
        deadline = time.monotonic() + DEADLINE
        seen = 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    return event
            seen = len(self.events)
            if not self._read(deadline):
                return None

    def _look_until(self, what, condition):
        """Looks at the process, without reading what it says, until the condition holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "waited too long for " + what
            os.sched_yield()

    def _status(self, field):
        with open("/proc/%d/status" % self.process.pid) as file:
            return next(line.split()[1] for line in file if line.startswith(field + ":"))

    def until_blocked(self):
        """Waits until its pipe is full and the task waits for us to read."""
        held = array.array("i", [0])
        self._look_until("the pipe to be full", lambda: fcntl.ioctl(self.process.stdout, termios.FIONREAD, held) == 0
                         and held[0] > 60000 and self._status("State") == "S")

    def until_handled(self, number):
        """Waits until a signal that was sent to it has reached it."""
        self._look_until("the signal to be handled", lambda: not int(self._status("ShdPnd"), 16) & 1 << number - 1)

    def signal(self, number):
        """Sends a signal to the task child."""
        self.process.send_signal(number)

    def end(self):
        """Waits for the end."""
        deadline = time.monotonic() + DEADLINE
        while self._read(deadline):
            pass
        self.process.stdout.close()
        self._selector.close()
        self.process.wait(DEADLINE)
        return self

    def _last(self, kind, key):
        found = [event[key] for event in self.events if event["event"] == kind]
        return found[-1] if found else None

    @property
    def result(self):
        """Its result, or None."""
        return self._last("result", "value")

    @property
    def failure(self):
        """Its error's text, or None."""
        return self._last("fail", "text")

    @property
    def log(self):
        """What it wrote to stdout and stderr."""
        with open(self.log_path, "rb") as file:
            return file.read()

    def report(self, code):
        """The last progress report with that code."""
        found = [e for e in self.events if e["event"] == "progress" and e["code"] == code]
        return found[-1] if found else None

    def requests(self):
        """What it asked of the worker."""
        return [e for e in self.events if e["event"] == "request"]


def run(top, plugin, name, kwargs, replies=(), **options):
    """Runs a task to its end."""
    task = Task(top, plugin, name, kwargs, replies, **options).end()
    if task.process.returncode != 0:
        print("# the harness ended with %d: %.2000r" % (task.process.returncode, task.log), flush=True)
    return task


def stop(task):
    """Asks a task to stop, as a cancel does."""
    task.signal(signal.SIGUSR1)
