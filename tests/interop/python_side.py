# SPDX-License-Identifier: MIT
"""Runs in Pulp's own Python: reads a line with a piece of Python (as JSON), executes it, and writes what it left in
"result" (or what it raised) as a line of JSON. So a test can be any Python program on Pulp's side, without the
seconds that each start of Django takes."""
import json
import os
import sys
import traceback
import uuid

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django_guid import set_guid  # noqa: E402
from pulpcore.app import models  # noqa: E402
from pulpcore.app.util import set_current_user  # noqa: E402
from pulpcore.tasking import tasks  # noqa: E402


def dispatch(func, user="admin", cid=None, group=None, **kw):
    """A task as a program of Pulp dispatches it; its id."""
    set_guid(cid or uuid.uuid4().hex)
    set_current_user(get_user_model().objects.filter(username=user).first() if user else None)
    if group:
        kw["task_group"] = models.TaskGroup.objects.get(pk=group)
    status = None
    if kw.get("immediate"):
        # immediate tasks want to know who runs them
        status = models.AppStatus.objects.create(name="test-" + uuid.uuid4().hex, app_type="worker")
    try:
        return str(tasks.dispatch(func, **kw).pk)
    finally:
        if status:
            status.delete()
            models.AppStatus.objects._current_app_status = None
        set_current_user(None)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    world = dict(globals())
    for line in sys.stdin:
        world["result"] = None
        try:
            exec(json.loads(line), world)
            answer = {"result": world["result"]}
        except Exception as e:
            answer = {"error": "%s: %s" % (type(e).__name__, e), "traceback": traceback.format_exc()}
        print(json.dumps(answer, default=str), file=answers, flush=True)


main()
