"""Figures of a period, computed from the sums of the roll-up: never a mean of means.

Frames hold one row per agent, day, week, source or campaign; columns are named as in the metric tables. Seconds are seconds,
percentages 0-100, money the tenant's currency, days the tenant's. A rate that would divide by nothing is missing.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.session import Period, Session


def totals(session: Session, period: Period) -> pd.Series[Any]:
    """The team's figures of the period; see `sql/metrics/totals.sql` for the names."""
    return session.query("metrics/totals", **_days(period)).iloc[0]


def comparison(session: Session, period: Period) -> pd.Series[Any]:
    """The same figures of an earlier period to compare with; all missing where the data starts within that period or after it."""
    found = totals(session, period)
    first = session.first_day()
    return found if first is not None and first <= period.start else found.astype(object).map(lambda _: None)


def daily(session: Session, period: Period) -> pd.DataFrame:
    """One row for every day of the period, with or without events."""
    return session.query("metrics/days", **_days(period))


def agents(session: Session, period: Period) -> pd.DataFrame:
    """One row per agent who did anything in the period, busiest first."""
    return session.query("metrics/agents", **_days(period))


def lead_weeks(session: Session, period: Period) -> pd.DataFrame:
    """One row per week of the period: leads, contacted, converted (distinct leads) and revenue."""
    return session.query("metrics/lead_weeks", **_days(period))


def lead_sources(session: Session, period: Period) -> pd.DataFrame:
    """Leads that came in during the period by source, with how many of them have converted since, and their revenue."""
    return session.query("metrics/lead_sources", **_days(period), timezone=session.tenant.timezone)


def lead_campaigns(session: Session, period: Period) -> pd.DataFrame:
    """One row per campaign with leads or spend in the period."""
    return session.query("metrics/lead_campaigns", **_days(period))


def _days(period: Period) -> dict[str, Any]:
    return {"start_date": period.start, "end_date": period.end}
