"""What becomes of runs that have ended: kept for as long, and as many of them, as was asked for, then removed with their files.

A run's own rule is its `keep`: {"age_days": 90, "count": 30}, either may be missing. Where both are, the tenant's setting
`executions_days` holds. The count is of the ended runs of that report and tenant, of which the newest are kept. The latest
success of a report and tenant is never removed, whatever its rule.

Rows go first, and their files when that is certain. So nobody is ever shown a run whose files are gone; and files whose removal
was cut off belong to no row, are known by that, and go the next time.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select, text

from workbench import folders, runs
from workbench.catalog import Catalog
from workbench.catalog.tables import report_executions, tenants
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: How long runs are kept where nobody says anything.
DEFAULT_DAYS = 365
#: Files that belong to no row are left alone for so long: their run may be about to be recorded.
_LEFT_ALONE = dt.timedelta(days=1)
_BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """A run that is gone, or would go; `status` and `finished_at` are None for files of a run that the ledger does not know."""

    run_id: str
    tenant_id: str
    report: str | None
    status: str | None
    finished_at: dt.datetime | None
    reason: str


def prune(catalog: Catalog, settings: Settings, now: dt.datetime, *, dry_run: bool = False) -> list[Pruned]:
    """Removes what need not be kept any longer and returns it; with `dry_run` it only returns it.

    May run while runs end, and several times at once. A file that cannot be removed is told in the log and tried the next time.
    Raises DatabaseUnavailable; what is removed by then is removed.
    """
    due = _due(catalog, now)
    if not dry_run:
        due = [each for batch in _batches(due) for each in _forgotten(catalog, settings, batch)]
    left = list(_left_over(catalog, settings, now))
    if not dry_run:
        for folder, _ in left:
            _remove(folder)
    return due + [pruned for _, pruned in left]


def _due(catalog: Catalog, now: dt.datetime) -> list[Pruned]:
    with catalog.everything() as connection:
        rows = runs.execute(connection, "runs/prunable", now=now, default_days=DEFAULT_DAYS).all()
    return [
        Pruned(
            run_id=str(row.id),
            tenant_id=row.tenant_id,
            report=row.report,
            status=row.status,
            finished_at=row.finished_at,
            reason=f"older than {row.age_days:g} days" if row.too_old else f"not among the newest {row.keep_count}",
        )
        for row in rows
    ]


def _batches(due: Sequence[Pruned]) -> Iterator[Sequence[Pruned]]:
    return (due[start : start + _BATCH] for start in range(0, len(due), _BATCH))


def _forgotten(catalog: Catalog, settings: Settings, batch: Sequence[Pruned]) -> list[Pruned]:
    """Removes those whose rows could be removed: one that was tried again meanwhile has not ended, or has ended later."""
    rows = report_executions.c
    latest = max(each.finished_at for each in batch if each.finished_at)
    statement = delete(report_executions).where(rows.id.in_([each.run_id for each in batch]), rows.finished_at <= latest)
    with catalog.everything() as connection:
        gone = {str(each) for each in connection.execute(statement.returning(rows.id)).scalars()}
    forgotten = [each for each in batch if each.run_id in gone]
    for each in forgotten:
        if each.report:
            _remove(folders.published(settings, each.tenant_id, each.report, each.run_id))
        _remove(folders.failed(settings, each.tenant_id, each.run_id))
    return forgotten


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        _log.warning("%s could not be removed: %s", folder, error.strerror or error)


def _left_over(catalog: Catalog, settings: Settings, now: dt.datetime) -> Iterator[tuple[Path, Pruned]]:
    """Folders that look like a run's, are a day old, and are of no run."""
    with catalog.everything() as connection:
        since = {row.id: row.created_at for row in connection.execute(select(tenants.c.id, tenants.c.created_at))}
    found = [each for each in _folders(settings, since) if each.is_old(now) and each.made_at >= since[each.tenant_id]]
    known = _known(catalog, {each.run_id for each in found})
    for each in found:
        status = known.get(each.run_id)
        if status is None or (each.unfinished and status != "running"):
            reason = "its run is not in the ledger" if status is None else "left behind by an attempt"
            yield (
                each.path,
                Pruned(
                    run_id=each.run_id,
                    tenant_id=each.tenant_id,
                    report=each.report,
                    status=status,
                    finished_at=None,
                    reason=reason,
                ),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    path: Path
    tenant_id: str
    report: str | None
    run_id: str
    unfinished: bool

    @property
    def made_at(self) -> dt.datetime:
        """When the run was asked for, by its id.

        A run older than its tenant is another ledger's, on the same folder: a database that was set up anew knows nothing of it.
        """
        return dt.datetime.fromtimestamp((uuid.UUID(self.run_id).int >> 80) / 1000, dt.UTC)

    def is_old(self, now: dt.datetime) -> bool:
        try:
            return now.timestamp() - self.path.stat().st_mtime > _LEFT_ALONE.total_seconds()
        except FileNotFoundError:
            return False


def _folders(settings: Settings, tenant_ids: Iterable[str]) -> Iterator[_Folder]:
    for tenant_id in tenant_ids:
        for report in _below(settings.reports / tenant_id):
            yield from _run_folders(Path(report.path), tenant_id, report.name)
        yield from _run_folders(settings.var / "failed" / tenant_id, tenant_id, None)


def _run_folders(folder: Path, tenant_id: str, report: str | None) -> Iterator[_Folder]:
    for entry in _below(folder):
        if run_id := folders.run_id(entry.name):
            unfinished = entry.name.startswith(".")
            yield _Folder(path=Path(entry.path), tenant_id=tenant_id, report=report, run_id=run_id, unfinished=unfinished)


def _below(folder: Path) -> list[os.DirEntry[str]]:
    """Folders proper: a link leads to what is not ours to remove."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _known(catalog: Catalog, run_ids: Iterable[str]) -> dict[str, str]:
    """The status of those that are in the ledger."""
    rows = report_executions.c
    query = select(rows.id, rows.status).where(rows.id == text("any(cast(:ids as uuid[]))"))
    with catalog.everything() as connection:
        return {str(row.id): row.status for row in connection.execute(query, {"ids": list(run_ids)})}
