"""The roll-up: new events become metric tables.

Days and leads that a new or late event touches are computed again from the events that are kept, and replaced in one transaction
together with the note of how far the roll-up came. So it may be stopped anywhere, run twice, and run while events arrive.

- A day is cut in the tenant's time zone. It is touched by an event that happened on it, by the late first creation of a lead that
  names the campaign of events on it, and by a late call to which one of its ratings belongs.
- A lead's events count for the campaign they name, else for the one named by the lead's first creation that names any. CRM
  exports often name it there only; without this, campaigns that pay would look as if they did not.
- A rating belongs to the user it names, else to the agent of the last call with its call_id within seven days of it.
- Calls handled are answered ones. Leads touched are those of an agent's calls (answered or not), contacts and conversions.
- The funnel is computed from `lead_events`, which keeps what the roll-up needs of a lead's events after these are deleted.
- Deleting events touches nothing. A day of which events were deleted is closed: neither late events nor a rebuild change it.

New events are told by DuckLake's rowid: it grows with every commit, and flushing, merging and rewriting files keep it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from workbench import queries

#: Events whose fields are held in memory at a time, about; a day is never divided.
EVENTS_AT_A_TIME = 1_000_000
#: Lead events of which funnels are computed at a time, about.
LEAD_EVENTS_AT_A_TIME = 1_500_000

#: Days further apart than this are read separately.
LONGEST_GAP = timedelta(days=7)

_BY_DAY = ("agent_metrics", "campaign_metrics", "daily_reports", "lead_activity")


@dataclass(frozen=True, kw_only=True, slots=True)
class RolledUp:
    """What a roll-up did: `events` read as new, `days` and `leads` computed, first and last of these days, local."""

    events: int
    days: int
    leads: int
    first_day: date | None
    last_day: date | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Span:
    """Some days, and instants that surely enclose them."""

    first_day: date
    last_day: date
    begins: datetime
    ends: datetime

    def as_parameters(self) -> dict[str, Any]:
        return {"first_day": self.first_day, "last_day": self.last_day, "begins": self.begins, "ends": self.ends}


def roll_up(connection: duckdb.DuckDBPyConnection, *, tenant_id: str, timezone: str, rebuild: bool = False) -> RolledUp:
    """Brings the metric tables of the lake that is the connection's default up to date with its events.

    `rebuild`, or a `timezone` other than last time's, computes everything that the kept events can tell. One roll-up of a lake at
    a time: hold a lock.
    """
    started = time.perf_counter()
    connection.execute(queries.query("rollup/macros").sql)
    with _transaction(connection):
        events, days, leads = _RollUp(connection, tenant_id, timezone).bring_up_to_date(rebuild)
    return RolledUp(
        events=events,
        days=len(days),
        leads=leads,
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        seconds=time.perf_counter() - started,
    )


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All reads in it see the lake as of one snapshot."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


class _RollUp:
    """One roll-up. Its steps hand each other temporary tables, which the files of sql/rollup/ describe."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tenant_id: str, timezone: str) -> None:
        self._connection = connection
        self._given: dict[str, Any] = {"tenant_id": tenant_id, "timezone": timezone}
        self._zone = ZoneInfo(timezone)

    def bring_up_to_date(self, rebuild: bool) -> tuple[int, list[date], int]:
        """Number of events read, days computed in order, number of leads computed."""
        state = self._rows("state")
        read_to, zone = state[0] if state else (-1, self._given["timezone"])
        everything = rebuild or zone != self._given["timezone"]
        self._run("arrived", row_id=read_to)
        ((events, last_row),) = self._rows("arrived_total")
        if not events and not everything:
            return 0, [], 0
        if everything or read_to < 0 or events > EVENTS_AT_A_TIME:
            events, last_row = self._touch_everything(read_to, zone)
            leads = self._funnels_of_all()
        else:
            self._touch(read_to)
            leads = self._funnels_of_touched()
        days = self._days()
        self._run("forget_state")
        self._run("remember", row_id=read_to if last_row is None else max(read_to, last_row))
        return events, days, leads

    def _touch(self, read_to: int) -> None:
        """Keeps the new lead events, and finds the days they and all other new events touch."""
        arrived = _enclosing(self._rows("arrived_in_order"), UTC)
        self._run("new_lead_events", row_id=read_to, begins=arrived.begins, ends=arrived.ends)
        self._run("insert_lead_events")
        self._run("touched_by_arrival")
        self._run("touched_by_leads")
        self._run("touched_by_ratings", row_id=read_to, begins=arrived.begins, ends=arrived.ends)
        self._close(read_to, self._given["timezone"])

    def _touch_everything(self, read_to: int, zone: str) -> tuple[int, int | None]:
        """The same for all days there are, read from the beginning; the number of events and the last row."""
        self._run("touched_by_arrival", timezone=zone)
        self._run("touched_by_reports")
        self._close(read_to, zone)
        self._run("arrived", row_id=-1)
        self._run("forget_lead_events")
        for span in _spans(self._rows("arrived_in_order"), UTC):
            self._run("new_lead_events", row_id=-1, begins=span.begins, ends=span.ends)
            self._run("insert_lead_events")
        self._run("touched_by_arrival")
        self._run("touched_by_reports")
        ((events, last_row),) = self._rows("arrived_total")
        return events, last_row

    def _close(self, read_to: int, zone: str) -> None:
        """Sets apart the touched days of which events have been deleted; `zone` is the one they were cut in."""
        ((first_day, last_day),) = self._rows("touched_range")
        span = _span(first_day, last_day, ZoneInfo(zone))
        self._run("closed", row_id=read_to, timezone=zone, **span.as_parameters())
        self._run("count_closed", timezone=zone)

    def _days(self) -> list[date]:
        """Computes the touched days that are not closed; returns those that have events."""
        self._run("quarters")
        ((first_day, last_day),) = self._rows("quarters_range")
        if first_day is None:
            return []
        whole = _span(first_day, last_day, self._zone)
        for table in _BY_DAY:
            self._run(f"forget_{table}", first_day=first_day, last_day=last_day)
        self._run("days", begins=whole.begins, ends=whole.ends)
        counted = self._rows("days_in_order")
        spans = list(_spans(counted, self._zone))
        if len(spans) > 1:
            self._run("lead_campaigns_all")
        for span in spans:
            self._compute(span, campaigns_known=len(spans) > 1)
        return [day for day, _ in counted]

    def _compute(self, span: _Span, *, campaigns_known: bool) -> None:
        self._run("facts", **span.as_parameters())
        if self._rows("has_unnamed_ratings")[0][0]:
            self._run("rated_agents", begins=span.begins, ends=span.ends)
        if not campaigns_known:
            self._run("lead_campaigns_of_facts")
        self._run("activity")
        self._run("work")
        self._run("insert_lead_activity")
        self._run("insert_agent_metrics")
        self._run("insert_campaign_metrics")
        self._run("insert_daily_reports", first_day=span.first_day, last_day=span.last_day)

    def _funnels_of_touched(self) -> int:
        self._run("history_of_leads")
        self._run("forget_funnels")
        return self._funnels_of_history()

    def _funnels_of_all(self) -> int:
        self._run("forget_all_funnels")
        ((events,),) = self._rows("count_lead_events")
        parts = events // LEAD_EVENTS_AT_A_TIME + 1
        leads = 0
        for part in range(parts):
            self._run("history_of_part", part=part, parts=parts)
            leads += self._funnels_of_history()
        return leads

    def _funnels_of_history(self) -> int:
        self._run("visits")
        self._run("insert_funnels")
        ((leads,),) = self._rows("count_leads")
        return int(leads)

    def _run(self, name: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        """Runs a statement of sql/rollup/; what it needs of tenant and time zone it is given."""
        query = queries.query(f"rollup/{name}")
        given = {key: value for key, value in self._given.items() if key in query.parameters}
        return self._connection.execute(query.sql, query.bind(given | parameters))

    def _rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._run(name, **parameters).fetchall()


def _spans(counted: list[tuple[date, int]], zone: tzinfo) -> Iterator[_Span]:
    """Divides days, in order, with the number of their events, where there are many or long gaps."""
    first, last, events = counted[0][0], counted[0][0], 0
    for day, count in counted:
        if events and (events + count > EVENTS_AT_A_TIME or day - last > LONGEST_GAP):
            yield _span(first, last, zone)
            first, events = day, 0
        last, events = day, events + count
    yield _span(first, last, zone)


def _enclosing(counted: list[tuple[date, int]], zone: tzinfo) -> _Span:
    return _span(counted[0][0], counted[-1][0], zone)


def _span(first_day: date, last_day: date, zone: tzinfo) -> _Span:
    """Three hours more on both sides, in case DuckDB's time zones are newer than Python's."""
    begins = datetime.combine(first_day, clock(), zone).astimezone(UTC) - timedelta(hours=3)
    ends = datetime.combine(last_day + timedelta(days=1), clock(), zone).astimezone(UTC) + timedelta(hours=3)
    return _Span(first_day=first_day, last_day=last_day, begins=begins, ends=ends)
