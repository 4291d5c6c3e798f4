"""The run ledger from the executing side: a worker claims the run whose turn it is, says that it lives, and says how it ended.

A claim holds for one attempt. Whoever has lost it, because it was silent for so long that its run was given to another, can no
longer change anything about the run: `beat` tells it so, and its end is not taken.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from workbench import runs
from workbench.catalog import Catalog
from workbench.catalog.tables import report_executions, run_log
from workbench.errors import RunLost
from workbench.runs import Run

#: A run that was under way when its worker died is set aside after so many times: it may be what killed it.
_DEATHS = 3
#: Turns that are made where runs wait without: more than workers have places.
_MOST_TURNS = 64
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 10.0, 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How many runs may be running at a time, of one tenant and in all."""

    tenant: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What has come of a run since it was last told: ended cells with their seconds, and lines as (cell, stream, text)."""

    cells_total: int | None
    cells: Sequence[Mapping[str, Any]]
    lines: Sequence[tuple[int | None, str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an attempt ended; `status` is one of `runs.ENDED`."""

    status: str
    message: str | None = None
    cell: int | None = None
    artifacts: Sequence[str] = ()
    rows_read: int | None = None
    peak_memory_mb: float | None = None
    notebook_hash: str | None = None
    packages: Mapping[str, str] | None = None


def claim(catalog: Catalog, worker: str, limits: Limits, *, turn: bool = True) -> Run | None:
    """The run whose turn it is, now running as this worker's; None where none may run now.

    A worker that goes on to its next run without having taken a `turn` takes one out of the queue: there is one for each run.
    """
    # One at a time, or two workers could each see the last free place of a tenant.
    with catalog.lock("claim") as connection:
        found = runs.execute(connection, "runs/claim", tenant_limit=limits.tenant, total_limit=limits.total).scalar()
        if found is None:
            return None
        row = connection.execute(_STARTED.where(report_executions.c.id == found), {"of_worker": worker}).one()
        if not turn:
            runs.execute(connection, "runs/take_turn")
    return runs.from_row(row)


_STARTED = (
    update(report_executions)
    .values(status="running", started_at=func.now(), heartbeat_at=func.now(), worker=bindparam("of_worker"))
    .returning(report_executions)
)


def beat(catalog: Catalog, run: Run, progress: Progress) -> bool:
    """Tells that the run goes on and how far it has come; whether it is wanted any more.

    Raises RunLost where it has been given to another worker.
    """
    values: dict[str, Any] = {"heartbeat_at": func.now(), "cells_total": progress.cells_total, "cells": list(progress.cells)}
    with catalog.tenant(run.tenant_id) as connection:
        row = connection.execute(_mine(run).values(values).returning(report_executions.c.cancel_requested_at)).one_or_none()
        if row is None:
            raise lost(run)
        _keep_log(connection, run, progress.lines)
    return row.cancel_requested_at is None


def end(catalog: Catalog, run: Run, ending: Ending, progress: Progress, publish: Callable[[], None] | None = None) -> None:
    """Records how the run ended; `publish` makes its files appear, just before the ledger says so.

    May be repeated where the database was lost in between. Raises RunLost, and publishes nothing, where it is another's by now.
    """
    values: dict[str, Any] = {
        "status": ending.status,
        "finished_at": func.now(),
        "artifacts": list(ending.artifacts),
        "error_message": ending.message,
        "error_cell": ending.cell,
        "rows_read": ending.rows_read,
        "peak_memory_mb": ending.peak_memory_mb,
        "cells_total": progress.cells_total,
        "cells": list(progress.cells),
    }
    known_late = {"packages": ending.packages, "notebook_hash": ending.notebook_hash}
    values |= {column: value for column, value in known_late.items() if value is not None}
    with catalog.tenant(run.tenant_id) as connection:
        if connection.execute(_mine(run).values(values)).rowcount != 1:
            if _ended_so(connection, run, ending.status):
                return
            raise lost(run)
        _keep_log(connection, run, progress.lines)
        if publish is not None:
            publish()


def _ended_so(connection: Connection, run: Run, status: str) -> bool:
    """Whether this very attempt has been recorded like this: the answer to the first try was lost."""
    rows = report_executions.c
    query = select(rows.status).where(rows.id == run.id, rows.attempt == run.attempt, rows.worker == run.worker)
    return connection.execute(query).scalar() == status


def try_again(catalog: Catalog, run: Run, ending: Ending, progress: Progress, *, attempts: int) -> dt.datetime | None:
    """Queues the run once more, later the more often it was tried, up to so many `attempts`; returns when it is due.

    None where somebody has cancelled it: then it ends. Raises RunLost.
    """
    due_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=backoff(run.attempt))
    ended = replace(run, status=ending.status, error_message=ending.message, finished_at=dt.datetime.now(dt.UTC))
    with catalog.tenant(run.tenant_id) as connection:
        again = _requeue(connection, run, runs.requeued(ended, due_at=due_at) | {"attempt": run.attempt + 1})
        follows = f" Attempt {run.attempt + 1} of {attempts} follows." if again else ""
        _keep_log(connection, run, [*progress.lines, (None, "run", f"{ending.message}{follows}")])
        if again:
            runs.call(connection, due_at)
    return due_at if again else None


