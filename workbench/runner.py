"""Executes one run: its notebook in processes of its own, told of in the ledger as it goes, its artifacts published at once.

The folder of a run appears under `reports/<tenant>/<report>/<run>/` by one rename, whole or not at all. The notebook writes to a
private folder of its own, which is gone with the run; a run that fails leaves its executed notebook under
`var/failed/<tenant>/<run>/`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import platform
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import psutil
from sqlalchemy.exc import SQLAlchemyError

from workbench import claims, execution, exports, folders, kernels, logs, notebooks, queries, runs, sandbox, session
from workbench.catalog import Catalog, tenants
from workbench.claims import Ending, Progress
from workbench.errors import (
    BadInput,
    DatabaseUnavailable,
    KernelDied,
    PublishFailed,
    RunCancelled,
    RunCutOff,
    RunFailed,
    RunLost,
    RunTimedOut,
    WorkbenchError,
)
from workbench.kernels import Kernels
from workbench.lake import Lake, open_lake
from workbench.notebooks import Report
from workbench.processes import Processes
from workbench.runs import Request, Run
from workbench.settings import Settings

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).parent
#: Of one run, its own three included.
_MOST_PROCESSES = 64
#: The path of a Unix socket may have about 100 characters.
_SHORT_TEMPORARY = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108  # a folder with a name of its own is made in it
#: What their names begin with; the process that made one follows.
_PRIVATE = "wb-"
#: How often a run is told of in the ledger, and with that, how soon it learns that it is not wanted any more.
_BEAT_SECONDS = 0.4
#: How long the end of a run waits for a database that is away.
_PATIENCE_SECONDS = 120.0
#: How often a run is tried whose database was lost, whatever it was asked for.
_ATTEMPTS_WHERE_LOST = 5
#: What a run's outcome depends on beside its notebook and data.
_RECORDED = ("workbench", "pandas", "pyarrow", "numpy", "altair", "duckdb", "ipykernel", "papermill", "nbconvert", "plutoprint")


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A run that succeeded: its folder and the files in it."""

    run_id: str
    folder: Path
    files: Sequence[Path]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """One attempt while it happens: its processes may write to `private`, and `staging` becomes its published folder."""

    run: Run
    report: Report
    lake: Lake
    settings: Settings
    private: Path

    @property
    def published(self) -> Path:
        return folders.published(self.settings, self.run.tenant_id, self.run.report, self.run.id)

    @property
    def staging(self) -> Path:
        return folders.staging(self.published, self.run.attempt)

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
    """Records a run and executes it here and now; `parameters` are texts.

    Raises InvalidParameter before anything is recorded, and else what `perform` raises.
    """
    request = asked(lake.tenant.id, report, parameters=parameters, formats=formats, by=by)
    with catalog.tenant(lake.tenant.id) as connection:
        run_id = runs.begin(connection, request, name(runs.COMMAND))
    return perform(catalog, settings, runs.get(catalog, lake.tenant.id, run_id), warm=kernels.found(settings))


def asked(tenant_id: str, report: Report, *, parameters: Mapping[str, str], formats: Sequence[str], by: str) -> Request:
    """A person's request; `parameters` are texts. Raises InvalidParameter."""
    exports.check_formats(formats)
    return Request(
        tenant_id=tenant_id,
        report=report.name,
        parameters=report.values(parameters),
        formats=formats,
        notebook_hash=report.content_hash(),
        by=by,
    )


def name(kind: str) -> str:
    """What this process is called in the ledger."""
    return f"{kind} {os.getpid()} on {platform.node()}"


def perform(
    catalog: Catalog, settings: Settings, run: Run, *, warm: Kernels | None, leave: threading.Event | None = None
) -> Published:
    """Executes a run that is this process's, on the fork server `warm` where there is one, and publishes it.

    Every step is in the ledger.

    Raises RunFailed, with the cell and line, for a notebook that raised, ran too long, was cancelled or could not be exported; by
    then that is in the ledger, be it as an end or as one more attempt to come. An interrupt ends the run's processes, records it
    as cancelled and goes on upwards. Where `leave` is set while it runs, it is handed back, and RunLost is raised, as for a run
    that was given to another worker meanwhile.
    """
    with logs.about(run_id=run.id, tenant_id=run.tenant_id, schedule=run.schedule):
        return _recorded(catalog, settings, run, warm, leave or threading.Event())


