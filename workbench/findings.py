"""Sentences about what stands out, computed from the figures; each function gives none where there is nothing to say.

Values are written as the tiles and tables of the report write them.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.figures import Figure, Headline, change
from workbench.tables import Format, format_value, label_from

#: Fewer cases than this say little about a rate or mean, and a tenth more or fewer of them is chance.
ENOUGH = 30
#: Smaller changes, and smaller differences between the best and the worst, are not worth a sentence.
_NOTABLE = 0.1
_MOST_CHANGES = 3
#: What stands for a source that nobody gave.
_NO_NAME = {"", "-", "?", "n/a", "na", "none", "not given", "null", "unknown"}

Row = Mapping[Hashable, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _OfAgents:
    """What an agent is judged by: a column, the one that counts its cases, and which part of the team's value is notable."""

    column: str
    cases: str
    noun: str
    format: Format
    least: float


_OF_AGENTS = (
    _OfAgents(column="customer_rating", cases="ratings", noun="average rating", format="rating", least=0.03),
    _OfAgents(column="avg_call_seconds", cases="calls_with_duration", noun="average call time", format="seconds", least=0.05),
    _OfAgents(
        column="resolution_rate", cases="calls_with_resolution", noun="share of calls resolved", format="percent", least=0.03
    ),
    _OfAgents(column="conversion_rate", cases="leads_touched", noun="share of leads converted", format="percent", least=_NOTABLE),
)


def agents(frame: pd.DataFrame, team: pd.Series[Any]) -> list[str]:
    """Who is furthest from the team in rating, talk time, resolution and conversion, among those with enough cases to judge.

    `frame` is of `metrics.agents` and `team` of `metrics.totals`. Each figure has cases of its own: the rating its ratings, the
    talk time the calls whose duration is known.
    """
    rows = frame.to_dict("records")
    usual = {**team, "conversion_rate": _share(team["leads_converted"], team["leads_touched"])}
    said = [_furthest(rows, figure, usual[figure.column]) for figure in _OF_AGENTS]
    return [sentence for sentence in said if sentence]


def days(frame: pd.DataFrame, column: str, noun: str) -> list[str]:
    """The day furthest from what its weekday usually shows, where it is beyond three usual deviations.

    `frame` has a row per day (`metrics.daily`); days without a value are left out, and two weeks of them are needed.
    """
    found = [(pd.Timestamp(row["day"]).date(), float(row[column])) for row in frame.to_dict("records") if pd.notna(row[column])]
    if len(found) < 14:
        return []
    usual = _usual(found)
    away = [value - usual[day.weekday()] for day, value in found]
    # For values of a bell curve, this many times the median deviation is the standard deviation.
    spread = 1.4826 * statistics.median(abs(each) for each in away)
    (day, value), size = max(zip(found, away, strict=True), key=lambda pair: abs(pair[1]))
    if not spread or abs(size) < 3 * spread:
        return []
    direction = "more" if size > 0 else "fewer"
    return [f"{day:%A} {day.day} {day:%B} had {value:,.0f} {noun}, {abs(size):,.0f} {direction} than usual for that weekday."]


def sources(frame: pd.DataFrame, name: str) -> list[str]:
    """Which source or campaign (its column is `name`) converts best and least, among those with a name and enough leads."""
    judged = [row for row in frame.to_dict("records") if row["leads"] >= ENOUGH and _is_named(row[name])]
    if len(judged) < 2:
        return []
    best = max(judged, key=lambda row: row["conversion_rate"])
    worst = min(judged, key=lambda row: row["conversion_rate"])
    if best["conversion_rate"] - worst["conversion_rate"] < _NOTABLE * best["conversion_rate"] or not best["conversion_rate"]:
        return []
    rates = [format_value(row["conversion_rate"], "percent") for row in (best, worst)]
    return [
        f"The {label_from(name).lower()} {best[name]} converts best, {rates[0]} of {best['leads']:,.0f} leads; "
        f"{worst[name]} converts least, {rates[1]} of {worst['leads']:,.0f}."
    ]


def changes(headline: Headline) -> list[str]:
    """The figures of the headline that changed by a tenth or more, the greatest changes first, three at most.

    Nothing is said of a count that was and is small, of a rate or mean of few cases, or of less than a percentage point.
    """
    sizes = [(_relative(tile), tile) for tile in headline.figures]
    notable = [(size, tile) for size, tile in sizes if size is not None and size >= _NOTABLE]
    notable.sort(key=lambda pair: pair[0], reverse=True)
    return [_changed(tile, headline) for _, tile in notable[:_MOST_CHANGES]]


def part_weeks(weeks: pd.DataFrame) -> str | None:
    """Which weeks (`metrics.lead_weeks`) the period cuts, to be told beside a chart of them; None where all are whole."""
    cut = [f"{_day_text(row['week'])} ({row['days']} of 7 days)" for row in weeks.to_dict("records") if row["days"] < 7]
    return f"not whole: the week from {' and the week from '.join(cut)}" if cut else None


def _furthest(rows: Sequence[Row], figure: _OfAgents, team: float | None) -> str | None:
    judged = [row for row in rows if row[figure.cases] >= ENOUGH and pd.notna(row[figure.column])]
    if len(judged) < 2 or pd.isna(team) or not team:
        return None
    row = max(judged, key=lambda each: abs(each[figure.column] - team))
    if abs(row[figure.column] / team - 1) < figure.least:
        return None
    own, usual = format_value(row[figure.column], figure.format), format_value(team, figure.format)
    return f"{row['agent_id']} is furthest from the team in {figure.noun}: {own} against {usual}."


def _share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _usual(found: Sequence[tuple[dt.date, float]]) -> dict[int, float]:
    """The median of each weekday that has values."""
    by_weekday: dict[int, list[float]] = {}
    for day, value in found:
        by_weekday.setdefault(day.weekday(), []).append(value)
    return {weekday: statistics.median(values) for weekday, values in by_weekday.items()}


def _is_named(name: Any) -> bool:
    return bool(pd.notna(name)) and str(name).strip().lower() not in _NO_NAME


def _relative(tile: Figure) -> float | None:
    """How much the figure changed, in parts of what it was before; endless where that was nothing, None where it says little."""
    if pd.isna(tile.value) or pd.isna(tile.previous) or tile.value == tile.previous:
        return None
    value, previous = float(tile.value or 0), float(tile.previous or 0)
    cases = max(abs(value), abs(previous)) if tile.format == "integer" else tile.cases
    if (cases is not None and cases < ENOUGH) or (tile.format == "percent" and abs(value - previous) < 1):
        return None
    return abs(value - previous) / abs(previous) if previous else math.inf


def _changed(tile: Figure, headline: Headline) -> str:
    """Calls handled fell by 12.3%, from 495 (previous period) to 434."""
    now, before = (
        format_value(value, tile.format, currency=headline.currency) if value else "none" for value in (tile.value, tile.previous)
    )
    found = change(tile)
    direction = "rose" if (tile.value or 0) > (tile.previous or 0) else "fell"
    by = f" by {found.size}," if found and tile.value and tile.previous else ""
    return f"{tile.label} {direction}{by} from {before} ({headline.before}) to {now}."


def _day_text(day: Any) -> str:
    return format_value(pd.Timestamp(day).date(), "date")
