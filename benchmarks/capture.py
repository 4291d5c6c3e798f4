"""Capture: a million valid events at once, and batches of a hundred, into a lake that holds a million others of that month."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks import Figure
from benchmarks.measure import median_seconds, new_lake, own_workbench, peak_megabytes, plain_duckdb, seconds
from benchmarks.synthetic import events
from workbench import settings as settings_table
from workbench.capture import capture, capture_into
from workbench.catalog import Catalog, tenants
from workbench.lake import Lake, open_lake
from workbench.settings import Settings

TITLE = "Capture: into a lake that holds a million other events of the same month"
FIGURES = {
    "million_events_s": Figure(unit="s", promise=3, meaning="a million valid events at once, validated and deduplicated"),
    "ratio_to_copy": Figure(unit="", meaning="that, over DuckDB's bare COPY of the same rows to one Parquet file"),
    "peak_mb": Figure(unit="MB", promise=1000, meaning="most memory of the process that captured the million, batch included"),
    "batch_100_ms": Figure(unit="ms", promise=60, meaning="a batch of a hundred on a writer that is kept open, committed"),
    "batch_100_alone_ms": Figure(unit="ms", meaning="a batch of a hundred with a writer opened for it and closed again"),
    "copy_s": Figure(unit="s", meaning="the bare COPY"),
}

_MILLION = 1_000_000
_MONTH = timedelta(days=30)
_START = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> Mapping[str, float]:
    incoming = events(first=0, count=_MILLION, start=_START, span=_MONTH)
    others = events(first=_MILLION, count=_MILLION, start=_START, span=_MONTH)
    with own_workbench() as (settings, catalog):
        # A lake each time: a lake that has captured the million would call it duplicates.
        lakes = [_filled(settings, catalog, f"company_{number}", others) for number in range(4)]
        million = statistics.median(_whole_seconds(lake, incoming) for lake in lakes[:-1])
        peak = _peak_in_new_process(settings, lakes[-1], incoming)
        kept_open, alone = _small_batches(lakes[0])
        copy = _copy(settings.home / "copy.parquet", incoming)
    return {
        "million_events_s": million,
        "ratio_to_copy": million / copy,
        "peak_mb": peak,
        "batch_100_ms": kept_open * 1000,
        "batch_100_alone_ms": alone * 1000,
        "copy_s": copy,
    }


def _filled(settings: Settings, catalog: Catalog, tenant_id: str, others: pa.Table) -> Lake:
    lake = new_lake(settings, catalog, tenant_id)
    with lake.writer() as connection:
        connection.register("others", others)
        connection.execute(
            "insert into analytics_events by name select * replace (id::uuid as id, event_data::json as event_data), "
            "$tenant_id as tenant_id from others",
            {"tenant_id": tenant_id},
        )
    return lake


def _whole(lake: Lake, batch: pa.Table) -> None:
    captured = capture(lake, batch)
    assert captured.accepted == batch.num_rows, captured


def _whole_seconds(lake: Lake, batch: pa.Table) -> float:
    return seconds(lambda: _whole(lake, batch))


def _small_batches(lake: Lake) -> tuple[float, float]:
    """Median seconds of a hundred events on a kept writer, and on one of their own; all in the month's last hours."""
    new = events(first=2 * _MILLION, count=6000, start=_START + timedelta(days=29), span=timedelta(hours=12))
    batches = iter([new.slice(offset, 100) for offset in range(0, new.num_rows, 100)])
    with lake.writer() as connection:
        capture_into(connection, lake, next(batches))
        kept_open = median_seconds(lambda: capture_into(connection, lake, next(batches)), repeats=45)
    return kept_open, median_seconds(lambda: capture(lake, next(batches)), repeats=9)


def _copy(path: Path, batch: pa.Table) -> float:
    """The limit: the rows as a lake's file would have them, from the same Arrow table, by DuckDB alone."""
    with plain_duckdb() as connection:
        connection.register("batch", batch)
        return median_seconds(
            lambda: connection.execute(
                "copy (select * replace (id::uuid as id) from batch) to $path (format parquet)", {"path": str(path)}
            ),
            repeats=5,
        )


def _peak_in_new_process(settings: Settings, lake: Lake, batch: pa.Table) -> float:
    path = settings.home / "batch.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_table(batch)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.capture", str(path), lake.tenant.id],
        env=os.environ | {"WORKBENCH_HOME": str(settings.home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout))


def _capture_and_tell_peak(path: str, tenant_id: str) -> None:
    settings = settings_table.load()
    catalog = Catalog(settings)
    lake = open_lake(catalog, settings, tenants.get(catalog, tenant_id))
    with pa.OSFile(path) as file:
        _whole(lake, pa.ipc.open_file(file).read_all())
    print(json.dumps(peak_megabytes()))
    catalog.close()


if __name__ == "__main__":
    _capture_and_tell_peak(sys.argv[1], sys.argv[2])
