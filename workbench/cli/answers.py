"""The answer to one SELECT over a lake, in the form that was asked for."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import click
import duckdb

from workbench import selects
from workbench.cli import layout, output
from workbench.errors import BrokenInstallation, InvalidQuery

if TYPE_CHECKING:
    import pyarrow as pa

#: As many rows as a person looks at.
SHOWN_ROWS = 100
_BATCH = 10_000
#: Types that DuckDB hands to neither Python nor Arrow without a loss; its own text has none.
_AS_TEXT = re.compile(r"\b(INTERVAL|UNION|BIT|BIGNUM|TIME WITH TIME ZONE|VARIANT|GEOMETRY)\b")

_NESTED = {"array", "list", "map", "struct"}
#: What makes a field of CSV stand in quotes.
_QUOTED = re.compile('[",\r\n]')


def print_answer(connection: duckdb.DuckDBPyConnection, query: str, form: str) -> None:
    """Prints the answer to `query` as one of FORMS.

    Raises InvalidQuery with the database's own words, BrokenInstallation where a file of the lake cannot be read.
    """
    with _told():
        FORMS[form](_asked(connection, query))


def _asked(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    """The question as a relation: every column has a name of its own, and a type that all forms can hold."""
    found = connection.sql(selects.checked(connection, query))
    return _with_text(found, distinct(found.columns), [bool(_AS_TEXT.search(str(kind))) for kind in found.types])


def _with_text(found: duckdb.DuckDBPyRelation, names: Sequence[str], as_text: Sequence[bool]) -> duckdb.DuckDBPyRelation:
    """The relation under these names, with the columns that are to be `as_text` in DuckDB's own."""
    columns = (duckdb.SQLExpression(f"#{place}") for place in range(1, len(names) + 1))
    return found.select(
        *(
            (column.cast("VARCHAR") if text else column).alias(name)
            for column, name, text in zip(columns, names, as_text, strict=True)
        )
    )


def distinct(names: Sequence[str]) -> list[str]:
    """The names, those that came before with _1, _2 … behind them; capitals make no difference to DuckDB."""
    free = {name.lower() for name in names}
    seen: set[str] = set()
    found = []
    for name in names:
        own, number = name, 0
        while own.lower() in seen or (number and own.lower() in free):
            number += 1
            own = f"{name}_{number}"
        seen.add(own.lower())
        found.append(own)
    return found


def _print_table(answer: duckdb.DuckDBPyRelation) -> None:
    first = answer.limit(SHOWN_ROWS + 1).fetchall()
    if not first:
        click.echo("No rows.")
        return
    output.table(answer.columns, first[:SHOWN_ROWS])
    if len(first) > SHOWN_ROWS:
        click.echo(f"{len(answer) - SHOWN_ROWS:,} more rows; --format csv has them all.", err=True)


def _print_csv(answer: duckdb.DuckDBPyRelation) -> None:
    """Text is made by DuckDB, which is three times as fast as Python; only nested values are made JSON here."""
    names = answer.columns
    texts = _with_text(answer, names, [kind.id not in _NESTED for kind in answer.types])
    lines = chain([names], _rows(texts))
    output.write(",".join(map(_csv, line)) + "\n" for line in lines)


def _print_json(answer: duckdb.DuckDBPyRelation) -> None:
    names = answer.columns
    output.json_rows(dict(zip(names, row, strict=True)) for row in _rows(answer))


def _print_parquet(answer: duckdb.DuckDBPyRelation) -> None:
    """The exact types, but for whole numbers of 128 bits: those that fit 64 are such, as every program reads them."""
    import pyarrow.parquet as pq

    if sys.stdout.isatty():
        raise click.ClickException("Parquet is not for reading on a screen; send it to a file with > FILE.")
    found = answer.to_arrow_table()
    for place, kind in enumerate(answer.types):
        if kind == "HUGEINT":
            found = found.set_column(place, found.column_names[place], _narrowed(found.column(place)))
    with output.to_reader():
        pq.write_table(found, sys.stdout.buffer)


#: How an answer can be printed.
FORMS: Mapping[str, Callable[[duckdb.DuckDBPyRelation], None]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
    "parquet": _print_parquet,
}


def _rows(answer: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    """All rows, once all of them are known: an answer that fails half-way prints nothing."""
    answer.execute()
    return chain.from_iterable(iter(lambda: answer.fetchmany(_BATCH), []))


def _csv(value: Any) -> str:
    """A field of RFC 4180: null is empty, and an empty text is not."""
    if value is None:
        return ""
    text = layout.text(value)
    return '"' + text.replace('"', '""') + '"' if not text or _QUOTED.search(text) else text


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    with contextlib.suppress(pa.ArrowInvalid):
        return column.cast(pa.int64())
    return column


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        raise BrokenInstallation(f"{str(error).strip()}\n`workbench doctor` says what the lake lacks.") from None
    except duckdb.Error as error:
        raise InvalidQuery(str(error).strip()) from None
    except RuntimeError as error:
        # DuckDB's words for Ctrl-C, which it takes for itself while it works.
        raise (KeyboardInterrupt if str(error) == "Query interrupted" else error) from None
