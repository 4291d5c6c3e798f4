"""How commands print: a table that fits the terminal for people, JSON for programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def rows(found: Sequence[Mapping[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Prints records, their last field in as many lines as it needs; `nothing` is what a person reads where there are none."""
    if as_json:
        json_rows(found)
    elif not found:
        click.echo(nothing)
    else:
        table(list(found[0]), [list(row.values()) for row in found], prose=True)


def table(names: Sequence[str], found: Sequence[Sequence[Any]], *, prose: bool = False) -> None:
    """Prints rows for a person, as `layout.lines` has them, in the terminal's width; 80 characters where there is no terminal."""
    from workbench.cli import layout

    write(f"{line}\n" for line in layout.lines(names, found, width=_width(), prose=prose))


def fields(found: Mapping[str, Any]) -> None:
    """Prints the fields of one thing for a person, one below the other."""
    from workbench.cli import layout

    write(f"{line}\n" for line in layout.block(list(found), list(found.values()), width=_width()))


def json_object(found: Mapping[str, Any]) -> None:
    """Prints one JSON object, one field a line."""
    from workbench.cli import layout

    lines = ",\n".join(f"  {layout.as_json(name)}: {layout.as_json(value)}" for name, value in found.items())
    write([f"{{\n{lines}\n}}\n"])


def json_rows(found: Iterable[Mapping[str, Any]]) -> None:
    """Prints a JSON array, one object a line."""
    from workbench.cli import layout

    def parts() -> Iterator[str]:
        between = "[\n"
        for row in found:
            yield f"{between} {layout.as_json(row)}"
            between = ",\n"
        yield "[]\n" if between == "[\n" else "\n]\n"

    write(parts())


def write(parts: Iterable[str]) -> None:
    """Prints the parts as they come."""
    with to_reader():
        sys.stdout.writelines(parts)


@contextlib.contextmanager
def to_reader() -> Iterator[None]:
    """Around what writes to standard output: a reader that has seen enough, as `head` has, is no failure and ends the writing."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wrapped(text: str) -> str:
    """The text in lines that fit the terminal, broken between words."""
    return textwrap.fill(text, _width(), break_long_words=False, break_on_hyphens=False)


def nearby(path: Path) -> str:
    """The path as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len)


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns
