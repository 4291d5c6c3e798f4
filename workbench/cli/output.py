"""How commands print: a table that fits the terminal for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def rows(found: Sequence[Mapping[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Prints records; `nothing` is what a person reads where there are none."""
    if as_json:
        click.echo(json.dumps(list(found), default=str, ensure_ascii=False, indent=2))
    elif not found:
        click.echo(nothing)
    else:
        _table(found)


def _table(found: Sequence[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for key in found[0]:
        numeric = all(isinstance(row[key], int | float) or row[key] is None for row in found)
        table.add_column(key.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in found:
        table.add_row(*("–" if value is None else str(value) for value in row.values()))
    console = Console()
    console.print(table) if console.is_terminal else Console(width=80).print(table)
