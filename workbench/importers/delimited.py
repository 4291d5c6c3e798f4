"""CSV and TSV, and any stream that has their form, read in chunks with the line of every row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from workbench.errors import InvalidSource
from workbench.importers.mapping import SourceOptions
from workbench.importers.sources import CHUNK_ROWS, Chunk, Source, Unreadable, column_names
from workbench.importers.text import MAX_LINE_BYTES, examine

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE_CHARACTERS = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the rows of a stream are written.

    `skip_lines` lines stand before the first row (or the header), `header_lines` lines are the header's. `quotes` is false
    where cells are never quoted. Without `by_line` a row's number is told instead of its line.
    """

    columns: tuple[str, ...]
    delimiter: str
    encoding: str = "utf-8"
    skip_lines: int = 0
    header_lines: int = 0
    quotes: bool = True
    by_line: bool = True


def open_delimited(path: Path, options: SourceOptions, delimiter: str | None) -> Source:
    """A CSV or TSV file as a source. Raises InvalidSource where it is not text, empty, or not a table."""
    text = examine(path, options.encoding)
    with path.open("r", encoding=_with_mark_removed(text.encoding), errors="replace", newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
    lines = sample.splitlines(keepends=True)[max(0, options.header - 1) :]
    if not any(line.strip() for line in lines):
        raise InvalidSource(f"{path} has no header on line {options.header}; there is nothing to import.")
    try:
        layout = _layout(lines, options, options.delimiter or delimiter or _delimiter(lines[:200]), text.encoding)
    except csv.Error as error:
        raise InvalidSource(f"{path}: line {max(1, options.header)} cannot be read as a header: {error}.") from None
    return Source(
        name=str(path),
        described=f"{layout.encoding} text, cells divided by {_DELIMITERS.get(layout.delimiter, repr(layout.delimiter))}",
        columns=layout.columns,
        chunks=lambda: _file_chunks(path, layout, odd_quotes=text.quotes % 2 == 1),
    )


def read(stream: IO[bytes], layout: Layout, name: str, share: Callable[[], float | None] = lambda: None) -> Iterator[Chunk]:
    """The chunks of a stream. Raises InvalidSource where it cannot be read on."""
    numbering = _Numbering(layout)
    try:
        reader = _reader(stream, layout, numbering)
        for table in _gathered(reader):
            lines, unreadable = numbering.place(table)
            yield _without_blank_rows(table, lines, unreadable, share())
        _, unreadable = numbering.place(None)
        if unreadable:
            yield Chunk(
                table=table_without_rows(layout.columns), lines=pa.array([], pa.int64()), unreadable=unreadable, share=1.0
            )
    except (pa.ArrowInvalid, UnicodeError) as error:
        if "Empty CSV file" in str(error):
            return  # a header, or a query, without rows
        raise InvalidSource(_explained(name, error, layout, numbering.line)) from None


def table_without_rows(columns: tuple[str, ...]) -> pa.Table:
    return pa.schema([(column, pa.string()) for column in columns]).empty_table()


def _file_chunks(path: Path, layout: Layout, *, odd_quotes: bool) -> Iterator[Chunk]:
    size = path.stat().st_size or 1
    with path.open("rb") as stream:
        last: Chunk | None = None
        for chunk in read(stream, layout, str(path), lambda: min(1.0, stream.tell() / size)):
            if last:
                yield last
            last = chunk
        if last and odd_quotes:
            _refuse_open_quote(path, last)
        if last:
            yield last


def _refuse_open_quote(path: Path, last: Chunk) -> None:
    """A quote that is never closed swallows the rest of the file into one cell, which must not pass for a row."""
    row = int(last.lines[-1].as_py()) if last.table.num_rows else 0
    cells = [cell for column in last.table.columns if row and (cell := column[-1].as_py()) is not None]
    refused = last.unreadable[-1] if last.unreadable else None
    if refused and refused.line > row:
        row, is_open = refused.line, refused.value.count('"') % 2 == 1
    else:
        is_open = bool(cells) and "\n" in cells[-1]
    if is_open:
        raise InvalidSource(f"{path}: a quote opened on line {row} is never closed.")


def _layout(lines: list[str], options: SourceOptions, delimiter: str, encoding: str) -> Layout:
    reader = csv.reader(lines, delimiter=delimiter)
    first = next(reader)
    columns = column_names(first if options.header else [None] * len(first))
    return Layout(
        columns=columns,
        delimiter=delimiter,
        encoding=encoding,
        skip_lines=max(0, options.header - 1),
        header_lines=reader.line_num if options.header else 0,
    )


def _with_mark_removed(encoding: str) -> str:
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _delimiter(lines: list[str]) -> str:
    """The delimiter that cuts most of these lines into the same number of cells, and into most cells."""

    def fit(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader((line[:10_000] for line in lines), delimiter=delimiter) if row)
        width, rows = widths.most_common(1)[0] if widths else (0, 0)
        return (rows, width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=fit)


@dataclass(slots=True)
class _Numbering:
    """Gives every row its line: rows that could not be read and line ends inside of cells count too."""

    layout: Layout
    _refused: list[tuple[int, str, str]] = field(default_factory=list)
    _row: int = 1
    _extra_lines: int = 0

    def __post_init__(self) -> None:
        self._row += self.layout.skip_lines + (1 if self.layout.header_lines else 0)
        self._extra_lines = max(0, self.layout.header_lines - 1)

    @property
    def line(self) -> int:
        return self._row + self._extra_lines

    def refuse(self, row: Any) -> str:
        reason = f"has {row.actual_columns} cells, the header has {row.expected_columns}"
        self._refused.append((int(row.number), str(row.text), reason))
        return "skip"

    def place(self, table: pa.Table | None) -> tuple[pa.Array, tuple[Unreadable, ...]]:
        """Lines of the next rows, and the rows refused among them; without a table, all that is left."""
        count = table.num_rows if table is not None else 0
        refused = self._refused_among(count if table is not None else None)
        numbers = np.arange(self._row, self._row + count + len(refused), dtype=np.int64)
        is_refused = np.isin(numbers, [number for number, _, _ in refused])
        breaks = np.zeros(len(numbers), dtype=np.int64)
        if table is not None and self.layout.quotes and self.layout.by_line:
            breaks[~is_refused] = _line_breaks(table)
        breaks[is_refused] = [text.count("\n") for _, text, _ in refused]
        before = np.cumsum(breaks) - breaks
        lines = numbers + before + self._extra_lines
        self._row += len(numbers)
        self._extra_lines += int(breaks.sum())
        told = zip(lines[is_refused].tolist(), refused, strict=True)
        return pa.array(lines[~is_refused]), tuple(Unreadable(line=line, value=text, reason=why) for line, (_, text, why) in told)

    def _refused_among(self, count: int | None) -> list[tuple[int, str, str]]:
        """The refused rows that stand among the next `count` good ones (None: all of them), taken off the list."""
        self._refused.sort()
        taken = len(self._refused)
        if count is not None:
            end, taken = self._row + count, 0
            while taken < len(self._refused) and self._refused[taken][0] < end:
                end, taken = end + 1, taken + 1
        refused, self._refused = self._refused[:taken], self._refused[taken:]
        return refused


def _line_breaks(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Line ends inside the cells of each row."""
    breaks = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        found = pc.fill_null(pc.count_substring(column, "\n"), 0)
        if pc.max(found).as_py():
            breaks += found.to_numpy()
    return breaks


def _reader(stream: IO[bytes], layout: Layout, numbering: _Numbering) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(
            column_names=list(layout.columns),
            skip_rows=layout.skip_lines,
            skip_rows_after_names=1 if layout.header_lines else 0,
            block_size=MAX_LINE_BYTES,
            encoding=layout.encoding,
            use_threads=False,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char='"' if layout.quotes else False,
            newlines_in_values=layout.quotes,
            ignore_empty_lines=False,
            invalid_row_handler=numbering.refuse,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={column: pa.string() for column in layout.columns},
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _gathered(reader: pacsv.CSVStreamingReader) -> Iterator[pa.Table]:
    """The reader's batches, cut and joined to tables of CHUNK_ROWS rows."""
    table: pa.Table | None = None
    for batch in reader:
        piece = pa.Table.from_batches([batch])
        table = pa.concat_tables([table, piece]) if table is not None else piece
        while table.num_rows >= CHUNK_ROWS:
            yield table.slice(0, CHUNK_ROWS).combine_chunks()
            table = table.slice(CHUNK_ROWS)
    if table is not None and table.num_rows:
        yield table.combine_chunks()


def _without_blank_rows(table: pa.Table, lines: pa.Array, unreadable: tuple[Unreadable, ...], share: float | None) -> Chunk:
    blank = pc.is_null(table.column(0))
    for column in table.columns[1:]:
        if not pc.any(blank).as_py():
            return Chunk(table=table, lines=lines, unreadable=unreadable, share=share)
        blank = pc.and_(blank, pc.is_null(column))
    kept = pc.invert(blank).combine_chunks()
    return Chunk(table=table.filter(kept), lines=lines.filter(kept), unreadable=unreadable, share=share)


def _explained(name: str, error: Exception, layout: Layout, line: int) -> str:
    if "straddling" in str(error):
        return (
            f"{name}: a row at or after line {line} is longer than {MAX_LINE_BYTES // 1024**2} MB, the most a row may have. "
            "Is there a quote that is never closed?"
        )
    if isinstance(error, UnicodeError) or "UTF8" in str(error):
        return f"{name} is not {layout.encoding} text: {error}. Say what it is under `source: {{encoding: …}}` in the mapping."
    return f"{name} cannot be read as a table: {error}"
