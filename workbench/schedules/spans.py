"""From when to when a schedule ticked by which timing: what it owes, of the time that no scheduler has looked at yet."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace

from workbench.schedules.schedule import Schedule
from workbench.schedules.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """`schedule`, as it was timed then, ticks later than `after` and not later than `until`."""

    schedule: Schedule
    after: dt.datetime
    until: dt.datetime


def owed(schedule: Schedule, known: State | None, now: dt.datetime) -> list[Span]:
    """The spans up to now or to the pause, in order: by the timing that a scheduler last saw, then by that of the file.

    A schedule that no scheduler has seen owes from when it was written.
    """
    handled = known.handled_until if known else schedule.written_at
    until = min(now, known.paused_at) if known and known.paused_at else now
    turn = _turn(schedule, known, now)
    found = [Span(schedule=schedule, after=turn, until=until)]
    if known and known.timing and turn > handled:
        found.insert(0, Span(schedule=_as_timed(schedule, known.timing), after=handled, until=min(turn, until)))
    return [span for span in found if span.schedule.enabled and span.after < span.until]


def _turn(schedule: Schedule, known: State | None, now: dt.datetime) -> dt.datetime:
    """From when on the file's own timing holds.

    Where it is another than before, that is when the file was changed; a file that is dated before the last look came later than
    its date says.
    """
    if known is None:
        return schedule.written_at
    if known.timing == schedule.timing:
        return known.handled_until
    if not known.timing:
        return max(schedule.written_at, known.handled_until)
    return schedule.written_at if known.handled_until < schedule.written_at < now else now


def _as_timed(schedule: Schedule, timing: str) -> Schedule:
    cron, timezone, enabled = json.loads(timing)
    return replace(schedule, cron=cron, timezone=timezone, enabled=enabled)
