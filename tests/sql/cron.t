#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""When cron expressions fire, against a walk over all minutes: random ones, around the days on which clocks are moved."""
import datetime
import json
import os
import sys

sys.path.insert(0, os.environ["top_srcdir"] + "/tests/lib")
import crons
import pulpdb
from pulpdb import LONG, SEED, Session

NEXT = """select pulp_worker.cron_next(jsonb_populate_record(null::pulp_worker.cron, q.c), q.before) from
    jsonb_to_recordset(%s) q (c jsonb, before timestamptz, n int) order by n"""


def ask(s, questions):
    """[(parts, zone, before)]: when each fires next."""
    return [r[0] for r in s.q(NEXT, json.dumps([
        {"n": n, "before": before.isoformat(), "c": dict(parts, expression="x", time_zone=zone, missed="once")}
        for n, (parts, zone, before) in enumerate(questions)]))]


def compare(s, r, zone, walk, count):
    """COUNT expressions, each asked at random moments of the walk, around those when the clock is moved, and when it fires."""
    asked, checked = [], []
    moved = walk.moved() or [walk.start]
    for _ in range(count):
        text, parts = crons.draw(r)
        fires = walk.fires(parts)
        moments = [walk.start + crons.MINUTE * r.random() * (len(walk.minutes) - 1) for _ in range(2)]
        moments += [r.choice(moved) + datetime.timedelta(minutes=r.uniform(-150, 150)) for _ in range(3)]
        if fires:
            at = r.choice(fires)
            moments += [at, at - datetime.timedelta(microseconds=1)]
        for before in (m for m in moments if walk.start <= m < walk.end()):
            asked.append((parts, zone, before))
            checked.append((text, crons.following(fires, before)))
    for (parts, _, before), (text, want), got in zip(asked, checked, ask(s, asked)):
        where = "%s '%s' after %s: %s, want %s (seed %d)" % (zone, text, before, got, want, SEED)
        if want:
            assert got == want and got > before, where
        else:
            assert got is None or got >= walk.end(), where


def against_all_minutes(db):
    """cron_next says what a walk over the minutes says, also where the clock is moved"""
    s, r = Session(db, timeout="600s"), crons.some(SEED)
    s.q("set timezone = 'UTC'")
    zones = crons.ZONES if LONG else crons.ZONES[:5]
    for zone in zones:
        # Apia left out a whole day in 2011
        days = crons.shifts(zone, 2011 if zone == "Pacific/Apia" else 2026, 2012 if zone == "Pacific/Apia" else 2030)
        for day in r.sample(days, min(len(days), 6 if LONG else 2)):
            walk = crons.Walk(zone, day - datetime.timedelta(days=2), 4)
            compare(s, r, zone, walk, 100 if LONG else 25)
        if zone == "Pacific/Apia":
            compare(s, r, zone, crons.Walk(zone, datetime.datetime(2011, 12, 28, tzinfo=datetime.timezone.utc), 5), 30)
        start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=r.randrange(2000))
        compare(s, r, zone, crons.Walk(zone, start, 40), 40 if LONG else 5)


def never(db):
    """what fires seldom or never is known in bounded time, whatever the zone"""
    s = Session(db, timeout="30s")
    s.q("set timezone = 'UTC'")
    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    one = {"minutes": 1, "hours": 1, "days": 1 << 29, "months": 1 << 2, "weekdays": 127, "either": False}
    hourly = dict(one, hours=(1 << 24) - 1)
    for parts, want in (
            (one, "2028-02-29"), (dict(one, weekdays=1), "2032-02-29"), (dict(one, weekdays=1 << 6), "2048-02-29"),
            (dict(one, days=1 << 30), None), (dict(one, days=3 << 30, months=1 << 2), None), (dict(one, days=1 << 31, months=0xa54), None),
            (dict(hourly, weekdays=1 << 3), "2040-02-29"), (dict(hourly, days=1 << 30), None),
            (dict(one, months=0), None), (dict(one, minutes=0), None), (dict(hourly, minutes=0), None), (dict(one, hours=0), None)):
        (got,) = ask(s, [(parts, "Europe/Berlin", start)])
        day = got and str((got + datetime.timedelta(hours=2)).date())
        assert day == want, (parts, got, want)


pulpdb.run(against_all_minutes, never)
