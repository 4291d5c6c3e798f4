from __future__ import annotations

import datetime as dt
import getpass
import json
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.output import as_json, json_rows, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.cli.context import Workbench
    from workbench.schedules.agenda import Standing, Upcoming
    from workbench.schedules.schedule import Schedule

#: Of the ticks to come, so many are shown to a person and to a program.
_MOST_LINES, _MOST_OBJECTS = 1000, 10_000

_of_tenant = click.option("--tenant", "tenant_id", metavar="ID", help="Only for this tenant.")


@click.group()
def command() -> None:
    """Check, list, pause and run schedules: those of schedules.yaml in the workbench's folder."""


@command.command()
@as_json
def check(as_json: bool) -> None:
    """Say what is wrong with schedules.yaml, and on which line, or what it comes to."""
    from workbench.cli.context import opened
    from workbench.schedules import agenda, ticks

    with opened() as workbench:
        found = agenda.standings(workbench.catalog, _schedules(workbench), _now())
    table = [
        {
            "schedule": each.schedule.name,
            "report": each.schedule.report,
            "tenants": len(each.tenant_ids),
            "when": f"{ticks.described(each.schedule.cron)}, {_place(each.schedule)}",
        }
        for each in found
    ]
    rows(table, as_json=as_json, nothing="schedules.yaml is fine; it has no schedules yet.")
    if not as_json and table:
        click.echo("\nschedules.yaml is fine.")
    for each in found:
        if not each.tenant_ids:
            click.echo(f"{each.schedule.name} is for no tenant there is yet (tenants: {each.schedule.tenants}).", err=True)


@command.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the schedules: when each ticks next, how its last tick ended, and whether it is on.

    Times are local to the tenants whose tick comes first.
    """
    from workbench.cli.context import opened
    from workbench.schedules import agenda

    with opened() as workbench:
        found = agenda.standings(workbench.catalog, _schedules(workbench), _now())
    if as_json:
        json_rows(map(_whole, found))
    else:
        rows([_short(each) for each in found], as_json=False, nothing="No schedules yet: schedules.yaml has none.")


@command.command(name="next")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How far to look.")
@as_json
def next_(days: int, as_json: bool) -> None:
    """List the ticks to come, in the time zone that each is in."""
    from workbench.cli.context import opened
    from workbench.schedules import agenda

    with opened() as workbench:
        found = agenda.upcoming(workbench.catalog, _schedules(workbench), _now(), days)
    shown = found[: _MOST_OBJECTS if as_json else _MOST_LINES]
    if as_json:
        json_rows({"schedule": each.schedule, **_when(each), "tenants": list(each.tenant_ids)} for each in shown)
    else:
        rows([_tick(each) for each in shown], as_json=False, nothing=f"No tick in the next {days} days.")
    if len(found) > len(shown):
        click.echo(f"and {len(found) - len(shown):,} more", err=as_json)


@command.command()
@click.argument("name")
@_of_tenant
@as_json
def run(name: str, tenant_id: str | None, as_json: bool) -> None:
    """Queue the schedule NAME now, before all that waits, as if it ticked now. Its own ticks come all the same."""
    from workbench import schedules
    from workbench.cli.context import opened

    with opened() as workbench:
        schedule = schedules.find(_schedules(workbench), name)
        queued = schedules.enqueue_now(workbench.catalog, workbench.settings, schedule, _now(), tenant_id=tenant_id, by=_person())
    rows([{"tenant": tenant, "run": run_id} for tenant, run_id in queued], as_json=as_json, nothing="")


@command.command()
@click.argument("name")
def pause(name: str) -> None:
    """Let the schedule NAME tick no more until it is resumed, also after a restart.

    What falls into the pause is not run later.
    """
    from workbench.cli.context import opened
    from workbench.schedules import state

    with opened() as workbench:
        _check_name(workbench, name)
        with workbench.catalog.everything() as connection:
            paused = state.pause(connection, name, _person(), _now())
    click.echo(f"Paused {name}; `workbench schedules resume {name}` ends that." if paused else f"{name} was paused already.")


@command.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let the schedule NAME tick again, from now on."""
    from workbench import schedules
    from workbench.cli.context import opened
    from workbench.schedules import state

    with opened() as workbench:
        _check_name(workbench, name)
        if schedule := _schedules(workbench).get(name):
            resumed = schedules.resume(workbench.catalog, workbench.settings, schedule, _now())
        else:
            with workbench.catalog.everything() as connection:
                resumed = state.resume(connection, name, _now())
    click.echo(f"Resumed {name}." if resumed else f"{name} was not paused.")


