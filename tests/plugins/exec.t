#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""exec.run, called as a task child calls it."""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tasks import Task, done, equal, folder, has, ok, run, stop  # noqa: E402


def call(top, *argv, **more):
    """exec.run of a program."""
    return run(top, "exec", "run", dict(argv=list(argv), **more))


def shell(top, script, *args, **more):
    """exec.run of a shell script."""
    return call(top, "sh", "-c", script, "sh", *args, **more)


def outputs(top):
    """What comes back."""
    task = shell(top, "echo out; echo err >&2")
    equal(task.result, {"exit_status": 0, "signal": None, "stdout": "out\n", "stderr": "err\n",
                        "stdout_bytes": 4, "stderr_bytes": 4}, "both outputs and the exit status are the result")
    equal(task.log, b"", "a program that succeeded leaves the task's log alone")
    equal(call(top, "cat", stdin="h\u00e4llo\n").result["stdout"], "h\u00e4llo\n", "stdin is fed as UTF-8")
    equal(call(top, "cat").result["stdout"], "", "no stdin reads as empty")
    equal(call(top, "cat", stdin="").result["stdout"], "", "an empty stdin ends too")
    equal(call(top, "cat", stdin="a\0b").result["stdout"], "a\ufffdb", "NUL goes in and comes out as U+FFFD")
    equal(call(top, "printf", r"\377\303\050\342\202\254\355\240\200z").result["stdout"],
          "\ufffd\ufffd(\u20ac\ufffd\ufffd\ufffdz", "bytes that are no UTF-8 become U+FFFD")
    task = shell(top, "pwd; ls -A")
    equal(task.result["stdout"], os.path.realpath(task.directory) + "\n", "it runs in the task's empty directory")
    equal(call(top, "printf", "%s|", "a b", "", "$HOME", "*").result["stdout"], "a b||$HOME|*|",
          "arguments are passed as they are")


def sizes(top):
    """Large inputs and outputs."""
    megabyte = "0123456789abcde\n" * 65536
    task = run_with_stdin(top, "tee /dev/stderr", megabyte)
    result = task.result
    equal((result["stdout_bytes"], result["stderr_bytes"]), (len(megabyte), len(megabyte)),
          "1 MiB in, 1 MiB out twice: all of it is counted")
    want = megabyte[:32768] + "\n[... 983040 bytes left out ...]\n" + megabyte[-32768:]
    equal(result["stdout"], want, "stdout keeps 32 KiB of its head and of its tail")
    equal(result["stderr"], want, "stderr too")
    equal(run_with_stdin(top, "head -c 1", megabyte).result["stdout"], "0",
          "a program need not read all of its input")
    equal(run_with_stdin(top, "exec <&-; echo closed", megabyte).result["stdout"], "closed\n",
          "a program may close its input")
    task = shell(top, "head -c 65536 /dev/zero | tr '\\0' x")
    equal(task.result["stdout"], "x" * 65536, "exactly 64 KiB is kept whole")
    task = shell(top, "for i in 1 2 3 4 5 6 7 8; do head -c 9001 /dev/zero | tr '\\0' y; done; printf '\\303\\244'")
    text = task.result["stdout"]
    ok(text.startswith("y" * 32768 + "\n[... 6474 bytes left out ...]\n") and text.endswith("y\u00e4"),
       "what is left out is counted in bytes")
    task = shell(top, "yes \u20ac | tr -d '\\n' | head -c 300000")
    ok("\ufffd" not in task.result["stdout"][:33000], "a character cut in two by the cap is left out")


def run_with_stdin(top, script, text):
    """A stdin that is too large for the harness's command line comes out of a file."""
    path = os.path.join(top, "input")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    # The harness takes KWARGS as an argument, at most 128 KiB: a large stdin is made of env and a file.
    return shell(top, "cat \"$1\" | { " + script + "; }", path)


