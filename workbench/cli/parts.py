"""What the commands that `workbench up` keeps running have in common."""

from __future__ import annotations

import click

ends_with_input = click.option(
    "--end-with-input",
    is_flag=True,
    help="Stop, as after SIGTERM, when the standard input ends: for who starts this and may be killed.",
)


def metrics_at(address: str | None) -> str:
    return f"metrics at {address}" if address else "no metrics"
