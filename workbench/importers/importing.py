"""An import from start to end: chunks are read, converted and handed to a sink, and what happened is summed up."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench import capture
from workbench.errors import BrokenInstallation
from workbench.importers.conversion import Converted, Converter, problems_table
from workbench.importers.mapping import Mapping
from workbench.importers.rejects import RejectsFile
from workbench.importers.sources import Chunk, Source
from workbench.queries import query

_SHOWN = 3
_NO_SPACE = os.strerror(errno.ENOSPC)
#: Takes a batch of events (events.BATCH_SCHEMA), all of it or, on an error, nothing of it.
Sink = Callable[[pa.Table], capture.Captured]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far an import is; `share` of the source, from 0 to 1, where that can be known."""

    rows: int
    accepted: int
    share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What an import did.

    `events` is how many were made of `rows`; of these `accepted` are new, `duplicates` were in already or came twice.
    `rejected_rows` are rows of which at least one event was refused, listed in the file `rejects` (None: there is none).
    `warnings` counts by message. `first_events` and `first_problems` are for a look. `interrupted`: it was asked to stop, and
    what is left was not read.
    """

    rows: int
    events: int
    accepted: int
    duplicates: int
    rejected_rows: int
    warnings: dict[str, int]
    rejects: Path | None
    seconds: float
    interrupted: bool
    first_events: tuple[dict[str, Any], ...]
    first_problems: tuple[dict[str, Any], ...]


def run(
    source: Source,
    mapping: Mapping,
    timezone: str,
    sink: Sink,
    progress: Callable[[Progress], None] = lambda _: None,
    rejects_path: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Imports a source whose columns the mapping was checked against; `timezone` is that of times without one.

    After each chunk `progress` is told, and `stop` asked. Raises InvalidSource where the source cannot be read on,
    BadInput where the rejects cannot be written, and BrokenInstallation where the disk is full; what the sink has taken by then
    stays, and importing again adds only what is missing.
    """
    import_ = _Import(Converter(mapping, source.columns, timezone), sink)
    started = time.monotonic()
    with RejectsFile(rejects_path) as rejects:
        interrupted = False
        for chunk in _until(stop, source.chunks()):
            rejects.add(import_.take(chunk))
            progress(Progress(rows=import_.rows, accepted=import_.accepted, share=chunk.share))
            interrupted = stop()
        return import_.summary(rejects.written, time.monotonic() - started, interrupted=interrupted)


class Rehearsal:
    """A sink that takes what capture would take into an empty lake, and keeps nothing but the ids, in memory."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(query("import/ids").sql)

    def __call__(self, batch: pa.Table) -> capture.Captured:
        rejects = capture.problems(self._connection, batch)
        good = np.ones(batch.num_rows, dtype=np.bool_)
        good[[reject.position for reject in rejects]] = False
        self._connection.register("good", batch.select(["id"]).filter(pa.array(good)))
        row = self._connection.execute(query("import/new_ids").sql).fetchone()
        accepted = int(row[0]) if row else 0
        return capture.Captured(accepted=accepted, duplicates=int(good.sum()) - accepted, rejects=rejects)


def order_warnings(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Leads of `analytics_events` that were converted before they were created or contacted: kept, but worth a look."""
    rows = connection.execute(query("import/order_warnings").sql).fetchall()
    return {f"lead won before it was {what}, for example {example}": int(leads) for what, leads, example in rows}


def _until(stop: Callable[[], bool], chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        yield chunk
        if stop():
            return


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """A disk that is full, be it the lake's or the one of DuckDB's temporary files, told as what it is."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        if _NO_SPACE not in str(error):
            raise
        raise BrokenInstallation(
            "There is no space left on the disk. What is in stays; make room and run the same import again for the rest."
        ) from None


class _Import:
    """The running sums of an import."""

    def __init__(self, converter: Converter, sink: Sink) -> None:
        self._converter = converter
        self._sink = sink
        self.rows = self.accepted = 0
        self._events = self._duplicates = self._rejected_rows = 0
        self._warnings: Counter[str] = Counter()
        self._first_events: list[dict[str, Any]] = []
        self._first_problems: list[dict[str, Any]] = []

    def take(self, chunk: Chunk) -> pa.Table:
        """Imports a chunk and gives its problems, those of the sink included."""
        with _room():
            converted = self._converter.convert(chunk)
            taken = self._sink(converted.batch)
        problems = pa.concat_tables([converted.problems, self._refused(converted, taken.rejects)])
        self.rows += chunk.table.num_rows + len(chunk.unreadable)
        self.accepted += taken.accepted
        self._events += converted.batch.num_rows
        self._duplicates += taken.duplicates
        self._rejected_rows += pc.count_distinct(problems.column("line")).as_py()
        self._warnings += converted.warnings
        self._look(converted.batch, problems)
        return problems

    def summary(self, rejects: Path | None, seconds: float, *, interrupted: bool) -> Summary:
        return Summary(
            rows=self.rows,
            events=self._events,
            accepted=self.accepted,
            duplicates=self._duplicates,
            rejected_rows=self._rejected_rows,
            warnings=dict(self._warnings),
            rejects=rejects,
            seconds=seconds,
            interrupted=interrupted,
            first_events=tuple(self._first_events),
            first_problems=tuple(self._first_problems),
        )

    def _refused(self, converted: Converted, rejects: tuple[capture.Reject, ...]) -> pa.Table:
        positions = pa.array([reject.position for reject in rejects], pa.int64())
        lines = converted.lines.take(positions).to_pylist()
        types = converted.batch.column("event_type").take(positions).to_pylist()
        return problems_table(
            (line, self._converter.source_of(event_type, reject.field), reject.value, reject.reason, event_type)
            for line, event_type, reject in zip(lines, types, rejects, strict=True)
        )

    def _look(self, batch: pa.Table, problems: pa.Table) -> None:
        self._first_events += batch.slice(0, _SHOWN - len(self._first_events)).to_pylist()
        self._first_problems += problems.slice(0, _SHOWN - len(self._first_problems)).to_pylist()
