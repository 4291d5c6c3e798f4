"""Capture: batches of events go into a lake, validated field by field and once each."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from workbench import events
from workbench.lake import Lake
from workbench.queries import query


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

    Bad events are refused and the good ones kept, or none where `all_or_nothing`. An id the lake has, at an instant within the
    batch's span, changes nothing, so a batch may be sent again. Costs about 2 s and 700 MB for a million events.
    """
    with lake.writer() as connection:
        return capture_into(connection, lake, batch, all_or_nothing=all_or_nothing)


def capture_into(connection: duckdb.DuckDBPyConnection, lake: Lake, batch: pa.Table, *, all_or_nothing: bool = False) -> Captured:
    """The same on a writer's connection that is kept open, which saves its set-up for every batch but the first."""
    positioned = batch.cast(events.BATCH_SCHEMA).append_column("position", pa.array(range(batch.num_rows), pa.int64()))
    connection.register("batch", positioned)
    try:
        rejects = _problems(connection)
        refused = {reject.position for reject in rejects}
        if all_or_nothing and refused:
            return Captured(accepted=0, duplicates=0, rejects=rejects)
        accepted = _insert(connection, lake, refused)
    finally:
        connection.unregister("batch")
    return Captured(accepted=accepted, duplicates=batch.num_rows - len(refused) - accepted, rejects=rejects)


def _problems(connection: duckdb.DuckDBPyConnection) -> tuple[Reject, ...]:
    problems = query("capture/problems")
    connection.register("contract", events.contract())
    limits = {
        "event_type_pattern": events.EVENT_TYPE_PATTERN,
        "max_bytes": events.MAX_EVENT_DATA_BYTES,
        "max_text": events.MAX_TEXT_LENGTH,
    }
    rows = connection.execute(problems.sql, problems.bind(limits)).fetchall()
    return tuple(Reject(position=row[0], field=row[1], value=row[2], reason=row[3]) for row in rows)


def _insert(connection: duckdb.DuckDBPyConnection, lake: Lake, refused: set[int]) -> int:
    insertion = query("capture/insert")
    connection.register("refused", pa.table({"position": pa.array(sorted(refused), pa.int64())}))
    # A lake has no unique keys: two batches with the same event must not look for it at the same moment.
    with lake.lock("capture"):
        row = connection.execute(insertion.sql, insertion.bind({"tenant_id": lake.tenant.id})).fetchone()
    assert row is not None
    return int(row[0])
