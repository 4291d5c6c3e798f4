"""Dates in a schedule's parameters: `{{ yesterday }}`, `{{ previous_quarter.start }}`, `{{ today - 7d }}`.

They are those of the tick that a run belongs to, however late it runs, on the calendar of the schedule's time zone. A week goes
from Monday to Sunday.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping

from workbench.documents import did_you_mean

_MACRO = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FORM = re.compile(r"(?P<name>\w+)(?:\.(?P<edge>\w+))?(?P<shifts>(?:\s*[+-]\s*\d{1,5}\s*[dw])*)")
_SHIFT = re.compile(r"([+-])\s*(\d+)\s*([dw])")
_DAYS = {"d": 1, "w": 7}

#: First and last day of what a day lies in.
_Period = Callable[[dt.date], tuple[dt.date, dt.date]]


def _week(day: dt.date) -> tuple[dt.date, dt.date]:
    monday = day - dt.timedelta(days=day.weekday())
    return monday, monday + dt.timedelta(days=6)


def _months(count: int) -> _Period:
    """Periods of so many months, of which a year holds a whole number."""

    def period(day: dt.date) -> tuple[dt.date, dt.date]:
        first = (day.month - 1) // count * count + 1
        start = dt.date(day.year, first, 1)
        last_month = dt.date(day.year, first + count - 1, 28)
        return start, (last_month + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)

    return period


_PERIODS: Mapping[str, _Period] = {"week": _week, "month": _months(1), "quarter": _months(3), "year": _months(12)}
_PERIOD_NAMES = [f"{which}_{period}" for which in ("this", "previous") for period in _PERIODS]
#: Every macro there is, without arithmetic.
NAMES = ("today", "yesterday", "tick", *(f"{name}.{edge}" for name in _PERIOD_NAMES for edge in ("start", "end")))


def expanded(text: str, tick: dt.datetime) -> str:
    """`text` with each macro replaced by its date (ISO 8601), where `tick` is in the schedule's time zone.

    Raises ValueError with what would be right.
    """
    found = _MACRO.sub(lambda macro: _value(macro[1].strip(), tick), text)
    rest = _MACRO.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise ValueError(f"{text!r} has {{{{ or }}}} without the other; a macro looks like {{{{ yesterday }}}}")
    return found


def _value(macro: str, tick: dt.datetime) -> str:
    form = _FORM.fullmatch(macro)
    if form is None:
        raise ValueError(f"{{{{ {macro} }}}} is no macro; one looks like {{{{ yesterday }}}} or {{{{ this_week.start - 7d }}}}")
    if form["name"] == "tick" and not form["edge"]:
        return _instant(tick, form["shifts"])
    try:
        return _shifted(_day(form["name"], form["edge"], tick.date()), form["shifts"]).isoformat()
    except OverflowError:
        raise ValueError(f"{{{{ {macro} }}}} is beyond the calendar") from None


def _instant(tick: dt.datetime, shifts: str) -> str:
    if shifts:
        raise ValueError("{{ tick }} is a time and takes no + or -; {{ today }} is its date")
    return tick.isoformat(timespec="seconds")


def _day(name: str, edge: str | None, today: dt.date) -> dt.date:
    if name in ("today", "yesterday") and not edge:
        return today if name == "today" else today - dt.timedelta(days=1)
    which, _, period = name.partition("_")
    if name not in _PERIOD_NAMES or edge not in ("start", "end"):
        raise ValueError(_unknown(name, edge))
    start, end = _PERIODS[period](today)
    if which == "previous":
        start, end = _PERIODS[period](start - dt.timedelta(days=1))
    return start if edge == "start" else end


def _shifted(day: dt.date, shifts: str) -> dt.date:
    for sign, count, unit in _SHIFT.findall(shifts):
        day += dt.timedelta(days=int(f"{sign}{count}") * _DAYS[unit])
    return day


def _unknown(name: str, edge: str | None) -> str:
    if name in _PERIOD_NAMES and not edge:
        return f"{{{{ {name} }}}} is a period; write {{{{ {name}.start }}}} or {{{{ {name}.end }}}}"
    given = f"{name}.{edge}" if edge else name
    return f"there is no macro {given!r}{did_you_mean(given, NAMES)}"
