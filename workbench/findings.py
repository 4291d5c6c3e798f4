"""Sentences about what stands out, computed from the figures; each function gives none where there is nothing to say."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

#: Fewer cases than this say little about a rate or mean.
ENOUGH = 30

Row = Mapping[Hashable, Any]


def agents(frame: pd.DataFrame) -> list[str]:
    """Who is furthest from the team in rating, talk time and resolution, among agents with enough calls to judge."""
    judged = [row for row in frame.to_dict("records") if row["calls_handled"] >= ENOUGH]
    said = [
        _furthest(judged, "customer_rating", "average rating", "{:.2f}", 0.03),
        _furthest(judged, "avg_call_seconds", "average call time", "{:.0f} s", 0.05),
        _furthest(judged, "resolution_rate", "share of calls resolved", "{:.1f} %", 0.03),
    ]
    return [sentence for sentence in said if sentence]


def days(frame: pd.DataFrame, column: str, noun: str) -> list[str]:
    """The day furthest from what its weekday usually shows, where it is beyond three usual deviations."""
    found = [(pd.Timestamp(row["day"]), float(row[column])) for row in frame.to_dict("records") if pd.notna(row[column])]
    if len(found) < 14:
        return []
    usual = {weekday: statistics.median(value for day, value in found if day.dayofweek == weekday) for weekday in range(7)}
    away = [value - usual[day.dayofweek] for day, value in found]
    # For values of a bell curve, this many times the median deviation is the standard deviation.
    spread = 1.4826 * statistics.median(abs(each) for each in away)
    (day, value), size = max(zip(found, away, strict=True), key=lambda pair: abs(pair[1]))
    if not spread or abs(size) < 3 * spread:
        return []
    direction = "more" if size > 0 else "fewer"
    return [f"{day:%A} {day.day} {day:%B} had {value:,.0f} {noun}, {abs(size):,.0f} {direction} than usual for that weekday."]


def sources(frame: pd.DataFrame, name: str) -> list[str]:
    """Which source or campaign (its column is `name`) converts best and worst, among those with enough leads to judge."""
    judged = [row for row in frame.to_dict("records") if row["leads"] >= ENOUGH and pd.notna(row["conversion_rate"])]
    if len(judged) < 2:
        return []
    best = max(judged, key=lambda row: row["conversion_rate"])
    worst = min(judged, key=lambda row: row["conversion_rate"])
    if best["conversion_rate"] == worst["conversion_rate"]:
        return []
    return [
        f"{best[name]} converts best: {best['conversion_rate']:.1f} % of {best['leads']:,.0f} leads; "
        f"{worst[name]} converts least: {worst['conversion_rate']:.1f} % of {worst['leads']:,.0f}."
    ]


def changes(now: pd.Series[Any], before: pd.Series[Any], named: Sequence[tuple[str, str]]) -> list[str]:
    """The figure that changed most against the previous period, where any did by a tenth; `named` holds (column, words)."""
    sizes = {
        words: float(now[column]) / float(before[column]) - 1
        for column, words in named
        if pd.notna(now[column]) and pd.notna(before[column]) and before[column]
    }
    if not sizes:
        return []
    words = max(sizes, key=lambda key: abs(sizes[key]))
    if abs(sizes[words]) < 0.1:
        return []
    return [f"{words} {'rose' if sizes[words] > 0 else 'fell'} by {abs(sizes[words]):.0%} against the period before."]


def _furthest(judged: Sequence[Row], column: str, noun: str, form: str, least: float) -> str | None:
    known = [row for row in judged if pd.notna(row[column])]
    if len(known) < 2:
        return None
    team = sum(row[column] * row["calls_handled"] for row in known) / sum(row["calls_handled"] for row in known)
    row = max(known, key=lambda each: abs(each[column] - team))
    if not team or abs(row[column] / team - 1) < least:
        return None
    return f"{row['agent_id']} is furthest from the team in {noun}: {form.format(row[column])} against {form.format(team)}."
