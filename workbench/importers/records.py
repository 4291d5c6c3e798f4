"""JSON and NDJSON: every object is a row, every key a column; what lies deeper stays JSON text in its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression, FunctionExpression

from workbench.errors import InvalidSource
from workbench.importers.delimited import Layout, read
from workbench.importers.expressions import locked_connection
from workbench.importers.mapping import SourceOptions
from workbench.importers.sources import CHUNK_ROWS, Chunk, Source, Unreadable
from workbench.importers.text import MAX_LINE_BYTES, examine

#: Divides nothing: JSON may not hold it, so that a line is read as one cell.
_NO_DELIMITER = "\x1f"
_NO_OBJECT = "is not a JSON object"


def open_ndjson(path: Path, options: SourceOptions) -> Source:
    """A file with one JSON object a line as a source. Reads it once beforehand, to know every key."""
    layout = Layout(columns=("record",), delimiter=_NO_DELIMITER, encoding=examine(path, options.encoding).encoding, quotes=False)
    return _source(path, "one JSON object a line", lambda: _lines(path, layout))


def open_json(path: Path, options: SourceOptions) -> Source:
    """A file with a list of JSON objects, or one object a line, as a source."""
    with path.open("rb") as file:
        start = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"["):
        return open_ndjson(path, options)
    if (encoding := examine(path, options.encoding, in_lines=False).encoding) != "utf-8":
        raise InvalidSource(f"{path} is {encoding} text; a list of JSON objects must be UTF-8.")
    return _source(path, "a list of JSON objects", lambda: _array(path))


def _source(path: Path, described: str, records: Callable[[], Iterator[Chunk]]) -> Source:
    columns = _keys(records())
    if not columns:
        raise InvalidSource(f"{path} holds no JSON objects; it must be a list of objects, or one object a line.")
    return Source(name=str(path), described=described, columns=columns, chunks=lambda: _cells(records(), columns))


def _lines(path: Path, layout: Layout) -> Iterator[Chunk]:
    size = path.stat().st_size or 1
    with path.open("rb") as stream:
        yield from read(stream, layout, str(path), lambda: min(1.0, stream.tell() / size))


def _array(path: Path) -> Iterator[Chunk]:
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    try:
        found = connection.execute(
            "select json as record from read_json_objects($1, format = 'array', maximum_object_size = $2)",
            [str(path), MAX_LINE_BYTES],
        ).to_arrow_reader(CHUNK_ROWS)
        row = 1
        for batch in found:
            lines = pa.array(range(row, row + batch.num_rows), pa.int64())
            row += batch.num_rows
            yield Chunk(table=pa.table({"record": batch.column(0).cast(pa.string())}), lines=lines)
    except (duckdb.Error, pa.ArrowException) as error:
        raise InvalidSource(f"{path} is not a list of JSON objects: {str(error).splitlines()[0]}") from None


def _keys(records: Iterator[Chunk]) -> tuple[str, ...]:
    """Every key of every object, in the order of their first appearance; SQL tells columns apart by more than case."""
    connection = locked_connection()
    keys: dict[str, str] = {}
    for chunk in records:
        valid = FunctionExpression("valid_record", ColumnExpression("record"))
        distinct = connection.from_arrow(chunk.table).select(FunctionExpression("json_keys", valid).alias("keys")).distinct()
        for (found,) in distinct.fetchall():
            for key in filter(str.strip, found or ()):
                keys.setdefault(key.lower(), key)
    return tuple(keys.values())


def _cells(records: Iterator[Chunk], columns: tuple[str, ...]) -> Iterator[Chunk]:
    connection = locked_connection()
    record = ColumnExpression("record")
    cells = [FunctionExpression("json_extract_string", record, ConstantExpression(_pointer(key))).alias(key) for key in columns]
    for chunk in records:
        rows = chunk.table.append_column("line", chunk.lines)
        valid = connection.from_arrow(rows).select(
            "line", FunctionExpression("valid_record", record).alias("record"), record.alias("text")
        )
        table = valid.filter(record.isnotnull()).select("line", *cells).to_arrow_table()
        bad = valid.filter(record.isnull()).select("line", "text").fetchall()
        unreadable = tuple(_unreadable(line, text) for line, text in bad if text and text.strip())
        lines = table.column(0).combine_chunks()
        yield Chunk(
            table=table.remove_column(0).rename_columns(list(columns)),
            lines=lines,
            unreadable=chunk.unreadable + unreadable,
            share=chunk.share,
        )


def _unreadable(line: int, text: Any) -> Unreadable:
    return Unreadable(line=line, value=str(text), reason=_NO_OBJECT)


def _pointer(key: str) -> str:
    """The JSON pointer of a key at the top of an object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
