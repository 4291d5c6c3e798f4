"""What Prometheus can ask a worker or scheduler, over HTTP on the loopback interface.

Figures of the whole installation are asked of the ledger when they are wanted, and are the same from every process; those of this
process are counted as it works, since its start. `docs/operations.md` lists them all.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys
import time
from collections import Counter as Counting
from collections.abc import Iterator

import psutil
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workbench import backlog, kernels, schedules
from workbench.catalog import Catalog
from workbench.errors import BadInput, DatabaseUnavailable
from workbench.runs import Run
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: The scheduler's port is the setting's own; those of workers are the next ones.
OF_SCHEDULER, OF_WORKERS = 0, 1
_MOST_PORTS = 32
_TICKS_OF, _TICKS_SECONDS = dt.timedelta(days=1), 60.0
_RUN_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_WAIT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Monitoring:
    """The figures of one process."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._settings = settings
        self.registry = CollectorRegistry()
        self._runs = Counter(
            "workbench_runs", "Attempts at runs that ended in this process.", ["report", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "workbench_run_seconds",
            "How long these took.",
            ["report", "status"],
            buckets=_RUN_SECONDS,
            registry=self.registry,
        )
        self._waits = Histogram(
            "workbench_run_wait_seconds",
            "From when a run was due to when this process began it.",
            ["priority"],
            buckets=_WAIT_SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Ledger(catalog, settings))
        self.registry.register(_Ticks(catalog, settings))
        self.registry.register(_Processes(settings))

    def began(self, run: Run) -> None:
        if run.started_at is not None:
            waited = max(0.0, (run.started_at - run.due_at).total_seconds())
            self._waits.labels(backlog.of_priority(run.priority)).observe(waited)

    def ended(self, run: Run, status: str, seconds: float) -> None:
        """`status` is how the attempt ended: a state of runs, or handed_back."""
        self._runs.labels(run.report, status).inc()
        self._seconds.labels(run.report, status).observe(seconds)

    def serve(self, place: int) -> str | None:
        """Answers from now on; returns where. None where that is switched off, or no port is free, which the log tells.

        `place` says which port after the setting's own is the first to be tried.
        """
        if not self._settings.metrics_port:
            return None
        host, first = self._settings.metrics_host, self._settings.metrics_port + place
        disable_created_metrics()  # type: ignore[no-untyped-call]
        for port in range(first, min(first + _MOST_PORTS, 65536)):
            try:
                start_http_server(port, host, self.registry)
            except OSError as error:
                reason = error
            else:
                return f"http://{host}:{port}/metrics"
        _log.warning("metrics are not served: no port of %s from %d on can be had (%s)", host, first, reason)
        return None


class _Ledger(Collector):
    """Figures of the installation. Where the database does not answer, that is the figure."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        try:
            found = backlog.read(self._catalog, self._settings)
        except DatabaseUnavailable:
            yield _gauge("workbench_database_up", "Whether the database answers.", 0)
            return
        yield _gauge("workbench_database_up", "Whether the database answers.", 1)
        waiting = GaugeMetricFamily("workbench_queue_runs", "Runs that wait.", labels=["priority"])
        oldest = GaugeMetricFamily("workbench_queue_oldest_seconds", "How long the longest has been due.", labels=["priority"])
        for name in found.waiting:
            waiting.add_metric([name], found.waiting[name])
            oldest.add_metric([name], found.oldest_seconds[name])
        yield from (waiting, oldest)
        yield _gauge("workbench_running_runs", "Runs that are under way.", found.running)
        yield _gauge("workbench_workers", "Workers that live.", found.workers)


class _Ticks(Collector):
    """What should have run in the last day and did not. Looked up once a minute at most: it takes every tick of the day."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._found: list[Metric] = []
        self._until = 0.0

    def collect(self) -> Iterator[Metric]:
        if time.monotonic() > self._until:
            self._found = list(self._look())
            self._until = time.monotonic() + _TICKS_SECONDS
        yield from self._found

    def _look(self) -> Iterator[Metric]:
        valid = "Whether schedules.yaml can be used."
        try:
            gaps = schedules.missing(self._catalog, self._settings, dt.datetime.now(dt.UTC) - _TICKS_OF)
        except DatabaseUnavailable:
            return
        except BadInput:
            yield _gauge("workbench_schedules_valid", valid, 0)
            return
        yield _gauge("workbench_schedules_valid", valid, 1)
        missed = GaugeMetricFamily(
            "workbench_missed_ticks", "Ticks of the last day without success.", labels=["schedule", "kind"]
        )
        for (schedule, kind), count in Counting((gap.schedule, gap.kind) for gap in gaps).items():
            missed.add_metric([schedule, kind], count)
        yield missed


class _Processes(Collector):
    """This process with all below it, and the fork server of its folder with the kernels, which several workers share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        server = _fork_server(self._settings)
        parts = {"own": _tree(psutil.Process()), "kernels": _tree(server) if server else []}
        counted = GaugeMetricFamily("workbench_processes", "How many processes there are.", labels=["part"])
        memory = GaugeMetricFamily("workbench_memory_bytes", "Their memory; what several share counts once.", labels=["part"])
        for name, processes in parts.items():
            counted.add_metric([name], len(processes))
            memory.add_metric([name], sum(map(_memory, processes)))
        yield from (counted, memory)
        yield _gauge("workbench_kernels", "Runs and other kernels that live.", _children(server))


def _fork_server(settings: Settings) -> psutil.Process | None:
    pid = kernels.server_pid(settings)
    with contextlib.suppress(psutil.Error):
        if pid is not None and kernels.__name__ in (process := psutil.Process(pid)).cmdline():
            return process
    return None


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _children(server: psutil.Process | None) -> int:
    with contextlib.suppress(psutil.Error):
        return len(server.children()) if server else 0
    return 0


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss if sys.platform == "linux" else process.memory_info().rss)
    except psutil.Error:
        return 0  # it has ended, or is not for us to look at


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