class _Day(click.ParamType[dt.date]):
    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        try:
            return dt.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
        except ValueError:
            self.fail(f"{value!r} must be a day like 2026-01-31.", param, ctx)


@command.command()
@click.argument("name")
@click.option("--from", "first", metavar="DAY", type=_Day(), required=True, help="First day, like 2026-01-01.")
@click.option("--to", "last", metavar="DAY", type=_Day(), required=True, help="Last day, up to its end or up to now.")
@_of_tenant
@click.option("--dry-run", is_flag=True, help="Only say what would be queued.")
@as_json
def backfill(name: str, first: dt.date, last: dt.date, tenant_id: str | None, dry_run: bool, as_json: bool) -> None:
    """Queue the past ticks of the schedule NAME that have no run yet, or were skipped, behind all that waits.

    Days are those of the time zone that the schedule ticks in. Each run gets the dates of its own tick.
    """
    from workbench import schedules
    from workbench.cli.context import opened

    with opened() as workbench:
        schedule = schedules.find(_schedules(workbench), name)
        filled = schedules.backfill(
            workbench.catalog,
            workbench.settings,
            schedule,
            first,
            last,
            _now(),
            tenant_id=tenant_id,
            by=_person(),
            dry_run=dry_run,
        )
    queued = "would be queued" if dry_run else "queued"
    table: list[dict[str, Any]] = [
        {
            "tenant": each.tenant_id,
            "tick": each.local.isoformat() if as_json else f"{each.local:%Y-%m-%d %H:%M}",
            "outcome": queued if each.run_id else "there already",
        }
        | ({"run": each.run_id} if as_json and not dry_run else {})
        for each in filled
    ]
    rows(table, as_json=as_json, nothing="No tick of the past falls into these days.")
    if not as_json and table:
        there = sum(each.run_id is None for each in filled)
        click.echo(f"\n{len(table) - there:,} runs {queued}, {there:,} there already.")


@command.command()
def schema() -> None:
    """Print the JSON Schema of schedules.yaml, by which an editor completes and checks it."""
    from workbench.schedules import file

    click.echo(json.dumps(file.schema(), indent=2))


def _schedules(workbench: Workbench) -> Mapping[str, Schedule]:
    from workbench import schedules
    from workbench.catalog import tenants

    return schedules.read(workbench.settings.home, [tenant.id for tenant in tenants.all_tenants(workbench.catalog)])


def _check_name(workbench: Workbench, name: str) -> None:
    """Raises NotFound for a schedule that nobody has seen; one that was seen can be paused while the file is broken, too."""
    from workbench import schedules
    from workbench.schedules import state

    with workbench.catalog.everything() as connection:
        known = state.states(connection)
    if name not in known:
        schedules.find(_schedules(workbench), name)


def _short(standing: Standing) -> dict[str, Any]:
    schedule, last = standing.schedule, ", ".join(f"{many} {status}" for status, many in standing.last.items())
    return {
        "schedule": schedule.name,
        "cron": schedule.cron,
        "next": f"{standing.following.local:%d %b %H:%M}" if standing.following else None,
        "state": f"{standing.words}; {schedule.report} for {schedule.tenants}" + (f"; last: {last}" if last else ""),
    }


def _whole(standing: Standing) -> dict[str, Any]:
    schedule = standing.schedule
    return {
        "schedule": schedule.name,
        "report": schedule.report,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "tenants": list(standing.tenant_ids),
        "next": _when(standing.following) if standing.following else None,
        "last": dict(standing.last),
        "state": standing.words,
    }


def _when(upcoming: Upcoming) -> dict[str, Any]:
    return {"tick": upcoming.local.astimezone(dt.UTC), "local": upcoming.local, "zone": upcoming.zone}


def _tick(upcoming: Upcoming) -> dict[str, Any]:
    return {
        "tick": f"{upcoming.local:%a %Y-%m-%d %H:%M}",
        "zone": upcoming.zone,
        "schedule": upcoming.schedule,
        "tenants": len(upcoming.tenant_ids),
    }


def _place(schedule: Schedule) -> str:
    return "each tenant's own time" if schedule.timezone == "tenant" else schedule.timezone


def _person() -> str:
    return f"cli:{getpass.getuser()}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
