"""The run ledger: every execution of a report, in `report_executions`, from the asking side.

A run is asked for with `enqueue` and told of with `get`, `listed` and `log`; `cancel` and `retry` change its course. Who executes
runs works with `workbench.claims`. Which state may follow which is `catalog.tables.RUN_MOVES`, held by the database as well.

The ledger is the truth about what is to run. procrastinate only carries turns: each run that is queued puts a turn into its
queue, in the same transaction, and a worker that takes a turn, whichever it is, executes the run that the ledger says is next.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from workbench import queries
from workbench.catalog import Catalog
from workbench.catalog.tables import RUN_MOVES, report_executions, run_log
from workbench.errors import BadInput, NotFound

#: Priorities: a person who waits comes before a schedule, and that before a backfill.
PERSON, SCHEDULE, BACKFILL = 20, 10, 0

#: What the names of executing processes start with: a person's command, or a worker.
COMMAND, WORKER = "command", "worker"

#: States in which nothing more happens by itself.
ENDED = ("succeeded", "failed", "timed_out", "cancelled", "skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked for. `parameters` are typed values as `Report.values` gives them, `by` says who or what asks.

    A tick of a schedule has its `schedule` and, as `logical_time`, its instant (UTC): the two are in the ledger once per tenant.
    A run is tried again `retries` times after a kernel's death or a timeout; `retry_failures`: also where it raised.
    `keep` is how long: {"age_days": 90, "count": 30}, either may be missing.
    """

    tenant_id: str
    report: str
    parameters: Mapping[str, Any]
    formats: Sequence[str]
    notebook_hash: str
    by: str
    priority: int = PERSON
    schedule: str | None = None
    logical_time: dt.datetime | None = None
    retries: int = 0
    retry_failures: bool = False
    timeout_seconds: float | None = None
    keep: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution; instants are UTC, `artifacts` are file names within the run's folder.

    `cells` are those of the notebook that have ended, each with its seconds; `attempts` tells how earlier attempts ended.
    """

    id: str
    tenant_id: str
    report: str
    status: str
    parameters: Mapping[str, Any]
    formats: Sequence[str]
    artifacts: Sequence[str]
    notebook_hash: str
    created_by: str
    created_at: dt.datetime
    priority: int
    schedule: str | None
    logical_time: dt.datetime | None
    keep: Mapping[str, Any]
    due_at: dt.datetime
    timeout_seconds: float | None
    retries: int
    retry_failures: bool
    attempt: int
    worker: str | None
    heartbeat_at: dt.datetime | None
    cancel_requested_at: dt.datetime | None
    cells_total: int | None
    cells: Sequence[Mapping[str, Any]]
    rows_read: int | None
    peak_memory_mb: float | None
    packages: Mapping[str, str]
    error_message: str | None
    error_cell: int | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    attempts: Sequence[Mapping[str, Any]]
    deaths: int

    @property
    def by_command(self) -> bool:
        """Whether a person's own command executes it, and no worker."""
        return (self.worker or "").startswith(COMMAND)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """What a cell printed (`stream` stdout or stderr), or what the workbench had to say about the run (run)."""

    position: int
    attempt: int
    at: dt.datetime
    cell: int | None
    stream: str
    text: str


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids sort by the time they were made."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def enqueue(connection: Connection, request: Request) -> str | None:
    """Records a run that is to come, and a turn for it; returns its id, or None where that tick is in the ledger already."""
    run_id = _record(connection, request, status="queued")
    if run_id is not None:
        call(connection)
    return run_id


def skip(connection: Connection, request: Request, reason: str) -> str | None:
    """Records a tick that is not run, and why; None where it is in the ledger already."""
    return _record(connection, request, status="skipped", finished_at=func.now(), error_message=reason)


def unskip(connection: Connection, request: Request) -> str | None:
    """Queues the tick's run where the ledger has it as skipped, as it is asked for now; None where it has not."""
    rows = report_executions.c
    tick = (rows.tenant_id == request.tenant_id, rows.schedule == request.schedule, rows.logical_time == request.logical_time)
    query = select(report_executions).where(*tick, rows.status == "skipped").with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    run = from_row(row)
    asked = {column: value for column, value in _asked(request).items() if column in _ASKED_ANEW}
    _set(connection, run, **requeued(run), **asked)
    call(connection)
    return run.id


_ASKED_ANEW = ("parameters", "formats", "notebook_hash", "created_by", "priority")


def begin(connection: Connection, request: Request, worker: str) -> str:
    """Records a run that its asker executes at once."""
    run_id = _record(connection, request, status="running", started_at=func.now(), heartbeat_at=func.now(), worker=worker)
    assert run_id is not None, "a tick of a schedule is enqueued"
    return run_id


