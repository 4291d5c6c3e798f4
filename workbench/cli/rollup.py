from __future__ import annotations

import click

from workbench.cli.output import as_json, rows


@click.command()
@click.option("--tenant", "tenant_id", metavar="ID", help="Only this tenant; otherwise all of them.")
@click.option("--rebuild", is_flag=True, help="Every day anew, not only those with new events.")
@as_json
def command(tenant_id: str | None, rebuild: bool, as_json: bool) -> None:
    """Turn new events into metric tables. Running it again changes nothing."""
    from workbench.catalog import tenants
    from workbench.cli.context import opened
    from workbench.rollup import roll_up

    done = []
    with opened() as workbench:
        chosen = [workbench.tenant(tenant_id)] if tenant_id else tenants.all_tenants(workbench.catalog)
        for tenant in chosen:
            lake = workbench.lake(tenant)
            with lake.lock("rollup"), lake.writer() as connection:
                result = roll_up(connection, tenant_id=tenant.id, timezone=tenant.timezone, rebuild=rebuild)
            done.append(
                {
                    "tenant": tenant.id,
                    "new_events": result.events,
                    "days": result.days,
                    "first_day": result.first_day,
                    "last_day": result.last_day,
                    "seconds": round(result.seconds, 2),
                }
            )
    rows(done, as_json=as_json, nothing="No tenants yet. Add one with `workbench tenant add`.")
