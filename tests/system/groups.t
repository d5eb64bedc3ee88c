#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Task groups: progress that adds up, groups made by tasks, cancel, and what a group shows."""
import json
import os
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import pulpdb
import system
from system import wait_until

SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <pulp/plugin.h>

PULP_PLUGIN("grp", "c_grp", "1.0", "Members of groups");

PULP_TASK(add, "Advances the group's report 25 times")
{
	for (int i = 0; i < 25; i++)
		if (pulp_request(ctx, "group_progress", "{\"code\": \"add\", \"message\": \"Adding\", \"done\": 1, \"total\": 2}", NULL) < 0)
			return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	return pulp_result(ctx, ctx->group ? "\"member\"" : "null");
}

PULP_TASK(hang, "Until it is told to stop")
{
	while (!pulp_should_stop(ctx))
		usleep(10000);
	return pulp_done(ctx);
}

PULP_TASK(lead, "Makes a group of two, and says that these are all")
{
	char id[37], text[200];
	const char *reply;

	if (pulp_request(ctx, "create_task_group", "{\"description\": \"of a task\"}", &reply) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	if (sscanf(strchr(reply, ':'), ": \"%36[0-9a-f-]\"", id) != 1)
		return pulp_fail(ctx, "reply: %s", reply);
	snprintf(text, sizeof(text), "{\"func\": \"grp.hang\", \"task_group\": \"%s\"}", id);
	for (int i = 0; i < 2; i++)
		if (pulp_dispatch(ctx, text, NULL) < 0)
			return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	snprintf(text, sizeof(text), "{\"func\": \"grp.hang\"}");
	if (pulp_dispatch(ctx, text, NULL) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	snprintf(text, sizeof(text), "{\"task_group\": \"%s\"}", id);
	if (pulp_request(ctx, "finish_task_group", text, NULL) < 0)
		return pulp_fail(ctx, "%s", pulp_last_error(ctx));
	snprintf(text, sizeof(text), "\"%s\"", id);
	return pulp_result(ctx, text);
}
"""
STATES = "waiting", "skipped", "running", "completed", "canceled", "failed", "canceling"


def group(h, *args):
    """pulp-task group ... --json"""
    done = h.run("pulp-task", "--json", "group", *map(str, args))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def counts(h, g):
    """How many members are in which state, where there are any."""
    shown = group(h, "show", g)
    return {state: shown[state] for state in STATES if shown[state]}


def over(h, g):
    """What a client of Pulp looks at."""
    return not {"waiting", "running", "canceling"} & counts(h, g).keys()


def adds_up(h):
    """tasks of two workers advance one report of their group at the same time, and nothing is lost"""
    h.build(SOURCE, "grp")
    h.worker("a", slots=4)
    h.worker("b", slots=4)
    g = group(h, "create", "--description", "sums")["pulp_id"]
    tasks = [h.task("grp.add", group=g) for _ in range(8)]
    for t in tasks:
        assert h.ends(t, "completed").result == "member"
    shown = group(h, "show", g)
    assert shown["group_progress_reports"] == [
        {"code": "add", "message": "Adding", "done": 200, "total": 400, "suffix": None}], shown
    assert counts(h, g) == {"completed": 8} and over(h, g) and not shown["all_tasks_dispatched"]
    assert [t["pulp_id"] for t in shown["tasks"]] == list(map(str, tasks))
    text = h.run("pulp-task", "group", "show", g).stdout
    assert "Adding: 200 of 400" in text and "Finished" not in text, text
    assert group(h, "finish", g)["all_tasks_dispatched"]
    assert "all its tasks have been dispatched" in h.run("pulp-task", "group", "show", g).stdout
    t = h.task("grp.add", group=g)      # as in Pulp since 3.84
    assert h.ends(t, "completed").result == "member"
    h.ends(h.task("grp.add"), "failed", {"description": "this task belongs to no group", "traceback": ""})
    for args in ("finish", pulpdb.uuid.uuid4()), ("show", pulpdb.uuid.uuid4()), ("cancel", pulpdb.uuid.uuid4()):
        assert h.run("pulp-task", "group", *map(str, args)).returncode == 66, args


def of_groups(h):
    """a member makes a group of its own; each is canceled by itself"""
    h.build(SOURCE, "grp")
    h.worker(slots=8)
    outer = group(h, "create")["pulp_id"]
    lead = h.task("grp.lead", group=outer)
    beside = h.task("grp.hang", group=outer)
    inner = h.ends(lead, "completed").result
    shown = group(h, "show", inner)
    assert shown["description"] == "of a task" and shown["all_tasks_dispatched"], shown
    wait_until("all to run", lambda: counts(h, inner) == {"running": 2} and h.look(beside).state == "running", system.PATIENCE)
    alone, = [t for (t,) in h.s.q("select pulp_id from core_task where parent_task_id = %s and task_group_id is null", lead)]
    assert group(h, "cancel", outer)["all_tasks_dispatched"]
    h.ends(beside, "canceled")
    assert counts(h, outer) == {"completed": 1, "canceled": 1} and over(h, outer)
    assert counts(h, inner) == {"running": 2} and not over(h, inner)
    group(h, "cancel", inner)
    wait_until("the inner group to be over", lambda: over(h, inner), system.PATIENCE)
    assert counts(h, inner) == {"canceled": 2}
    assert h.look(alone).state in ("running", "waiting")
    h.cancel(alone)
    h.wait(alone, "canceled")


def states(h):
    """a group counts each state"""
    g = group(h, "create")["pulp_id"]
    for n, state in enumerate(STATES, 1):
        for _ in range(n):
            pulpdb.bare_task(h.s, [], name="grp.hang", state=state, task_group_id=g)
    assert counts(h, g) == {state: n for n, state in enumerate(STATES, 1)} and not over(h, g)
    text = h.run("pulp-task", "group", "show", g).stdout
    for n, state in enumerate(STATES, 1):
        assert "%d %s" % (n, state) in text, text
    h.s.q("delete from core_task")


system.run(adds_up, of_groups, states)
