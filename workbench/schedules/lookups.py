"""What the schedules file names is looked up: tenants, and the parameters of reports, on some of the days to come too."""

from __future__ import annotations

import datetime as dt
import difflib
import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from workbench import documents
from workbench.errors import InvalidParameter
from workbench.notebooks import Report
from workbench.schedules import macros, ticks

#: So many of the ticks to come are tried: some mistakes only show on some days.
_TRIED = 40
_SOME_TICK = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def text_of(given: Any) -> str:
    """A parameter's value as the text that reports take."""
    if isinstance(given, dict | list):
        raise ValueError('a parameter is a text, a number, true or false; a macro stands in quotes: "{{ yesterday }}"')
    if given is None or isinstance(given, bool):
        return "" if given is None else str(given).lower()
    macros.expanded(str(given), _SOME_TICK)
    return str(given)


def tenant_mistakes(document: documents.Document, tenant_ids: Collection[str]) -> Iterator[tuple[int, str]]:
    for name, entry in _entries(document):
        given = entry.get("tenants")
        for place, tenant_id in enumerate(given if isinstance(given, list) else []):
            if isinstance(tenant_id, str) and tenant_id not in tenant_ids:
                line = document.line(("schedules", name, "tenants", place))
                close = difflib.get_close_matches(tenant_id, tenant_ids, n=1)
                hint = f"did you mean {close[0]!r}?" if close else "`workbench tenant list` shows those there are"
                yield line, f"there is no tenant {tenant_id!r}; {hint}"


def parameter_mistakes(document: documents.Document, reports: Mapping[str, Report]) -> Iterator[tuple[int, str]]:
    for name, entry in _entries(document):
        report, given = reports.get(str(entry.get("report"))), entry.get("parameters")
        if report is not None and isinstance(given, dict):
            for parameter, what in _wrong_parameters(report, entry, given):
                path = ("schedules", name, "parameters", *([parameter] if parameter else []))
                yield document.line(path, of_key=True), what


def _wrong_parameters(report: Report, entry: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each parameter that is unknown or of the wrong type; "" where only several together are wrong, as on some day."""
    known = [parameter.name for parameter in report.parameters]
    texts = {name: text for name, value in given.items() if (text := _text_or_none(value)) is not None}
    wrong = False
    for name, text in texts.items():
        if name not in known:
            yield name, f"report {report.name} has no parameter {name!r}{documents.did_you_mean(name, known)}"
            wrong = True
        elif told := _refused(report, {name: text}, _SOME_TICK):
            yield name, told
            wrong = True
    if not wrong and (told := _refused_some_day(report, str(entry.get("cron")), texts)):
        yield "", told


def _text_or_none(value: Any) -> str | None:
    try:
        return text_of(value)
    except ValueError:
        return None


def _refused(report: Report, texts: Mapping[str, str], tick: dt.datetime) -> str | None:
    try:
        report.values({name: macros.expanded(text, tick) for name, text in texts.items()})
    except InvalidParameter as error:
        return str(error).rstrip(".")
    return None


def _refused_some_day(report: Report, cron: str, texts: Mapping[str, str]) -> str | None:
    """What is wrong with the parameters at one of the ticks to come, as where a period ends before it starts."""
    try:
        ticks.check(cron)
    except ValueError:
        return None
    tick: dt.datetime | None = dt.datetime.now(dt.UTC)
    for _ in range(_TRIED):
        tick = tick and ticks.following(cron, zoneinfo.ZoneInfo("UTC"), tick)
        if tick and (told := _refused(report, texts, tick)):
            return f"{told} at the tick of {tick:%Y-%m-%d %H:%M}"
    return None


def _entries(document: documents.Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schedules as they stand, as far as they are mappings at all; what else is wrong with them the models tell."""
    whole = document.value if isinstance(document.value, dict) else {}
    schedules = whole.get("schedules")
    for name, entry in (schedules if isinstance(schedules, dict) else {}).items():
        if isinstance(entry, dict):
            yield name, entry
