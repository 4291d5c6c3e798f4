"""The run ledger: every execution of a report, in `report_executions`, as it goes through its states."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from workbench.catalog import Catalog
from workbench.catalog.tables import report_executions
from workbench.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution; instants are UTC, `artifacts` are file names within the run's folder."""

    id: str
    tenant_id: str
    report: str
    status: str
    parameters: Mapping[str, Any]
    artifacts: Sequence[str]
    error_message: str | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids sort by the time they were made."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def queue(
    catalog: Catalog,
    tenant_id: str,
    *,
    report: str,
    parameters: Mapping[str, Any],
    formats: Sequence[str],
    notebook_hash: str,
    by: str,
) -> str:
    """Records a run that is to come; returns its id."""
    run_id = new_id()
    values = {
        "id": run_id,
        "tenant_id": tenant_id,
        "report": report,
        "status": "queued",
        "parameters": dict(parameters),
        "formats": list(formats),
        "notebook_hash": notebook_hash,
        "created_by": by,
    }
    with catalog.tenant(tenant_id) as connection:
        connection.execute(insert(report_executions).values(values))
    return run_id


def start(catalog: Catalog, tenant_id: str, run_id: str) -> None:
    _move(catalog, tenant_id, run_id, status="running", started_at=func.now())


def succeed(catalog: Catalog, tenant_id: str, run_id: str, artifacts: Sequence[str]) -> None:
    _move(catalog, tenant_id, run_id, status="succeeded", finished_at=func.now(), artifacts=list(artifacts))


def end(catalog: Catalog, tenant_id: str, run_id: str, status: str, message: str, cell: int | None = None) -> None:
    """Records an end that is no success: failed, timed_out or cancelled."""
    _move(catalog, tenant_id, run_id, status=status, finished_at=func.now(), error_message=message, error_cell=cell)


def get(catalog: Catalog, tenant_id: str, run_id: str) -> Run:
    """Raises NotFound, also for another tenant's run."""
    with catalog.tenant(tenant_id) as connection:
        row = connection.execute(select(report_executions).where(report_executions.c.id == run_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return _run(row)


def latest(catalog: Catalog, tenant_id: str, report: str, *, status: str = "succeeded") -> Run | None:
    """The newest run of that report and status."""
    rows = report_executions.c
    query = (
        select(report_executions).where(rows.report == report, rows.status == status).order_by(rows.created_at.desc()).limit(1)
    )
    with catalog.tenant(tenant_id) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _run(row)


def _move(catalog: Catalog, tenant_id: str, run_id: str, **values: Any) -> None:
    with catalog.tenant(tenant_id) as connection:
        connection.execute(update(report_executions).where(report_executions.c.id == run_id).values(values))


def _run(row: Any) -> Run:
    return Run(
        id=str(row.id),
        tenant_id=row.tenant_id,
        report=row.report,
        status=row.status,
        parameters=row.parameters,
        artifacts=tuple(row.artifacts),
        error_message=row.error_message,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
