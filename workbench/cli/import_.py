from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from workbench.importers import DatabaseQuery, Mapping, Progress, Source, Summary

SOME_REJECTED = 5
INTERRUPTED = 130


@click.command("import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--source", "url", metavar="URL", help="A PostgreSQL to read from instead of a file, as postgresql://user@host/database."
)
@click.option("--query", metavar="SQL", help="What to read from --source.")
@click.option("--tenant", "tenant_id", metavar="ID", help="Whose events they become. Not needed with --suggest.")
@click.option(
    "--mapping", "mapping_file", type=click.Path(path_type=Path), help="Which rows become which events (docs/mapping.md)."
)
@click.option(
    "--suggest",
    is_flag=True,
    help="Print a mapping guessed from the columns, and import nothing. Of a --mapping, its `source` is heeded.",
)
@click.option("--dry-run", is_flag=True, help="Check and convert everything, show the first events, and write nothing.")
@click.option(
    "--rejects", type=click.Path(path_type=Path), help="Where refused rows are listed. [default: NAME.rejects.csv here]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    file: Path | None,
    url: str | None,
    query: str | None,
    tenant_id: str | None,
    mapping_file: Path | None,
    suggest: bool,
    dry_run: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Turn the rows of FILE (CSV, TSV, JSON, NDJSON, Parquet or XLSX), or of a PostgreSQL query, into events.

    Importing the same rows again adds nothing, so an import that was interrupted or that rejected rows can simply be run again.

    Exit status 5: everything else was imported, but some rows were rejected; the rejects file has line, column, value and reason.
    """
    from workbench import importers

    what = _what(file, url, query)
    if suggest:
        click.echo(importers.suggested(what, mapping_file), nl=False)
        return
    if tenant_id is None or mapping_file is None:
        raise click.UsageError("An import needs --tenant and --mapping; --suggest prints a mapping to start from.")
    rejects_path = None if dry_run else rejects or Path(f"{file.stem if file else 'query'}.rejects.csv")
    summary = _import(what, mapping_file, tenant_id, rejects_path, dry_run=dry_run)
    _print_json(summary, dry_run) if as_json else _print(summary, dry_run)
    if summary.interrupted or summary.rejected_rows:
        sys.exit(INTERRUPTED if summary.interrupted else SOME_REJECTED)


def _what(file: Path | None, url: str | None, query: str | None) -> Path | DatabaseQuery:
    from workbench.importers import DatabaseQuery

    if file and not (url or query):
        return file
    if url and query and not file:
        return DatabaseQuery(url=url, query=query)
    raise click.UsageError("Say what to import: a FILE, or --source together with --query.")


def _import(what: Path | DatabaseQuery, mapping_file: Path, tenant_id: str, rejects: Path | None, *, dry_run: bool) -> Summary:
    from workbench import importers
    from workbench.capture import capture_into
    from workbench.cli.context import opened

    source, mapping = importers.opened(what, mapping_file)
    with opened() as workbench:
        tenant = workbench.tenant(tenant_id)
        for note in mapping.notes():
            click.echo(f"Note: {mapping_file}: {note}", err=True)
        if dry_run:
            return _run(source, mapping, tenant.timezone, importers.Rehearsal(), None)
        lake = workbench.lake(tenant)
        with lake.writer() as connection:
            summary = _run(source, mapping, tenant.timezone, lambda batch: capture_into(connection, lake, batch), rejects)
            return _with_order_warnings(summary, mapping, connection)


def _run(source: Source, mapping: Mapping, timezone: str, sink: Any, rejects: Path | None) -> Summary:
    from workbench import importers

    with _stoppable() as stop, _progress() as progress:
        return importers.run(source, mapping, timezone, sink, progress=progress, rejects_path=rejects, stop=stop)


def _with_order_warnings(summary: Summary, mapping: Mapping, connection: Any) -> Summary:
    from dataclasses import replace

    from workbench import importers

    if not any(event.type.startswith("lead.") for event in mapping.events):
        return summary
    return replace(summary, warnings=summary.warnings | importers.order_warnings(connection))


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Ctrl-C lets the batch under way be finished; a second one does not wait for it."""
    import pyarrow as pa

    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and callable(earlier):
            earlier(number, frame)
        asked = True
        click.echo("\nStopping after this batch; Ctrl-C again to stop at once.", err=True)

    # Arrow would otherwise end its reading, and with it the import, at the first Ctrl-C.
    pa.enable_signal_handlers(False)
    earlier = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, earlier)
        pa.enable_signal_handlers(True)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A bar with rows and rate where someone looks on; nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=24), TextColumn("{task.fields[rows]:,} rows  {task.fields[rate]:,.0f}/s"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        started, task = time.monotonic(), bar.add_task("import", total=None, rows=0, rate=0.0)

        def show(progress: Progress) -> None:
            rate = progress.rows / max(time.monotonic() - started, 0.001)
            total = None if progress.share is None else 1.0
            bar.update(task, total=total, completed=progress.share or 0, rows=progress.rows, rate=rate)

        yield show


def _print_json(summary: Summary, dry_run: bool) -> None:
    import json
    from dataclasses import asdict

    click.echo(json.dumps(asdict(summary) | {"dry_run": dry_run}, default=str, ensure_ascii=False, indent=2))


def _print(summary: Summary, dry_run: bool) -> None:
    if dry_run:
        for event in summary.first_events:
            who = f" by {event['user_id']}" if event["user_id"] else ""
            click.echo(f"{event['event_type']}  {event['created_at']:%Y-%m-%d %H:%M:%S} UTC{who}\n  {event['event_data']}")
    for message, count in summary.warnings.items():
        click.echo(f"Warning: {count:,} × {message}.", err=True)
    for told in dict.fromkeys(map(_told, summary.first_problems)):
        click.echo(f"Rejected: {told}.", err=True)
    click.echo(_headline(summary, dry_run))
    if summary.rejects:
        click.echo(f"What was rejected, and why: {summary.rejects}", err=True)
    if summary.interrupted:
        click.echo("Interrupted. What is in stays; run the same import again for the rest.", err=True)


def _told(problem: dict[str, Any]) -> str:
    where = f"line {problem['line']}" + (f", {problem['column']}" if problem["column"] else "")
    value = f" {problem['value']!r}" if problem["value"] is not None else ""
    return f"{where}:{value} {problem['reason']}"


def _headline(summary: Summary, dry_run: bool) -> str:
    rejected = f"{summary.rejected_rows:,} rejected"
    if dry_run:
        repeated = f"{summary.duplicates:,} with an id that came before, " if summary.duplicates else ""
        return f"{summary.rows:,} rows would give {summary.accepted:,} events, {repeated}{rejected}. Nothing was written."
    return (
        f"{summary.rows:,} rows, {summary.accepted:,} new events, {summary.duplicates:,} already there, {rejected}, "
        f"in {summary.seconds:.1f} s."
    )
