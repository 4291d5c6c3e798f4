"""What the commands that `workbench up` keeps running have in common."""

from __future__ import annotations

import os

import click

ends_with_input = click.option(
    "--end-with-input",
    is_flag=True,
    help="Stop, as after SIGTERM, when the standard input ends: for who starts this and may be killed.",
)


with_concurrency = click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=64),
    default=os.cpu_count() or 1,
    show_default="as many as there are processors",
    help="How many runs the worker executes at a time.",
)


def metrics_at(address: str | None) -> str:
    return f"metrics at {address}" if address else "no metrics"
