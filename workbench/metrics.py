"""Figures of a period, computed from the sums of the roll-up: never a mean of means.

Frames hold one row per agent, day, week, source or campaign; columns are named as in the metric tables. Seconds are seconds,
percentages 0-100, money the tenant's currency, days the tenant's. A rate that would divide by nothing is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

import pandas as pd

from workbench.session import Period, Session

Shown = TypeVar("Shown")


def told(frame: pd.DataFrame, shown: Mapping[str, Shown], *, most: int | None = None) -> dict[str, Shown]:
    """What of `shown`, keyed by column, the company has something of: a value in the frame that is neither missing nor 0.

    The first `most` of them, and the first of all where there is none. So one report charts the calls of a company that takes
    calls, and the leads of one that takes none.
    """
    found = [column for column in shown if (frame[column].notna() & (frame[column] != 0)).any()]
    return {column: shown[column] for column in found[:most] or list(shown)[:1]}


def totals(session: Session, period: Period) -> pd.Series[Any]:
    """The team's figures of the period; see `sql/metrics/totals.sql` for the names."""
    return session.query("metrics/totals", **_days(period)).iloc[0]


def comparison(session: Session, period: Period) -> pd.Series[Any]:
    """The same figures of an earlier period to compare with; all missing where the data starts within that period or after it."""
    found = totals(session, period)
    first = session.first_day()
    return found if first is not None and first <= period.start else found.astype(object).map(lambda _: None)


def weeks(session: Session, start: dt.date | str | None, end: dt.date | str | None, *, number: int = 6) -> Period:
    """The days from `start` to `end`; without an end, up to the last day with events, and without a start, from the Monday of
    the first of `number` weeks, so that no week but the last is cut.
    """
    monday = session.query("metrics/first_monday", end_date=end, weeks=number)["monday"].iloc[0]
    return session.period(start or pd.Timestamp(monday).date(), end)


def daily(session: Session, period: Period) -> pd.DataFrame:
    """One row for every day of the period, with or without events."""
    return session.query("metrics/days", **_days(period))


def agents(session: Session, period: Period) -> pd.DataFrame:
    """One row per agent who did anything in the period, busiest first (by calls, then by conversions)."""
    return session.query("metrics/agents", **_days(period))


def lead_weeks(session: Session, period: Period) -> pd.DataFrame:
    """One row per week of the period: its days in it, leads, contacted, converted (distinct leads) and revenue."""
    return session.query("metrics/lead_weeks", **_days(period))


def lead_sources(session: Session, period: Period) -> pd.DataFrame:
    """One row per source with new leads in the period: how many of these have converted since, and their revenue."""
    return session.query("metrics/lead_sources", **_days(period))


def lead_campaigns(session: Session, period: Period) -> pd.DataFrame:
    """One row per campaign with spend or new leads in the period: how many of these have converted since, and their revenue."""
    return session.query("metrics/lead_campaigns", **_days(period))


def _days(period: Period) -> dict[str, Any]:
    return {"start_date": period.start, "end_date": period.end}
