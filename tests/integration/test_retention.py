"""Which runs are kept, for any history; and that files and rows go together, also when it is cut off in between."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from workbench import folders, maintenance, retention, runs
from workbench.catalog.tables import report_executions, tenants
from workbench.cli.context import Workbench

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
_AGES = st.integers(0, 800)
_KEEPS = st.fixed_dictionaries(
    {}, optional={"age_days": st.none() | st.sampled_from([1, 30, 400]), "count": st.none() | st.integers(1, 4)}
)
_HISTORY = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([*runs.ENDED, "queued", "running"]), _AGES, _AGES, _KEEPS), max_size=12
)


@pytest.fixture(scope="module")
def tenant(new_lake: Callable[..., Any]) -> str:
    tenant_id: str = new_lake().tenant.id
    return tenant_id


def _row(tenant_id: str, report: str, status: str, age: int, extra_age: int = 0, keep: Any = None) -> dict[str, Any]:
    """A run that ended `age` days before NOW and was asked for `extra_age` days earlier."""
    finished = NOW - dt.timedelta(days=age, hours=1)
    began = status not in {"queued", "skipped"}
    return {
        "id": uuid.UUID(runs.new_id()),
        "tenant_id": tenant_id,
        "report": report,
        "status": status,
        "notebook_hash": "0",
        "created_by": "test",
        "keep": keep or {},
        "created_at": finished - dt.timedelta(days=extra_age),
        "started_at": finished if began else None,
        "finished_at": finished if status in runs.ENDED else None,
    }


def _with_history(workbench: Workbench, tenant_id: str, rows: list[dict[str, Any]], days: int | None = None) -> None:
    with workbench.catalog.everything() as connection:
        connection.execute(delete(report_executions).where(report_executions.c.tenant_id == tenant_id))
        kept = {} if days is None else {"executions_days": days}
        connection.execute(
            update(tenants).where(tenants.c.id == tenant_id).values(retention=kept, created_at=NOW - dt.timedelta(900))
        )
        if rows:
            connection.execute(insert(report_executions), rows)


def _pruned(workbench: Workbench, tenant_id: str, *, dry_run: bool = False) -> set[str]:
    found = retention.prune(workbench.catalog, workbench.settings, NOW, dry_run=dry_run)
    return {each.run_id for each in found if each.tenant_id == tenant_id}


def _to_go(rows: Iterable[dict[str, Any]], days: int | None) -> set[str]:
    """What the rules say, in other words than the product's."""
    ended = sorted((row for row in rows if row["finished_at"]), key=lambda row: (row["finished_at"], row["id"]), reverse=True)
    going = set()
    for row in ended:
        alike = [
            other
            for other in ended
            if other["report"] == row["report"] and (other["started_at"] is None) == (row["started_at"] is None)
        ]
        age, count = row["keep"].get("age_days"), row["keep"].get("count")
        if age is None and count is None:
            age = 365 if days is None else days
        too_old = age is not None and row["finished_at"] < NOW - dt.timedelta(days=age)
        too_many = count is not None and alike.index(row) >= count
        if too_old or too_many:
            going.add(str(row["id"]))
    for report in {row["report"] for row in ended}:
        successes = [row for row in ended if row["report"] == report and row["status"] == "succeeded"]
        if successes:
            going.discard(str(max(successes, key=lambda row: (row["created_at"], row["id"]))["id"]))
    return going