def _recorded(catalog: Catalog, settings: Settings, run: Run, warm: Kernels | None, leave: threading.Event) -> Published:
    telling = _Telling(catalog, run)
    try:
        return _performed(catalog, settings, run, telling, warm, leave)
    except RunLost:
        _log.warning("run %s of %s for %s is not ours any more", run.id, run.report, run.tenant_id)
        raise
    except BaseException as error:
        failure = _failed(run, error)
        try:
            _patiently(lambda: _record_failure(catalog, settings, run, failure, telling))
        except SQLAlchemyError as other:
            # What it has said of itself cannot be recorded; that it has failed can.
            _log.info("run %s: %s", run.id, other, exc_info=other)
            _patiently(lambda: _record_failure(catalog, settings, run, failure, _Telling(catalog, run)))
        raise


def _performed(
    catalog: Catalog, settings: Settings, run: Run, telling: _Telling, warm: Kernels | None, leave: threading.Event
) -> Published:
    with _private_folder() as private:
        work = _Work(
            run=run,
            report=notebooks.report(settings.home, run.report),
            lake=open_lake(catalog, settings, tenants.get(catalog, run.tenant_id)),
            settings=settings,
            private=private,
        )
        try:
            _prepare(work)
            telling.notebook_hash = work.report.content_hash()
            with tempfile.TemporaryFile() as complaints, _started(work, complaints, warm) as started:
                outcome = _outcome(work, started, telling, leave)
                telling.peak_memory_mb = outcome.get("peak_memory_mb")
                _log_complaints(work, complaints)
                if "error" in outcome:
                    raise _failure(work, outcome, telling)
                ending = _success(telling, outcome)
                _patiently(lambda: claims.end(catalog, run, ending, telling.rest(), lambda: _publish(work)))
        except OSError as error:
            raise _not_writable(work, error.strerror or str(error)) from error
        except RunLost:
            raise
        except RunFailed:
            _keep_notebook(work)
            raise
        finally:
            shutil.rmtree(work.staging, ignore_errors=True)
    _log.info("run %s of %s for %s succeeded", run.id, run.report, run.tenant_id)
    return Published(run_id=run.id, folder=work.published, files=[work.published / name for name in ending.artifacts])


class _Telling:
    """What there is to tell of a run: heard as it comes, told to the ledger a few times a second."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self.catalog = catalog
        self._run = run
        #: Whether the database was away at times.
        self.blind = False
        #: What is known by its end, however it ends.
        self.notebook_hash: str | None = None
        self.peak_memory_mb: float | None = None
        self._cells_total: int | None = None
        self._cells: list[Mapping[str, Any]] = []
        self._lines: list[tuple[int | None, str, str]] = []
        self._next = time.monotonic() + _BEAT_SECONDS

    def hear(self, message: Mapping[str, Any]) -> None:
        if "cells" in message:
            self._cells_total = message["cells"]
        elif "seconds" in message:
            self._cells.append({"cell": message["cell"], "seconds": message["seconds"]})
        elif "stream" in message:
            self._lines.append((message["cell"], message["stream"], message["text"]))

    def tell(self) -> None:
        """Raises RunCancelled where somebody wants the run ended, and RunLost."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _BEAT_SECONDS
        progress = self.rest()
        try:
            wanted = claims.beat(self.catalog, self._run, progress)
        except DatabaseUnavailable as error:
            self.blind = True
            _log.warning("run %s goes on, but the ledger cannot be told: %s", self._run.id, error)
            return
        # Kept until now, for a ledger that could not be told.
        del self._lines[: len(progress.lines)]
        if not wanted:
            raise RunCancelled(f"Run {self._run.id} of {self._run.report} was cancelled.", run_id=self._run.id)

    def rest(self) -> Progress:
        """All that has come, with the lines that have not been told yet."""
        return Progress(cells_total=self._cells_total, cells=tuple(self._cells), lines=tuple(self._lines))


