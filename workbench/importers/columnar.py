"""Parquet and XLSX: cells that have types of their own, read as the text one would write."""

from __future__ import annotations

import contextlib
import datetime
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import FunctionExpression

from workbench.documents import did_you_mean
from workbench.errors import InvalidSource
from workbench.importers.expressions import column, locked_connection
from workbench.importers.mapping import SourceOptions
from workbench.importers.sources import CHUNK_ROWS, Chunk, Source, column_names, table_of

_SHEET_ROWS = 50_000
_MIDNIGHT = datetime.time()


def open_parquet(path: Path) -> Source:
    """A Parquet file as a source; times with a zone are written in UTC, lists and structs as JSON."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidSource(f"{path} is not a Parquet file: {error}") from None
    names = column_names(file.schema_arrow.names)
    return Source(name=str(path), described="Parquet", columns=names, chunks=lambda: _parquet_chunks(path, file, names))


def _parquet_chunks(path: Path, file: pq.ParquetFile, names: tuple[str, ...]) -> Iterator[Chunk]:
    connection = locked_connection()
    row, rows = 1, file.metadata.num_rows or 1
    try:
        for batch in file.iter_batches(CHUNK_ROWS):
            typed = connection.from_arrow(pa.Table.from_batches([batch]).rename_columns(list(names)))
            cells = [_as_text(name, kind).alias(name) for name, kind in zip(typed.columns, typed.types, strict=True)]
            table = typed.select(*cells).to_arrow_table()
            lines = pa.array(range(row, row + table.num_rows), pa.int64())
            row += table.num_rows
            yield Chunk(table=table, lines=lines, share=(row - 1) / rows)
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        raise InvalidSource(f"{path} cannot be read on after row {row - 1}: {error}") from None


def _as_text(name: str, kind: Any) -> duckdb.Expression:
    nested = kind.id in ("list", "struct", "map", "array", "union")
    return (FunctionExpression("to_json", column(name)) if nested else column(name)).cast("VARCHAR")


def open_workbook(path: Path, options: SourceOptions) -> Source:
    """A sheet of an XLSX workbook as a source: the first, or the one that is named. Formulas give their last computed value."""
    with _sheet(path, options) as sheet:
        described = _described(sheet)
        rows = islice(sheet.iter_rows(), max(0, options.header - 1), max(1, options.header))
        header = next(([cell.value for cell in row] for row in rows), [])
    if not any(value is not None for value in header):
        raise InvalidSource(f"{path} ({described}) has no header in row {options.header}; there is nothing to import.")
    names = column_names([None if value is None or not options.header else str(value) for value in header])
    return Source(name=str(path), described=described, columns=names, chunks=lambda: _sheet_chunks(path, options, names))


@contextlib.contextmanager
def _sheet(path: Path, options: SourceOptions) -> Iterator[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles and filters that it leaves out
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            names = book.sheetnames
            if options.sheet is not None and options.sheet not in names:
                raise InvalidSource(f"{path} has no sheet {options.sheet!r}{did_you_mean(options.sheet, names)}.")
            with contextlib.closing(book):
                yield book[options.sheet or names[0]]
    except InvalidSource:
        raise
    except Exception as error:  # openpyxl raises whatever the broken part of a workbook runs into
        raise InvalidSource(f"{path} is not an Excel workbook that can be read: {error}") from None


def _described(sheet: Any) -> str:
    others = [name for name in sheet.parent.sheetnames if name != sheet.title]
    return (
        f"the sheet {sheet.title!r} of an Excel workbook, beside {', '.join(map(repr, others))}"
        if others
        else "an Excel workbook"
    )


def _sheet_chunks(path: Path, options: SourceOptions, names: tuple[str, ...]) -> Iterator[Chunk]:
    with _sheet(path, options) as sheet:
        yield from _chunks_of_rows(sheet.iter_rows(), options, names)


def _chunks_of_rows(rows: Iterator[Any], options: SourceOptions, names: tuple[str, ...]) -> Iterator[Chunk]:
    body = ((number, [_cell_text(cell) for cell in row]) for number, row in enumerate(rows, 1) if number > options.header)
    filled = ((number, cells) for number, cells in body if any(cell is not None for cell in cells))
    while piece := list(islice(filled, _SHEET_ROWS)):
        table = table_of(names, [(cells + [None] * len(names))[: len(names)] for _, cells in piece])
        yield Chunk(table=table, lines=pa.array([number for number, _ in piece], pa.int64()))


def _cell_text(cell: Any) -> str | None:
    value = cell.value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        date_only = value.time() == _MIDNIGHT and "h" not in (cell.number_format or "").lower()
        return value.date().isoformat() if date_only else value.isoformat(sep=" ")
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02}:{seconds % 60:02g}"
    return str(value)
