"""Runs one report for one tenant: parameters checked, notebook executed in processes of its own, artifacts published at once.

The folder of a run appears under `reports/<tenant>/<report>/<run>/` by one rename, whole or not at all. The notebook writes to a
private folder of its own, which is gone with the run; a run that fails leaves its executed notebook under
`var/failed/<tenant>/<run>/`.
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
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workbench import execution, exports, queries, runs, sandbox, session
from workbench.catalog import Catalog
from workbench.errors import BadInput, PublishFailed, RunFailed
from workbench.lake import Lake
from workbench.notebooks import Report
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: Of this process's environment, all that a notebook's gets: no secret of the server's is among it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "SSL_CERT_FILE")
_PACKAGE = Path(__file__).parent
#: The path of a Unix socket may have about 100 characters.
_SHORT_TEMPORARY = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108  # a folder with a name of its own is made in it
#: Killing a run's processes takes moments; this long is waited before their leader is killed too.
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A run that succeeded: its folder and the files in it."""

    run_id: str
    folder: Path
    files: Sequence[Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """One run while it happens: `private` is the folder its processes may write to, `staging` becomes its published folder."""

    id: str
    report: Report
    parameters: Mapping[str, Any]
    formats: Sequence[str]
    lake: Lake
    settings: Settings
    private: Path
    started_at: dt.datetime

    @property
    def published(self) -> Path:
        return self.settings.reports / self.lake.tenant.id / self.report.name / self.id

    @property
    def staging(self) -> Path:
        return self.published.with_name(f".{self.id}")

    @property
    def work(self) -> Path:
        return self.private / "work"


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
    exports.check_formats(formats)
    tenant_id, content = lake.tenant.id, report.content_hash()
    run_id = runs.queue(catalog, tenant_id, report=report.name, parameters=values, formats=formats, notebook_hash=content, by=by)
    with _recorded(catalog, tenant_id, run_id), _private_folder() as private:
        runs.start(catalog, tenant_id, run_id)
        current = _Run(
            id=run_id,
            report=report,
            parameters=values,
            formats=formats,
            lake=lake,
            settings=settings,
            private=private,
            started_at=dt.datetime.now(dt.UTC),
        )
        names = _executed(current)
        runs.succeed(catalog, tenant_id, run_id, names)
    return Published(run_id=run_id, folder=current.published, files=[current.published / name for name in names])


@contextlib.contextmanager
def _recorded(catalog: Catalog, tenant_id: str, run_id: str) -> Iterator[None]:
    """Whatever ends the run, the ledger learns of it."""
    try:
        yield
    except BaseException as error:
        status = {_TimedOut: "timed_out", KeyboardInterrupt: "cancelled"}.get(type(error), "failed")
        message = str(error) or f"interrupted ({type(error).__name__})"
        _log.info("run %s for %s: %s: %s", run_id, tenant_id, status, message)
        runs.end(catalog, tenant_id, run_id, status, message, error.cell if isinstance(error, RunFailed) else None)
        raise


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for one run's processes alone: its path is short, since the sockets of the kernel lie in it."""
    with tempfile.TemporaryDirectory(prefix="wb-", dir=_SHORT_TEMPORARY, ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def _executed(run: _Run) -> list[str]:
    """Executes, exports and publishes; returns the names of the published files."""
    try:
        _prepare(run)
        outcome = _outcome(run)
        if "error" in outcome:
            raise _failure(run, outcome)
        run.staging.rename(run.published)
    except OSError as error:
        raise _not_writable(run, error.strerror or str(error)) from error
    except RunFailed:
        _keep_notebook(run)
        raise
    finally:
        shutil.rmtree(run.staging, ignore_errors=True)
    return list(outcome["names"])


def _prepare(run: _Run) -> None:
    """The folders, and the code a notebook may import: our package, without the folder it lies in."""
    (run.work / execution.TABLES).mkdir(parents=True)
    (run.private / "code").mkdir()
    for folder in (_PACKAGE, queries.folder()):
        (run.private / "code" / folder.name).symlink_to(folder)
    run.staging.mkdir(parents=True)


def _outcome(run: _Run) -> execution.Outcome:
    timeout = run.settings.run_timeout_seconds
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.execution"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_passed_on("HOME", "TMPDIR") | {"PYTHONPATH": str(_PACKAGE.parent)},
            cwd=run.staging,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(_order(run)).encode() + b"\n")
            process.stdin.flush()
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise _TimedOut(
                f"Report {run.report.name} ran longer than {timeout:g} s and was ended (run {run.id}).", run_id=run.id
            ) from None
        finally:
            _end(process)
        told = process.stdout.read()
        process.stdout.close()
        _log_complaints(run, complaints)
    outcome: execution.Outcome = json.loads(told) if told else {"error": f"its processes ended (status {process.returncode})"}
    return outcome


def _order(run: _Run) -> dict[str, Any]:
    tenant = run.lake.tenant
    return {
        "notebook": str(run.report.path),
        "parameters": dict(run.parameters),
        "environment": _environment(run),
        "private": str(run.private),
        "work": str(run.work),
        "staging": str(run.staging),
        "readable": [str(run.report.path), str(_PACKAGE), str(queries.folder()), run.lake.reading.data_path],
        "formats": list(run.formats),
        "cache": str(run.settings.var / "cache"),
        "edition": {
            "report_title": run.report.title,
            "tenant_name": tenant.name,
            "run_id": run.id,
            "timezone": tenant.timezone,
            "currency": tenant.currency,
            "generated_at": run.started_at.isoformat(),
        },
    }


class _TimedOut(RunFailed):
    pass


def _environment(run: _Run) -> dict[str, str]:
    """All that the notebook's process gets in its environment, with a home of its own."""
    private = str(run.private)
    own = {
        "PYTHONPATH": str(run.private / "code"),
        "PYTHONHASHSEED": "0",
        "HOME": private,
        "TMPDIR": private,
        "IPYTHONDIR": str(run.private / "ipython"),
        "JUPYTER_RUNTIME_DIR": private,
        # The kernel of this environment, whatever other kernels the user's home knows.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    return _passed_on() | own | session.environment(run.lake.reading, run.work / execution.TABLES)


def _passed_on(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in (*_PASSED_ON, *names) if name in os.environ}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Tells the run's processes, by the end of their input, that nobody wants them any more, and waits until they have ended."""
    with contextlib.suppress(OSError):
        process.stdin and process.stdin.close()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _log_complaints(run: _Run, complaints: IO[bytes]) -> None:
    size = complaints.seek(0, os.SEEK_END)
    complaints.seek(max(size - 4000, 0))
    if told := complaints.read().decode(errors="replace").strip():
        _log.info("run %s of %s for %s said: %s", run.id, run.report.name, run.lake.tenant.id, told)


def _failure(run: _Run, outcome: execution.Outcome) -> RunFailed:
    if "unwritable" in outcome:
        return _not_writable(run, outcome["unwritable"] or outcome["error"])
    cell, line = outcome.get("cell"), outcome.get("line")
    place = f" in cell {cell}" if cell else ""
    place += f", line {line}" if cell and line else ""
    kept = _kept_notebook(run).relative_to(run.settings.home)
    where = f"\nThe notebook as far as it came: {kept}" if (run.work / execution.NOTEBOOK).exists() else ""
    return RunFailed(
        f"Report {run.report.name} failed{place}: {outcome['error']} (run {run.id}){where}", run_id=run.id, cell=cell, line=line
    )


def _not_writable(run: _Run, reason: str) -> RunFailed:
    return PublishFailed(
        f"The artifacts of report {run.report.name} cannot be written to {run.staging.parent}: {reason}. "
        f"Nothing was published; make room or permit writing there, and run it again (run {run.id}).",
        run_id=run.id,
    )


def _kept_notebook(run: _Run) -> Path:
    return run.settings.var / "failed" / run.lake.tenant.id / run.id / execution.NOTEBOOK


def _keep_notebook(run: _Run) -> None:
    kept = _kept_notebook(run)
    try:
        kept.parent.mkdir(parents=True)
        sandbox.take(run.work / execution.NOTEBOOK, kept)
    except (OSError, BadInput) as error:
        _log.info("run %s: its notebook is not kept: %s", run.id, error)
