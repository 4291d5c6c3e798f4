"""Rows as lines for a person: a table where all columns fit, and otherwise one block per row."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

#: What stands where there is no value.
NOTHING = "–"
_GAP = "  "
#: A last column narrower than this is no pleasure to read; blocks are.
_NARROWEST_PROSE = 30
#: What a terminal would obey instead of show: control characters, and those that turn the direction of writing.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def lines(names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int, prose: bool = False) -> Iterator[str]:
    """The rows under their names in lines of at most `width` characters, as far as no value is longer.

    `prose` says that the last column is meant for reading and may be broken between words; a single word never is.
    """
    texts = [[shown(value) for value in row] for row in rows]
    heads = [visible(name) for name in names]
    widths = [max(map(_width, column)) for column in zip(heads, *texts, strict=True)]
    rest = width - sum(each + len(_GAP) for each in widths[:-1])
    if prose and widths[-1] > rest >= _NARROWEST_PROSE:
        widths[-1] = rest
    if widths[-1] > rest or any("\n" in text for row in texts for text in row):
        return _blocks(heads, texts, width if prose else None)
    return _table(heads, texts, widths, [_numeric(column) for column in zip(*rows, strict=True)])


def block(names: Sequence[str], values: Sequence[Any], *, width: int) -> Iterator[str]:
    """One row as a line for each of its values, broken between words where it is longer than `width`."""
    return _blocks([visible(name) for name in names], [[shown(value) for value in values]], width)


def shown(value: Any) -> str:
    """The value as a person sees it. Lines stay lines; whatever else a terminal would obey is written as its escape."""
    return "\n".join(map(visible, text(value).split("\n"))) if value is not None else NOTHING


def visible(given: str) -> str:
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), given)


def text(value: Any) -> str:
    """A value that is not null as text: SQL's words for yes and no, nested values as JSON, bytes as far as they are text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return as_json(value) if isinstance(value, dict | list | tuple) else str(value)


def as_json(value: Any) -> str:
    """The value in one line of JSON, fit for a terminal too."""
    found = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    return _OBEYED.sub(lambda control: f"\\u{ord(control[0]):04x}", found)


def _plain(value: Any) -> Any:
    """What JSON can hold of a value: decimals are numbers, a number that is none is null, times are ISO 8601."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else text(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else text(value)


def _number(value: float | Decimal) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else float(value)


def _numeric(column: Sequence[Any]) -> bool:
    values = [value for value in column if value is not None]
    return bool(values) and all(isinstance(each, int | float | Decimal) and not isinstance(each, bool) for each in values)


def _width(value: str) -> int:
    return max(map(cell_len, value.split("\n")))


def _table(heads: Sequence[str], texts: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    sides = numeric or [False] * len(heads)
    yield _line(heads, widths, sides)
    yield _GAP.join("─" * width for width in widths)
    for row in texts:
        *others, last = row
        first, *more = _wrapped(last, widths[-1])
        yield _line([*others, first], widths, sides)
        yield from (_line([*("" for _ in others), each], widths, sides) for each in more)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, to_the_right in zip(cells, widths, right, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if to_the_right else cell + space)
    return _GAP.join(padded).rstrip()


def _blocks(heads: Sequence[str], texts: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """Values are broken between words where there is a `width` to keep to, and otherwise only at their own line ends."""
    indent = max(map(cell_len, heads)) + len(_GAP)
    for number, row in enumerate(texts):
        if number:
            yield ""
        for head, value in zip(heads, row, strict=True):
            first, *more = [part for line in value.split("\n") for part in (_wrapped(line, width - indent) if width else [line])]
            yield f"{head}{' ' * (indent - cell_len(head))}{first}".rstrip()
            yield from (f"{' ' * indent}{each}".rstrip() for each in more)


def _wrapped(value: str, width: int) -> list[str]:
    """Whole words per line, so that a path can be copied; a value that fits is left exactly as it is."""
    if cell_len(value) <= width:
        return [value]
    return textwrap.wrap(value, max(width, 1), break_long_words=False, break_on_hyphens=False) or [value]
