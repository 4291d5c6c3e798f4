"""Figures of a period from a real lake, rolled up: each rate over its own cases, each lead counted once."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from workbench import findings, metrics
from workbench.lake import Lake
from workbench.rollup import roll_up
from workbench.session import Period, Session

MARCH = Period(start=dt.date(2021, 3, 1), end=dt.date(2021, 3, 31))
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "user_id", "event_type", "event_data", "created_at")])
INSERT = (
    "insert into analytics_events by name select ? as tenant_id, user_id, event_type, "
    "id::uuid as id, event_data::json as event_data, created_at::timestamptz as created_at from new"
)
Event = tuple[str, str | None, str, dict[str, Any]]


@pytest.fixture
def opened(lake: Lake) -> Iterator[Callable[..., Session]]:
    """Opens a session on a lake that holds the given events, rolled up; `forget` deletes them again, as their keeping ends."""
    sessions: list[Session] = []

    def open_(events: Sequence[Event], *, forget: bool = False) -> Session:
        with lake.writer() as connection:
            rows = [
                {"id": str(uuid.uuid4()), "user_id": user, "event_type": kind, "event_data": json.dumps(data), "created_at": at}
                for at, user, kind, data in events
            ]
            new = pa.Table.from_pylist(rows, schema=SCHEMA)  # noqa: F841  # named in the query
            connection.execute(INSERT, [lake.tenant.id])
            roll_up(connection, tenant_id=lake.tenant.id, timezone=lake.tenant.timezone)
            if forget:
                connection.execute("delete from analytics_events")
        sessions.append(Session(lake.reading))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


def records(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(None if pd.isna(value) else value for value in row) for row in frame[list(columns)].itertuples(index=False)]


_numbers = itertools.count()


def call(agent: str, **data: Any) -> Event:
    return ("2021-03-03T10:00:00Z", agent, "call.completed", {"call_id": f"c{next(_numbers)}", "answered": True} | data)


def rating(agent: str, stars: int) -> Event:
    return ("2021-03-03T10:00:00Z", agent, "survey.rated", {"rating": stars})


def lead(name: str, day: str = "2021-03-03", **data: Any) -> Event:
    return (f"{day}T10:00:00Z", None, "lead.created", {"lead_id": name} | data)


def won(name: str, day: str = "2021-03-20", agent: str | None = None, **data: Any) -> Event:
    return (f"{day}T10:00:00Z", agent, "lead.converted", {"lead_id": name} | data)


def test_the_team_is_all_its_ratings_and_not_all_its_agents(opened: Callable[..., Session]) -> None:
    events = [call("Ann") for _ in range(200)] + [rating("Ann", 1)]
    events += [call("Bob", duration_seconds=60, resolved=True), *(rating("Bob", 4 + number % 2) for number in range(100))]
    session = opened(events)
    agents, team = metrics.agents(session, MARCH), metrics.totals(session, MARCH)
    counts = ("calls_handled", "ratings", "calls_with_duration", "calls_with_resolution")
    assert records(agents, "agent_id", *counts) == [("Ann", 200, 1, 0, 0), ("Bob", 1, 100, 1, 1)]
    assert round(team["customer_rating"], 2) == 4.47
    assert findings.agents(agents, team) == []


def test_agents_who_only_sell_have_their_leads_and_revenue(opened: Callable[..., Session]) -> None:
    session = opened([won("a", agent="Ann", revenue=70), won("b", agent="Ann", revenue=30)])
    agents = metrics.agents(session, MARCH)
    assert records(agents, "agent_id", "leads_touched", "leads_converted", "revenue") == [("Ann", 2, 2, 100.0)]
    assert metrics.totals(session, MARCH)["leads_touched"] == 2
    charted = {"calls_handled": "Calls", "customer_rating": "Rating", "leads_converted": "Converted", "revenue": "Revenue"}
    assert list(metrics.told(agents, charted)) == ["leads_converted", "revenue"]
    assert list(metrics.told(agents, charted, most=1)) == ["leads_converted"]
    assert metrics.told(agents.head(0), charted) == {"calls_handled": "Calls"}


def test_sources_and_campaigns_follow_the_same_leads(opened: Callable[..., Session]) -> None:
    events = [lead(f"new{number}", source="partner", campaign_id="referrals") for number in range(4)]
    events += [won("new0", "2021-03-20", revenue=100), won("new1", "2021-05-02", revenue=50)]
    events += [lead("old", "2021-02-01", source="partner", campaign_id="referrals"), won("old", "2021-03-20", revenue=1000)]
    events.append(("2021-03-05T10:00:00Z", None, "campaign.spent", {"campaign_id": "referrals", "amount": 60}))
    session = opened(events)
    columns = ("leads", "leads_converted", "conversion_rate", "revenue")
    assert records(metrics.lead_sources(session, MARCH), "source", *columns) == [("partner", 4, 2, 50.0, 150.0)]
    campaigns = metrics.lead_campaigns(session, MARCH)
    assert records(campaigns, "campaign_id", *columns) == [("referrals", 4, 2, 50.0, 150.0)]
    assert records(campaigns, "spend", "roi", "cost_per_lead") == [(60.0, 150.0, 15.0)]


def test_a_lead_with_two_campaigns_counts_for_the_first(opened: Callable[..., Session]) -> None:
    events = [lead("a", "2021-03-02", campaign_id="z"), lead("a", "2021-03-09", campaign_id="b"), won("a", revenue=10)]
    assert records(metrics.lead_campaigns(opened(events), MARCH), "campaign_id", "leads", "revenue") == [("z", 1, 10.0)]


def test_a_campaign_may_cost_without_bringing_and_bring_without_costing(opened: Callable[..., Session]) -> None:
    spent: Event = ("2021-03-05T10:00:00Z", None, "campaign.spent", {"campaign_id": "costs", "amount": 60})
    campaigns = metrics.lead_campaigns(opened([spent, lead("a", campaign_id="free"), won("a", revenue=5)]), MARCH)
    shown = records(campaigns, "campaign_id", "leads", "conversion_rate", "revenue", "spend", "roi", "cost_per_lead")
    assert shown == [("free", 1, 100.0, 5.0, 0.0, None, 0.0), ("costs", 0, None, 0.0, 60.0, -100.0, None)]


def test_a_blank_source_is_none_and_a_source_outlives_its_event(opened: Callable[..., Session]) -> None:
    opened([lead("old", "2021-03-02", source="partner"), won("old")], forget=True)
    session = opened([lead("a", source=" "), lead("b"), lead("c", source="search")])
    sources = metrics.lead_sources(session, MARCH)
    assert records(sources, "source", "leads", "leads_converted") == [
        ("not given", 2, 0),
        ("partner", 1, 1),
        ("search", 1, 0),
    ]
    assert sources["leads"].sum() == metrics.totals(session, MARCH)["leads"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ("2021-02-22", "2021-03-31")),
        (None, dt.date(2021, 3, 28), ("2021-02-15", "2021-03-28")),
        (None, "2021-03-28", ("2021-02-15", "2021-03-28")),
        (dt.date(2021, 3, 3), None, ("2021-03-03", "2021-03-31")),
    ],
)
def test_weeks_start_on_a_monday_unless_told_otherwise(
    opened: Callable[..., Session], start: Any, end: Any, expected: tuple[str, str]
) -> None:
    period = metrics.weeks(opened([lead("a", "2021-03-31")]), start, end)
    assert (str(period.start), str(period.end)) == expected


def test_weeks_of_a_company_without_events_end_yesterday(opened: Callable[..., Session]) -> None:
    period = metrics.weeks(opened([]), None, None)
    assert period.start.weekday() == 0
    assert 36 <= period.days <= 42


def test_a_week_says_how_many_of_its_days_are_in_the_period(opened: Callable[..., Session]) -> None:
    period = Period(start=dt.date(2021, 3, 3), end=dt.date(2021, 3, 17))
    weeks = metrics.lead_weeks(opened([lead("a", "2021-03-02"), lead("b", "2021-03-03")]), period)
    assert records(weeks, "days", "leads") == [(5, 1), (7, 0), (3, 0)]
    assert findings.part_weeks(weeks) is not None
