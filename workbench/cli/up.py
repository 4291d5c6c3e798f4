from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from workbench.cli.parts import with_concurrency

if TYPE_CHECKING:
    from workbench.cli.context import Workbench
    from workbench.supervision import Part


@click.command()
@with_concurrency
def command(concurrency: int) -> None:
    """Run everything in this terminal: the database, the scheduler and a worker, each started again when it dies.

    Ctrl-C, or SIGTERM, stops all of it in order: the worker finishes its runs first. A second one does not wait for them: they
    are handed back to the queue, and are executed when the workbench is up again.
    """
    from workbench.cli.context import opened
    from workbench.supervision import Supervisor

    parts = _parts(concurrency)
    with opened() as workbench:
        width = max(len(part.name) for part in parts)
        Supervisor(
            parts,
            say=lambda name, line: click.echo(f"{name:{width}} │ {line}"),
            ready=lambda said: _print_block(workbench, said),
        ).run()
    click.echo("Everything has stopped.")


def _parts(concurrency: int) -> list[Part]:
    """In the order in which they are stopped."""
    from workbench.supervision import Part

    return [
        Part(name="scheduler", arguments=["scheduler", "--end-with-input"]),
        Part(name="worker", arguments=["worker", "--concurrency", str(concurrency), "--end-with-input"]),
    ]


def _print_block(workbench: Workbench, said: Mapping[str, str]) -> None:
    from workbench.cli.output import fields, nearby

    embedded = workbench.catalog.embedded is not None
    click.echo("\nThe workbench is up.\n")
    database = "the embedded PostgreSQL, as long as this runs" if embedded else "the PostgreSQL at WORKBENCH_DATABASE_URL"
    fields({"database": database, **said, "log": nearby(workbench.settings.var / "workbench.log")})
    click.echo("\nNext: workbench report run NAME --tenant ID --queue · workbench runs list · Ctrl-C stops everything\n")
    sys.stdout.flush()
