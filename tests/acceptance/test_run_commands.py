"""Runs from a person's side: asked for, listed, followed, cancelled and tried again, with a worker that executes them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from workbench import backlog, claims, runs
from workbench.claims import Ending, Limits, Progress
from workbench.cli.context import Workbench

Cli = Callable[..., subprocess.CompletedProcess[str]]
_NONE = Progress(cells_total=None, cells=(), lines=())


def _notebook(home: Path, name: str, *cells: str) -> str:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {name}\n\nFor a test.")])
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in cells]
    folder = home / "notebooks" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return name


@contextlib.contextmanager
def _worker(home: Path) -> Iterator[None]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    command = [sys.executable, "-m", "workbench", "worker", "--concurrency", "1"]
    process = subprocess.Popen(command, env=environment | {"WORKBENCH_HOME": str(home)}, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0


@pytest.fixture(scope="module")
def asked(workbench: Workbench, new_lake: Callable[..., Any]) -> Callable[..., str]:
    """Puts a run of a tenant of its own into the ledger, where no worker takes it."""
    tenant_id = new_lake().tenant.id

    def ask(report: str = "daily_summary", **more: Any) -> str:
        given = {"parameters": {"day": "2026-03-01"}, "formats": ["html"], "notebook_hash": "0" * 64, "by": "cli:ann"} | more
        with workbench.catalog.tenant(tenant_id) as connection:
            run_id = runs.enqueue(connection, runs.Request(tenant_id=tenant_id, report=report, **given))
        assert run_id is not None
        return run_id

    return ask


def _answer(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_queued_report_is_followed_from_another_process_to_its_end(
    run_cli: Cli, home: Path, new_lake: Callable[..., Any]
) -> None:
    tenant = new_lake().tenant.id
    report = _notebook(home, "talks", "print('the first words')", "print('the last words', end='')")
    queued = run_cli("report", "run", report, "--tenant", tenant, "--queue")
    assert queued.returncode == 0, queued.stderr
    assert "start one with `workbench worker`" in queued.stderr
    command = queued.stdout.strip().partition("Follow it: workbench ")[2].split()
    with _worker(home):
        followed = run_cli(*command)
    assert followed.returncode == 0, followed.stderr
    assert followed.stdout == "the first words\nthe last words\n"
    assert followed.stderr.endswith(" succeeded\n")
    shown = json.loads(_answer(run_cli("runs", "show", command[2], "--json")))
    assert {Path(file).name for file in shown["files"]} == {"executed.ipynb", "report.html"}
    assert all(Path(file).exists() for file in shown["files"])


def test_following_a_run_that_fails_ends_with_its_error_and_status_3(
    run_cli: Cli, home: Path, new_lake: Callable[..., Any]
) -> None:
    tenant = new_lake().tenant.id
    report = _notebook(home, "falls", "1 / 0")
    run_id = json.loads(_answer(run_cli("report", "run", report, "--tenant", tenant, "--queue", "--json")))["run"]
    with _worker(home):
        followed = run_cli("runs", "log", run_id, "--follow")
    assert followed.returncode == 3
    assert "ZeroDivisionError" in followed.stderr
    listed = json.loads(_answer(run_cli("runs", "list", "--tenant", tenant, "--status", "failed", "--json")))
    assert [run["id"] for run in listed] == [run_id]


def test_a_log_tells_attempts_apart_and_what_cells_and_the_workbench_said(
    run_cli: Cli, workbench: Workbench, asked: Callable[..., str]
) -> None:
    run_id = asked(priority=99)
    run = claims.claim(workbench.catalog, "worker 1", Limits(tenant=9, total=99))
    assert run is not None
    assert run.id == run_id
    said = Progress(
        cells_total=2, cells=({"cell": 1, "seconds": 0.25},), lines=[(1, "stdout", "half a line"), (1, "stderr", "!\n")]
    )
    claims.try_again(workbench.catalog, run, Ending(status="timed_out", message="It ran too long."), said, attempts=2)
    runs.cancel(workbench.catalog, None, run_id)
    assert _answer(run_cli("runs", "log", run_id)) == "half a line!\n── It ran too long. Attempt 2 of 2 follows.\n"
    page = _answer(run_cli("runs", "show", run_id))
    assert "cli:ann" in page
    assert "day = 2026-03-01" in page
    assert "timed_out" in page
    assert "It ran too long." in page


def test_the_list_fits_80_columns_and_shows_so_much_of_an_id_as_names_one_run(run_cli: Cli, asked: Callable[..., str]) -> None:
    made = [asked("agent_performance") for _ in range(30)]
    lines = _answer(run_cli("runs", "list", "--limit", "30", "--report", "agent_performance", "--status", "queued")).splitlines()
    assert max(map(len, lines)) <= 80
    assert [
        run_id for run_id, line in zip(reversed(made), lines[2:], strict=True) if not run_id.startswith(line.split()[0])
    ] == []
    assert len({line.split()[0] for line in lines[2:]}) == 30


def test_an_id_that_begins_several_is_refused_with_the_candidates(run_cli: Cli, asked: Callable[..., str]) -> None:
    one = asked()
    asked()
    refused = run_cli("runs", "cancel", one[:4])
    assert refused.returncode == 2
    assert "give more of it" in refused.stderr
    assert len(refused.stderr.splitlines()) > 2
    for start in ("", "xyz", "ffff", "'; drop table runs"):
        unknown = run_cli("runs", "show", start)
        assert (unknown.returncode, unknown.stdout) == (2, "")
        assert "There is no run" in unknown.stderr


def test_a_run_that_waits_is_cancelled_at_once_and_can_be_tried_again_as_a_persons_wish(
    run_cli: Cli, workbench: Workbench, asked: Callable[..., str]
) -> None:
    run_id = asked(priority=runs.BACKFILL)
    assert _answer(run_cli("runs", "cancel", run_id.replace("-", "").upper())) == f"Run {run_id} is cancelled.\n"
    again = run_cli("runs", "cancel", run_id)
    assert again.returncode == 2
    assert "was cancelled" in again.stderr
    assert f"Run {run_id} waits." in run_cli("runs", "retry", run_id).stdout
    assert runs.get(workbench.catalog, None, run_id).priority == runs.PERSON


def test_the_backlog_counts_what_waits_by_class_and_how_long(workbench: Workbench, asked: Callable[..., str]) -> None:
    before = backlog.read(workbench.catalog, workbench.settings)
    for priority in (runs.PERSON, runs.SCHEDULE, runs.BACKFILL, runs.BACKFILL):
        asked(priority=priority)
    time.sleep(0.01)
    after = backlog.read(workbench.catalog, workbench.settings)
    assert {name: after.waiting[name] - before.waiting[name] for name in after.waiting} == {
        "person": 1,
        "schedule": 1,
        "backfill": 2,
    }
    assert all(after.oldest_seconds[name] > 0 for name in after.oldest_seconds)


def test_a_tick_that_was_skipped_is_listed_as_missing_with_the_reason(
    run_cli: Cli, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant = new_lake(timezone="Asia/Tokyo").tenant.id
    tick = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=2)
    request = runs.Request(
        tenant_id=tenant,
        report="daily_summary",
        parameters={},
        formats=[],
        notebook_hash="0",
        by="schedule:morning",
        schedule="morning",
        logical_time=tick,
    )
    with workbench.catalog.tenant(tenant) as connection:
        runs.skip(connection, request, "no scheduler was there in time")
    shown = _answer(run_cli("runs", "missing"))
    assert f"{tick + dt.timedelta(hours=9):%Y-%m-%d %H:%M} JST" in shown
    assert "no scheduler was there in time" in " ".join(shown.split())
    (gap,) = [each for each in json.loads(_answer(run_cli("runs", "missing", "--json"))) if each["tenant_id"] == tenant]
    assert (gap["schedule"], gap["kind"]) == ("morning", "skipped")
