"""Runs: one small report after another, many at once, what they take of memory, and what the queue costs."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from jupyter_client.manager import KernelManager
from sqlalchemy import text

from benchmarks import Figure
from benchmarks.measure import median_seconds, own_workbench, seconds, sql
from workbench import claims, kernels, runs
from workbench.catalog import Catalog, tenants
from workbench.claims import Limits
from workbench.cli.context import Workbench
from workbench.runs import Request
from workbench.settings import Settings

TITLE = "Runs: a small notebook (pandas, altair, duckdb; five cells) against papermill"
FIGURES = {
    "ratio_cli": Figure(unit="x", at_least=10, meaning="papermill's command, over a run from being asked for to its success"),
    "ratio_in_process": Figure(unit="x", at_least=6, meaning="papermill in a process that has imported it, over the same"),
    "ratio_throughput": Figure(
        unit="x", at_least=6, meaning="200 runs of 20 tenants, over papermill's commands at their best width"
    ),
    "ratio_memory": Figure(
        unit="x", promise=0.25, meaning="private memory of a warm kernel, over a stock one with the same imports"
    ),
    "latency_ms": Figure(unit="ms", promise=100, meaning="from asking for a run to its start, the worker being idle"),
    "claim_ms": Figure(
        unit="ms", promise=10, meaning="taking a turn and claiming its run, beside 100,000 ended and 10,000 waiting"
    ),
    "run_s": Figure(unit="s", meaning="a run, from being asked for to its success"),
    "command_s": Figure(unit="s", meaning="the same by `workbench report run`, a worker being there"),
    "papermill_cli_s": Figure(unit="s", meaning="papermill's command"),
    "papermill_in_process_s": Figure(unit="s", meaning="papermill in a process that has imported it"),
    "runs_per_minute": Figure(unit="/min", meaning="of the 200"),
    "papermill_per_minute": Figure(unit="/min", meaning="of papermill's commands at their best width"),
    "kernel_mb": Figure(unit="MB", meaning="private memory of a warm kernel"),
    "stock_kernel_mb": Figure(unit="MB", meaning="private memory of a stock kernel"),
}

_NOTEBOOK = Path(__file__).with_name("small.ipynb")
_TENANTS = [f"company_{number}" for number in range(20)]
_RUNS = 200
_IMPORTS = "import altair, duckdb, pandas"


def run() -> Mapping[str, float]:
    with own_workbench() as (settings, catalog), tempfile.TemporaryDirectory() as scratch:
        _prepare(settings, catalog)
        with _worker(settings, catalog):
            one = median_seconds(lambda: _executed(catalog, _TENANTS[0]), repeats=15)
            command = median_seconds(lambda: _command(settings), repeats=5)
            latency = statistics.median(_latency(catalog) for _ in range(20))
            many = seconds(lambda: _all_executed(catalog))
        peers = _Papermill(Path(scratch))
        cli = median_seconds(peers.command, repeats=7)
        in_process = median_seconds(peers.in_process, repeats=7)
        per_minute = max(peers.per_minute(width) for width in (2, 3, 4))
        kernel, stock = _warm_kernel_mb(settings), _kernel_mb("python3")
        claim = _claim_seconds(catalog)
    return {
        "ratio_cli": cli / one,
        "ratio_in_process": in_process / one,
        "ratio_throughput": 60 * _RUNS / many / per_minute,
        "ratio_memory": kernel / stock,
        "latency_ms": latency * 1000,
        "claim_ms": claim * 1000,
        "run_s": one,
        "command_s": command,
        "papermill_cli_s": cli,
        "papermill_in_process_s": in_process,
        "runs_per_minute": 60 * _RUNS / many,
        "papermill_per_minute": per_minute,
        "kernel_mb": kernel,
        "stock_kernel_mb": stock,
    }


def _prepare(settings: Settings, catalog: Catalog) -> None:
    folder = settings.home / "notebooks" / "reports"
    folder.mkdir(parents=True)
    shutil.copy(_NOTEBOOK, folder)
    workbench = Workbench(settings=settings, catalog=catalog)
    for tenant_id in _TENANTS:
        workbench.add(tenants.Tenant(id=tenant_id, name=tenant_id, timezone="Europe/Zurich", currency="CHF"))


@contextlib.contextmanager
def _worker(settings: Settings, catalog: Catalog) -> Iterator[None]:
    """A worker as one is started by hand, which has executed a first run."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "workbench", "worker", "--concurrency", "2"],
        env={"PATH": "/usr/bin:/bin", "WORKBENCH_HOME": str(settings.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _executed(catalog, _TENANTS[0])
        yield
    finally:
        worker.terminate()
        worker.wait()


def _request(tenant_id: str) -> Request:
    return Request(tenant_id=tenant_id, report="small", parameters={}, formats=[], notebook_hash="", by="benchmark")


def _asked(catalog: Catalog, tenant_id: str) -> str:
    with catalog.tenant(tenant_id) as connection:
        run_id = runs.enqueue(connection, _request(tenant_id))
    assert run_id is not None
    return run_id


def _executed(catalog: Catalog, tenant_id: str) -> runs.Run:
    run_id = _asked(catalog, tenant_id)
    while (found := runs.get(catalog, tenant_id, run_id)).status not in runs.ENDED:
        time.sleep(0.005)
    assert found.status == "succeeded", found.error_message
    return found


def _latency(catalog: Catalog) -> float:
    asked = time.time()
    started = _executed(catalog, _TENANTS[0]).started_at
    assert started is not None
    return started.timestamp() - asked


def _command(settings: Settings) -> None:
    command = [sys.executable, "-m", "workbench", "report", "run", "small", "--tenant", _TENANTS[0], "--format", ""]
    environment = {"PATH": "/usr/bin:/bin", "WORKBENCH_HOME": str(settings.home)}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def _all_executed(catalog: Catalog) -> None:
    for number in range(_RUNS):
        _asked(catalog, _TENANTS[number % len(_TENANTS)])
    while runs.listed(catalog, status="queued", limit=1) or runs.listed(catalog, status="running", limit=1):
        time.sleep(0.02)
    assert not runs.listed(catalog, status="failed", limit=1)


class _Papermill:
    """The peer, bytecode compiled, with the kernel of this environment."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._numbers = iter(range(10**6))

    def _files(self) -> tuple[str, str]:
        return str(_NOTEBOOK), str(self._scratch / f"{next(self._numbers)}.ipynb")

    def command(self) -> None:
        command = [sys.executable, "-m", "papermill", *self._files(), "-k", "python3", "--no-progress-bar"]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)

    def in_process(self) -> None:
        import papermill

        papermill.execute_notebook(*self._files(), kernel_name="python3", progress_bar=False)

    def per_minute(self, width: int) -> float:
        count = 6 * width
        with ThreadPoolExecutor(width) as pool:
            taken = seconds(lambda: list(pool.map(lambda _: self.command(), range(count))))
        return 60 * count / taken


def _warm_kernel_mb(settings: Settings) -> float:
    # By which the provisioner finds its fork server.
    os.environ["WORKBENCH_HOME"] = str(settings.home)
    with kernels.serving(settings):
        return _kernel_mb("workbench")


def _kernel_mb(name: str) -> float:
    """Private memory of a kernel that has imported what the notebook does; a few at once: what they share is nobody's."""
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(_kernel(name)) for _ in range(4)]
        return statistics.median(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1e6


@contextlib.contextmanager
def _kernel(name: str) -> Iterator[int]:
    manager = KernelManager(kernel_name=name)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(_IMPORTS, timeout=60)
        reply = client.execute("", user_expressions={"pid": "__import__('os').getpid()"}, reply=True, timeout=60)
        yield int(reply["content"]["user_expressions"]["pid"]["data"]["text/plain"])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _claim_seconds(catalog: Catalog) -> float:
    """Of taking a turn and claiming the run whose turn it is, in a ledger with a long past and a long queue."""
    with catalog.everything() as connection:
        connection.execute(text("delete from report_executions"))
        connection.execute(text(sql("many_runs").postgresql))
        connection.execute(text("select queue.procrastinate_register_worker_v1()"))
    with catalog.everything() as connection:
        # As the server does by itself before long.
        connection.execute(text("analyze report_executions, queue.procrastinate_jobs"))
    return median_seconds(lambda: _claimed(catalog), repeats=60)


def _claimed(catalog: Catalog) -> None:
    with catalog.everything() as connection:
        worker = "(select max(id) from queue.procrastinate_workers)"
        connection.execute(text(f"select queue.procrastinate_fetch_job_v2(array['runs'], {worker})"))
    assert claims.claim(catalog, "worker of the benchmark", Limits(tenant=100, total=1000)) is not None
