from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from typing import Any

import click

from workbench.cli.output import as_json, rows
from workbench.errors import BrokenInstallation, WorkbenchError


@click.command()
@as_json
def command(as_json: bool) -> None:
    """Say what is installed, reachable and healthy, and how to mend what is not."""
    found = [_checked(name, check) for name, check in _CHECKS.items()]
    rows(found, as_json=as_json, nothing="")
    if bad := [row["check"] for row in found if row["state"] == "bad"]:
        raise BrokenInstallation(f"Not healthy: {', '.join(bad)}. The table says how to mend it.")


def _checked(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"check": name, "state": "ok", "detail": check()}
    except (WorkbenchError, OSError, ImportError) as error:
        return {"check": name, "state": "bad", "detail": str(error)}


def _python() -> str:
    return f"Python {sys.version.split()[0]} in {sys.prefix}"


def _packages() -> str:
    needed = ("papermill", "voila", "jupyterlab", "altair", "vl_convert", "plutoprint", "xlsxwriter", "ipykernel")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BrokenInstallation(f"missing: {', '.join(missing)}. Run make again, or install requirements.lock.")
    return "all there"


def _home() -> str:
    from workbench import settings

    home = settings.load().home
    free = shutil.disk_usage(home).free / 2**30
    if free < 1:
        raise BrokenInstallation(f"{home} has {free:.1f} GiB free; make room for at least 1.")
    return f"{home}, {free:.0f} GiB free"


def _database() -> str:
    from workbench.catalog import tenants
    from workbench.cli.context import opened

    with opened() as workbench:
        kind = "embedded PostgreSQL" if workbench.catalog.embedded else "PostgreSQL at WORKBENCH_DATABASE_URL"
        return f"{kind} answers; {len(tenants.all_tenants(workbench.catalog))} tenants"


def _lakes() -> str:
    from workbench.catalog import tenants
    from workbench.cli.context import opened

    with opened() as workbench:
        found = tenants.all_tenants(workbench.catalog)
        for tenant in found:
            workbench.session(tenant).sql("select count(*) from analytics_events where created_at > now()")
    return f"{len(found)} lakes can be read"


def _reports() -> str:
    from workbench import notebooks, settings

    return f"{len(notebooks.reports(settings.load().home))} reports"


_CHECKS: dict[str, Callable[[], str]] = {
    "Python": _python,
    "packages": _packages,
    "workbench folder": _home,
    "database": _database,
    "lakes": _lakes,
    "reports": _reports,
}