def backoff(attempt: int) -> float:
    """Seconds to wait after that attempt: twice as long each time, give or take a quarter lest many come back at once."""
    return float(min(_BACKOFF_SECONDS * 2 ** (attempt - 1), _LONGEST_BACKOFF_SECONDS) * random.uniform(0.75, 1.25))  # noqa: S311


def hand_back(catalog: Catalog, run: Run) -> None:
    """Gives a run up unfinished, to whoever takes the next turn; it does not count as an attempt. Raises RunLost."""
    with catalog.tenant(run.tenant_id) as connection:
        if _requeue(connection, run, runs.requeued(run) | {"attempts": list(run.attempts)}):
            runs.call(connection)


def _requeue(connection: Connection, run: Run, values: Mapping[str, Any]) -> bool:
    """Whether it is queued again; where somebody has cancelled it meanwhile, it ends. Raises RunLost."""
    rows = report_executions.c
    mine = select(rows.cancel_requested_at).where(*_is_mine(run)).with_for_update()
    found = connection.execute(mine).one_or_none()
    if found is None:
        raise lost(run)
    cancelled = found.cancel_requested_at is not None
    connection.execute(_mine(run).values(_ended("cancelled", "cancelled") if cancelled else dict(values)))
    return not cancelled


def lost(run: Run) -> RunLost:
    return RunLost(
        f"Run {run.id} of {run.report} is no longer this process's: it was silent for too long, or has handed the run back.",
        run_id=run.id,
    )


def server_began_after(catalog: Catalog, instant: dt.datetime) -> bool:
    """Whether the database has been started anew since then."""
    with catalog.everything() as connection:
        began: dt.datetime = connection.execute(select(func.pg_postmaster_start_time())).scalar_one()
    return began > instant


def recover(catalog: Catalog, silence: float, *, ours: Collection[str] = ()) -> list[Run]:
    """Queues the runs whose worker is dead once more and returns them as they were; makes turns where runs wait without any.

    A worker that gave no sign of life for `silence` seconds counts as dead; `ours` are the runs that this process is executing. A
    run that was under way at three deaths is set aside as failed. One that a person's own command was executing fails: it is the
    person's to run it again.
    """
    with catalog.lock("recover") as connection:
        found = runs.execute(connection, "runs/silent", silence=silence, ours=list(ours)).scalars().all()
        rows = report_executions.c
        dead = [runs.from_row(row) for row in connection.execute(select(report_executions).where(rows.id.in_(found)))]
        for run in dead:
            _bury(connection, run)
        runs.execute(connection, "runs/forget_dead_turns", silence=silence)
        runs.execute(connection, "runs/call_for_all", most=_MOST_TURNS)
    return dead


def _bury(connection: Connection, run: Run) -> None:
    message = f"Its {run.worker} died."
    if run.cancel_requested_at:
        values = _ended("cancelled", "cancelled")
    elif run.by_command:
        values = _ended("failed", f"The command that executed it ({run.worker}) died.")
    elif run.deaths + 1 >= _DEATHS:
        message = f"It was under way at {_DEATHS} deaths of a worker and is set aside; `workbench runs retry` tries it again."
        values = _ended("failed", message) | {"deaths": run.deaths + 1}
    else:
        ended = replace(run, status="failed", error_message=message)
        values = runs.requeued(ended) | {"attempt": run.attempt + 1, "deaths": run.deaths + 1}
        runs.call(connection)
    connection.execute(update(report_executions).where(report_executions.c.id == run.id).values(values))
    _keep_log(connection, run, [(None, "run", message)])


def _ended(status: str, message: str) -> dict[str, Any]:
    """The columns of a run that ends without anything to tell of it."""
    return {"status": status, "finished_at": func.now(), "error_message": message}


def _mine(run: Run) -> Any:
    """An update of the run as long as it is this worker's attempt."""
    return update(report_executions).where(*_is_mine(run))


def _is_mine(run: Run) -> tuple[Any, ...]:
    rows = report_executions.c
    return rows.id == run.id, rows.status == "running", rows.attempt == run.attempt, rows.worker == run.worker


def _keep_log(connection: Connection, run: Run, lines: Sequence[tuple[int | None, str, str]]) -> None:
    if lines:
        of_run = {"tenant_id": run.tenant_id, "run_id": run.id, "attempt": run.attempt}
        values = [of_run | {"cell": cell, "stream": stream, "text": said} for cell, stream, said in lines]
        connection.execute(insert(run_log).values(values))
