"""Settings: one table, read once from the environment by whoever starts a process, then passed in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row of the table: the environment variable, its default as text, and what it does."""

    variable: str
    default: str
    help: str


SETTINGS = (
    Setting(
        variable="WORKBENCH_HOME",
        default="nearest parent folder with schedules.yaml",
        help="Root of reports/ (what runs produce) and var/ (everything else that is kept).",
    ),
    Setting(
        variable="WORKBENCH_DATABASE_URL",
        default="embedded server under var/postgres",
        help="Your own PostgreSQL, as postgresql://user:password@host/database; the user owns the database and may create roles.",
    ),
    Setting(
        variable="WORKBENCH_LAKE",
        default="var/lake",
        help="Folder, or s3://bucket/prefix, under which each tenant's Parquet files lie.",
    ),
    Setting(
        variable="WORKBENCH_RUN_TIMEOUT",
        default="600",
        help="Seconds after which a run's processes are killed, where nothing else was asked for.",
    ),
    Setting(
        variable="WORKBENCH_KERNEL_MEMORY",
        default="4096",
        help="Megabytes of memory that a kernel of the kernelspec `workbench` may have; it is killed when it takes more.",
    ),
    Setting(
        variable="WORKBENCH_TENANT_RUNS",
        default="2",
        help="How many runs of one tenant may be under way at a time, on all workers together.",
    ),
    Setting(
        variable="WORKBENCH_ALL_RUNS",
        default="1000",
        help="How many runs may be under way at a time in all, on all workers together.",
    ),
    Setting(
        variable="WORKBENCH_WORKER_GRACE",
        default="60",
        help="Seconds that a worker which was asked to stop gives its runs to end, before it hands them back.",
    ),
    Setting(
        variable="WORKBENCH_WORKER_SILENCE",
        default="30",
        help="Seconds of silence after which a worker counts as dead and its runs are given to others.",
    ),
    Setting(
        variable="WORKBENCH_RUN_MEMORY",
        default="2048",
        help="Megabytes of memory that a run's processes may have together; they are killed when they take more.",
    ),
    Setting(
        variable="WORKBENCH_METRICS_PORT",
        default="9464",
        help="Port of the scheduler's metrics; a worker takes the next one that is free. 0 switches them off.",
    ),
    Setting(
        variable="WORKBENCH_METRICS_HOST",
        default="127.0.0.1",
        help="Address on which metrics are served, without any sign-in.",
    ),
    Setting(
        variable="WORKBENCH_LOG_LEVEL",
        default="WARNING",
        help="Least severe message written to the error stream: DEBUG, INFO, WARNING or ERROR.",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a process was told. Paths are absolute."""

    home: Path
    database_url: str | None
    lake: str
    run_timeout_seconds: float
    run_memory_mb: int
    kernel_memory_mb: int
    tenant_runs: int
    all_runs: int
    worker_grace_seconds: float
    worker_silence_seconds: float
    metrics_port: int
    metrics_host: str
    log_level: str

    @property
    def var(self) -> Path:
        return self.home / "var"

    @property
    def reports(self) -> Path:
        return self.home / "reports"


def load(environ: Mapping[str, str] = os.environ, *, start: Path | None = None) -> Settings:
    """Settings from `environ`; the search for a home starts at `start` (default: the working directory).

    Raises BadInput where a value cannot be used.
    """
    home = _home(environ, start or Path.cwd())
    return Settings(
        home=home,
        database_url=environ.get("WORKBENCH_DATABASE_URL") or None,
        lake=_lake(environ.get("WORKBENCH_LAKE"), home),
        run_timeout_seconds=_seconds(environ, "WORKBENCH_RUN_TIMEOUT", 600),
        run_memory_mb=_count(environ, "WORKBENCH_RUN_MEMORY", 2048, least=64),
        kernel_memory_mb=_count(environ, "WORKBENCH_KERNEL_MEMORY", 4096, least=64),
        tenant_runs=_count(environ, "WORKBENCH_TENANT_RUNS", 2),
        all_runs=_count(environ, "WORKBENCH_ALL_RUNS", 1000),
        worker_grace_seconds=_seconds(environ, "WORKBENCH_WORKER_GRACE", 60),
        worker_silence_seconds=_seconds(environ, "WORKBENCH_WORKER_SILENCE", 30, least=2),
        metrics_port=_port(environ, "WORKBENCH_METRICS_PORT", 9464),
        metrics_host=environ.get("WORKBENCH_METRICS_HOST") or "127.0.0.1",
        log_level=_log_level(environ.get("WORKBENCH_LOG_LEVEL") or "WARNING"),
    )


def _home(environ: Mapping[str, str], start: Path) -> Path:
    if given := environ.get("WORKBENCH_HOME"):
        return _folder("WORKBENCH_HOME", given, start, there=True)
    for folder in (start, *start.parents):
        if (folder / "schedules.yaml").is_file():
            return folder.resolve()
    raise BadInput(
        f"No workbench here: neither {start} nor a folder above it has a schedules.yaml. "
        "Change to your workbench folder, or set WORKBENCH_HOME to it."
    )


def _lake(given: str | None, home: Path) -> str:
    if not given:
        return str(home / "var" / "lake")
    if re.fullmatch("s3://[^/].*", given):
        return given.rstrip("/")
    if "://" in given:
        raise BadInput(f"WORKBENCH_LAKE is {given!r}; it must be a folder, or an S3 place like s3://bucket/prefix.")
    return str(_folder("WORKBENCH_LAKE", given, home, there=False))


def _folder(variable: str, given: str, start: Path, *, there: bool) -> Path:
    """The folder that `given` names from `start` on; one that has to be `there` is not made by mistake of a letter."""
    try:
        path = (start / Path(given).expanduser()).resolve()
    except RuntimeError:
        raise BadInput(f"{variable} is {given!r}, but the home folder that ~ stands for is not known.") from None
    if path.exists() and not path.is_dir():
        raise BadInput(f"{variable} is {given!r}, which is no folder.")
    if there and not path.exists():
        raise BadInput(f"{variable} is {given!r}, which does not exist; make that folder, or correct the setting.")
    return path


def _seconds(environ: Mapping[str, str], variable: str, default: float, *, least: float = 0.001) -> float:
    text = environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not least <= seconds < 7 * 86400:
        raise BadInput(f"{variable} is {text!r}; it must be a number of seconds, at least {least:g} and under a week.")
    return seconds


def _count(environ: Mapping[str, str], variable: str, default: int, *, least: int = 1) -> int:
    text = environ.get(variable) or str(default)
    if not text.isdecimal() or not least <= int(text) <= 10_000_000:
        raise BadInput(f"{variable} is {text!r}; it must be a whole number from {least} on.")
    return int(text)


def _port(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if not text.isdecimal() or not (int(text) == 0 or 1024 <= int(text) <= 65500):
        raise BadInput(f"{variable} is {text!r}; it must be a port from 1024 to 65500, or 0 for none.")
    return int(text)


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise BadInput(f"WORKBENCH_LOG_LEVEL is {text!r}; it must be DEBUG, INFO, WARNING or ERROR.")
    return level
