"""What columns are probably about, told from their names and the first values in them."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_DATES = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_YES_NO = {"y", "n", "yes", "no", "true", "false", "t", "f", "1", "0"}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_DURATION = re.compile(r"(\d+:)?\d+:\d\d(\.\d+)?")

#: What a column is about, and the words in its name that say so, best first.
_NAMES: dict[str, tuple[str, ...]] = {
    "call": (r"call id", r"call (no|number|ref\w*|key)", r"conversation id", r"(interaction|session) id", r"^call$"),
    "lead": (r"lead id", r"(mql|prospect|opportunity|deal) id", r"(contact|customer|client) id", r"^lead$"),
    "campaign": (r"campaign id", r"campaign"),
    "agent": (
        r"agent",
        r"operator|advisor|representative",
        r"handled by|assigned to|owner",
        r"\b(sr|rep)\b",
        r"\b(sdr|employee|user)\b",
    ),
    "answered": (r"answered",),
    "resolved": (r"resolved|solved",),
    "wait": (r"speed of answer|time to answer", r"wait|queue time|ring time|hold", r"\basa\b"),
    "duration": (r"talk", r"duration|call length|handle time|\baht\b"),
    "rating": (r"rating|csat|stars", r"satisfaction|score"),
    "direction": (r"direction",),
    "topic": (r"topic|subject", r"category|queue|skill|reason"),
    "source": (r"origin", r"source|channel|medium"),
    "revenue": (r"revenue", r"amount|price|deal value|order value"),
    "spend": (r"spend|spent|cost",),
    "stage": (r"stage",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column and some of the values in it, none empty."""

    name: str
    values: tuple[str, ...]

    @property
    def words(self) -> str:
        """The name in small letters, its words divided by spaces: `AvgTalkDuration` is `avg talk duration`."""
        apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name)
        return " ".join(re.findall(r"[a-z0-9]+", apart.lower()))

    def all_match(self, fits: Callable[[str], object]) -> bool:
        return bool(self.values) and all(fits(value) for value in self.values)

    @property
    def yes_no(self) -> bool:
        return self.all_match(lambda value: value.lower() in _YES_NO)

    @property
    def number(self) -> bool:
        return self.all_match(_NUMBER.fullmatch)

    @property
    def seconds(self) -> bool:
        return self.all_match(lambda value: _NUMBER.fullmatch(value) or _DURATION.fullmatch(value))

    @property
    def rating(self) -> bool:
        return self.number and self.all_match(lambda value: 1 <= float(value) <= 5)

    @property
    def direction(self) -> bool:
        return self.all_match(lambda value: value in ("inbound", "outbound"))

    @property
    def short(self) -> bool:
        return self.all_match(lambda value: len(value) <= 200)


def _is_short(column: Column) -> bool:
    return column.short


_MUST_BE: dict[str, Callable[[Column], bool]] = {
    "answered": lambda column: column.yes_no,
    "resolved": lambda column: column.yes_no,
    "wait": lambda column: column.seconds,
    "duration": lambda column: column.seconds,
    "rating": lambda column: column.rating,
    "direction": lambda column: column.direction,
    "revenue": lambda column: column.number,
    "spend": lambda column: column.number,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Time:
    """Columns that together say when, and the format of their values joined by a space; None is ISO."""

    columns: tuple[str, ...]
    format: str | None
    ambiguous: bool = False

    @property
    def words(self) -> str:
        return Column(name=" ".join(self.columns), values=()).words


def roles(columns: Iterable[Column]) -> dict[str, str]:
    """Which column is what, by the keys of the names above; a column is one thing only."""
    left = list(columns)
    found: dict[str, str] = {}
    for role, patterns in _NAMES.items():
        fits = _MUST_BE.get(role, _is_short)
        candidates = (column for pattern in patterns for column in left if re.search(pattern, column.words) and fits(column))
        if column := next((each for each in candidates if time_of(each) is None), None):
            found[role] = column.name
            left.remove(column)
    return found


def times(columns: list[Column], taken: set[str]) -> list[Time]:
    """Everything that says when: columns with date and time, a date with the time beside it, else dates alone."""
    found = [time for column in columns if column.name not in taken and (time := time_of(column))]
    clocks = [column for column in columns if column.name not in taken and _clock_format(column)]
    dates = [time for time in found if not _has_clock(time)]
    if len(dates) == 1 and clocks:
        clock = max(clocks, key=lambda column: "time" in column.words)
        joined = f"{dates[0].format or '%Y-%m-%d'} {_clock_format(clock)}"
        found[found.index(dates[0])] = Time(columns=(*dates[0].columns, clock.name), format=joined, ambiguous=dates[0].ambiguous)
    return sorted(found, key=_has_clock, reverse=True)


def time_of(column: Column) -> Time | None:
    if column.number or not column.values:
        return None
    if column.all_match(_is_iso):
        return Time(columns=(column.name,), format=None)
    formats = [f"{date} {clock}".strip() for date, clock in itertools.product(_DATES, ("", *_TIMES))]
    fitting = [each for each in formats if column.all_match(lambda value, each=each: _parses(value, each))]  # type: ignore[misc]
    return Time(columns=(column.name,), format=fitting[0], ambiguous=_day_or_month(fitting)) if fitting else None


def _day_or_month(fitting: list[str]) -> bool:
    return len({each.index("%d") < each.index("%m") for each in fitting}) > 1


def _has_clock(time: Time) -> bool:
    return time.format is None or "%H" in time.format or "%I" in time.format


def _clock_format(column: Column) -> str | None:
    return next((each for each in _TIMES if column.all_match(lambda value, each=each: _parses(value, each))), None)  # type: ignore[misc]


def _is_iso(value: str) -> bool:
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    return value[:4].isdigit() and value[4:5] == "-" and len(value) > len("2021-01-01")


def _parses(value: str, time_format: str) -> bool:
    try:
        parsed = datetime.datetime.strptime(value, time_format)  # noqa: DTZ007  only whether it parses
    except ValueError:
        return False
    return "%Y" not in time_format or parsed.year > 1900
