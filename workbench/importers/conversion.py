"""Rows become events: a mapping over a chunk of rows, all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import ColumnExpression, ConstantExpression, FunctionExpression, SQLExpression

from workbench import events
from workbench.importers.expressions import locked_connection
from workbench.importers.mapping import Event, Mapping, When
from workbench.importers.plans import FAILED, LINE, EventPlan
from workbench.importers.sources import Chunk

_PIECE_ROWS = 32_768
_CLOCK_CHANGES = {
    1: "a time that the clocks in {zone} skipped was read as if they had not been moved",
    2: "a time that the clocks in {zone} showed twice was read as the second",
}
#: What kept a row from becoming an event. `line` as in Chunk; `event` is the type, null where the row itself is at fault.
PROBLEMS_SCHEMA = pa.schema(
    [
        pa.field("line", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("value", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("event", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """What a chunk became.

    `batch` has events.BATCH_SCHEMA, `lines` the line of each of its events, `problems` has PROBLEMS_SCHEMA, `warnings` counts
    rows by message.
    """

    batch: pa.Table
    lines: pa.ChunkedArray
    problems: pa.Table
    warnings: Counter[str]


class Converter:
    """A checked mapping, ready for chunks that have the given columns. `timezone` is where times without a zone are local."""

    def __init__(self, mapping: Mapping, columns: tuple[str, ...], timezone: str) -> None:
        self._connection = locked_connection()
        self._mapping = mapping
        self._columns = columns
        shape = self._connection.from_arrow(pa.table({column: pa.array([], pa.string()) for column in columns}))
        self._plans = [
            EventPlan(
                event,
                _when(event, mapping),
                event.who or mapping.who,
                timezone,
                lambda sql: shape.select(SQLExpression(sql)).types[0],
            )
            for event in mapping.events
        ]

    def convert(self, chunk: Chunk) -> Converted:
        """The chunk's events and problems, with those of rows that do not have the form of a row."""
        rows = self._rows(chunk)
        wanted = (
            rows if self._mapping.rows is None else rows.filter(FunctionExpression("holds", SQLExpression(self._mapping.rows)))
        )
        made = [plan.run(wanted).to_arrow_table() for plan in self._plans]
        good = pa.concat_tables([table.filter(pc.is_null(table.column("problems"))) for table in made])
        problems = [_unreadable(chunk), self._undecided(rows), *map(_problems, made)]
        return Converted(
            batch=good.select(events.BATCH_SCHEMA.names).cast(events.BATCH_SCHEMA),
            lines=good.column("line"),
            problems=pa.concat_tables(problems),
            warnings=self._warnings(wanted) + self._clock_changes(made),
        )

    def source_of(self, event_type: str, field: str) -> str:
        """The column that a field of an event came from; the field's own name where it has none."""
        return next((plan.source_of(field) for plan in self._plans if plan.event.type == event_type), field)

    def _rows(self, chunk: Chunk) -> duckdb.DuckDBPyRelation:
        """The rows, cells without the space around them, in pieces that DuckDB can share among its threads."""
        trimmed = pa.table({name: _trimmed(chunk.table.column(name)) for name in self._columns} | {LINE: chunk.lines})
        return self._connection.from_arrow(
            pa.Table.from_batches(trimmed.combine_chunks().to_batches(_PIECE_ROWS), trimmed.schema)
        )

    def _undecided(self, rows: duckdb.DuckDBPyRelation) -> pa.Table:
        """Rows on which the mapping's `rows` condition fails."""
        if self._mapping.rows is None:
            return PROBLEMS_SCHEMA.empty_table()
        failed = (
            rows.filter(FunctionExpression("failed", SQLExpression(self._mapping.rows))).select(ColumnExpression(LINE)).fetchall()
        )
        return problems_table((line, self._mapping.rows, None, FAILED, None) for (line,) in failed)

    def _warnings(self, rows: duckdb.DuckDBPyRelation) -> Counter[str]:
        asked = self._mapping.warn
        if not asked:
            return Counter()
        counts = [FunctionExpression("count_if", FunctionExpression("holds", SQLExpression(warn.when))) for warn in asked]
        found = rows.aggregate([count.alias(f"warning {number}") for number, count in enumerate(counts)]).fetchone() or ()
        return Counter({warn.message: int(count) for warn, count in zip(asked, found, strict=True) if count})

    def _clock_changes(self, made: list[pa.Table]) -> Counter[str]:
        """Local times that are not what they seem, counted by quarter hours: no clock change cuts through one."""
        warnings: Counter[str] = Counter()
        for plan, table in zip(self._plans, made, strict=True):
            quarters = pc.floor_temporal(table.column("local_time").drop_null(), 15, "minute")
            counted = quarters.value_counts()
            times = pa.table({"quarter": counted.field("values"), "events": counted.field("counts")})
            change = FunctionExpression("clock_change", ColumnExpression("quarter"), ConstantExpression(plan.zone)).alias(
                "change"
            )
            changes = self._connection.from_arrow(times).select(change, ColumnExpression("events"))
            for kind, events_so in changes.filter(ColumnExpression("change") > 0).fetchall():
                warnings[_CLOCK_CHANGES[kind].format(zone=plan.zone)] += events_so
        return warnings


def _trimmed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    without_space = pc.utf8_trim_whitespace(cells)
    empty = pc.equal(without_space, "")
    return pc.if_else(empty, None, without_space) if pc.any(empty).as_py() else without_space


def problems_table(rows: Iterable[tuple[int, str | None, str | None, str, str | None]]) -> pa.Table:
    """Problems as (line, column, value, reason, event)."""
    return pa.Table.from_pylist([dict(zip(PROBLEMS_SCHEMA.names, row, strict=True)) for row in rows], schema=PROBLEMS_SCHEMA)


def _when(event: Event, mapping: Mapping) -> When:
    when = event.when or mapping.when
    if when is None:
        raise ValueError(f"no time for {event.type}; Mapping refuses this")
    return when


def _unreadable(chunk: Chunk) -> pa.Table:
    return problems_table((row.line, None, row.value[:200], row.reason, None) for row in chunk.unreadable)


def _problems(made: pa.Table) -> pa.Table:
    """The problems of the rows that made no event, one row for each."""
    bad = made.filter(pc.is_valid(made.column("problems"))).combine_chunks()
    if not bad.num_rows:
        return PROBLEMS_SCHEMA.empty_table()
    lists = bad.column("problems").combine_chunks()
    parents, entries = pc.list_parent_indices(lists), pc.list_flatten(lists)
    columns = [bad.column("line").take(parents), *(pc.struct_field(entries, name) for name in ("column", "value", "reason"))]
    table = pa.Table.from_arrays([*columns, bad.column("event_type").take(parents)], schema=PROBLEMS_SCHEMA)
    return table.filter(pc.is_valid(table.column("reason")))
