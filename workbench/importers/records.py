"""JSON and NDJSON: every object is a row, every key a column; what lies deeper stays JSON text in its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import CaseExpression, CoalesceOperator, ColumnExpression, ConstantExpression, Expression, FunctionExpression

from workbench.errors import InvalidSource
from workbench.importers.delimited import Layout, read
from workbench.importers.expressions import locked_connection
from workbench.importers.mapping import SourceOptions
from workbench.importers.sources import CHUNK_ROWS, Chunk, Source, Unreadable
from workbench.importers.text import MAX_LINE_BYTES, examine

#: Divides nothing: JSON may not hold it, so that a line is read as one cell.
_NO_DELIMITER = "\x1f"
_NO_OBJECT = "is not a JSON object"
_TWO_VALUES = "has {} with different values, which are one column"

#: The columns in the order in which their keys first appear, each with the spellings of its key: SQL tells columns apart by more
#: than case.
Spellings = dict[str, tuple[str, ...]]


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
    spellings = _spellings(records())
    if not spellings:
        raise InvalidSource(f"{path} holds no JSON objects; it must be a list of objects, or one object a line.")
    return Source(
        name=str(path), described=described, columns=tuple(spellings), chunks=lambda: _cells(records(), list(spellings.values()))
    )


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


def _spellings(records: Iterator[Chunk]) -> Spellings:
    connection = locked_connection()
    keys = FunctionExpression("json_keys", FunctionExpression("valid_record", ColumnExpression("record")))
    found: dict[str, dict[str, None]] = {}
    for chunk in records:
        rows = connection.from_arrow(chunk.table.append_column("line", chunk.lines)).select(keys.alias("keys"), "line")
        first = rows.aggregate([ColumnExpression("keys"), FunctionExpression("min", ColumnExpression("line"))], "keys")
        for names, _ in sorted(first.fetchall(), key=lambda row: row[1]):
            for name in filter(str.strip, names or ()):
                found.setdefault(name.lower(), {})[name] = None
    return {next(iter(names)): tuple(names) for names in found.values()}


def _cells(records: Iterator[Chunk], spellings: list[tuple[str, ...]]) -> Iterator[Chunk]:
    connection = locked_connection()
    record = ColumnExpression("record")
    cells = [_cell(names).alias(names[0]) for names in spellings]
    for chunk in records:
        rows = connection.from_arrow(chunk.table.append_column("line", chunk.lines))
        read = rows.select("line", FunctionExpression("valid_record", record).alias("record"), record.alias("text"))
        judged = read.select("line", "record", "text", _reason(spellings).alias("reason"))
        table = judged.filter(ColumnExpression("reason").isnull()).select("line", *cells).to_arrow_table()
        bad = judged.filter(ColumnExpression("reason").isnotnull()).select("line", "text", "reason").fetchall()
        unreadable = tuple(Unreadable(line=line, value=text, reason=why) for line, text, why in bad if text and text.strip())
        lines = table.column(0).combine_chunks()
        yield Chunk(
            table=table.remove_column(0).rename_columns([names[0] for names in spellings]),
            lines=lines,
            unreadable=chunk.unreadable + unreadable,
            share=chunk.share,
        )


def _cell(names: tuple[str, ...]) -> Expression:
    return CoalesceOperator(*map(_member, names)) if len(names) > 1 else _member(names[0])


def _reason(spellings: list[tuple[str, ...]]) -> Expression:
    """Why a record is no row, null where it is one: a key in two spellings may have only one value."""
    reason = CaseExpression(ColumnExpression("record").isnull(), ConstantExpression(_NO_OBJECT))
    for names in (each for each in spellings if len(each) > 1):
        values = FunctionExpression("list_unique", FunctionExpression("list_value", *map(_member, names)))
        reason = reason.when(values > 1, ConstantExpression(_TWO_VALUES.format(" and ".join(map(repr, names)))))
    return reason


def _member(key: str) -> Expression:
    return FunctionExpression("json_extract_string", ColumnExpression("record"), ConstantExpression(_pointer(key)))


def _pointer(key: str) -> str:
    """The JSON pointer of a key at the top of an object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
