"""The roll-up gives what plain Python gives from the same events, however and in whatever order these arrived."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.lake import Lake
from workbench.rollup import RolledUp, roll_up

ZURICH = "Europe/Zurich"


@dataclass(frozen=True, kw_only=True)
class Event:
    type: str
    at: datetime
    user: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid.uuid4)


def at(text: str) -> datetime:
    """An instant, in UTC unless it says otherwise."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def add(connection: duckdb.DuckDBPyConnection, events: Iterable[Event]) -> None:
    rows = [(str(e.id), e.user, e.type, json.dumps(e.data), e.at) for e in events]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], [], []]
    new = pa.table(columns, names=["id", "user_id", "event_type", "event_data", "created_at"])  # noqa: F841
    connection.execute(
        "insert into analytics_events by name select * replace (id::uuid as id, event_data::json as event_data), "
        "'acme' as tenant_id from new"
    )


def roll(connection: duckdb.DuckDBPyConnection, timezone: str = ZURICH, *, rebuild: bool = False) -> RolledUp:
    return roll_up(connection, tenant_id="acme", timezone=timezone, rebuild=rebuild)


TABLES = ("conversion_funnels", "agent_metrics", "campaign_metrics", "daily_reports", "lead_activity", "lead_events")


def rows(connection: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> list[dict[str, Any]]:
    found = connection.execute(f"select * from {table} where {where} order by all")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(connection, table) for table in TABLES}


