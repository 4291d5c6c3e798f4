"""Capture: batches of events go into a lake, validated field by field and once each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from workbench import events
from workbench.lake import Lake
from workbench.queries import query

_PIECE = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """One thing wrong with one event; `position` counts from 0 in the batch."""

    position: int
    field: str
    value: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Captured:
    """What became of a batch: events added, events that were there already, and what was refused, in order of position."""

    accepted: int
    duplicates: int
    rejects: tuple[Reject, ...]


def capture(lake: Lake, batch: pa.Table, *, all_or_nothing: bool = False) -> Captured:
    """Adds a batch with the columns of `events.BATCH_SCHEMA` to the lake; it is safe there once this returns.

    Bad events are refused and the good ones kept, or none where `all_or_nothing`. An id the lake has, at an instant within a day
    of the batch's span, changes nothing, so a batch may be sent again, also with its instants corrected by some hours. An id that
    comes back with an instant further away is not recognised: a lake has no index over all ids, and reading all of them for
    every batch would make capture slower with every day. A million events take about 3 s and 900 MB.
    """
    with lake.writer() as connection:
        return capture_into(connection, lake, batch, all_or_nothing=all_or_nothing)


def capture_into(connection: duckdb.DuckDBPyConnection, lake: Lake, batch: pa.Table, *, all_or_nothing: bool = False) -> Captured:
    """The same on a writer's connection that is kept open, which saves its set-up for every batch but the first."""
    try:
        rejects = problems(connection, batch)
        refused = {reject.position for reject in rejects}
        if all_or_nothing and refused:
            return Captured(accepted=0, duplicates=0, rejects=rejects)
        accepted = _insert(connection, lake, refused)
    finally:
        connection.unregister("batch")
    return Captured(accepted=accepted, duplicates=batch.num_rows - len(refused) - accepted, rejects=rejects)


def problems(connection: duckdb.DuckDBPyConnection, batch: pa.Table) -> tuple[Reject, ...]:
    """What capture would refuse of a batch, on any connection, where it stays registered as `batch`; nothing is kept."""
    # In one transaction: each by itself would ask the lake's catalog for its newest state.
    connection.begin()
    try:
        connection.register("batch", _positioned(batch))
        connection.register("contract", events.contract())
        rejects = _problems(connection)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return rejects


def _positioned(batch: pa.Table) -> pa.Table:
    """The batch with each event's position, in pieces: DuckDB reads pieces at the same time, and one large one alone."""
    positions = pa.array(np.arange(batch.num_rows, dtype=np.int64))
    whole = batch.cast(events.BATCH_SCHEMA).append_column("position", positions)
    return pa.Table.from_batches(whole.to_batches(max_chunksize=_PIECE), whole.schema)


def _problems(connection: duckdb.DuckDBPyConnection) -> tuple[Reject, ...]:
    limits = {
        "event_type_pattern": events.EVENT_TYPE_PATTERN,
        "max_bytes": events.MAX_EVENT_DATA_BYTES,
        "max_text": events.MAX_TEXT_LENGTH,
    }
    doubtful, found = query("capture/doubtful"), query("capture/problems")
    connection.execute(doubtful.sql, doubtful.bind(limits))
    del limits["event_type_pattern"]
    with _joins_as_written(connection):
        rows = connection.execute(found.sql, found.bind(limits)).fetchall()
    return tuple(Reject(position=row[0], field=row[1], value=row[2], reason=row[3]) for row in rows)


@contextlib.contextmanager
def _joins_as_written(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """DuckDB cannot tell which of two Arrow tables is the small one, and would read the batch with one thread."""
    connection.execute("set disabled_optimizers = 'build_side_probe_side'")
    try:
        yield
    finally:
        connection.execute("reset disabled_optimizers")


def _insert(connection: duckdb.DuckDBPyConnection, lake: Lake, refused: set[int]) -> int:
    insertion = query("capture/insert")
    parameters = insertion.bind({"tenant_id": lake.tenant.id, "refused": sorted(refused)})
    # A lake has no unique keys: two batches with the same event must not look for it at the same moment.
    with lake.lock("capture"):
        row = connection.execute(insertion.sql, parameters).fetchone()
    assert row is not None
    return int(row[0])
