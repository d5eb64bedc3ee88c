# SPDX-License-Identifier: MIT
"""Arguments at rest: what one side encrypts the other opens."""
import json

from live import SLEEP
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


SCENARIOS = [python_encrypts, ours_encrypts]