@pytest.fixture
def connection(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.writer() as connection:
        yield connection


@pytest.fixture(scope="module")
def clear_lake(workbench: Any) -> Iterator[Callable[[], duckdb.DuckDBPyConnection]]:
    """Hands out one lake again and again, empty each time."""
    from workbench.catalog import tenants

    tenant = tenants.Tenant(id="rolled_up", name="Rolled up", timezone=ZURICH, currency="CHF")
    tenants.add(workbench.catalog, tenant)
    with workbench.lake(tenant).writer() as connection:

        def clear() -> duckdb.DuckDBPyConnection:
            for table in (*TABLES, "analytics_events", "rollup_state"):
                connection.execute(f"delete from {table}")
            return connection

        yield clear


# The reference: one function per table, written from the definitions and not from the SQL.

STEPS = {"lead.created": 1, "lead.contacted": 2, "lead.stage_entered": 3, "lead.converted": 4, "lead.lost": 5}
TOUCHES = {"call.completed", "lead.contacted", "lead.converted"}


def share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def mean(total: float, count: float) -> float | None:
    return total / count if count else None


class Reference:
    """All tables, as lists of rows without ids, from all events."""

    def __init__(self, events: list[Event], timezone: str) -> None:
        self.zone = ZoneInfo(timezone)
        self.events = events
        self.own_campaign: dict[str, str] = {}
        for e in sorted(events, key=lambda e: (e.at, e.id), reverse=True):
            if e.type == "lead.created" and "campaign_id" in e.data:
                self.own_campaign[e.data["lead_id"]] = e.data["campaign_id"]

    def day(self, e: Event) -> date:
        return e.at.astimezone(self.zone).date()

    def campaign(self, e: Event) -> str | None:
        return e.data.get("campaign_id") or self.own_campaign.get(e.data.get("lead_id", ""))

    def agent(self, e: Event) -> str | None:
        if e.user or e.type != "survey.rated":
            return e.user
        week = timedelta(days=7)
        calls = [c for c in self.events if c.type == "call.completed" and c.user and c.data["call_id"] == e.data.get("call_id")]
        near = [c for c in calls if abs(c.at - e.at) <= week]
        return max(near, key=lambda c: (c.at, c.id)).user if near else None

    def leads(self, events: list[Event], types: set[str]) -> int:
        return len({e.data["lead_id"] for e in events if e.type in types and "lead_id" in e.data})

    def revenue(self, events: list[Event]) -> float:
        return round(sum(e.data.get("revenue", 0) for e in events if e.type == "lead.converted"), 4)

    def calls(self, events: list[Event]) -> dict[str, Any]:
        calls = [e.data for e in events if e.type == "call.completed"]
        answered = [c for c in calls if c["answered"]]
        talked = [c["duration_seconds"] for c in answered if "duration_seconds" in c]
        waited = [c["wait_seconds"] for c in answered if "wait_seconds" in c]
        all_waited = [c["wait_seconds"] for c in calls if "wait_seconds" in c]
        ratings = [e.data["rating"] for e in events if e.type == "survey.rated"]
        return {
            "calls_offered": len(calls),
            "calls_abandoned": len(calls) - len(answered),
            "avg_call_seconds": mean(sum(talked), len(talked)),
            "call_seconds_sum": sum(talked),
            "calls_with_duration": len(talked),
            "answer_seconds_sum": sum(waited),
            "calls_with_answer_seconds": len(waited),
            "wait_seconds_sum": sum(all_waited),
            "calls_with_wait": len(all_waited),
            "calls_resolved": sum(c.get("resolved", False) for c in answered),
            "calls_with_resolution": sum("resolved" in c for c in answered),
            "rating_sum": sum(ratings),
            "ratings": len(ratings),
            "tasks_completed": sum(e.type == "task.completed" for e in events),
            "available_seconds": sum(e.data["available_seconds"] for e in events if e.type == "agent.available"),
            "leads_touched": self.leads(events, TOUCHES),
            "leads_contacted": self.leads(events, {"lead.contacted"}),
            "leads_lost": self.leads(events, {"lead.lost"}),
            "total_revenue": self.revenue(events),
        }

    def agent_metrics(self) -> list[dict[str, Any]]:
        by: dict[Any, list[Event]] = defaultdict(list)
        for e in self.events:
            agent = self.agent(e)
            if agent and (e.type in STEPS or e.type in {"call.completed", "survey.rated", "task.completed", "agent.available"}):
                by[agent, self.day(e)].append(e)
        return [
            {
                "agent_id": agent,
                "metric_date": day,
                "calls_handled": sum(e.data["answered"] for e in events if e.type == "call.completed"),
                "leads_converted": self.leads(events, {"lead.converted"}),
                "conversion_rate": share(self.leads(events, {"lead.converted"}), self.leads(events, TOUCHES)),
                "customer_rating": mean(
                    sum(e.data["rating"] for e in events if e.type == "survey.rated"),
                    sum(e.type == "survey.rated" for e in events),
                ),
                **self.calls(events),
            }
            for (agent, day), events in by.items()
        ]

    def campaign_metrics(self) -> list[dict[str, Any]]:
        by: dict[Any, list[Event]] = defaultdict(list)
        for e in self.events:
            campaign = self.campaign(e)
            if campaign and e.type in {*STEPS, "campaign.spent"} - {"lead.stage_entered"}:
                by[campaign, self.day(e)].append(e)
        found = []
        for (campaign, day), events in by.items():
            generated, converted = self.leads(events, {"lead.created"}), self.leads(events, {"lead.converted"})
            revenue = self.revenue(events)
            spend = sum(e.data["amount"] for e in events if e.type == "campaign.spent")
            found.append(
                {
                    "campaign_id": campaign,
                    "metric_date": day,
                    "leads_generated": generated,
                    "leads_contacted": self.leads(events, {"lead.contacted"}),
                    "leads_converted": converted,
                    "leads_lost": self.leads(events, {"lead.lost"}),
                    "conversion_rate": share(converted, generated),
                    "avg_lead_value": mean(revenue, converted),
                    "total_revenue": revenue,
                    "spend": spend,
                    "roi": share(revenue - spend, spend),
                    "cost_per_lead": mean(spend, generated),
                }
            )
        return found

    def daily_reports(self) -> list[dict[str, Any]]:
        by: dict[date, list[Event]] = defaultdict(list)
        for e in self.events:
            by[self.day(e)].append(e)
        active = {*STEPS, "call.completed", "task.completed", "agent.available"}
        return [
            {
                "report_date": day,
                "total_calls": sum(e.data["answered"] for e in events if e.type == "call.completed"),
                "total_leads": self.leads(events, {"lead.created"}),
                "converted_leads": self.leads(events, {"lead.converted"}),
                "team_conversion_rate": share(self.leads(events, {"lead.converted"}), self.leads(events, {"lead.created"})),
                "active_agents": len({e.user for e in events if e.user and e.type in active}),
                "spend": sum(e.data["amount"] for e in events if e.type == "campaign.spent"),
                "events": len(events),
                **self.calls(events),
            }
            for day, events in by.items()
        ]

    def lead_activity(self) -> list[dict[str, Any]]:
        by: dict[Any, list[Event]] = defaultdict(list)
        for e in self.events:
            if "lead_id" in e.data and e.type != "lead.stage_entered":
                by[e.data["lead_id"], e.user, self.campaign(e), self.day(e)].append(e)
        return [
            {
                "lead_id": lead,
                "agent_id": agent,
                "campaign_id": campaign,
                "activity_date": day,
                "created": sum(e.type == "lead.created" for e in events),
                "contacted": sum(e.type == "lead.contacted" for e in events),
                "called": sum(e.type == "call.completed" for e in events),
                "converted": sum(e.type == "lead.converted" for e in events),
                "lost": sum(e.type == "lead.lost" for e in events),
                "revenue": self.revenue(events),
            }
            for (lead, agent, campaign, day), events in by.items()
        ]

    def conversion_funnels(self) -> list[dict[str, Any]]:
        by: dict[str, list[Event]] = defaultdict(list)
        for e in sorted(self.events, key=lambda e: (e.at, STEPS.get(e.type, 0), e.id)):
            if e.type in STEPS:
                by[e.data["lead_id"]].append(e)
        return [visit for events in by.values() for visit in self.visits(events)]

    def visits(self, events: list[Event]) -> list[dict[str, Any]]:
        visits: list[dict[str, Any]] = []
        early: Event | None = None
        contacted = False
        for e in events:
            if e.type in {"lead.converted", "lead.lost"}:
                if visits and visits[-1]["outcome"] == "open":
                    self.leave(visits[-1], e.at, "converted" if e.type == "lead.converted" else "dropped")
                early = early or e
                continue
            stage = "created" if e.type == "lead.created" else e.data.get("stage", "contacted")
            if e.type == "lead.contacted":
                first, contacted = not contacted, True
                if not first or any(visit["stage"] != "created" for visit in visits):
                    continue
            if visits and visits[-1]["stage"] == stage:
                continue
            if visits and visits[-1]["outcome"] == "open":
                self.leave(visits[-1], e.at, "advanced")
            visits.append(self.enter(e, stage, len(visits) + 1))
            if len(visits) == 1 and early:
                self.leave(visits[0], e.at, "converted" if early.type == "lead.converted" else "dropped")
        return visits

    def enter(self, e: Event, stage: str, visit: int) -> dict[str, Any]:
        return {
            "id": e.id,
            "campaign_id": self.campaign(e),
            "lead_id": e.data["lead_id"],
            "stage": stage,
            "entered_at": e.at,
            "exited_at": None,
            "seconds_in_stage": None,
            "outcome": "open",
            "visit": visit,
        }

    def leave(self, visit: dict[str, Any], when: datetime, outcome: str) -> None:
        visit |= {"exited_at": when, "seconds_in_stage": (when - visit["entered_at"]).total_seconds(), "outcome": outcome}


def assert_as_reference(connection: duckdb.DuckDBPyConnection, events: list[Event], timezone: str = ZURICH) -> None:
    reference = Reference(events, timezone)
    for table in ("agent_metrics", "campaign_metrics", "daily_reports", "lead_activity", "conversion_funnels"):
        expected = getattr(reference, table)()
        assert comparable(rows(connection, table), expected) == comparable(expected, expected), table


def comparable(found: list[dict[str, Any]], like: list[dict[str, Any]]) -> list[str]:
    """Rows as text in order, with the columns of `like`, floats rounded."""
    names = sorted(like[0]) if like else sorted(found[0]) if found else []
    return sorted(repr([(name, plain(row[name])) for name in names]) for row in found)


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return round(float(value), 6) if isinstance(value, int | float) else value


# Any events, in any batches, in any order.

LEADS, AGENTS, CAMPAIGNS, CALLS = ("L1", "L2", "L3"), ("ann", "bob"), ("spring", "summer"), ("C1", "C2", "C3")


def maybe(strategy: st.SearchStrategy[Any], name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), strategy.map(lambda value: {name: value}))


