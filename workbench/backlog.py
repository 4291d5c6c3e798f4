"""The state of the queue at a glance: what waits, what is under way, and who works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench import runs
from workbench.catalog import Catalog
from workbench.settings import Settings

#: Classes of priority, from the most urgent on, each with the least priority that belongs to it.
CLASSES = {"person": runs.PERSON, "schedule": runs.SCHEDULE, "backfill": runs.BACKFILL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Of all tenants. `waiting` and `oldest_seconds`, which is how long the longest has been due, are by class of priority."""

    waiting: Mapping[str, int]
    oldest_seconds: Mapping[str, float]
    running: int
    workers: int


def read(catalog: Catalog, settings: Settings) -> Backlog:
    """Reads partial indexes only: what has ended costs nothing. Raises DatabaseUnavailable."""
    with catalog.everything() as connection:
        row = runs.execute(connection, "runs/backlog", silence=settings.worker_silence_seconds).one()
    waiting, oldest = dict.fromkeys(CLASSES, 0), dict.fromkeys(CLASSES, 0.0)
    for each in row.waiting:
        name = of_priority(each["priority"])
        waiting[name] += each["waiting"]
        oldest[name] = max(oldest[name], each["oldest"])
    return Backlog(waiting=waiting, oldest_seconds=oldest, running=row.running, workers=row.workers)


def of_priority(priority: int) -> str:
    """The class that a priority belongs to."""
    return next((name for name, least in CLASSES.items() if priority >= least), "backfill")
