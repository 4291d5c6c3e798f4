from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import click

from workbench.cli.output import as_json, nearby, rows, wrapped

if TYPE_CHECKING:
    from workbench.cli.context import Workbench
    from workbench.runs import Request


@click.group()
def command() -> None:
    """List, explain and run reports."""


@command.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the reports there are."""
    from workbench import notebooks, settings

    found = [
        {"report": each.name, "title": each.title, "purpose": each.purpose} for each in notebooks.reports(settings.load().home)
    ]
    rows(found, as_json=as_json, nothing="No reports here: notebooks/reports/ is empty.")


@command.command()
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """Explain the report NAME: its parameters, their types, defaults and meaning."""
    from workbench import notebooks, settings

    report = notebooks.report(settings.load().home, name)
    parameters = [
        {"parameter": each.name, "type": each.type, "default": each.default, "meaning": each.help} for each in report.parameters
    ]
    if as_json:
        click.echo(
            json.dumps({"report": name, "title": report.title, "purpose": report.purpose, "parameters": parameters}, indent=2)
        )
        return
    click.echo(f"{report.title}\n{wrapped(report.purpose)}\n")
    rows(parameters, as_json=False, nothing="It has no parameters.")


@command.command()
@click.argument("name")
@click.option("--tenant", "tenant_id", metavar="ID", required=True, help="Whose report.")
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--format", "formats", default="html", show_default=True, help="Comma-separated: html,pdf,xlsx,csv,json,parquet.")
@click.option("--queue", is_flag=True, help="Leave it to a worker, before all that schedules asked for, and do not wait.")
@as_json
def run(name: str, tenant_id: str, given: tuple[str, ...], formats: str, queue: bool, as_json: bool) -> None:
    """Run the report NAME for one tenant and say where its files are."""
    from workbench import notebooks, runner
    from workbench.cli.context import opened

    texts = _parameters(given)
    chosen = _formats(formats)
    asked_by = f"cli:{getpass.getuser()}"
    with opened() as workbench:
        report = notebooks.report(workbench.settings.home, name)
        tenant = workbench.tenant(tenant_id)
        if queue:
            request = runner.asked(tenant.id, report, parameters=texts, formats=chosen, by=asked_by)
            _queue(workbench, request, as_json=as_json)
            return
        lake = workbench.lake(tenant)
        published = runner.run(workbench.catalog, workbench.settings, lake, report, parameters=texts, formats=chosen, by=asked_by)
    if as_json:
        click.echo(json.dumps({"run": published.run_id, "files": [str(file) for file in published.files]}, indent=2))
        return
    click.echo(f"Run {published.run_id} succeeded:")
    for file in published.files:
        click.echo(f"  {nearby(file)}")


def _queue(workbench: Workbench, request: Request, *, as_json: bool) -> None:
    from workbench import runs
    from workbench.cli.following import say_queued

    with workbench.catalog.tenant(request.tenant_id) as connection:
        run_id = runs.enqueue(connection, request)
    assert run_id is not None, "what no schedule asks for is always enqueued"
    if as_json:
        click.echo(json.dumps({"run": run_id}, indent=2))
        return
    say_queued(workbench, run_id)


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    from workbench.errors import InvalidParameter

    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals:
            raise InvalidParameter(name, f"A parameter is given as NAME=VALUE, not {name!r}.")
    return {name: value for name, _, value in pairs}


def _formats(text: str) -> list[str]:
    from workbench.errors import InvalidParameter
    from workbench.exports import FORMATS

    chosen = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in chosen:
        if name not in FORMATS:
            raise InvalidParameter("format", f"There is no format {name!r}; there are {', '.join(FORMATS)}.")
    return chosen