@given(history=_HISTORY, days=st.none() | st.sampled_from([10, 500]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_for_any_history_the_rules_hold_and_the_latest_success_stays(
    workbench: Workbench, tenant: str, history: list[Any], days: int | None
) -> None:
    rows = [_row(tenant, *each) for each in history]
    _with_history(workbench, tenant, rows, days)
    expected = _to_go(rows, days)
    assert _pruned(workbench, tenant, dry_run=True) == expected
    assert _pruned(workbench, tenant) == expected
    left = {run.id for run in runs.listed(workbench.catalog, tenant, limit=100)}
    assert left == {str(row["id"]) for row in rows} - expected
    newest = {report: runs.latest(workbench.catalog, tenant, report) for report in "ab"}
    assert all((newest[row["report"]] is not None) for row in rows if row["status"] == "succeeded")


def _folders(workbench: Workbench, row: dict[str, Any]) -> tuple[Path, Path]:
    published = workbench.settings.reports / row["tenant_id"] / row["report"] / str(row["id"])
    failed = workbench.settings.var / "failed" / row["tenant_id"] / str(row["id"])
    for folder in (published, failed):
        folder.mkdir(parents=True)
        (folder / "executed.ipynb").touch()
    return published, failed


def _age(folder: Path, days: float) -> Path:
    at = (NOW - dt.timedelta(days=days)).timestamp()
    os.utime(folder, (at, at))
    return folder


def test_files_go_with_their_rows_and_a_dry_run_leaves_both(workbench: Workbench, tenant: str) -> None:
    old, new = _row(tenant, "a", "succeeded", 500), _row(tenant, "a", "succeeded", 1)
    _with_history(workbench, tenant, [old, new])
    gone, kept = _folders(workbench, old), _folders(workbench, new)
    assert _pruned(workbench, tenant, dry_run=True) == {str(old["id"])}
    assert all(folder.exists() for folder in gone)
    assert _pruned(workbench, tenant) == {str(old["id"])}
    assert [folder.exists() for folder in (*gone, *kept)] == [False, False, True, True]


def test_files_whose_removal_was_cut_off_go_the_next_time_and_nothing_else_does(workbench: Workbench, tenant: str) -> None:
    """Of these folders only the first four are of no run, a day old, and look like a run's."""
    known, running = _row(tenant, "a", "succeeded", 1), _row(tenant, "a", "running", 1)
    _with_history(workbench, tenant, [known, running])
    reports = workbench.settings.reports / tenant / "a"
    cut_off = [_age(folder, 2) for folder in _folders(workbench, _row(tenant, "a", "failed", 1))]
    staging = reports / f".{known['id']}.2"
    kept = [*_folders(workbench, known), reports / f".{running['id']}.1", reports / "notes", reports / str(uuid.uuid4())]
    made_here = folders.staging(folders.published(workbench.settings, tenant, "a", str(known["id"])), 1)
    for folder in [staging, made_here, *kept[2:]]:
        folder.mkdir()
    for folder in [staging, made_here, *kept]:
        _age(folder, 2)
    fresh = reports / runs.new_id()
    fresh.mkdir()
    linked = reports / runs.new_id()
    linked.symlink_to(kept[0])
    _pruned(workbench, tenant)
    assert [folder for folder in (*cut_off, staging, made_here) if folder.exists()] == []
    assert [folder for folder in (*kept, fresh, linked) if not folder.exists()] == []


def test_reports_of_another_ledger_on_the_same_folder_are_left_alone(workbench: Workbench, tenant: str) -> None:
    _with_history(workbench, tenant, [])
    folder = _age(_folders(workbench, _row(tenant, "a", "succeeded", 1))[0], 2)
    with workbench.catalog.everything() as connection:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        connection.execute(update(tenants).where(tenants.c.id == tenant).values(created_at=later))
    _pruned(workbench, tenant)
    assert folder.exists()


def test_the_maintenance_of_two_schedulers_does_it_at_once(
    workbench: Workbench, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    *old, new = [*(_row(tenant, "a", "succeeded", 500) for _ in range(200)), _row(tenant, "a", "succeeded", 1)]
    _with_history(workbench, tenant, [*old, new])
    daily = maintenance.daily
    with daily(workbench.catalog, workbench.settings, first=0), daily(workbench.catalog, workbench.settings, first=0):
        deadline = time.monotonic() + 30
        while len(runs.listed(workbench.catalog, tenant)) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert [run.id for run in runs.listed(workbench.catalog, tenant)] == [str(new["id"])]
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
