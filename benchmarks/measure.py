"""Clocks, memory and a workbench to measure in."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants
from workbench.lake import Lake, open_lake
from workbench.queries import Query, parse
from workbench.settings import Settings

THREADS = 2


def use_two_cores() -> None:
    """Keeps this process and all that it starts to two cores, where the system can, so that promises mean the same everywhere."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_seconds(work: Callable[[], object], *, repeats: int) -> float:
    return statistics.median(seconds(work) for _ in range(repeats))


def peak_megabytes() -> float:
    """The most memory this process ever held, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        # A child's ru_maxrss starts at its parent's peak on Linux; this one is its own.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found is not None:
            return int(found.group(1)) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def plain_duckdb() -> duckdb.DuckDBPyConnection:
    """What the workbench is compared with: DuckDB alone, in memory, with as many threads."""
    connection = duckdb.connect(":memory:", config={"threads": THREADS})
    connection.execute("set timezone = 'UTC'")
    return connection


def sql(name: str) -> Query:
    """A query from a file beside this one."""
    return parse(name, Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8"))


@contextlib.contextmanager
def own_workbench() -> Iterator[tuple[Settings, Catalog]]:
    """An empty workbench in a temporary home with its own database server, both gone at the end."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-", ignore_cleanup_errors=True) as home:
        # As root the server runs as another user, who has to pass through.
        Path(home).chmod(0o711)
        settings = settings_table.load({"WORKBENCH_HOME": home})
        catalog = Catalog(settings)
        try:
            yield settings, catalog
        finally:
            catalog.close()


def new_lake(settings: Settings, catalog: Catalog, tenant_id: str) -> Lake:
    """An empty lake of a new tenant."""
    tenant = tenants.Tenant(id=tenant_id, name=tenant_id, timezone="Europe/Zurich", currency="CHF")
    tenants.add(catalog, tenant)
    return open_lake(catalog, settings, tenant)
