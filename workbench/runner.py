"""Runs one report for one tenant: parameters checked, notebook executed in processes of its own, artifacts published at once.

The folder of a run appears under `reports/<tenant>/<report>/<run>/` by one rename, whole or not at all. A run that fails leaves
its executed notebook under `var/failed/<tenant>/<run>/`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from workbench import exports, runs, session
from workbench.catalog import Catalog
from workbench.errors import RunFailed
from workbench.exports import Edition
from workbench.lake import Lake
from workbench.notebooks import Report
from workbench.settings import Settings
from workbench.tables import read_all

_log = logging.getLogger(__name__)
#: Of this process's environment, all that a notebook's gets: no secret of the server's is among it.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "SYSTEMROOT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A run that succeeded: its folder and the files in it."""

    run_id: str
    folder: Path
    files: Sequence[Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """One run while it happens."""

    run_id: str
    report: Report
    parameters: Mapping[str, Any]
    formats: Sequence[str]
    lake: Lake
    staging: Path

    @property
    def executed(self) -> Path:
        return self.staging / "executed.ipynb"

    @property
    def tables(self) -> Path:
        return self.staging / ".tables"


def run(
    catalog: Catalog,
    settings: Settings,
    lake: Lake,
    report: Report,
    *,
    parameters: Mapping[str, str],
    formats: Sequence[str],
    by: str,
) -> Published:
    """Executes the report and publishes it, with every step in the ledger; `parameters` are texts.

    Raises InvalidParameter before anything is recorded, and RunFailed with the cell and line for a notebook that raised, ran too
    long or could not be exported. An interrupt ends the run's processes, records it as cancelled and goes on upwards.
    """
    values = report.values(parameters)
    tenant_id = lake.tenant.id
    run_id = runs.queue(
        catalog, tenant_id, report=report.name, parameters=values, formats=formats, notebook_hash=report.content_hash(), by=by
    )
    final = settings.reports / tenant_id / report.name / run_id
    order = _Order(
        run_id=run_id, report=report, parameters=values, formats=formats, lake=lake, staging=final.with_name(f".{run_id}")
    )
    runs.start(catalog, tenant_id, run_id)
    try:
        _stage(order)
        _execute(order, settings.run_timeout_seconds)
        names = _publish(order, final, settings.var / "cache")
    except BaseException as error:
        _record_end(catalog, settings, order, error)
        raise
    runs.succeed(catalog, tenant_id, run_id, names)
    return Published(run_id=run_id, folder=final, files=[final / name for name in names])


def _stage(order: _Order) -> None:
    try:
        order.tables.mkdir(parents=True)
    except OSError as error:
        raise _not_writable(order, error) from error


def _execute(order: _Order, timeout: float) -> None:
    outcome = order.staging / ".outcome"
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.execution"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(order),
        cwd=order.staging,
        start_new_session=True,
        text=True,
    )
    message = {
        "notebook": str(order.report.path),
        "output": str(order.executed),
        "parameters": dict(order.parameters),
        "outcome": str(outcome),
    }
    try:
        _, complaint = process.communicate(json.dumps(message), timeout=timeout)
    except subprocess.TimeoutExpired:
        raise _TimedOut(f"Report {order.report.name} ran longer than {timeout:g} s and was ended.", run_id=order.run_id) from None
    finally:
        _end_group(process)
    if process.returncode != 0:
        raise _failure(order, outcome, process.returncode, complaint)


class _TimedOut(RunFailed):
    pass


def _environment(order: _Order) -> dict[str, str]:
    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own |= {"PYTHONPATH": str(Path(__file__).parent.parent), "IPYTHONDIR": str(order.staging / ".ipython"), "PYTHONHASHSEED": "0"}
    return own | session.environment(order.lake.reading, order.tables)


def _end_group(process: subprocess.Popen[str]) -> None:
    """Nothing of a run outlives it, whatever the notebook started; the kernel leads a group of its own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(order: _Order, outcome: Path, returncode: int, complaint: str) -> RunFailed:
    if not outcome.exists():
        _log.error("run %s: its process ended with %s: %s", order.run_id, returncode, complaint.strip()[-2000:])
        return RunFailed(
            f"The process of report {order.report.name} died (status {returncode}) before the notebook ended.",
            run_id=order.run_id,
        )
    found = json.loads(outcome.read_text())
    place = f" in cell {found['cell']}" if found["cell"] else ""
    place += f", line {found['line']}" if found["cell"] and found["line"] else ""
    return RunFailed(
        f"Report {order.report.name} failed{place}: {found['error']}", run_id=order.run_id, cell=found["cell"], line=found["line"]
    )


def _publish(order: _Order, final: Path, cache: Path) -> list[str]:
    try:
        exports.export(order.executed, read_all(order.tables), _edition(order), order.formats, order.staging, cache=cache)
        for hidden in order.staging.glob(".*"):
            shutil.rmtree(hidden) if hidden.is_dir() else hidden.unlink()
        names = sorted(path.name for path in order.staging.iterdir())
        order.staging.rename(final)
    except OSError as error:
        raise _not_writable(order, error) from error
    return names


def _edition(order: _Order) -> Edition:
    tenant = order.lake.tenant
    period = order.tables / session.PERIOD_FILE
    return Edition(
        report_title=order.report.title,
        tenant_name=tenant.name,
        period=period.read_text(encoding="utf-8") if period.exists() else "",
        run_id=order.run_id,
        timezone=tenant.timezone,
        currency=tenant.currency,
        generated_at=dt.datetime.now(dt.UTC),
    )


def _not_writable(order: _Order, error: OSError) -> RunFailed:
    return RunFailed(
        f"The artifacts of report {order.report.name} cannot be written to {order.staging.parent}: {error.strerror}. "
        "Nothing was published; make room or permit writing there, and run it again.",
        run_id=order.run_id,
    )


def _record_end(catalog: Catalog, settings: Settings, order: _Order, error: BaseException) -> None:
    """The ledger learns of the end first; then what the failed run left is put where it can be looked at."""
    status = {_TimedOut: "timed_out", KeyboardInterrupt: "cancelled"}.get(type(error), "failed")
    message = str(error) or f"interrupted ({type(error).__name__})"
    cell = error.cell if isinstance(error, RunFailed) else None
    runs.end(catalog, order.lake.tenant.id, order.run_id, status, message, cell)
    _log.info("run %s of %s for %s: %s: %s", order.run_id, order.report.name, order.lake.tenant.id, status, message)
    with contextlib.suppress(OSError):
        if order.executed.exists():
            kept = settings.var / "failed" / order.lake.tenant.id / order.run_id
            kept.mkdir(parents=True, exist_ok=True)
            shutil.move(order.executed, kept / "executed.ipynb")
        shutil.rmtree(order.staging)
