# SPDX-License-Identifier: MIT
"""The private PostgreSQL of a test, stopped and started again."""
import atexit
import contextlib
import os
import pwd
import signal
import subprocess

import psycopg2
import pulpdb
import system
from system import wait_until

DATA = os.environ.get("PGHOST", "") + "/data"


class Server:
    """The private PostgreSQL, stopped and started."""

    process = None

    @staticmethod
    def pid():
        """The postmaster's."""
        with open(DATA + "/postmaster.pid") as file:
            return int(file.readline())

    @classmethod
    def stop(cls, how):
        """fast, immediate, or kill: a crash."""
        pid = cls.pid()
        everything = [pid] + system.below(pid)
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            cls.command = [a.decode() for a in file.read().split(b"\0")[:-1]]
        os.kill(pid, {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}[how])
        if cls.process:
            cls.process.wait(60)
            cls.process = None
        wait_until("PostgreSQL to be gone", lambda: not [p for p in everything if system.alive(p)])

    @classmethod
    def start(cls):
        """The same again."""
        command = ["setpriv", "--pdeathsig", "QUIT"] + cls.command
        if os.getuid() == 0:
            owner = pwd.getpwuid(os.stat(DATA).st_uid)
            command[1:1] = ["--reuid=%d" % owner.pw_uid, "--regid=%d" % owner.pw_gid, "--clear-groups"]
        with open(os.environ["TEST_DIR"] + "/postgres.log", "ab") as log:
            cls.process = subprocess.Popen(command, cwd=os.environ["PGHOST"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def up():
            with contextlib.suppress(psycopg2.OperationalError):
                pulpdb.Session("postgres").close()
                return True
            return False
        wait_until("PostgreSQL to be up", up, 60)

    @classmethod
    def end(cls):
        """At the end of the test."""
        if cls.process:
            cls.process.send_signal(signal.SIGQUIT)
            cls.process.wait(60)


atexit.register(Server.end)
