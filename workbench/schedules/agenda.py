"""What is to come, and where each schedule stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from workbench import runs
from workbench.catalog import Catalog
from workbench.schedules import state, ticks
from workbench.schedules.schedule import Schedule
from workbench.schedules.state import GRACE, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Upcoming:
    """A tick to come: `local` is its time in `zone`, where it is for these tenants."""

    schedule: str
    local: dt.datetime
    zone: str
    tenant_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a schedule stands: in words, with its next tick, if it will have one, and how its last one ended, by status."""

    schedule: Schedule
    tenant_ids: Sequence[str]
    words: str
    following: Upcoming | None
    last: Mapping[str, int]


def upcoming(catalog: Catalog, schedules: Mapping[str, Schedule], now: dt.datetime, days: int) -> list[Upcoming]:
    """The ticks of these schedules in the next days, earliest first; none of those that are paused or not enabled."""
    with catalog.everything() as connection:
        states = state.states(connection)
        found = [
            tick
            for schedule in schedules.values()
            if _ticking(schedule, states.get(schedule.name))
            for tick in _upcoming_of(connection, schedule, now, now + dt.timedelta(days=days))
        ]
    return sorted(found, key=lambda each: (each.local.astimezone(dt.UTC), each.schedule, each.zone))


def standings(catalog: Catalog, schedules: Mapping[str, Schedule], now: dt.datetime) -> list[Standing]:
    """Each schedule of the file, in its order there."""
    with catalog.everything() as connection:
        states, last = state.states(connection), _last(connection)
        return [_standing(connection, each, states.get(each.name), last.get(each.name, {}), now) for each in schedules.values()]


def _ticking(schedule: Schedule, known: State | None) -> bool:
    return schedule.enabled and not (known and known.paused_at)


def _upcoming_of(connection: Connection, schedule: Schedule, after: dt.datetime, until: dt.datetime) -> Iterator[Upcoming]:
    for zone, tenant_ids in _zones(connection, schedule, after).items():
        for tick in ticks.ticks(schedule.cron, zone, after, until):
            yield Upcoming(schedule=schedule.name, local=tick.astimezone(zone), zone=zone.key, tenant_ids=tenant_ids)


def _zones(connection: Connection, schedule: Schedule, now: dt.datetime) -> dict[ZoneInfo, list[str]]:
    """The tenants that the schedule is for, by the zone in which it ticks for them."""
    found: dict[ZoneInfo, list[str]] = {}
    for member in state.members(connection, schedule, None, now):
        found.setdefault(schedule.zone(member.timezone), []).append(member.tenant_id)
    return found


def _standing(
    connection: Connection, schedule: Schedule, known: State | None, last: Mapping[str, int], now: dt.datetime
) -> Standing:
    zones = _zones(connection, schedule, now)
    following = [
        Upcoming(schedule=schedule.name, local=tick.astimezone(zone), zone=zone.key, tenant_ids=tenant_ids)
        for zone, tenant_ids in zones.items()
        if (tick := ticks.following(schedule.cron, zone, now)) and _ticking(schedule, known)
    ]
    return Standing(
        schedule=schedule,
        tenant_ids=sorted(each for tenant_ids in zones.values() for each in tenant_ids),
        words=_words(schedule, known, now),
        following=min(following, key=lambda each: each.local.astimezone(dt.UTC), default=None),
        last=last,
    )


def _words(schedule: Schedule, known: State | None, now: dt.datetime) -> str:
    if known and known.paused_at:
        return f"paused by {known.paused_by} on {known.paused_at.astimezone():%Y-%m-%d %H:%M}"
    if not schedule.enabled:
        return "off (enabled: false)"
    if known is None or known.timing != schedule.timing:
        return "not seen yet by a scheduler"
    if known.handled_until < now - GRACE:
        return f"no scheduler is running since {known.handled_until.astimezone():%Y-%m-%d %H:%M}"
    return "on"


def _last(connection: Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in runs.execute(connection, "schedules/last"):
        found.setdefault(row.schedule, {})[row.status] = row.runs
    return found
