"""What should have run and did not: ticks that no scheduler saw or that were skipped, runs that wait in vain or failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, func, or_, select

from workbench.catalog import Catalog, tenants
from workbench.catalog.tables import report_executions
from workbench.catalog.tables import tenants as tenants_table
from workbench.schedules import file, spans, state, ticks
from workbench.schedules.schedule import Schedule
from workbench.schedules.state import GRACE
from workbench.settings import Settings

#: A run that is due, or without a sign of its worker, for longer than this is no longer just waiting for its turn.
PATIENCE = dt.timedelta(minutes=15)
#: So many ticks of a schedule and tenant are told, the newest.
_MOST_TOLD = 1000

Kind = Literal["unseen", "skipped", "waiting", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A tick without a run that succeeded or may still do so soon.

    `tick` is UTC, `local` the same in the schedule's zone for that tenant; `reason` says why, in words; `run_id` is the ledger's,
    where it has the tick.
    """

    schedule: str
    tenant_id: str
    tick: dt.datetime
    local: dt.datetime
    kind: Kind
    reason: str
    run_id: str | None


def missing(catalog: Catalog, settings: Settings, since: dt.datetime, now: dt.datetime | None = None) -> list[Gap]:
    """The gaps since then, oldest first; needs no scheduler to run or to have run.

    A tick that fell into a pause, came before its schedule or tenant was there, or whose run a person cancelled, is none.
    Raises InvalidSchedules where the file is broken.
    """
    now = now or dt.datetime.now(dt.UTC)
    schedules = file.read(settings.home, [tenant.id for tenant in tenants.all_tenants(catalog)])
    with catalog.everything() as connection:
        found = [*_unseen(connection, schedules.values(), since, now), *_recorded(connection, schedules, since, now)]
    return sorted(found, key=lambda gap: (gap.tick, gap.schedule, gap.tenant_id))


def _unseen(connection: Connection, schedules: Iterable[Schedule], since: dt.datetime, now: dt.datetime) -> Iterator[Gap]:
    """Ticks that are not in the ledger since no scheduler has looked at their schedule."""
    states = state.states(connection)
    for schedule in schedules:
        yield from _unseen_of(connection, schedule, states.get(schedule.name), since, now)


def _unseen_of(
    connection: Connection, schedule: Schedule, known: state.State | None, since: dt.datetime, now: dt.datetime
) -> Iterator[Gap]:
    owed = spans.owed(schedule, known, now)
    there = _keys(connection, schedule.name, since)
    for member in state.members(connection, schedule, known if known and known.timing else None, now):
        for span in owed:
            zone, after = span.schedule.zone(member.timezone), max(since, span.after, member.since)
            for tick in ticks.newest(span.schedule.cron, zone, after, min(span.until, now - GRACE), _MOST_TOLD):
                if (member.tenant_id, tick) not in there:
                    yield Gap(
                        schedule=schedule.name,
                        tenant_id=member.tenant_id,
                        tick=tick,
                        local=tick.astimezone(zone),
                        kind="unseen",
                        reason=_why_unseen(span, known),
                        run_id=None,
                    )


def _why_unseen(span: spans.Span, known: state.State | None) -> str:
    if known and known.timing == span.schedule.timing:
        return "no scheduler was running"
    return "no scheduler has run since this was written into the file"


def _keys(connection: Connection, schedule: str, after: dt.datetime) -> set[tuple[str, dt.datetime]]:
    """Ticks that a backfill has put into the ledger before any scheduler saw them."""
    rows = report_executions.c
    query = select(rows.tenant_id, rows.logical_time).where(rows.schedule == schedule, rows.logical_time > after)
    return {(row.tenant_id, row.logical_time) for row in connection.execute(query)}


def _recorded(connection: Connection, schedules: dict[str, Schedule], since: dt.datetime, now: dt.datetime) -> Iterator[Gap]:
    """Ticks that are in the ledger, and not well."""
    rows = report_executions.c
    query = (
        select(report_executions, tenants_table.c.timezone)
        .join(tenants_table, tenants_table.c.id == rows.tenant_id)
        .where(
            rows.schedule.is_not(None),
            rows.logical_time > since,
            or_(
                rows.status.in_(["skipped", "failed", "timed_out"]),
                and_(rows.status == "queued", rows.due_at < now - PATIENCE),
                and_(rows.status == "running", func.coalesce(rows.heartbeat_at, rows.started_at) < now - PATIENCE),
            ),
        )
    )
    for row in connection.execute(query):
        schedule = schedules.get(row.schedule)
        zone = schedule.zone(row.timezone) if schedule else ZoneInfo(row.timezone)
        kind, reason = _told(row)
        yield Gap(
            schedule=row.schedule,
            tenant_id=row.tenant_id,
            tick=row.logical_time.astimezone(dt.UTC),
            local=row.logical_time.astimezone(zone),
            kind=kind,
            reason=reason,
            run_id=str(row.id),
        )


def _told(row: Any) -> tuple[Kind, str]:
    if row.status == "queued":
        return "waiting", "no worker took it"
    if row.status == "running":
        return "waiting", "its worker died and no other took it"
    if row.status == "skipped":
        return "skipped", row.error_message or "skipped"
    ended = "ran too long" if row.status == "timed_out" else "failed"
    return "failed", f"{ended}: {row.error_message}" if row.error_message else ended
