"""Sentences about what stands out, computed from the figures; each function gives none where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

#: Fewer cases than this say little about a rate or mean.
ENOUGH = 30


def agents(frame: pd.DataFrame) -> list[str]:
    """Who is furthest from the team in talk time, rating and resolution, among agents with enough calls to judge."""
    judged = frame[frame["calls_handled"] >= ENOUGH]
    if len(judged) < 2:
        return []
    said = [
        _furthest(judged, "customer_rating", "average rating", "{:.2f}", 0.03),
        _furthest(judged, "avg_call_seconds", "average call time", "{:.0f} s", 0.05),
        _furthest(judged, "resolution_rate", "share of calls resolved", "{:.1f} %", 0.03),
    ]
    return [sentence for sentence in said if sentence]


def days(frame: pd.DataFrame, column: str, noun: str) -> list[str]:
    """The day furthest from what its weekday usually shows, where it is beyond three usual deviations."""
    values = frame[["day", column]].dropna()
    if len(values) < 14:
        return []
    weekday = pd.to_datetime(values["day"]).dt.dayofweek
    usual = values.groupby(weekday)[column].transform("median")
    residual = (values[column] - usual).astype(float)
    spread = 1.4826 * residual.abs().median()
    if not spread:
        return []
    at = residual.abs().idxmax()
    if abs(residual[at]) < 3 * spread:
        return []
    day = pd.Timestamp(values.loc[at, "day"])
    direction = "more" if residual[at] > 0 else "fewer"
    return [
        f"{day:%A %d %B} had {values.loc[at, column]:,.0f} {noun}, {abs(residual[at]):,.0f} {direction} than usual for that weekday."
    ]


def sources(frame: pd.DataFrame, name: str) -> list[str]:
    """Which source or campaign converts best and worst, among those with enough leads to judge."""
    judged = frame[frame["leads"] >= ENOUGH].dropna(subset=["conversion_rate"])
    if len(judged) < 2:
        return []
    ordered = judged.sort_values("conversion_rate")
    best, worst = ordered.iloc[-1], ordered.iloc[0]
    if best["conversion_rate"] == worst["conversion_rate"]:
        return []
    return [
        f"{best[name]} converts best: {best['conversion_rate']:.1f} % of {best['leads']:,.0f} leads; "
        f"{worst[name]} converts least: {worst['conversion_rate']:.1f} % of {worst['leads']:,.0f}."
    ]


def changes(now: pd.Series[Any], before: pd.Series[Any], named: Sequence[tuple[str, str]]) -> list[str]:
    """The figure that changed most against the previous period, where any changed by a tenth; `named` holds (column, words)."""
    sizes = {words: now[column] / before[column] - 1 for column, words in named if before[column] and pd.notna(now[column])}
    if not sizes:
        return []
    words = max(sizes, key=lambda key: abs(sizes[key]))
    if abs(sizes[words]) < 0.1:
        return []
    return [f"{words} {'rose' if sizes[words] > 0 else 'fell'} by {abs(sizes[words]):.0%} against the period before."]


def _furthest(frame: pd.DataFrame, column: str, noun: str, form: str, least: float) -> str | None:
    values = frame.dropna(subset=[column])
    if len(values) < 2:
        return None
    team = (values[column] * values["calls_handled"]).sum() / values["calls_handled"].sum()
    row = values.loc[(values[column] - team).abs().idxmax()]
    if not team or abs(row[column] / team - 1) < least:
        return None
    return f"{row['agent_id']} is furthest from the team in {noun}: {form.format(row[column])} against {form.format(team)}."
