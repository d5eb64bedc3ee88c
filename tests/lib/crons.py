# SPDX-License-Identifier: MIT
"""Cron expressions at random, and when they fire by the plainest way there is: a walk over all minutes.

An expression that names all hours fires in each minute that passes whose clock time it names. Any other fires
when the clock first shows or passes a time that it names; what the clock shows again does not count again.
"""
import bisect
import datetime
import random
import zoneinfo

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC", "America/Havana", "Asia/Kathmandu")
FIELDS = (("minutes", 0, 59), ("hours", 0, 23), ("days", 1, 31), ("months", 1, 12), ("weekdays", 0, 6))
NAMES = {"months": "jan feb mar apr may jun jul aug sep oct nov dec".split(), "weekdays": "sun mon tue wed thu fri sat".split()}
MINUTE = datetime.timedelta(minutes=1)


def field(r, name, low, high, wide):
    """(text, values) of one field."""
    def word(value):
        names = NAMES.get(name)
        text = names[value - low] if names and r.random() < 0.3 else str(value)
        return text.upper() if r.random() < 0.1 else "7" if name == "weekdays" and text == "0" and r.random() < 0.3 else text

    if r.random() < wide:
        return "*", set(range(low, high + 1))
    texts, values = [], set()
    for _ in range(r.choice((1, 1, 1, 2, 3))):
        kind = r.randrange(3)
        first = r.randint(low, high)
        if name == "hours" and r.random() < 0.5:
            first = r.randrange(4)      # when clocks are moved
        last = r.randint(first, high)
        step = r.randint(1, max(1, high // 2))
        if kind == 0:
            texts.append("*/%d" % step)
            values.update(range(low, high + 1, step))
        elif kind == 1 and last > first:
            texts.append("%s-%s" % (first, last) + ("" if r.random() < 0.5 else "/%d" % step))
            values.update(range(first, last + 1, 1 if "/" not in texts[-1] else step))
        else:
            texts.append(word(first))
            values.add(first)
    return ",".join(texts), values


def draw(r):
    """(expression, what add_schedule wants of it); it may be one that never fires."""
    texts, parts = [], {}
    for name, low, high in FIELDS:
        text, values = field(r, name, low, high, {"minutes": 0.1, "months": 0.7}.get(name, 0.4))
        texts.append(text)
        parts[name] = sum(1 << v for v in values)
    parts["either"] = texts[2][0] != "*" and texts[4][0] != "*"
    return " ".join(texts), parts


def day_matches(parts, day):
    by_month = parts["days"] >> day.day & 1
    by_week = parts["weekdays"] >> (day.isoweekday() % 7) & 1
    return parts["months"] >> day.month & 1 and (by_month or by_week if parts["either"] else by_month and by_week)


def matches(parts, local):
    return parts["minutes"] >> local.minute & 1 and parts["hours"] >> local.hour & 1 and day_matches(parts, local)


def ever(parts):
    """Whether it fires at all: whatever the weekday, it comes round, unless no month has such a day."""
    most = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return any(parts["months"] >> m & 1 and (parts["either"] or any(parts["days"] >> d & 1 for d in range(1, most[m - 1] + 1)))
               for m in range(1, 13))


class Walk:
    """All minutes from START (UTC) on, for some days, and what the clock of ZONE shows in them."""

    def __init__(self, zone, start, days):
        tz = zoneinfo.ZoneInfo(zone)
        self.start = start
        early = 26 * 60     # so that it is known what the clock showed before
        minutes = [start + MINUTE * m for m in range(-early, days * 1440)]
        shown = [m.astimezone(tz).replace(tzinfo=None, fold=0) for m in minutes]
        top, self.minutes = shown[0], []
        for at, local in zip(minutes, shown):
            passed = []
            while top < local:
                top += MINUTE
                passed.append(top)
            if at >= start:
                self.minutes.append((at, local, passed))

    def fires(self, parts):
        """When it fires, in order."""
        if parts["hours"] == (1 << 24) - 1:
            return [at for at, local, _ in self.minutes if matches(parts, local)]
        return [at for at, _, passed in self.minutes if any(matches(parts, p) for p in passed)]

    def moved(self):
        """When the clock shows something else than a minute after."""
        return [b[0] for a, b in zip(self.minutes, self.minutes[1:]) if b[1] - a[1] != MINUTE]

    def end(self):
        return self.minutes[-1][0] + MINUTE


def following(fires, before):
    at = bisect.bisect_right(fires, before)
    return fires[at] if at < len(fires) else None


def shifts(zone, first_year, last_year):
    """The days on which the clock of this zone is moved, or what stands for them."""
    tz = zoneinfo.ZoneInfo(zone)
    day = datetime.datetime(first_year, 1, 1, tzinfo=datetime.timezone.utc)
    found = []
    while day.year <= last_year:
        after = day + datetime.timedelta(days=1)
        if day.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset():
            found.append(day)
        day = after
    return found or [datetime.datetime(first_year, 2, 27, tzinfo=datetime.timezone.utc)]


def some(seed):
    return random.Random(seed)
