"""How far each schedule has come, in the database: what every scheduler and every command agrees on.

A schedule that a scheduler sees for the first time starts then: no tick is owed from before that, but for those of the last
minutes. From there on `handled_until` only moves forward, in the same transaction that puts the ticks up to it into the ledger,
also where the timing is changed or the schedule is paused: `timing` is the one by which ticks are owed from there on.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from workbench.catalog.tables import schedule_tenants, schedules, tenants
from workbench.schedules.schedule import Schedule

#: A tick that is found within this time is on time.
GRACE = dt.timedelta(minutes=5)
#: A schedule handled further ahead than this would be silent until then.
_CLOCKS_DIFFER = dt.timedelta(hours=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Where a schedule stands; `timing` is what it was when a scheduler last saw it."""

    timing: str
    handled_until: dt.datetime
    paused_at: dt.datetime | None
    paused_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A tenant that a schedule ticks for; no tick before `since` is its. `new`: this is not kept yet."""

    tenant_id: str
    timezone: str
    since: dt.datetime
    new: bool


def states(connection: Connection) -> dict[str, State]:
    """Those of all schedules that a scheduler has seen or a person paused, by name."""
    return {row.name: _state(row) for row in connection.execute(select(schedules))}


def locked(connection: Connection, schedule: Schedule, now: dt.datetime) -> State:
    """The state of the schedule, started where it has to be; others wait until this transaction has ended.

    Its timing is the one before, where the file has another by now: `handled` changes that, when its ticks are seen to.
    """
    start = min(now, max(schedule.written_at, now - GRACE))
    new = {"name": schedule.name, "timing": schedule.timing, "handled_until": start}
    connection.execute(insert(schedules).values(new).on_conflict_do_nothing())
    row = connection.execute(select(schedules).where(schedules.c.name == schedule.name).with_for_update()).one()
    if row.handled_until > now + _CLOCKS_DIFFER:
        _log.warning("schedule %s was handled up to %s, by a wrong clock; it starts anew", schedule.name, row.handled_until)
        connection.execute(delete(schedule_tenants).where(schedule_tenants.c.schedule == schedule.name))
    elif row.timing:
        return _state(row)
    else:
        # Up to then it was not in the file, or paused.
        new["handled_until"] = max(start, row.handled_until)
    started = update(schedules).where(schedules.c.name == schedule.name).values(new).returning(schedules)
    return _state(connection.execute(started).one())


def handled(connection: Connection, schedule: Schedule, until: dt.datetime) -> None:
    """Nothing up to then is owed any more, and from then on by the schedule's timing of now."""
    rows = schedules.c
    values = {"timing": schedule.timing, "handled_until": func.greatest(rows.handled_until, until)}
    connection.execute(update(schedules).where(rows.name == schedule.name).values(values))


def members(connection: Connection, schedule: Schedule, state: State | None, now: dt.datetime) -> list[Member]:
    """The tenants that the schedule is for, as they are now.

    One that was made since the schedule was last handled counts from its making; one that has just come under the schedule by a
    tag, or by a change of the file, from now.
    """
    rows = schedule_tenants.c
    known = {
        row.tenant_id: row.since for row in connection.execute(select(schedule_tenants).where(rows.schedule == schedule.name))
    }
    found = connection.execute(select(tenants).order_by(tenants.c.id))
    return [
        Member(
            tenant_id=row.id,
            timezone=row.timezone,
            since=known.get(row.id) or _start(row.created_at, state, now),
            new=row.id not in known,
        )
        for row in found
        if schedule.tenants.includes(row.id, row.tags)
    ]


def keep_members(connection: Connection, schedule: Schedule, found: Collection[Member]) -> None:
    """Remembers from when on the schedule ticks for each of them, and forgets all others."""
    rows, ids = schedule_tenants.c, [member.tenant_id for member in found]
    connection.execute(delete(schedule_tenants).where(rows.schedule == schedule.name, rows.tenant_id.not_in(ids)))
    values = [{"schedule": schedule.name, "tenant_id": each.tenant_id, "since": each.since} for each in found if each.new]
    if values:
        connection.execute(insert(schedule_tenants).on_conflict_do_nothing(), values)


def forget_timing(connection: Connection, names: Iterable[str]) -> None:
    """Schedules that are no longer in the file: where they come back, they start anew, though still paused if they were."""
    connection.execute(update(schedules).where(schedules.c.name.in_(list(names))).values(timing=""))


def pause(connection: Connection, name: str, by: str, now: dt.datetime) -> bool:
    """False where it was paused already. What was owed by then still is."""
    new = insert(schedules).values(name=name, timing="", handled_until=now, paused_at=now, paused_by=by)
    paused = new.on_conflict_do_update(
        index_elements=["name"], set_={"paused_at": now, "paused_by": by}, where=schedules.c.paused_at.is_(None)
    )
    return connection.execute(paused.returning(schedules.c.name)).scalar() is not None


def resume(connection: Connection, name: str, now: dt.datetime) -> bool:
    """Goes on from now. False where it was not paused.

    Nothing up to now is owed then; `orders.resume` first sees to what was owed before the pause.
    """
    rows = schedules.c
    resumed = {"paused_at": None, "paused_by": None, "handled_until": func.greatest(rows.handled_until, now)}
    was_paused = update(schedules).where(rows.name == name, rows.paused_at.is_not(None)).values(resumed)
    return connection.execute(was_paused.returning(rows.name)).scalar() is not None


def _start(created_at: dt.datetime, state: State | None, now: dt.datetime) -> dt.datetime:
    if state is None or created_at > state.handled_until:
        return created_at
    return max(created_at, now - GRACE)


def _state(row: Any) -> State:
    return State(timing=row.timing, handled_until=row.handled_until, paused_at=row.paused_at, paused_by=row.paused_by)
