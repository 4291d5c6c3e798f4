from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.output import as_json, fields, json_object, json_rows, nearby, rows, table

if TYPE_CHECKING:
    from workbench.cli.context import Workbench
    from workbench.retention import Pruned
    from workbench.runs import Run

_STATES = ("queued", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped")


@click.group()
def command() -> None:
    """List, explain, follow, cancel and retry runs; find those that are missing.

    Where a command takes the ID of a run, the beginning of one will do.
    """


@command.command(name="list")
@click.option("--status", type=click.Choice(_STATES), help="Only runs in this state.")
@click.option("--tenant", "tenant_id", metavar="ID", help="Only this tenant's; otherwise those of all.")
@click.option("--report", metavar="NAME", help="Only runs of this report.")
@click.option("--schedule", metavar="NAME", help="Only runs that this schedule asked for.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest ones.")
@as_json
def list_(status: str | None, tenant_id: str | None, report: str | None, schedule: str | None, limit: int, as_json: bool) -> None:
    """List runs, the newest first. An id is shown as far as it takes to tell it from all others."""
    from workbench import runs
    from workbench.cli.context import opened

    with opened() as workbench:
        if tenant_id is not None:
            workbench.tenant(tenant_id)
        found = runs.listed(workbench.catalog, tenant_id, status=status, report=report, schedule=schedule, limit=limit)
        short = {} if as_json else runs.beginnings(workbench.catalog, [run.id for run in found])
    if as_json:
        json_rows(asdict(run) for run in found)
    else:
        rows([_line(run, short[run.id]) for run in found], as_json=False, nothing="No such runs.")


def _line(run: Run, short: str) -> dict[str, Any]:
    from workbench.cli.moments import took, when

    seconds = _seconds(run)
    return {
        "run": short,
        "tenant": run.tenant_id,
        "report": run.report,
        "status": run.status,
        "UTC": when(run.started_at or run.created_at, dt.datetime.now(dt.UTC)),
        "took": None if seconds is None else took(seconds),
    }


def _seconds(run: Run) -> float | None:
    """How long it ran, or has been running."""
    if run.started_at is None:
        return None
    return ((run.finished_at or dt.datetime.now(dt.UTC)) - run.started_at).total_seconds()


@command.command()
@click.argument("run_id", metavar="ID")
@as_json
def show(run_id: str, as_json: bool) -> None:
    """Show all that is recorded of the run ID: who asked, with what, how its attempts went, its cells, files and error."""
    from workbench.cli.context import opened

    with opened() as workbench:
        run = _run(workbench, run_id)
        files = _files(workbench, run)
    if as_json:
        json_object(asdict(run) | {"files": [str(file) for file in files]})
        return
    fields(_facts(run, files))
    _print_attempts(run)
    _print_cells(run)


def _run(workbench: Workbench, start: str) -> Run:
    from workbench import runs

    return runs.get(workbench.catalog, None, runs.identify(workbench.catalog, None, start))


def _files(workbench: Workbench, run: Run) -> list[Path]:
    """The run's artifacts, or the notebook that a failed one has left, as far as they are there."""
    from workbench import execution, folders

    published = folders.published(workbench.settings, run.tenant_id, run.report, run.id)
    left = folders.failed(workbench.settings, run.tenant_id, run.id) / execution.NOTEBOOK
    candidates = [*(published / name for name in run.artifacts), left]
    return [file for file in candidates if file.exists()]


def _facts(run: Run, files: list[Path]) -> dict[str, Any]:
    from workbench import backlog
    from workbench.cli.moments import took

    seconds = _seconds(run)
    of_schedule = f"{run.schedule}, {_at(run.logical_time)}" if run.logical_time else run.schedule
    found = {
        "run": run.id,
        "status": f"{run.status}, to be cancelled" if run.status == "running" and run.cancel_requested_at else run.status,
        "error": run.error_message,
        "report": run.report,
        "tenant": run.tenant_id,
        "asked by": f"{run.created_by}, {_at(run.created_at)}",
        "schedule": of_schedule,
        "parameters": "\n".join(f"{name} = {value}" for name, value in run.parameters.items()),
        "formats": ", ".join(run.formats),
        "due": f"{_at(run.due_at)}, as urgent as a {backlog.of_priority(run.priority)}" if run.status == "queued" else None,
        "started": _at(run.started_at),
        "finished": _at(run.finished_at),
        "took": None if seconds is None else took(seconds),
        "attempt": f"{run.attempt} of at most {max(run.attempt, run.retries + 1)}",
        "worker": run.worker,
        "rows read": None if run.rows_read is None else f"{run.rows_read:,}",
        "peak memory": None if run.peak_memory_mb is None else f"{run.peak_memory_mb:,.0f} MB",
        "notebook": run.notebook_hash,
        "kept for": _kept(run.keep),
        "packages": ", ".join(f"{name} {version}" for name, version in run.packages.items()),
        "files": "\n".join(nearby(file) for file in files),
    }
    return {name: value for name, value in found.items() if value}


def _kept(keep: Mapping[str, Any]) -> str:
    age, count = keep.get("age_days"), keep.get("count")
    limits = [f"{age:g} days" if age else "", f"the newest {count}" if count else ""]
    return ", ".join(limit for limit in limits if limit) or "as long as the tenant's setting says"


def _at(instant: dt.datetime | None) -> str | None:
    from workbench.cli.moments import exactly

    return exactly(instant) if instant else None


def _print_attempts(run: Run) -> None:
    if not run.attempts:
        return
    click.echo("\nEarlier attempts")
    names = ("attempt", "ended", "finished", "error")
    instants = [_at(dt.datetime.fromisoformat(each["finished_at"])) for each in run.attempts]
    found = [[each["attempt"], each["status"], at, each["error"]] for each, at in zip(run.attempts, instants, strict=True)]
    table(names, found, prose=True)


def _print_cells(run: Run) -> None:
    if not run.cells:
        return
    click.echo(f"\nCells that have ended, of {run.cells_total}")
    table(("cell", "seconds"), [[each["cell"], round(each["seconds"], 3)] for each in run.cells])


@command.command()
@click.argument("run_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Stay until the run has ended; exit status 3 where it did not succeed.")
def log(run_id: str, follow: bool) -> int:
    """Print what the cells of the run ID have printed, and what the workbench had to say about it."""
    from workbench import runs
    from workbench.cli.context import opened
    from workbench.cli.following import Follower

    with opened() as workbench:
        run = _run(workbench, run_id)
        follower = Follower(attempt=1)
        if follow:
            for news in runs.follow(workbench.catalog, run.tenant_id, run.id):
                follower.tell(news)
            return follower.end()
        for line in runs.log(workbench.catalog, run.tenant_id, run.id):
            follower.tell(line)
    return 0


@command.command()
@click.argument("run_id", metavar="ID")
def cancel(run_id: str) -> None:
    """Cancel the run ID: at once where it waits, within a second where it is running."""
    from workbench import runs
    from workbench.cli.context import opened

    with opened() as workbench:
        run = runs.cancel(workbench.catalog, None, runs.identify(workbench.catalog, None, run_id))
    told = "is cancelled" if run.status == "cancelled" else "will have ended in a second"
    click.echo(f"Run {run.id} {told}.")


@command.command()
@click.argument("run_id", metavar="ID")
def retry(run_id: str) -> None:
    """Queue the run ID once more, where it has failed, timed out, or was cancelled or skipped."""
    from workbench import runs
    from workbench.cli.context import opened
    from workbench.cli.following import say_queued

    with opened() as workbench:
        run = runs.retry(workbench.catalog, None, runs.identify(workbench.catalog, None, run_id))
        say_queued(workbench, run.id)


@command.command()
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How far to look back.")
@as_json
def missing(days: int, as_json: bool) -> None:
    """List the ticks of schedules that have no run which succeeded or may still do so, and why; oldest first.

    It needs no scheduler to run, or to have run. Times are local to the schedule and tenant.
    """
    from workbench import schedules
    from workbench.cli.context import opened

    now = dt.datetime.now(dt.UTC)
    with opened() as workbench:
        found = schedules.missing(workbench.catalog, workbench.settings, now - dt.timedelta(days=days), now)
    if as_json:
        json_rows(asdict(gap) for gap in found)
        return
    table = [
        {"schedule": gap.schedule, "tenant": gap.tenant_id, "tick": f"{gap.local:%Y-%m-%d %H:%M %Z}", "why": gap.reason}
        for gap in found
    ]
    rows(table, as_json=False, nothing=f"Nothing is missing in the last {days} days.")


@command.command()
@click.option("--dry-run", is_flag=True, help="Say what would go and why, and remove nothing.")
@as_json
def prune(dry_run: bool, as_json: bool) -> None:
    """Remove runs that need not be kept any longer, with their files: docs/operations.md says which.

    The latest success of each report and tenant always stays.
    """
    from workbench import retention
    from workbench.cli.context import opened

    with opened() as workbench:
        found = retention.prune(workbench.catalog, workbench.settings, dt.datetime.now(dt.UTC), dry_run=dry_run)
    if as_json:
        json_rows(asdict(each) for each in found)
        return
    if found and dry_run:
        rows([_prunable(each) for each in found], as_json=False, nothing="")
    click.echo(f"{len(found):,} {'run' if len(found) == 1 else 'runs'} {'would go' if dry_run else 'removed'}.")


def _prunable(pruned: Pruned) -> dict[str, Any]:
    day = f"{pruned.finished_at:%Y-%m-%d}" if pruned.finished_at else None
    return {"tenant": pruned.tenant_id, "report": pruned.report, "status": pruned.status, "finished": day, "why": pruned.reason}
