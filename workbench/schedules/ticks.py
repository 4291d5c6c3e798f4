"""The instants at which a cron line is due in a time zone, as Debian's cron has them.

A tick at a time that a night in spring leaves out comes as soon as the clock goes on: 02:30 at 03:00. A time that a night in
autumn has twice ticks at the first. But a line whose minute or hour starts with `*` goes by elapsed time: `*/30 2 * * *` ticks
four times in that night in autumn, and not at all in the one in spring.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_A_DAY = dt.timedelta(days=1)
#: What each field of a line takes, by the name that cronsim has for it.
_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L for the last or LW for the last weekday, if a month of the line has that day",
    "month": "1-12 or jan-dec",
    "day-of-week": "0-7 (0 and 7 are Sunday) or sun-sat, 5L for the last Friday of the month or 1#2 for the second Monday",
}


def check(cron: str) -> None:
    """Raises ValueError, with the field that is wrong and what it takes."""
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"the cron line {cron!r} has {len(fields)} fields; it takes five: minute hour day-of-month month day-of-week, "
            'like "0 7 * * mon-fri"'
        )
    try:
        found = next(CronSim(cron, dt.datetime(2000, 1, 1, tzinfo=dt.UTC)), None)
    except CronSimError as error:
        raise ValueError(_told(cron, fields, str(error))) from None
    if found is None:
        raise ValueError(f"the cron line {cron!r} names no day that ever comes")


def _told(cron: str, fields: list[str], problem: str) -> str:
    name = problem.removeprefix("Bad ")
    given = fields[list(_FIELDS).index(name)]
    return (
        f"the {name} {given!r} of the cron line {cron!r} cannot be used; it takes * or {_FIELDS[name]}, "
        "in lists (1,15), ascending ranges (1-5) and steps (*/2)"
    )


def ticks(cron: str, zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    """The ticks later than `after` and not later than `until`, in order, in UTC."""
    return takewhile(lambda tick: tick <= until, _from(cron, zone, after))


def following(cron: str, zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    """The first tick later than `after`, in UTC; None where there is none within 50 years."""
    return next(_from(cron, zone, after), None)


def newest(cron: str, zone: ZoneInfo, after: dt.datetime, until: dt.datetime, most: int) -> list[dt.datetime]:
    """The last `most` of the ticks from `after` to `until`, without going through all the years before them."""
    back = dt.timedelta(days=1)
    while True:
        start = max(after, until - back)
        found = list(ticks(cron, zone, start, until))
        if start == after or len(found) >= most:
            return found[-most:]
        back *= 4


def described(cron: str) -> str:
    """The line in English."""
    return CronSim(cron, dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).explain()


def _from(cron: str, zone: ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """cronsim goes by the wall clock, which a night in autumn turns back: it may begin before `after`.

    And what it makes of a night in which the clock is changed depends on whether it begins in it; here it never does.
    """
    start = after - _A_DAY if _changed(zone, after - _A_DAY, after) else after
    for tick in CronSim(cron, start.astimezone(zone)):
        instant = tick.astimezone(dt.UTC)
        if instant > after:
            yield instant


def _changed(zone: ZoneInfo, before: dt.datetime, after: dt.datetime) -> bool:
    return before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