def data(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda dicts: {key: value for part in dicts for key, value in part.items()})


def one(name: str, values: Iterable[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(list(values)).map(lambda value: {name: value})


_campaign = maybe(st.sampled_from(CAMPAIGNS), "campaign_id")
_lead = one("lead_id", LEADS)
_amounts = [0, 0.1, 19.95, 250]
DATA = {
    "lead.created": data(_lead, _campaign),
    "lead.contacted": data(_lead, _campaign),
    "lead.stage_entered": data(_lead, one("stage", ["created", "contacted", "offer", "won"]), _campaign),
    "lead.converted": data(_lead, maybe(st.sampled_from(_amounts), "revenue"), _campaign),
    "lead.lost": data(_lead, _campaign),
    "call.completed": data(
        one("call_id", CALLS),
        one("answered", [True, False]),
        maybe(st.sampled_from([0, 30, 61.5]), "duration_seconds"),
        maybe(st.sampled_from([0, 5, 20.25]), "wait_seconds"),
        maybe(st.booleans(), "resolved"),
        maybe(st.sampled_from(LEADS), "lead_id"),
        _campaign,
    ),
    "survey.rated": data(one("rating", [1, 3, 5]), maybe(st.sampled_from(CALLS), "call_id")),
    "task.completed": one("task_id", ["T1"]),
    "agent.available": one("available_seconds", [3600, 0.5]),
    "campaign.spent": data(one("campaign_id", CAMPAIGNS), one("amount", _amounts)),
    "page.viewed": one("lead_id", LEADS).map(lambda _: {"page": "/"}),
}
#: Few instants, so that there are ties; some around midnight and the beginning of summer time in Zurich; some weeks apart.
INSTANTS = [
    at(text)
    for text in (
        *("2026-03-28 22:59:59.999999", "2026-03-28 23:00", "2026-03-29 00:59", "2026-03-29 01:00", "2026-03-29 21:59"),
        *("2026-03-29 22:00", "2026-03-30 08:00", "2026-04-05 08:00", "2026-04-07 08:00", "2026-05-20 12:00", "2025-12-31 23:30"),
    )
]


@st.composite
def an_event(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(DATA)))
    user = draw(st.sampled_from([None, *AGENTS]))
    return Event(type=kind, at=draw(st.sampled_from(INSTANTS)), user=user, data=draw(DATA[kind]), id=draw(st.uuids(version=4)))


@st.composite
def batches(draw: st.DrawFn) -> list[list[Event]]:
    events = draw(st.lists(an_event(), min_size=1, max_size=40, unique_by=lambda e: e.id))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=3)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True) if start < end]


