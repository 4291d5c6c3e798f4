from __future__ import annotations

from dataclasses import asdict

import click

from workbench.cli.output import as_json, rows


@click.group()
def command() -> None:
    """Add, list, tag and remove tenants."""


@command.command()
@click.argument("tenant_id")
@click.option("--name", required=True, help="The company's name, as reports show it.")
@click.option("--timezone", required=True, help="IANA name, like Europe/Zurich; days are cut in it.")
@click.option("--currency", required=True, help="Three letters, like CHF.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="A word by which schedules choose tenants; may be repeated.")
def add(tenant_id: str, name: str, timezone: str, currency: str, tags: tuple[str, ...]) -> None:
    """Add the tenant TENANT_ID with an empty lake, all or nothing."""
    from workbench.catalog import tenants
    from workbench.cli.context import opened

    tenant = tenants.Tenant(id=tenant_id, name=name, timezone=timezone, currency=currency, tags=tags)
    tenants.check(tenant)
    with opened() as workbench:
        workbench.add(tenant)
    click.echo(f"Added {tenant_id} ({name}). Next: workbench import FILE --tenant {tenant_id} --suggest")


@command.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List all tenants."""
    from workbench.catalog import tenants
    from workbench.cli.context import opened

    with opened() as workbench:
        found = tenants.all_tenants(workbench.catalog)
    rows(
        [asdict(each) | {"tags": _tags(each.tags, as_json)} for each in found],
        as_json=as_json,
        nothing="No tenants yet. Add one with `workbench tenant add`.",
    )


@command.command()
@click.argument("tenant_id")
@click.option("--add", "added", metavar="TAG", multiple=True, help="A tag that it gets; may be repeated.")
@click.option("--remove", "removed", metavar="TAG", multiple=True, help="A tag that it loses; may be repeated.")
def tag(tenant_id: str, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Change the tags of the tenant TENANT_ID, by which schedules choose tenants."""
    from workbench.catalog import tenants
    from workbench.cli.context import opened

    with opened() as workbench:
        found = tenants.tag(workbench.catalog, tenant_id, add=added, remove=removed)
    click.echo(f"Tags of {tenant_id}: {', '.join(found.tags) or 'none'}.")


def _tags(tags: tuple[str, ...], as_json: bool) -> list[str] | str | None:
    return list(tags) if as_json else ", ".join(tags) or None


@command.command()
@click.argument("tenant_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(tenant_id: str, yes: bool) -> None:
    """Remove the tenant TENANT_ID with all its events, metrics, runs and reports."""
    from workbench import removal
    from workbench.cli.context import opened

    with opened() as workbench:
        tenant = workbench.tenant(tenant_id)
        question = f"Every event, metric, run and report of {tenant.name} will be removed for good.\nType {tenant.id} to go on"
        if not yes and click.prompt(question, default="", show_default=False) != tenant.id:
            raise click.ClickException("Nothing was removed.")
        removal.remove(workbench.catalog, workbench.settings, tenant)
        click.echo(f"Removed {tenant.id}.")
