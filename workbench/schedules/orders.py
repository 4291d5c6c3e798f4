"""Ticks become runs in the ledger, once per schedule, tenant and tick, however many schedulers see them."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from workbench import notebooks, runs
from workbench.catalog import Catalog, tenants
from workbench.errors import BadInput
from workbench.schedules import spans, state, ticks
from workbench.schedules.schedule import Schedule
from workbench.schedules.spans import Span
from workbench.schedules.state import GRACE, Member, State
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: Of the ticks that were missed, so many per tenant are looked at, the newest; the rest is one skipped run.
MOST_LATE = 1000
#: More runs than this are not queued by one backfill.
MOST_FILLED = 10_000
#: Nobody has data of days before, and the first days that Python knows cannot be counted back from.
_FIRST_DAY = dt.date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Handled:
    """What one look at a schedule put into the ledger: the ids of runs that are to come, and how many ticks were skipped."""

    enqueued: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """What a backfill did for one tick: queued it, or found that it had its run already (`run_id` is None).

    `local` is the tick in the schedule's time zone for that tenant.
    """

    tenant_id: str
    local: dt.datetime
    run_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Due:
    """A tick of a member, of the schedule as it was timed then, with the reason why it is not run, if so."""

    schedule: Schedule
    member: Member
    tick: dt.datetime
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """A schedule with its report as it is now, or with the reason why that cannot be run."""

    schedule: Schedule
    report: notebooks.Report | None
    content_hash: str
    problem: str | None

    def request(self, member: Member, tick: dt.datetime, *, by: str, priority: int) -> tuple[runs.Request, str | None]:
        """What to ask of the ledger, and why it cannot be run, if so."""
        schedule = self.schedule
        values, problem = self._values(member, tick)
        return runs.Request(
            tenant_id=member.tenant_id,
            report=schedule.report,
            parameters=values,
            formats=schedule.formats,
            notebook_hash=self.content_hash,
            by=by,
            priority=priority,
            schedule=schedule.name,
            logical_time=tick,
            retries=schedule.retries,
            retry_failures=schedule.retry_failures,
            timeout_seconds=schedule.timeout_seconds,
            keep=schedule.keep,
        ), problem

    def _values(self, member: Member, tick: dt.datetime) -> tuple[dict[str, object], str | None]:
        if self.report is None:
            return {}, self.problem
        try:
            return self.report.values(self.schedule.texts(tick, member.timezone)), None
        except (BadInput, ValueError) as error:
            return {}, f"its parameters cannot be used: {error}"


def enqueue_due(catalog: Catalog, settings: Settings, schedule: Schedule, now: dt.datetime) -> Handled:
    """Puts every tick up to `now` that is not there yet into the ledger, in one transaction.

    A tick found within GRACE is queued. Of those that are later, `catch_up` says which are: the others are there as skipped, with
    the reason, and so are all of a schedule that was paused or turned off since. Ticks from before a change of the timing are
    those of the timing before. May be called at any time, by any number of schedulers.
    """
    with catalog.everything() as connection:
        done = _handle(connection, settings, schedule, now)
    if done.enqueued or done.skipped:
        _log.info("schedule %s: %d runs queued, %d ticks skipped", schedule.name, len(done.enqueued), done.skipped)
    return done


def resume(catalog: Catalog, settings: Settings, schedule: Schedule, now: dt.datetime) -> bool:
    """Lets a paused schedule go on from now; ticks from before the pause that no scheduler saw are skipped.

    What fell into the pause is not owed. False where it was not paused.
    """
    with catalog.everything() as connection:
        known = state.states(connection).get(schedule.name)
        if known is None or known.paused_at is None:
            return False
        _handle(connection, settings, schedule, now)
        return state.resume(connection, schedule.name, now)


def enqueue_now(
    catalog: Catalog, settings: Settings, schedule: Schedule, now: dt.datetime, *, tenant_id: str | None, by: str
) -> list[tuple[str, str]]:
    """Queues a run for each tenant of the schedule, or for that one of them, as a person's wish; (tenant, run id) of each.

    Raises NotFound where there is no such tenant, BadInput where the schedule is not for it or cannot be run.
    """
    _check_tenant(catalog, tenant_id)
    with catalog.everything() as connection:
        members = _chosen(schedule, state.members(connection, schedule, None, now), tenant_id)
        order = _order(settings, schedule)
        queued = []
        for member in members:
            request, problem = order.request(member, now, by=by, priority=runs.PERSON)
            if problem:
                raise BadInput(f"Schedule {schedule.name} cannot be run for {member.tenant_id}: {problem}")
            # No tick's run: its own tick is still to come.
            run_id = runs.enqueue(connection, replace(request, logical_time=None))
            queued.append((member.tenant_id, str(run_id)))
    return queued


def backfill(
    catalog: Catalog,
    settings: Settings,
    schedule: Schedule,
    first: dt.date,
    last: dt.date,
    now: dt.datetime,
    *,
    tenant_id: str | None,
    by: str,
    dry_run: bool,
) -> list[Filled]:
    """Queues the past ticks of these whole days, in the schedule's time zone, that have no run yet or were skipped.

    With `dry_run` nothing is kept of it. Raises NotFound where there is no such tenant, BadInput where it cannot be done, or
    would be more than MOST_FILLED ticks.
    """
    if first < _FIRST_DAY:
        raise BadInput(f"The backfill starts on {first}; its first day can be {_FIRST_DAY} or later.")
    if last < first:
        raise BadInput(f"The backfill ends ({last}) before it starts ({first}).")
    _check_tenant(catalog, tenant_id)
    with catalog.everything() as connection:
        members = _chosen(schedule, state.members(connection, schedule, None, now), tenant_id)
        every = ((member, tick) for member in members for tick in _of_days(schedule, member, first, last, now))
        wanted = list(itertools.islice(every, MOST_FILLED + 1))
        if len(wanted) > MOST_FILLED:
            raise BadInput(f"That would be more than {MOST_FILLED:,} runs, which are not queued at once. Choose fewer days.")
        order, attempt = _order(settings, schedule), connection.begin_nested()
        filled = [_filled(connection, order, member, tick, by) for member, tick in wanted]
        attempt.rollback() if dry_run else attempt.commit()
    return filled


def _handle(connection: Connection, settings: Settings, schedule: Schedule, now: dt.datetime) -> Handled:
    current = state.locked(connection, schedule, now)
    members = state.members(connection, schedule, current, now)
    state.keep_members(connection, schedule, members)
    owed = spans.owed(schedule, current, now)
    done = _enqueue(connection, settings, schedule, _due(owed, members, now, _stopped(schedule, current)))
    state.handled(connection, schedule, now)
    return done


def _stopped(schedule: Schedule, current: State) -> str | None:
    if current.paused_at is not None:
        return "paused"
    return None if schedule.enabled else "turned off"


def _due(owed: Sequence[Span], members: Iterable[Member], now: dt.datetime, stopped: str | None) -> Iterator[_Due]:
    """Every tick of the spans, in order for each member."""
    newest = functools.cache(ticks.newest)
    for member in members:
        own = [
            (span.schedule, tick)
            for span in owed
            for tick in newest(span.schedule.cron, span.schedule.zone(member.timezone), span.after, span.until, MOST_LATE + 1)
            if tick > member.since
        ][-MOST_LATE - 1 :]
        for place, (schedule, tick) in enumerate(own):
            reason = _reason(schedule, tick, now, newer=len(own) - place - 1, stopped=stopped)
            yield _Due(schedule=schedule, member=member, tick=tick, reason=reason)


def _reason(schedule: Schedule, tick: dt.datetime, now: dt.datetime, *, newer: int, stopped: str | None) -> str | None:
    if tick >= now - GRACE:
        return None
    if newer >= MOST_LATE:
        return f"with all before it: no scheduler was running, and of more than {MOST_LATE:,} late ticks only the newest are kept"
    if stopped:
        return f"no scheduler was running when it was due, and the schedule was {stopped} since"
    if schedule.catch_up == "all" or (schedule.catch_up == "latest" and newer == 0):
        return None
    kept = "none is run later" if schedule.catch_up == "skip" else "only the latest of those is run later"
    return f"no scheduler was running when it was due, and {kept} (catch_up: {schedule.catch_up})"


def _enqueue(connection: Connection, settings: Settings, schedule: Schedule, due: Iterator[_Due]) -> Handled:
    enqueued, skipped, order = [], 0, None
    for each in due:
        order = replace(order or _order(settings, schedule), schedule=each.schedule)
        request, problem = order.request(each.member, each.tick, by=f"schedule:{schedule.name}", priority=runs.SCHEDULE)
        if problem:
            _log.error("schedule %s cannot be run for %s: %s", schedule.name, each.member.tenant_id, problem)
        if each.reason or problem:
            skipped += runs.skip(connection, request, problem or each.reason or "") is not None
        elif run_id := runs.enqueue(connection, request):
            enqueued.append(run_id)
    return Handled(enqueued=tuple(enqueued), skipped=skipped)


def _order(settings: Settings, schedule: Schedule) -> _Order:
    try:
        report = notebooks.report(settings.home, schedule.report)
        return _Order(schedule=schedule, report=report, content_hash=report.content_hash(), problem=None)
    except (BadInput, OSError) as error:
        return _Order(schedule=schedule, report=None, content_hash="", problem=str(error))


def _check_tenant(catalog: Catalog, tenant_id: str | None) -> None:
    if tenant_id is not None:
        tenants.get(catalog, tenant_id)


def _chosen(schedule: Schedule, members: list[Member], tenant_id: str | None) -> list[Member]:
    found = [member for member in members if tenant_id in (None, member.tenant_id)]
    if not found:
        whom = f"tenant {tenant_id}" if tenant_id else "any tenant there is"
        raise BadInput(f"Schedule {schedule.name} is not for {whom}; its tenants are: {schedule.tenants}.")
    return found


def _of_days(schedule: Schedule, member: Member, first: dt.date, last: dt.date, now: dt.datetime) -> Iterator[dt.datetime]:
    zone = schedule.zone(member.timezone)
    last = min(last, now.astimezone(zone).date())
    if last < first:
        return iter(())
    start = dt.datetime.combine(first, dt.time(), zone).astimezone(dt.UTC)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC)
    moment = dt.timedelta(microseconds=1)
    return ticks.ticks(schedule.cron, zone, start - moment, min(end - moment, now))


def _filled(connection: Connection, order: _Order, member: Member, tick: dt.datetime, by: str) -> Filled:
    request, problem = order.request(member, tick, by=by, priority=runs.BACKFILL)
    if problem:
        raise BadInput(f"Schedule {order.schedule.name} cannot be run for {member.tenant_id} at {tick}: {problem}")
    run_id = runs.enqueue(connection, request) or runs.unskip(connection, request)
    local = tick.astimezone(order.schedule.zone(member.timezone))
    return Filled(tenant_id=member.tenant_id, local=local, run_id=run_id)
