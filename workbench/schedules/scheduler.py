"""The scheduler: a process, or a thread of one, that puts ticks into the ledger as they come. Any number may run at once.

APScheduler only tells when to look; what is due is for `orders.enqueue_due` to say, which is also asked every minute, so that a
tick missed here for whatever reason is found there.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from workbench import logs
from workbench.catalog import Catalog, tenants
from workbench.errors import DatabaseUnavailable, InvalidSchedules
from workbench.schedules import file, orders, state, ticks
from workbench.schedules.schedule import Schedule
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: Seconds between two looks at the file, between two looks at everything, and after the database was not there.
_FILE_SECONDS, _SWEEP_SECONDS, _RETRY_SECONDS = 1.0, 60.0, 3.0


def serve(
    catalog: Catalog,
    settings: Settings,
    stop: threading.Event,
    *,
    clock: Callable[[], dt.datetime] | None = None,
    ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Runs until `stop` is set, which it notices within a second, or until it is interrupted.

    `ready` is told how many schedules there are, once the file is read and ticks are handled from then on.

    A change of the file is taken up within two seconds; a broken one is told in the log, and the last good one stays. A database
    that is lost is waited for. Raises InvalidSchedules where the file is broken from the start.
    """
    scheduler = _Scheduler(catalog, settings, stop, clock or _now)
    try:
        ready(scheduler.start())
        while not stop.is_set():
            scheduler.turn()
    finally:
        scheduler.end()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class _Scheduler:
    def __init__(self, catalog: Catalog, settings: Settings, stop: threading.Event, clock: Callable[[], dt.datetime]) -> None:
        self._catalog = catalog
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._file = _WatchedFile(settings)
        self._schedules: dict[str, Schedule] = {}
        self._due: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ticking = BackgroundScheduler(executors={"default": DebugExecutor()}, timezone=dt.UTC)
        self._swept = float("-inf")
        self._waiting = False
        self._refused: str | None = None

    def start(self) -> int:
        """Returns how many schedules there are."""
        self._schedules = file.read(self._settings.home, self._tenant_ids())
        self._ticking.start()
        _log.info("scheduler started; schedules: %d", len(self._schedules))
        return len(self._schedules)

    def end(self) -> None:
        if self._ticking.running:
            self._ticking.shutdown()
        _log.info("scheduler stopped")

    def turn(self) -> None:
        """One second, or up to the next tick."""
        try:
            if self._file.changed() or (self._refused and self._file.settled):
                self._read_again()
            if time.monotonic() - self._swept >= _SWEEP_SECONDS:
                self._sweep()
            self._handle(self._told())
            self._say_that_it_goes_on()
        except DatabaseUnavailable as error:
            self._wait_for_the_database(error)

    def _told(self) -> set[str]:
        """Schedules that have just ticked, as soon as there is one."""
        found: set[str] = set()
        with contextlib.suppress(queue.Empty):
            found.add(self._due.get(timeout=_FILE_SECONDS))
            while True:
                found.add(self._due.get_nowait())
        return found

    def _handle(self, names: Iterable[str]) -> None:
        for name in names:
            if schedule := self._schedules.get(name):
                self._enqueue(schedule)

    def _enqueue(self, schedule: Schedule) -> None:
        """What is wrong with one schedule holds up no other."""
        try:
            with logs.about(schedule=schedule.name):
                orders.enqueue_due(self._catalog, self._settings, schedule, self._clock())
        except DatabaseUnavailable:
            raise
        except Exception as error:
            _log.error("schedule %s could not be looked at: %s: %s", schedule.name, type(error).__name__, error)
            _log.debug("this is where", exc_info=True)

    def _sweep(self) -> None:
        # In this order: what ticks in between is found by the look at everything.
        self._arrange_ticks()
        self._handle(self._schedules)
        self._swept = time.monotonic()

    def _arrange_ticks(self) -> None:
        """One job per schedule and time zone of its tenants."""
        wanted = {f"{schedule.name} {schedule.cron} {zone}": (schedule, zone) for schedule, zone in self._zones()}
        there = {job.id for job in self._ticking.get_jobs()}
        for gone in there - set(wanted):
            self._ticking.remove_job(gone)
        for new in set(wanted) - there:
            schedule, zone = wanted[new]
            trigger = _Ticks(schedule.cron, zone)
            self._ticking.add_job(self._due.put, trigger, args=[schedule.name], id=new, misfire_grace_time=None, coalesce=True)

    def _zones(self) -> Iterator[tuple[Schedule, ZoneInfo]]:
        everyone = tenants.all_tenants(self._catalog)
        for schedule in self._schedules.values():
            if schedule.enabled:
                zones = {schedule.zone(each.timezone) for each in everyone if schedule.tenants.includes(each.id, each.tags)}
                yield from ((schedule, zone) for zone in zones)

    def _read_again(self) -> None:
        """A file that is refused is tried again: what it names, as a tenant, may come to be there."""
        try:
            found = file.read(self._settings.home, self._tenant_ids())
        except InvalidSchedules as error:
            self._refuse(f"\n{error}")
            return
        except DatabaseUnavailable:
            self._file.look_again()
            raise
        except Exception as error:
            # A fault of ours, or of something that the file leads to: no reason to stop what goes well.
            self._refuse(f" {type(error).__name__}: {' '.join(str(error).split())}")
            _log.debug("this is where", exc_info=True)
            return
        with self._catalog.everything() as connection:
            state.forget_timing(connection, set(self._schedules) - set(found))
        _log.info("%s was changed; schedules now: %d", file.NAME, len(found))
        self._schedules, self._refused, self._swept = found, None, float("-inf")

    def _refuse(self, mistakes: str) -> None:
        if mistakes != self._refused:
            _log.warning("%s cannot be used as it is now; the schedules stay as they were before:%s", file.NAME, mistakes)
        self._refused = mistakes

    def _tenant_ids(self) -> list[str]:
        return [tenant.id for tenant in tenants.all_tenants(self._catalog)]

    def _wait_for_the_database(self, error: DatabaseUnavailable) -> None:
        if not self._waiting:
            _log.warning("%s The scheduler goes on as soon as it is back.", error)
        self._waiting, self._swept = True, float("-inf")
        self._stop.wait(_RETRY_SECONDS)

    def _say_that_it_goes_on(self) -> None:
        if self._waiting:
            _log.warning("PostgreSQL is back; the scheduler goes on.")
        self._waiting = False


class _WatchedFile:
    """The file, looked at once a second. A change counts when it is a second old: an editor may still be writing."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.home / file.NAME
        self._known = self._before = self._look()
        self.settled = True

    def changed(self) -> bool:
        now = self._look()
        self.settled, self._before = now == self._before, now
        if now == self._known or not self.settled:
            return False
        self._known = now
        return True

    def look_again(self) -> None:
        """The change could not be taken up."""
        self._known = None

    def _look(self) -> Any:
        try:
            found = self._path.stat()
        except OSError:
            return "not there"
        return found.st_mtime_ns, found.st_size, found.st_ino


class _Ticks(BaseTrigger):  # type: ignore[misc]
    """APScheduler's trigger of a cron line in a zone: always the next tick from now, since what was missed is found otherwise."""

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        self._cron, self._zone = cron, zone

    def get_next_fire_time(self, previous_fire_time: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
        after = now if previous_fire_time is None else max(previous_fire_time, now)
        return ticks.following(self._cron, self._zone, after.astimezone(dt.UTC))