def _patiently(step: Callable[[], object]) -> None:
    """Does `step` again until the database is there for it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            step()
            return
        except DatabaseUnavailable as error:
            if time.monotonic() > deadline:
                raise
            _log.warning("the end of a run waits for the database: %s", error)
            time.sleep(0.5)


def _failed(run: Run, error: BaseException) -> RunFailed:
    """What went wrong, in words for the ledger."""
    if isinstance(error, RunFailed):
        return error
    if isinstance(error, DatabaseUnavailable):
        return RunCutOff(f"{error} (run {run.id})", run_id=run.id)
    if isinstance(error, WorkbenchError):
        return RunFailed(f"{error} (run {run.id})", run_id=run.id)
    if isinstance(error, Exception):
        _log.info("run %s of %s for %s", run.id, run.report, run.tenant_id, exc_info=error)
        return RunFailed(f"Run {run.id} met a fault of the workbench: {type(error).__name__}: {error}", run_id=run.id)
    return RunCancelled(f"interrupted ({type(error).__name__})", run_id=run.id)


def _record_failure(catalog: Catalog, settings: Settings, run: Run, failure: RunFailed, telling: _Telling) -> None:
    """As an attempt, where another may do better; else as the end."""
    ending = Ending(
        status=failure.status,
        message=str(failure),
        cell=failure.cell,
        peak_memory_mb=telling.peak_memory_mb,
        notebook_hash=telling.notebook_hash,
        packages=packages(),
    )
    with contextlib.suppress(RunLost):
        attempts = _attempts(run, failure)
        if run.attempt < attempts:
            due_at = claims.try_again(catalog, run, ending, telling.rest(), attempts=attempts)
            _log.info("run %s for %s: %s; due again at %s", run.id, run.tenant_id, failure, due_at)
            return
        # Of an attempt that had published, but died before the ledger knew.
        published = folders.published(settings, run.tenant_id, run.report, run.id)
        claims.end(catalog, run, ending, telling.rest(), lambda: shutil.rmtree(published, ignore_errors=True))
        _log.info("run %s for %s: %s: %s", run.id, run.tenant_id, failure.status, failure)


def _attempts(run: Run, failure: RunFailed) -> int:
    """How many attempts a run has that failed like this."""
    if run.by_command or isinstance(failure, RunCancelled):
        return 1
    if isinstance(failure, RunCutOff):
        return max(_ATTEMPTS_WHERE_LOST, run.retries + 1)
    return run.retries + 1 if run.retry_failures or isinstance(failure, KernelDied | RunTimedOut) else 1


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for one run's processes alone: its path is short, since the sockets of the kernel lie in it."""
    prefix = f"{_PRIVATE}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_SHORT_TEMPORARY, ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def sweep() -> None:
    """Removes the private folders of processes of this user that died together with all who would have done so."""
    for folder in Path(_SHORT_TEMPORARY or tempfile.gettempdir()).glob(f"{_PRIVATE}*-*"):
        pid = folder.name.removeprefix(_PRIVATE).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdecimal() and not psutil.pid_exists(int(pid)) and folder.stat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)


def _prepare(work: _Work) -> None:
    """The folders, and the code a notebook may import: our package, without the folder it lies in."""
    (work.work / execution.TABLES).mkdir(parents=True)
    (work.private / "code").mkdir()
    for folder in (_PACKAGE, queries.folder()):
        (work.private / "code" / folder.name).symlink_to(folder)
    if work.run.attempt > 1:
        folders.remove_staging(work.published)
    work.staging.mkdir(parents=True)


def _outcome(work: _Work, started: Processes, telling: _Telling, leave: threading.Event) -> Mapping[str, Any]:
    run = work.run
    timeout = run.timeout_seconds or work.settings.run_timeout_seconds
    deadline = time.monotonic() + timeout
    while True:
        try:
            message = started.receive(_BEAT_SECONDS) or {}
        except EOFError:
            return {"error": "its processes were killed from outside", "kind": "died"}
        if "outcome" in message:
            outcome: Mapping[str, Any] = message["outcome"]
            return outcome
        telling.hear(message)
        telling.tell()
        if leave.is_set():
            started.end()
            claims.hand_back(telling.catalog, run)
            raise claims.lost(run)
        if time.monotonic() > deadline:
            raise RunTimedOut(f"Report {run.report} ran longer than {timeout:g} s and was ended (run {run.id}).", run_id=run.id)


def _started(work: _Work, complaints: IO[bytes], warm: Kernels | None) -> Processes:
    try:
        return Processes.start(_order(work), error=complaints, kernels=warm)
    except OSError as error:
        raise KernelDied(
            f"The processes of run {work.run.id} could not be started: {error.strerror}.", run_id=work.run.id
        ) from error


def _success(telling: _Telling, outcome: Mapping[str, Any]) -> Ending:
    return Ending(
        status="succeeded",
        artifacts=outcome["names"],
        rows_read=outcome.get("rows_read"),
        peak_memory_mb=telling.peak_memory_mb,
        notebook_hash=telling.notebook_hash,
        packages=packages(),
    )


