from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.output import as_json, rows
from workbench.errors import BrokenInstallation, InvalidSchedules, WorkbenchError

if TYPE_CHECKING:
    from workbench.catalog.tenants import Tenant
    from workbench.cli.context import Workbench

_log = logging.getLogger(__name__)
_Opener = Callable[[], "Workbench"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Check:
    """`run` says what it found, or raises what to do; it is left out where the check that it `needs` found something bad."""

    name: str
    run: Callable[[_Opener], str]
    needs: str | None = None


@click.command()
@as_json
def command(as_json: bool) -> None:
    """Say what is installed, reachable and healthy, and how to mend what is not."""
    from workbench.cli.context import opened

    found: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        workbench = functools.cache(lambda: stack.enter_context(opened()))
        for check in _CHECKS:
            fit = check.needs is None or found[check.needs]["state"] == "ok"
            found[check.name] = _checked(check, workbench) if fit else _left_out(check)
    rows(list(found.values()), as_json=as_json, nothing="")
    if bad := [name for name, row in found.items() if row["state"] == "bad"]:
        raise BrokenInstallation(f"Not healthy: {', '.join(bad)}. The table says how to mend it.")


def _checked(check: _Check, workbench: _Opener) -> dict[str, Any]:
    try:
        return {"check": check.name, "state": "ok", "detail": check.run(workbench)}
    except WorkbenchError as error:
        return {"check": check.name, "state": "bad", "detail": str(error)}
    except Exception as error:
        _log.info("unexpected: %s", error, exc_info=True)
        detail = f"{type(error).__name__}: {error}. This is a fault of the workbench; var/workbench.log shows where."
        return {"check": check.name, "state": "bad", "detail": detail}


def _left_out(check: _Check) -> dict[str, Any]:
    return {"check": check.name, "state": "unknown", "detail": f"not looked at: needs the {check.needs}"}


def _python(_: _Opener) -> str:
    return f"Python {sys.version.split()[0]} in {sys.prefix}"


def _packages(_: _Opener) -> str:
    needed = ("papermill", "voila", "jupyterlab", "altair", "vl_convert", "plutoprint", "xlsxwriter", "ipykernel")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise BrokenInstallation(f"missing: {', '.join(missing)}. Run make again, or install requirements.lock.")
    return "all there"


def _folder(_: _Opener) -> str:
    from workbench import settings

    home = settings.load().home
    if not os.access(home, os.W_OK | os.X_OK):
        raise BrokenInstallation(f"{home} cannot be written; permit it, or set WORKBENCH_HOME to a folder of yours.")
    free = shutil.disk_usage(home).free / 2**30
    if free < 1:
        raise BrokenInstallation(f"{home} has {free:.1f} GiB free; make room for at least 1.")
    return f"{home}, {free:.0f} GiB free"


def _database(workbench: _Opener) -> str:
    from workbench.catalog import tenants

    catalog = workbench().catalog
    kind = "embedded PostgreSQL" if catalog.embedded else "PostgreSQL at WORKBENCH_DATABASE_URL"
    return f"{kind} answers; {len(tenants.all_tenants(catalog))} tenants"


def _lakes(workbench: _Opener) -> str:
    from workbench.catalog import tenants

    found = tenants.all_tenants(workbench().catalog)
    if wrong := [what for tenant in found if (what := _wrong_with_lake(workbench(), tenant))]:
        raise BrokenInstallation("\n".join(wrong))
    return f"{len(found)} lakes can be read"


def _wrong_with_lake(workbench: Workbench, tenant: Tenant) -> str | None:
    import duckdb

    try:
        files = _files(workbench, tenant)
    except (WorkbenchError, duckdb.Error) as error:
        return f"{tenant.id}: {error}"
    missing = [file for file in files if not file.startswith("s3://") and not Path(file).exists()]
    if not missing:
        return None
    return (
        f"{tenant.id}: {len(missing):,} of its lake's {len(files):,} files are missing, the first is {missing[0]}. "
        "Put them back from a copy, or remove the tenant, add it and import its data again."
    )


def _files(workbench: Workbench, tenant: Tenant) -> list[str]:
    """All files that make up the lake today, by the lake's own list."""
    from workbench.queries import query

    listing = query("lake/files")
    with workbench.reader(tenant) as connection:
        names = connection.execute(query("lake/table_names").sql).fetchall()
        return [
            file for (name,) in names for (file,) in connection.execute(listing.sql, listing.bind({"table": name})).fetchall()
        ]


def _reports(_: _Opener) -> str:
    from workbench import notebooks, settings

    return f"{len(notebooks.reports(settings.load().home))} reports"


def _schedules(workbench: _Opener) -> str:
    from workbench import schedules
    from workbench.catalog import tenants

    known = [tenant.id for tenant in tenants.all_tenants(workbench().catalog)]
    try:
        return f"{len(schedules.read(workbench().settings.home, known))} schedules"
    except InvalidSchedules as error:
        raise BrokenInstallation(f"{error}\nA scheduler that is running goes on with what the file said before.") from None


_FOLDER, _DATABASE = "workbench folder", "database"
_CHECKS = (
    _Check(name="Python", run=_python),
    _Check(name="packages", run=_packages),
    _Check(name=_FOLDER, run=_folder),
    _Check(name=_DATABASE, run=_database, needs=_FOLDER),
    _Check(name="lakes", run=_lakes, needs=_DATABASE),
    _Check(name="reports", run=_reports, needs=_FOLDER),
    _Check(name="schedules", run=_schedules, needs=_DATABASE),
)
