"""What columns are probably about, told from their names and the first values in them."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_DATES = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_EPOCHS = {"epoch": (r"\d{10}(\.\d+)?", 1), "epoch_ms": (r"\d{13}", 1000)}
_NAMES_NO_TIME = r"\b(id|no|nr|number|phone|tel|ref\w*|key|code|amount|revenue|price)\b|unique ?id"
#: One of so many values may be odd: it does not hide what the others are.
_ODD = 20
_ISO = re.compile(
    r"\d{4}(?P<divider>[-/])\d\d?(?P=divider)\d\d?(T| +)\d\d?:\d\d(:\d\d(\.\d{1,9})?)?"
    r" *(Z|UTC|GMT|[-+](0\d|1[0-4])(:?[0-5]\d)?)?",
    re.IGNORECASE,
)
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


#: Whether a value is of a kind.
Fits = Callable[[str], object]


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

    def matches(self, fits: Fits) -> int:
        """How many of the values are of a kind, where all but few are; else 0."""
        odd = (value for value in self.values if not fits(value))
        misfits = sum(1 for _ in itertools.islice(odd, len(self.values) // _ODD + 1))
        return len(self.values) - misfits if misfits <= len(self.values) // _ODD else 0

    @property
    def plain_seconds(self) -> bool:
        """Whether seconds are counted, rather than written as 1:35."""
        return not any(map(_DURATION.fullmatch, self.values))


def _is_yes_no(value: str) -> bool:
    return value.lower() in _YES_NO


def _is_seconds(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value) or _DURATION.fullmatch(value))


def _is_number(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value))


def _is_rating(value: str) -> bool:
    return _is_number(value) and 1 <= float(value) <= 5


def _is_direction(value: str) -> bool:
    return value in ("inbound", "outbound")


def _is_short(value: str) -> bool:
    return len(value) <= 200


_MUST_BE: dict[str, Fits] = {
    "answered": _is_yes_no,
    "resolved": _is_yes_no,
    "wait": _is_seconds,
    "duration": _is_seconds,
    "rating": _is_rating,
    "direction": _is_direction,
    "revenue": _is_number,
    "spend": _is_number,
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
        candidates = (
            column for pattern in patterns for column in left if re.search(pattern, column.words) and column.matches(fits)
        )
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
    if column.matches(_is_number):
        return _counted(column)
    if column.matches(_is_iso):
        return Time(columns=(column.name,), format=None)
    formats = [f"{date} {clock}".strip() for date, clock in itertools.product(_DATES, ("", *_TIMES))]
    fitting = _fitting(column, formats)
    return Time(columns=(column.name,), format=fitting[0], ambiguous=_day_or_month(fitting)) if fitting else None


def misfits(columns: Iterable[Column], found: dict[str, str], when: Iterable[Time]) -> dict[str, tuple[str, ...]]:
    """By column, the values in it that are not what it is taken for; import would reject their rows."""
    fits = {name: _MUST_BE[role] for role, name in found.items() if role in _MUST_BE}
    for each in when:
        fits |= {name: _reader(form) for name, form in zip(each.columns, _forms(each), strict=True)}
    known = [column for column in columns if column.name in fits]
    odd = {column.name: tuple(dict.fromkeys(itertools.filterfalse(fits[column.name], column.values))) for column in known}
    return {name: values for name, values in odd.items() if values}


def _counted(column: Column) -> Time | None:
    """Seconds or milliseconds since 1970, up to tomorrow. Under a name that says something else such a number is no time."""
    if re.search(_NAMES_NO_TIME, column.words):
        return None
    fitting = next((name for name in _EPOCHS if column.matches(_reader(name))), None)
    return Time(columns=(column.name,), format=fitting) if fitting else None


def _fitting(column: Column, formats: Iterable[str]) -> list[str]:
    """The formats that fit most of the values: among 01/02 and 13/02, the day that is no month decides."""
    matches = {each: column.matches(_reader(each)) for each in formats}
    best = max(matches.values())
    return [each for each, count in matches.items() if best and count == best]


def _forms(time: Time) -> list[str | None]:
    """The format of each of a time's columns: the last of several is the clock."""
    if len(time.columns) == 1 or time.format is None:
        return [time.format]
    return list(time.format.split(" ", 1))


def _reader(form: str | None) -> Fits:
    if form is None:
        return _is_iso
    if form in _EPOCHS:
        pattern, per_second = _EPOCHS[form]
        latest = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).timestamp()
        return lambda value: re.fullmatch(pattern, value) and 10**9 <= float(value) / per_second <= latest
    return lambda value: _parses(value, form)


def _day_or_month(fitting: list[str]) -> bool:
    return len({each.index("%d") < each.index("%m") for each in fitting}) > 1


def _has_clock(time: Time) -> bool:
    return time.format is None or time.format in _EPOCHS or "%H" in time.format or "%I" in time.format


def _clock_format(column: Column) -> str | None:
    return next(iter(_fitting(column, _TIMES)), None)


def _is_iso(value: str) -> bool:
    if not _ISO.fullmatch(value):
        return False
    year, month, day, hour, minute = map(int, re.findall(r"\d+", value)[:5])
    try:
        datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC)
    except ValueError:
        return False
    return True


def _parses(value: str, time_format: str) -> bool:
    try:
        parsed = datetime.datetime.strptime(value, time_format)  # noqa: DTZ007  only whether it parses
    except ValueError:
        return False
    return "%Y" not in time_format or parsed.year > 1900
