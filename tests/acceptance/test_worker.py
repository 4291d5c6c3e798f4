"""Workers as an operator starts them: what is queued gets executed, whatever happens to a worker, its runs or the database."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
from sqlalchemy import text

from workbench import notebooks, runs
from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants
from workbench.cli.context import Workbench
from workbench.errors import DatabaseUnavailable
from workbench.runs import Request, Run

#: What a worker of these tests is told; a silent one counts as dead soon.
_QUICKLY = {"WORKBENCH_WORKER_SILENCE": "4", "WORKBENCH_WORKER_GRACE": "20", "WORKBENCH_RUN_MEMORY": "400"}
_TENANTS = [f"tenant_{number}" for number in range(10)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A workbench with tenants, notebooks and workers of its own."""

    home: Path
    catalog: Catalog

    def notebook(self, name: str, *cells: str) -> None:
        page = {
            "cells": [
                {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {name}"},
                *(
                    {"cell_type": "code", "id": f"c{at}", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
                    for at, cell in enumerate(cells)
                ),
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        folder = self.home / "notebooks" / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ipynb").write_text(json.dumps(page))

    def enqueue(self, report: str, tenant_id: str = "tenant_0", **options: object) -> str:
        asked = Request(
            tenant_id=tenant_id,
            report=report,
            parameters={},
            formats=[],
            notebook_hash=notebooks.report(self.home, report).content_hash(),
            by="test",
            **options,  # type: ignore[arg-type]
        )
        with self.catalog.tenant(tenant_id) as connection:
            run_id = runs.enqueue(connection, asked)
        assert run_id is not None
        return run_id

    def run(self, run_id: str, tenant_id: str = "tenant_0") -> Run:
        return runs.get(self.catalog, tenant_id, run_id)

    def ended(self, run_id: str, tenant_id: str = "tenant_0", *, within: float = 60) -> Run:
        _wait_until(lambda: self.run(run_id, tenant_id).status in runs.ENDED, within)
        return self.run(run_id, tenant_id)

    def schedule(self, name: str, **keys: object) -> None:
        (self.home / "schedules.yaml").write_text(json.dumps({"schedules": {name: keys}}))

    def count(self, **which: str) -> int:
        with contextlib.suppress(DatabaseUnavailable):
            return len(runs.listed(self.catalog, limit=10_000, **which))  # type: ignore[arg-type]
        return -1

    def under_way(self) -> list[Run] | None:
        with contextlib.suppress(DatabaseUnavailable):
            return [run for status in ("queued", "running") for run in runs.listed(self.catalog, status=status, limit=10)]
        return None

    def ticks(self, instant: dt.datetime) -> list[Run]:
        with contextlib.suppress(DatabaseUnavailable):
            return [run for run in runs.listed(self.catalog, report="reads", limit=100) if run.logical_time == instant]
        return []

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
        return subprocess.Popen(
            [sys.executable, "-m", "workbench", *command],
            env=environment | _QUICKLY | {"WORKBENCH_HOME": str(self.home)},
            stderr=subprocess.PIPE,
        )

    @contextlib.contextmanager
    def worker(self, concurrency: int = 2) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start("worker", "--concurrency", str(concurrency))
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> str:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    return told.decode()


def _wait_until(condition: Callable[[], bool], seconds: float, instead: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within the time; instead: {instead()}"
        time.sleep(0.05)


def _processes_of(home: Path) -> list[str]:
    """Those that were started for runs of this workbench: nothing else has its reports among its folders."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(home) in " ".join([process.cwd(), *process.cmdline()]):
                found.append(" ".join(process.cmdline())[:200])
    return [each for each in found if "postgres" not in each and "keeper" not in each]


@pytest.fixture(scope="module")
def place(new_home: Callable[[], Path]) -> Iterator[_Place]:
    home = new_home()
    settings = settings_table.load({"WORKBENCH_HOME": str(home)})
    catalog = Catalog(settings)
    workbench = Workbench(settings=settings, catalog=catalog)
    for tenant_id in _TENANTS:
        workbench.add(tenants.Tenant(id=tenant_id, name=tenant_id, timezone="Europe/Zurich", currency="CHF"))
    yield _Place(home=home, catalog=catalog)
    catalog.close()


def test_a_queued_run_is_executed_and_all_about_it_is_recorded(place: _Place) -> None:
    place.notebook("counts", "print('one')", "import workbench\nworkbench.open().sql('select 1 as one')", "print('three')")
    run_id = place.enqueue("counts")
    with place.worker():
        run = place.ended(run_id)
    assert (run.status, run.error_message) == ("succeeded", None)
    assert (place.home / "reports" / "tenant_0" / "counts" / run_id / "executed.ipynb").is_file()
    assert run.created_by == "test"
    assert run.worker is not None
    assert run.worker.startswith("worker ")
    assert [cell["cell"] for cell in run.cells] == [2, 3, 4]
    assert run.cells_total == 4
    assert run.rows_read == 1
    assert run.peak_memory_mb
    assert run.packages["papermill"]
    lines = runs.log(place.catalog, "tenant_0", run_id)
    assert [(line.cell, line.text.strip()) for line in lines if line.stream == "stdout"] == [(2, "one"), (4, "three")]


def test_a_kernel_that_dies_is_tried_again_and_a_notebook_that_raises_is_not(place: _Place) -> None:
    place.notebook("dies", "import os\nos._exit(7)")
    place.notebook("raises", "1 / 0")
    dying, raising = place.enqueue("dies", retries=1), place.enqueue("raises", "tenant_1", retries=1)
    with place.worker():
        raised = place.ended(raising, "tenant_1")
        died = place.ended(dying)
    assert (raised.status, raised.attempt, raised.error_cell) == ("failed", 1, 2)
    assert "ZeroDivisionError: division by zero" in (raised.error_message or "")
    assert (died.status, died.attempt) == ("failed", 2)
    assert [each["status"] for each in died.attempts] == ["failed"]
    assert "Attempt 2 of 2 follows." in next(line.text for line in runs.log(place.catalog, "tenant_0", dying))


def test_a_run_that_is_cancelled_ends_within_a_second_with_all_it_started(place: _Place) -> None:
    marker = f"{random.randint(10**8, 10**9)}"
    place.notebook("waits", f"import subprocess\nprint('waiting', flush=True)\nsubprocess.run(['sleep', '{marker}'])")
    run_id = place.enqueue("waits")
    with place.worker():
        _wait_until(lambda: any("waiting" in line.text for line in runs.log(place.catalog, "tenant_0", run_id)), 60)
        runs.cancel(place.catalog, "tenant_0", run_id)
        asked = time.monotonic()
        run = place.ended(run_id)
        assert time.monotonic() - asked < 1
        assert run.status == "cancelled"
        assert not [each for each in _processes_of(Path("sleep")) if marker in each]


def test_a_worker_hears_of_runs_at_once_whatever_was_sent_to_it_and_after_the_database_was_away(place: _Place) -> None:
    place.notebook("quick", "print('quick')")
    with place.worker():
        place.ended(place.enqueue("quick"))
        with place.catalog.everything() as connection:
            connection.execute(text("select pg_notify('procrastinate_queue_v1#runs', 'garbage')"))
        _kill_server(place.home)
        _wait_until(lambda: place.count(status="queued") == 0, 20)
        place.ended(place.enqueue("quick"))
        time.sleep(1)
        waited = []
        for _ in range(5):
            run = place.ended(place.enqueue("quick"))
            assert run.started_at is not None
            waited.append((run.started_at - run.created_at).total_seconds())
    assert sorted(waited)[2] < 0.5


_ENDLESS = "kept = []\nwhile True:\n    kept.append(b'x' * 10_000_000)"
_FORKING = "import os, time\nfor _ in range(8):\n    os.fork()\ntime.sleep(3600)"
_REMOVING = "import pathlib\nfor path in pathlib.Path.cwd().glob('*.ipynb'):\n    path.unlink()"


def test_notebooks_that_misbehave_end_as_they_should_and_the_worker_goes_on(place: _Place) -> None:
    expected = {
        "loops": ("while True:\n    pass", "timed_out", "ran longer than 3 s and was ended"),
        "hoards": (_ENDLESS, "failed", "in cell 2: it took more than the 400 MB of memory"),
        "forks": (_FORKING, "failed", "in cell 2: it started more than the 64 processes"),
        "leaves": ("import os\nos._exit(0)", "failed", "in cell 2: the notebook's kernel died (status 0)"),
        "shouts": ("print('x' * 100_000_000)", "succeeded", None),
        "removes": (_REMOVING, "succeeded", None),
    }
    for name, (cell, _, _) in expected.items():
        place.notebook(name, cell)
    asked = {name: place.enqueue(name, timeout_seconds=3 if name == "loops" else 60) for name in expected}
    with place.worker() as worker:
        ended = {name: place.ended(run_id) for name, run_id in asked.items()}
        assert worker.poll() is None
        assert place.ended(place.enqueue("shouts")).status == "succeeded"
    for name, (_, status, message) in expected.items():
        assert (name, ended[name].status) == (name, status)
        assert message is None or message in (ended[name].error_message or "")
    _wait_until(lambda: _processes_of(place.home) == [], 10)


def test_a_worker_that_is_asked_to_stop_finishes_its_run_and_asked_twice_hands_it_back(place: _Place) -> None:
    place.notebook("takes_a_while", "print('begun', flush=True)\nimport time\ntime.sleep(3)")
    place.notebook("takes_for_ever", "print('begun', flush=True)\nimport time\ntime.sleep(3600)")
    for report, times, status in (("takes_a_while", 1, "succeeded"), ("takes_for_ever", 2, "queued")):
        run_id = place.enqueue(report)
        with place.worker(concurrency=1) as worker:
            _wait_until(lambda: runs.log(place.catalog, "tenant_0", run_id) != [], 60)  # noqa: B023
            waiting = place.enqueue(report, "tenant_1")
            for _ in range(times):
                worker.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            worker.wait(30)
        assert worker.returncode == 0
        assert (place.run(run_id).status, place.run(run_id).attempt) == (status, 1)
        assert place.run(waiting, "tenant_1").status == "queued"
        runs.cancel(place.catalog, "tenant_1", waiting)
    runs.cancel(place.catalog, "tenant_0", run_id)


def test_nothing_is_lost_or_done_twice_when_a_worker_a_scheduler_and_the_database_are_killed(place: _Place) -> None:
    place.notebook("quick", "print('quick')")
    place.notebook("reads", "import workbench\nworkbench.open().sql('select 1')")
    place.schedule("every_minute", report="reads", cron="* * * * *", tenants="all", timeout="1m", retries=2)
    begun = dt.datetime.now(dt.UTC)
    again = {"timeout_seconds": 60, "retries": 2}
    asked = {place.enqueue(report, tenant_id, **again) for report in ["reads", *["quick"] * 29] for tenant_id in _TENANTS}
    parts = [place.start("worker", "--concurrency", "2"), place.start("worker", "--concurrency", "2")]
    parts += [place.start("scheduler"), place.start("scheduler")]
    faults = {fraction: fault for fault in _faults(parts, place.home) for fraction in [random.uniform(0.05, 0.7)]}
    told: list[str] = []
    try:
        for fraction in sorted(faults):
            _wait_until(lambda: place.count(status="succeeded") >= fraction * len(asked), 240)  # noqa: B023
            faults[fraction]()
        # One whole minute for the scheduler that is left, and its runs.
        minute = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
        _wait_until(lambda: len(place.ticks(minute)) == len(_TENANTS), 90)
        _wait_until(lambda: place.under_way() == [], 240, place.under_way)
    finally:
        told += [_stop(part) for part in parts]
    assert "Traceback" not in "".join(told)
    ran = [run for report in ("quick", "reads") for run in runs.listed(place.catalog, report=report, limit=10_000)]
    assert asked <= {run.id for run in ran}
    assert [(run.status, run.attempts, run.error_message) for run in ran if run.status != "succeeded"] == []
    assert [each for run in ran for each in run.attempts if each["status"] == "succeeded"] == []
    of_ticks = [(run.tenant_id, run.logical_time) for run in ran if run.schedule]
    minutes = pd.date_range(begun, minute, freq="min").ceil("min")
    expected = {(tenant_id, at.to_pydatetime()) for tenant_id in _TENANTS for at in minutes if at <= minute}
    assert len(of_ticks) == len(set(of_ticks))
    assert expected <= set(of_ticks)
    published = [path for report in ("quick", "reads") for path in (place.home / "reports").glob(f"*/{report}/*")]
    assert sorted(path.name for path in published) == sorted(run.id for run in ran)
    _wait_until(lambda: _processes_of(place.home) == [], 10)


def _faults(parts: list[subprocess.Popen[bytes]], home: Path) -> list[Callable[[], None]]:
    worker, _, scheduler, _ = parts
    return [worker.kill, scheduler.kill, lambda: _kill_server(home)]


def _kill_server(home: Path) -> None:
    pid = int((home / "var" / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