@given(arriving=batches())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_batches_in_any_order_give_the_same_tables(
    clear_lake: Callable[[], duckdb.DuckDBPyConnection], arriving: list[list[Event]]
) -> None:
    connection = clear_lake()
    for batch in arriving:
        add(connection, batch)
        assert roll(connection).events == len(batch)
    assert_as_reference(connection, [event for batch in arriving for event in batch])
    step_by_step = contents(connection)
    roll(connection, rebuild=True)
    for table, before in step_by_step.items():
        assert rows(connection, table) == before, table


def call(instant: str, **values: Any) -> Event:
    return Event(type="call.completed", at=at(instant), user="ann", data={"call_id": "C1", "answered": True} | values)


def test_a_day_of_which_events_were_deleted_keeps_its_figures_whatever_comes_late(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add(connection, [call("2026-01-05 10:00"), call("2026-01-05 11:00"), call("2026-01-06 10:00")])
    roll(connection)
    connection.execute("delete from analytics_events where created_at < '2026-01-05 10:30:00+00'")
    add(connection, [call("2026-01-05 12:00"), call("2026-01-06 12:00")])
    roll(connection)
    handled = "select metric_date::varchar, calls_handled from agent_metrics order by all"
    assert connection.execute(handled).fetchall() == [("2026-01-05", 2), ("2026-01-06", 2)]
    roll(connection, rebuild=True)
    assert connection.execute(handled).fetchall() == [("2026-01-05", 2), ("2026-01-06", 2)]
    assert connection.execute("select events from daily_reports order by report_date").fetchall() == [(3,), (2,)]


def test_a_lead_whose_events_were_deleted_keeps_its_funnel(connection: duckdb.DuckDBPyConnection) -> None:
    add(connection, [Event(type="lead.created", at=at("2026-01-05 10:00"), data={"lead_id": "L1", "campaign_id": "spring"})])
    roll(connection)
    connection.execute("delete from analytics_events")
    add(connection, [Event(type="lead.converted", at=at("2026-02-05 10:00"), data={"lead_id": "L1", "revenue": 10})])
    for rebuild in (False, True):
        roll(connection, rebuild=rebuild)
        visits = connection.execute("select stage, outcome, campaign_id, exited_at::date::varchar from conversion_funnels")
        assert visits.fetchall() == [("created", "converted", "spring", "2026-02-05")]
        earned = "select total_revenue from campaign_metrics where campaign_id = 'spring' and total_revenue > 0"
        assert connection.execute(earned).fetchall() == [(10.0,)]


def test_another_time_zone_cuts_every_day_anew(connection: duckdb.DuckDBPyConnection) -> None:
    events = [call("2026-01-05 23:30"), call("2026-01-06 12:00"), Event(type="page.viewed", at=at("2026-03-01 00:30"))]
    add(connection, events)
    roll(connection, "UTC")
    assert_as_reference(connection, events, "UTC")
    roll(connection, "Asia/Tokyo")
    assert_as_reference(connection, events, "Asia/Tokyo")


def test_a_lake_without_events_is_rolled_up_to_empty_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for rebuild in (False, True):
        assert roll(connection, rebuild=rebuild).days == 0
    assert all(not found for found in contents(connection).values())


class Interrupted:
    """A connection on which something else happens before the first statement with a word in it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, word: str, happens: Callable[[], None]) -> None:
        self._connection, self._word, self._happens = connection, word, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        if self._word in statement:
            self._word = "never again"
            self._happens()
        return self._connection.execute(statement, *parameters)


def test_events_that_arrive_while_it_runs_are_left_for_the_next_one(lake: Lake) -> None:
    handled = "select calls_handled from agent_metrics"
    with lake.writer() as connection, lake.writer() as other:
        add(connection, [call("2026-01-05 10:00")])
        meanwhile = Interrupted(connection, "temp table facts", lambda: add(other, [call("2026-01-05 11:00")]))
        assert roll(meanwhile).events == 1  # type: ignore[arg-type]
        assert connection.execute(handled).fetchall() == [(1,)]
        assert roll(connection).events == 1
        assert connection.execute(handled).fetchall() == [(2,)]
