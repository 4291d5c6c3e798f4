from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.output import as_json, json_rows, nearby

if TYPE_CHECKING:
    from workbench.cli.context import Workbench
    from workbench.demo import DemoTenant

_REPORTS = ("agent_performance", "lead_trends", "daily_summary")
_FORMATS = ("html", "pdf", "xlsx")


@click.command()
@as_json
def command(as_json: bool) -> None:
    """Set up three demo companies, roll up, and run every report. Running it again changes nothing."""
    from workbench import demo
    from workbench.cli.context import opened

    started = time.perf_counter()
    made: list[dict[str, Any]] = []
    with opened() as workbench:
        for tenant in demo.TENANTS:
            events = _load(workbench, tenant, quiet=as_json)
            made += [
                {"tenant": tenant.id, "events": events, "report": report, "folder": _report(workbench, tenant, report)}
                for report in _REPORTS
            ]
    if as_json:
        json_rows(made)
        return
    for each in made:
        click.echo(nearby(workbench.settings.home / each["folder"]))
    click.echo(f"Ready in {time.perf_counter() - started:.0f} s. Open report.html or report.pdf in any of these folders.")


def _load(workbench: Workbench, demo_tenant: DemoTenant, *, quiet: bool) -> int:
    """Adds the tenant and its events where they are not there yet; returns how many it has."""
    from workbench import demo
    from workbench.capture import capture_into
    from workbench.catalog import tenants
    from workbench.rollup import roll_up

    known = {tenant.id for tenant in tenants.all_tenants(workbench.catalog)}
    if demo_tenant.id not in known:
        workbench.add(
            tenants.Tenant(id=demo_tenant.id, name=demo_tenant.name, timezone=demo_tenant.timezone, currency=demo_tenant.currency)
        )
    lake = workbench.lake(workbench.tenant(demo_tenant.id))
    with lake.writer() as connection:
        state = connection.execute("select count(*) from rollup_state").fetchone()
        if state == (0,):
            if not quiet:
                click.echo(f"{demo_tenant.name}: writing 90 days of events …", err=True)
            for batch in demo.batches(demo_tenant):
                capture_into(connection, lake, batch)
            with lake.lock("rollup"):
                roll_up(connection, tenant_id=demo_tenant.id, timezone=demo_tenant.timezone)
        row = connection.execute("select count(*) from analytics_events").fetchone()
    return int(row[0]) if row else 0


def _report(workbench: Workbench, demo_tenant: DemoTenant, name: str) -> str:
    """Runs the report where it has not succeeded yet; returns its folder, relative to the workbench's."""
    from workbench import notebooks, runner, runs

    home = workbench.settings.home
    run = runs.latest(workbench.catalog, demo_tenant.id, name)
    if run is not None and (workbench.settings.reports / demo_tenant.id / name / run.id).is_dir():
        return f"reports/{demo_tenant.id}/{name}/{run.id}"
    lake = workbench.lake(workbench.tenant(demo_tenant.id))
    report = notebooks.report(home, name)
    published = runner.run(workbench.catalog, workbench.settings, lake, report, parameters={}, formats=_FORMATS, by="demo")
    return str(published.folder.relative_to(home))
