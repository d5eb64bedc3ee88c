# SPDX-License-Identifier: MIT
"""Arguments at rest: what one side encrypts the other opens."""
import json
from concurrent.futures import ThreadPoolExecutor

from live import SLEEP
from load import check_intervals
from table import quick, seats

TOKEN = "gAAAA"


@quick
def python_encrypts(p):
    """args and kwargs that Python encrypted are opened by our worker"""
    task = p.dispatch("example.greet", kwargs={"name": "Grüße, \U0001f600"})
    row = p.ends(task)
    assert row.result == "Hello, Grüße, \U0001f600!", row
    assert row.enc_kwargs["name"].startswith(TOKEN), row
    task = p.dispatch("hostile.result", 1, None, True, 2.5, {"k": [None, {"q": "s"}]}, kwargs={"x": {"y": []}})
    got = p.ends(task).result
    assert "s" in json.dumps(got) and "2.5" in json.dumps(got), got


@quick
def ours_encrypts(p):
    """a task that pulp-task dispatches for Python's function: Python opens what it encrypted"""
    task = p.program("pulp-task", "dispatch", SLEEP, "--args", "[0.01]", "--require", "core=3.0")
    row = p.ends(task)
    assert row.enc_args[0].startswith(TOKEN), row
    read = p.run("t = models.Task.objects.get(pk=%r); result = [t.enc_args, t.enc_kwargs]" % task)
    assert read[0] == [0.01], read
    task = p.program("pulp-task", "dispatch", "exec.run", "--kwargs", '{"argv": ["echo", "hello"]}', "--wait")
    assert "hello" in json.dumps(p.look(task).result), p.look(task)


@quick
def many_at_once(p):
    """two programs dispatch many tasks of both kinds at once, on the same resources the other way round: all run, in order"""
    wanted = [("example.greet", {"name": "n%d" % i}, "c_example", "1.0.0") for i in range(180)]
    wanted[::30] = [(SLEEP, {"interval": 0.01}, "core", "3.0")] * 6
    names = ["many-%d" % n for n in range(7)]
    for file, step in ("there", 1), ("back", -1):
        with open("%s/%s" % (p.dir, file), "w") as lines:
            for i, (func, kwargs, label, version) in enumerate(wanted):
                name = names[::step][i % len(names)]
                lines.write(json.dumps({"func": func, "kwargs": kwargs, "versions": {label: version}, "exclusive_resources": [name]}) + "\n")
    with ThreadPoolExecutor(2) as both:
        tasks = [t.split() for t in both.map(lambda file: p.program("pulp-task", "dispatch-many", file), ("there", "back"))]
    assert [len(t) for t in tasks] == [180, 180]
    for task, (func, kwargs, _, _) in [pair for half in tasks for pair in zip(half, wanted)]:
        row = p.ends(task)
        assert row.name == func and row.enc_kwargs[next(iter(kwargs))].startswith(TOKEN), row
        assert func == SLEEP or row.result == "Hello, %s!" % kwargs["name"], row
    check_intervals(p, tasks[0] + tasks[1])


SCENARIOS = [python_encrypts, ours_encrypts, many_at_once]
