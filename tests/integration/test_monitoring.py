"""What Prometheus is told, that the page lists just that, and that it costs the ledger nothing that has ended."""

from __future__ import annotations

import datetime as dt
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from workbench import monitoring, queries, runs
from workbench.catalog import Catalog
from workbench.cli.context import Workbench
from workbench.errors import DatabaseUnavailable
from workbench.monitoring import Monitoring

_PAGE = Path(__file__).parent.parent.parent / "docs" / "operations.md"


@pytest.fixture
def port() -> int:
    """The first of some ports that are free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(int(probe.getsockname()[1]), 65400)


def _monitoring(workbench: Workbench, port: int) -> Monitoring:
    return Monitoring(workbench.catalog, replace(workbench.settings, metrics_port=port))


def test_the_page_lists_each_metric_with_its_labels_and_no_other(workbench: Workbench, new_lake: Callable[..., Any]) -> None:
    watched = Monitoring(workbench.catalog, workbench.settings)
    request = runs.Request(tenant_id=new_lake().tenant.id, report="a", parameters={}, formats=[], notebook_hash="0", by="test")
    with workbench.catalog.tenant(request.tenant_id) as connection:
        run_id = runs.begin(connection, request, "test")
        tick = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        runs.skip(connection, replace(request, schedule="daily", logical_time=tick), "too late")
    run = runs.get(workbench.catalog, None, run_id)
    watched.began(run)
    watched.ended(run, "succeeded", 0.3)
    told: dict[str, set[str]] = {}
    for metric in watched.registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        told[name] = {label for sample in metric.samples for label in sample.labels} - {"le"}
    listed = re.findall(r"^\| `(workbench_\w+)` \| [\w, ]+ \| ([^|]*)\|", _PAGE.read_text(), re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in listed} == told


def test_metrics_are_served_on_loopback_each_process_on_the_next_free_port(workbench: Workbench, port: int) -> None:
    first, second = (_monitoring(workbench, port).serve(monitoring.OF_WORKERS) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.startswith("http://127.0.0.1:")
    assert first != second
    assert "workbench_database_up 1.0" in httpx.get(second).text
    assert _monitoring(workbench, 0).serve(monitoring.OF_WORKERS) is None


class _Away(Catalog):
    def __init__(self) -> None:
        pass

    def everything(self) -> Any:
        raise DatabaseUnavailable("It is away.")


def test_a_database_that_is_away_is_a_figure_and_the_process_is_still_told_of(workbench: Workbench) -> None:
    told = {metric.name: metric for metric in Monitoring(_Away(), workbench.settings).registry.collect()}
    assert told["workbench_database_up"].samples[0].value == 0
    assert told["workbench_memory_bytes"].samples[0].value > 10_000_000
    assert "workbench_queue_runs" not in told


def test_what_has_ended_is_not_looked_at(workbench: Workbench, new_lake: Callable[..., Any]) -> None:
    tenant = new_lake().tenant.id
    query = queries.query("runs/backlog")
    with workbench.catalog.everything() as connection:
        connection.execute(
            text(
                "insert into report_executions "
                "(id, tenant_id, report, status, notebook_hash, created_by, started_at, finished_at) "
                "select gen_random_uuid(), :tenant, 'a', 'succeeded', '0', 'test', now(), now() from generate_series(1, 20000)"
            ),
            {"tenant": tenant},
        )
        connection.execute(text("analyze report_executions"))
        plan = "\n".join(connection.execute(text(f"explain {query.postgresql}"), query.bind({"silence": 30.0})).scalars())
        connection.rollback()
    assert "Seq Scan on report_executions" not in plan
    assert plan.count("on report_executions") == 2