def call(connection: Connection, due_at: dt.datetime | None = None) -> None:
    """Puts one turn into the queue, for now or for later."""
    execute(connection, "runs/call", due_at=due_at)


def execute(connection: Connection, name: str, **values: Any) -> Any:
    """The named query's result."""
    query = queries.query(name)
    return connection.execute(text(query.postgresql), query.bind(values))


def _record(connection: Connection, request: Request, **state: Any) -> str | None:
    values = {"id": new_id(), **_asked(request), **state}
    statement = insert(report_executions).values(values)
    statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "schedule", "logical_time"])
    recorded = connection.execute(statement.returning(report_executions.c.id)).scalar()
    return None if recorded is None else str(recorded)


def _asked(request: Request) -> dict[str, Any]:
    return {
        "tenant_id": request.tenant_id,
        "report": request.report,
        "parameters": dict(request.parameters),
        "formats": list(request.formats),
        "notebook_hash": request.notebook_hash,
        "created_by": request.by,
        "priority": request.priority,
        "schedule": request.schedule,
        "logical_time": request.logical_time,
        "retries": request.retries,
        "retry_failures": request.retry_failures,
        "timeout_seconds": request.timeout_seconds,
        "keep": dict(request.keep),
    }


def get(catalog: Catalog, tenant_id: str | None, run_id: str) -> Run:
    """The run of that id; with no tenant, whoever's it is, which is for administration only.

    Raises NotFound, also for another tenant's run and for what is no id.
    """
    with _rows(catalog, tenant_id) as connection:
        return _find(connection, run_id)


def identify(catalog: Catalog, tenant_id: str | None, start: str) -> str:
    """The id of the one run whose id begins with `start`, in either case, with or without hyphens.

    Raises NotFound where there is none, and BadInput with the candidates where there are several.
    """
    digits = start.replace("-", "").lower()
    if not _DIGITS.fullmatch(digits):
        raise NotFound(f"There is no run {start!r}; an id looks like {new_id()}, and the beginning of one will do.")
    least, most = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    query = select(report_executions.c.id).where(report_executions.c.id.between(least, most)).order_by(report_executions.c.id)
    with _rows(catalog, tenant_id) as connection:
        found = connection.execute(query.limit(_CANDIDATES + 1)).scalars().all()
    if not found:
        raise NotFound(f"There is no run whose id begins with {start}.")
    if len(found) > 1:
        raise BadInput(_ambiguous(start, [str(each) for each in found]))
    return str(found[0])


_DIGITS = re.compile("[0-9a-f]{1,32}")
_CANDIDATES = 8
#: A quarter of a second, of the instant that an id begins with: others of the same need more.
_SHORTEST = 11


def _ambiguous(start: str, candidates: Sequence[str]) -> str:
    more = "\n  …" if len(candidates) > _CANDIDATES else ""
    listed = "".join(f"\n  {each}" for each in candidates[:_CANDIDATES])
    return f"Several runs have an id that begins with {start}; give more of it:{listed}{more}"


def beginnings(catalog: Catalog, run_ids: Sequence[str]) -> dict[str, str]:
    """For each of these ids so much of its beginning that no other run of the ledger has the same; all equally long."""
    with catalog.everything() as connection:
        neighbours = execute(connection, "runs/neighbours", ids=list(run_ids)).all()
    distinct = [_distinct(str(run), str(other)) for run, *others in neighbours for other in others if other]
    length = max([_SHORTEST, *distinct])
    # Not up to a hyphen, which says nothing.
    return {run_id: run_id[: length + (run_id[length - 1] == "-")] for run_id in run_ids}


def _distinct(one: str, other: str) -> int:
    """How many of their first characters tell the two apart."""
    return next(place for place, (mine, its) in enumerate(zip(one, other, strict=True), start=1) if mine != its)


def listed(
    catalog: Catalog,
    tenant_id: str | None = None,
    *,
    status: str | None = None,
    report: str | None = None,
    schedule: str | None = None,
    limit: int = 20,
) -> list[Run]:
    """The newest runs first; those of all tenants where none is named."""
    rows = report_executions.c
    query = select(report_executions).order_by(rows.created_at.desc(), rows.id.desc()).limit(limit)
    for column, wanted in ((rows.status, status), (rows.report, report), (rows.schedule, schedule)):
        query = query if wanted is None else query.where(column == wanted)
    with _rows(catalog, tenant_id) as connection:
        return [from_row(row) for row in connection.execute(query)]


def latest(catalog: Catalog, tenant_id: str, report: str, *, status: str = "succeeded") -> Run | None:
    """The newest run of that report and status."""
    return next(iter(listed(catalog, tenant_id, report=report, status=status, limit=1)), None)