def big_stdin(top):
    """As much as one argument of the harness can carry, against a program that answers while it reads."""
    text = "x" * 120000
    task = call(top, "tee", "/dev/stderr", stdin=text)
    equal((task.result["stdout_bytes"], task.result["stderr_bytes"]), (120000, 120000),
          "more than a pipe holds goes in while both outputs come out")
    # it ends once the pipe is full and the task cannot write on
    full = "import array, fcntl, termios\nn = array.array('i', [0])\nwhile n[0] < 65536: fcntl.ioctl(0, termios.FIONREAD, n)"
    equal(call(top, "/usr/bin/python3", "-c", full, stdin=text).result["exit_status"], 0,
          "a program that never reads its input does not block the task")


def environment(top):
    """The environment."""
    task = call(top, "env", env={"A": "1", "HOME": "/x y", "EMPTY": ""})
    lines = task.result["stdout"].split("\n")
    ok("A=1" in lines and "HOME=/x y" in lines and "EMPTY=" in lines, "env adds and replaces")
    equal(sum(line.startswith("HOME=") for line in lines), 1, "a replaced variable is there once")
    ok(any(line.startswith("PATH=") for line in lines), "the rest is inherited")
    tool = os.path.join(top, "bin", "tool")
    os.makedirs(os.path.dirname(tool))
    with open(tool, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho found\n")
    os.chmod(tool, 0o755)
    equal(call(top, "tool", env={"PATH": os.path.dirname(tool) + ":/usr/bin:/bin"}).result["stdout"], "found\n",
          "argv[0] is looked up in the PATH of env")
    equal(call(top, tool).result["stdout"], "found\n", "a path is taken as it is")
    for name in ("PULP_TASK_ID", "PULP_WORKER_ID"):
        has(call(top, "true", env={name: "x"}).failure, name + " is the worker's own", name + " cannot be set")


def descriptors(top):
    """What the program inherits."""
    task = call(top, "ls", "/proc/self/fd")
    equal(task.result["stdout"], "0\n1\n2\n3\n", "nothing is open but 0, 1, 2 (and what ls itself opened)")
    task = shell(top, "grep -E '^Sig(Ign|Blk)' /proc/self/status")
    masks = [int(line.split()[1], 16) for line in task.result["stdout"].split("\n")[:2]]
    equal([mask & ~(3 << 31) for mask in masks], [0, 0], "no signal is blocked or ignored (but libc's own two)")


def failures(top):
    """Programs that fail."""
    task = shell(top, "echo first >&2; echo 'last words' >&2; echo >&2; echo out; exit 3")
    equal(task.failure, "exit status 3: last words", "an exit status other than 0 fails, with the last line of stderr")
    equal(task.result, None, "and makes no result")
    equal(task.log, b"out\nfirst\nlast words\n\n", "what it wrote is in the task's log")
    equal(shell(top, "exit 1").failure, "exit status 1", "a silent failure")
    has(shell(top, "kill -9 $$").failure, "killed by signal 9 (Killed)", "a signal fails, named")
    has(shell(top, "echo oops >&2; kill -SEGV $$").failure, "signal 11 (Segmentation fault): oops",
        "with the last line of stderr")
    long = shell(top, "yes \u20ac | tr -d '\\n' | head -c 90000 >&2; exit 9").failure
    ok(len(long.encode()) < 400 and "\ufffd" not in long[:-1], "a long last line is cut between two characters")
    equal(call(top, "/no/such/program").failure, "cannot run '/no/such/program': No such file or directory",
          "no such program")
    equal(call(top, "no-such-program-in-path", env={"PATH": "/usr/bin:/bin"}).failure,
          "cannot run 'no-such-program-in-path': No such file or directory", "none in PATH")
    equal(call(top, "/").failure, "cannot run '/': Permission denied", "a directory")
    plain = os.path.join(top, "plain")
    with open(plain, "w", encoding="utf-8") as file:
        file.write("x")
    equal(call(top, plain).failure, "cannot run '%s': Permission denied" % plain, "a file that may not be run")


def arguments(top):
    """What is refused before anything runs."""
    for kwargs, text in (
            ({}, "argument 'argv' is missing"), ({"argv": None}, "argument 'argv' is missing"),
            ({"argv": "ls -l"}, "argument 'argv' must be an array of strings, not a string"),
            ({"argv": []}, "argument 'argv' is empty"), ({"argv": [""]}, "argv[0] is empty"),
            ({"argv": ["a", 1]}, "argv[1] must be a string, not a number"),
            ({"argv": ["a", None]}, "argv[1] must be a string, not null"),
            ({"argv": ["a\0b"]}, "argv[0] holds a NUL character"),
            ({"argv": ["true"], "stdin": ["x"]}, "argument 'stdin' must be a string, not an array"),
            ({"argv": ["true"], "env": ["x"]}, "argument 'env' must be an object of strings, not an array"),
            ({"argv": ["true"], "env": {"A": True}}, "env: A must be a string, not a boolean"),
            ({"argv": ["true"], "env": {"A=B": "x"}}, "env: 'A=B' cannot be the name of a variable"),
            ({"argv": ["true"], "env": {"": "x"}}, "env: '' cannot be the name of a variable"),
            ({"argv": ["true"], "env": {"A": "x\0y"}}, "env: A holds a NUL character"),
            ({"argv": ["true"], "enf": {}}, "unknown argument 'enf', did you mean 'env'?"),
            ({"argv": ["true"], "working_directory": "/"},
             "unknown argument 'working_directory' (there are: argv, env, stdin)"),
            ('{"argv": ["true"], "argv": ["false"]}', "kwargs: duplicate object key"),
            ("[]", "args must be an array and kwargs an object")):
        has(run(top, "exec", "run", kwargs).failure, text, text)
    equal(call(top, "true", env=None, stdin=None).result["exit_status"], 0, "null counts as not given")


def stops(top):
    """Cancel, and what is left behind."""
    ready = os.path.join(top, "ready")
    os.mkfifo(ready)
    script = "trap 'echo cleaned up >&2; exit 5' TERM; echo > \"$1\"; tail -f /dev/null & wait"
    for how, number in (("cancel", signal.SIGUSR1), ("TERM to the task", signal.SIGTERM)):
        task = Task(top, "exec", "run", {"argv": ["sh", "-c", script, "sh", ready]})
        with open(ready, encoding="ascii") as file:
            file.read()
        task.signal(number)
        equal(task.end().failure, "stopped: exit status 5: cleaned up", how + " is passed on as TERM, waited for")
    pid_path = os.path.join(top, "pid")
    script = "trap '' TERM; echo $$ > \"$2\"; echo > \"$1\"; while :; do tail -f /dev/null; done"
    task = Task(top, "exec", "run", {"argv": ["sh", "-c", script, "sh", ready, pid_path]})
    with open(ready, encoding="ascii") as file:
        file.read()
    with open(pid_path, encoding="ascii") as file:
        pidfd = os.pidfd_open(int(file.read()))
    stop(task)
    task.signal(signal.SIGKILL)
    task.end()
    import select
    ok(select.select([pidfd], [], [], 20)[0], "a program that ignores TERM is killed with the task child")
    os.close(pidfd)
    task = shell(top, "tail -f /dev/null & echo $!; echo done")
    child, said = task.result["stdout"].split()
    equal(said, "done", "a process left behind that holds the pipes does not hold the task")
    os.kill(int(child), signal.SIGKILL)
    task = shell(top, "setsid sh -c 'trap \"\" TERM; while :; do echo noise; done' & echo $! >&2; exit 0")
    os.kill(int(task.result["stderr"]), signal.SIGKILL)
    ok(task.result["stdout_bytes"] < 8 << 20, "nor does one that writes on for ever")


with folder() as base:
    for part in (outputs, sizes, big_stdin, environment, descriptors, failures, arguments, stops):
        where = os.path.join(base, part.__name__)
        os.mkdir(where)
        part(where)
done()