@cache
def packages() -> dict[str, str]:
    """Versions of Python and of the packages that a run's outcome depends on."""
    return {"python": platform.python_version()} | {each: importlib.metadata.version(each) for each in _RECORDED}


def _publish(work: _Work) -> None:
    """May be repeated. Files of an attempt whose end was never recorded make room."""
    if not work.staging.exists():
        return
    shutil.rmtree(work.published, ignore_errors=True)
    work.staging.rename(work.published)


def _order(work: _Work) -> dict[str, Any]:
    tenant = work.lake.tenant
    assert work.run.started_at is not None
    return {
        "notebook": str(work.report.path),
        "parameters": dict(work.run.parameters),
        "environment": _environment(work),
        "private": str(work.private),
        "work": str(work.work),
        "staging": str(work.staging),
        "readable": [str(work.report.path), str(_PACKAGE), str(queries.folder()), work.lake.reading.data_path],
        "formats": list(work.run.formats),
        "cache": str(work.settings.var / "cache"),
        "memory_limit_mb": work.settings.run_memory_mb,
        "process_limit": _MOST_PROCESSES,
        "edition": {
            "report_title": work.report.title,
            "tenant_name": tenant.name,
            "run_id": work.run.id,
            "timezone": tenant.timezone,
            "currency": tenant.currency,
            "generated_at": work.run.started_at.isoformat(),
        },
    }


def _environment(work: _Work) -> dict[str, str]:
    """All that the notebook's process gets in its environment, with a home of its own."""
    private = str(work.private)
    own = {
        "PYTHONPATH": str(work.private / "code"),
        "PYTHONHASHSEED": "0",
        "HOME": private,
        "TMPDIR": private,
        "IPYTHONDIR": str(work.private / "ipython"),
        "JUPYTER_RUNTIME_DIR": private,
        # The kernel of this environment, whatever other kernels the user's home knows.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    return sandbox.environment() | own | session.environment(work.lake.reading, work.work / execution.TABLES)


def _log_complaints(work: _Work, complaints: IO[bytes]) -> None:
    size = complaints.seek(0, os.SEEK_END)
    complaints.seek(max(size - 4000, 0))
    if told := complaints.read().decode(errors="replace").strip():
        _log.info("run %s of %s for %s said: %s", work.run.id, work.report.name, work.run.tenant_id, told)


def _failure(work: _Work, outcome: Mapping[str, Any], telling: _Telling) -> RunFailed:
    if outcome.get("kind") == "unwritable":
        return _not_writable(work, outcome.get("unwritable") or outcome["error"])
    cell, line = outcome.get("cell"), outcome.get("line")
    place = f" in cell {cell}" if cell else ""
    place += f", line {line}" if cell and line else ""
    kept = _kept_notebook(work).relative_to(work.settings.home)
    where = f"\nThe notebook as far as it came: {kept}" if (work.work / execution.NOTEBOOK).exists() else ""
    message = f"Report {work.report.name} failed{place}: {outcome['error']} (run {work.run.id}){where}"
    kind: type[RunFailed] = KernelDied if outcome.get("kind") == "died" else RunFailed
    if outcome["error"].startswith(f"{DatabaseUnavailable.__name__}:") and _was_away(work, telling):
        kind = RunCutOff
    return kind(message, run_id=work.run.id, cell=cell, line=line)


def _was_away(work: _Work, telling: _Telling) -> bool:
    """Whether the database was, while the run was under way: a notebook can say so without that."""
    assert work.run.started_at is not None
    try:
        return telling.blind or claims.server_began_after(telling.catalog, work.run.started_at)
    except DatabaseUnavailable:
        return True


def _kept_notebook(work: _Work) -> Path:
    return folders.failed(work.settings, work.run.tenant_id, work.run.id) / execution.NOTEBOOK


def _not_writable(work: _Work, reason: str) -> RunFailed:
    return PublishFailed(
        f"The artifacts of report {work.report.name} cannot be written to {work.staging.parent}: {reason}. "
        f"Nothing was published; make room or permit writing there, and run it again (run {work.run.id}).",
        run_id=work.run.id,
    )


def _keep_notebook(work: _Work) -> None:
    kept = _kept_notebook(work)
    if not (work.work / execution.NOTEBOOK).exists():
        return
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Of an attempt before this one.
        kept.unlink(missing_ok=True)
        sandbox.take(work.work / execution.NOTEBOOK, kept)
    except (OSError, BadInput) as error:
        _log.info("run %s: its notebook is not kept: %s", work.run.id, error)