def log(catalog: Catalog, tenant_id: str, run_id: str, *, after: int = 0) -> list[LogLine]:
    """What the run has said since the line at position `after`."""
    rows = run_log.c
    query = select(run_log).where(rows.run_id == run_id, rows.position > after).order_by(rows.position)
    with catalog.tenant(tenant_id) as connection:
        return [
            LogLine(position=row.position, attempt=row.attempt, at=row.at, cell=row.cell, stream=row.stream, text=row.text)
            for row in connection.execute(query)
        ]


def follow(catalog: Catalog, tenant_id: str, run_id: str, *, interval: float = 0.3) -> Iterator[LogLine | Run]:
    """The run's log lines as they come, and the run itself whenever it has changed, until it has ended."""
    after = 0
    seen: tuple[str, int, int | None, int] | None = None
    while True:
        # In this order: what a run said before it ended is there when its end is.
        run = get(catalog, tenant_id, run_id)
        for line in log(catalog, tenant_id, run_id, after=after):
            after = line.position
            yield line
        if (known := (run.status, run.attempt, run.cells_total, len(run.cells))) != seen:
            yield run
        if run.status in ENDED:
            return
        seen = known
        time.sleep(interval)


def cancel(catalog: Catalog, tenant_id: str | None, run_id: str) -> Run:
    """Ends a run that waits, at once, or asks the one who executes it to end it, which takes under a second.

    Raises NotFound, and BadInput for a run that has ended.
    """
    with _rows(catalog, tenant_id) as connection:
        run = _find(connection, run_id, lock=True)
        if run.status == "queued":
            _set(connection, run, status="cancelled", finished_at=func.now(), error_message="cancelled while it was waiting")
        elif run.status == "running":
            _set(connection, run, cancel_requested_at=func.now())
        else:
            raise BadInput(f"Run {run_id} {_SPOKEN[run.status]}; only one that waits or is running can be cancelled.")
        return _find(connection, run_id)


def retry(catalog: Catalog, tenant_id: str | None, run_id: str) -> Run:
    """Queues a run that has ended without success once more, as a person's wish.

    Raises NotFound, and BadInput for any other run.
    """
    with _rows(catalog, tenant_id) as connection:
        run = _find(connection, run_id, lock=True)
        if "queued" not in RUN_MOVES[run.status] or run.status == "running":
            raise BadInput(
                f"Run {run_id} {_SPOKEN[run.status]}; only one that failed, timed out, was cancelled or skipped is retried."
            )
        tried = {} if run.started_at is None else {"attempt": run.attempt + 1}
        _set(connection, run, **requeued(run), **tried, priority=PERSON, deaths=0)
        call(connection)
        return _find(connection, run_id)


def requeued(run: Run, *, due_at: dt.datetime | None = None) -> dict[str, Any]:
    """The columns of a run that waits again, its last attempt told of among `attempts`."""
    ended = {
        "attempt": run.attempt,
        "status": run.status,
        "started_at": _text(run.started_at),
        "finished_at": _text(run.finished_at or dt.datetime.now(dt.UTC)),
        "worker": run.worker,
        "error": run.error_message,
    }
    return {
        "status": "queued",
        "attempts": [*run.attempts, ended] if run.started_at else list(run.attempts),
        "due_at": due_at or func.now(),
        **dict.fromkeys(_OF_AN_ATTEMPT),
        "cells": [],
    }


_OF_AN_ATTEMPT = (
    *("started_at", "finished_at", "heartbeat_at", "worker", "cancel_requested_at"),
    *("cells_total", "rows_read", "peak_memory_mb", "error_message", "error_cell"),
)


def _rows(catalog: Catalog, tenant_id: str | None) -> AbstractContextManager[Connection]:
    return catalog.everything() if tenant_id is None else catalog.tenant(tenant_id)


def _find(connection: Connection, run_id: str, *, lock: bool = False) -> Run:
    try:
        key = uuid.UUID(run_id)
    except ValueError:
        raise NotFound(f"There is no run {run_id!r}; an id looks like {new_id()}.") from None
    query = select(report_executions).where(report_executions.c.id == key)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return from_row(row)


def _set(connection: Connection, run: Run, **values: Any) -> None:
    connection.execute(update(report_executions).where(report_executions.c.id == run.id).values(values))


_SPOKEN = {
    "queued": "is waiting",
    "running": "is running",
    "succeeded": "has succeeded",
    "failed": "has failed",
    "timed_out": "has timed out",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
}


def _text(instant: dt.datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def from_row(row: Any) -> Run:
    """A run from a row of `report_executions` that has all its columns."""
    values = {name: getattr(row, name) for name in Run.__slots__}
    return Run(**values | {"id": str(row.id)})
