"""Sources of rows: files and queries, whatever their format, as chunks of text cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

#: Rows handed on at once: enough for vectorised work, little enough for memory and for a progress bar that moves.
CHUNK_ROWS = 250_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A row that does not have the form of a row; `line` as in Chunk."""

    line: int
    value: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some rows of a source, every cell text or null.

    `lines` says where each row is: the line in the file, from 1 and counting the header, for CSV, TSV and NDJSON; the row in
    the sheet for XLSX; the number of the row or object, from 1, elsewhere. `share` is how much of the source has been read,
    from 0 to 1, where that can be known.
    """

    table: pa.Table
    lines: pa.Array
    unreadable: tuple[Unreadable, ...] = ()
    share: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Something to import. `chunks` reads it from the start and may be called once; `described` says how it is read."""

    name: str
    described: str
    columns: tuple[str, ...]
    chunks: Callable[[], Iterator[Chunk]]


def column_names(header: Iterable[str | None]) -> tuple[str, ...]:
    """Names of columns from the cells of a header: none empty, none twice (case aside), as SQL will have it."""
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(header, 1):
        wanted = (cell or "").strip() or f"column{number}"
        name, copy = wanted, 2
        while name.lower() in taken:
            name, copy = f"{wanted} ({copy})", copy + 1
        taken.add(name.lower())
        names.append(name)
    return tuple(names)


def table_of(columns: tuple[str, ...], rows: list[list[str | None]]) -> pa.Table:
    """A table of text from rows that each have a cell for every column."""
    cells = zip(*rows, strict=True) if rows else [[] for _ in columns]
    arrays = [pa.array(list(values), pa.string()) for values in cells]
    return pa.Table.from_arrays(arrays, names=list(columns))
