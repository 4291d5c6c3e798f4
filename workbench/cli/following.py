"""A run as it goes: what it says on standard output, how far it is on the error stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from workbench.cli.context import Workbench
    from workbench.runs import LogLine, Run


def say_queued(workbench: Workbench, run_id: str) -> None:
    """Says that the run waits, how it can be followed, and where nobody is there to execute it."""
    from workbench import backlog, runs

    short = runs.beginnings(workbench.catalog, [run_id])[run_id]
    click.echo(f"Run {run_id} waits. Follow it: workbench runs log {short} --follow")
    if not backlog.read(workbench.catalog, workbench.settings).workers:
        click.echo("No worker is there to execute it: start one with `workbench worker`, or `workbench up`.", err=True)


class Follower:
    """Prints what `runs.follow` yields. Progress is for a person who looks on: it is one line, which goes when the run ends."""

    def __init__(self, *, attempt: int) -> None:
        self._attempt = attempt
        self._progress = ""
        self._within_line = False
        self._run: Run | None = None

    def tell(self, news: LogLine | Run) -> None:
        from workbench.runs import LogLine

        self._show_progress("")
        if isinstance(news, LogLine):
            self._print(news)
        else:
            self._run = news
        if self._run is not None:
            self._show_progress(_progress(self._run))

    def end(self) -> int:
        """Says how the run ended; returns the exit status."""
        from workbench.errors import RunFailed

        assert self._run is not None, "a run that is followed is told of at least once"
        self._show_progress("")
        self._end_line()
        error = f": {self._run.error_message}" if self._run.error_message else ""
        click.echo(f"Run {self._run.id} {self._run.status.replace('_', ' ')}{error}", err=True)
        return 0 if self._run.status == "succeeded" else RunFailed.exit_status

    def _print(self, line: LogLine) -> None:
        if line.attempt != self._attempt:
            self._attempt = line.attempt
            self._end_line()
            click.echo(f"── attempt {line.attempt} ──")
        if line.stream == "run":
            self._end_line()
            click.echo(f"── {_for_a_terminal(line.text)}")
            return
        click.echo(_for_a_terminal(line.text), nl=False)
        self._within_line = not line.text.endswith("\n")

    def _end_line(self) -> None:
        if self._within_line:
            click.echo()
            self._within_line = False

    def _show_progress(self, text: str) -> None:
        # Not into a line that a cell has begun.
        if text == self._progress or self._within_line or not sys.stderr.isatty():
            return
        sys.stdout.flush()
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
        self._progress = text


def _progress(run: Run) -> str:
    if run.status == "queued":
        return "waiting for a worker …"
    if run.status != "running":
        return ""
    if not run.cells_total:
        return "starting …"
    # Cells are numbered as in the notebook, and those of text are not executed.
    ended = run.cells[-1]["cell"] if run.cells else 0
    return f"cell {min(ended + 1, run.cells_total)} of {run.cells_total}"


def _for_a_terminal(text: str) -> str:
    """A notebook's words are not for the terminal to obey; a file gets them as they are."""
    from workbench.cli import layout

    return layout.shown(text) if sys.stdout.isatty() else text
