"""Takes a tenant out of the installation with all that belongs to it."""

from __future__ import annotations

import shutil
from pathlib import Path

from workbench import lake
from workbench.catalog import Catalog, tenants
from workbench.catalog.tenants import Tenant
from workbench.errors import BadInput, BrokenInstallation
from workbench.settings import Settings


def remove(catalog: Catalog, settings: Settings, tenant: Tenant) -> None:
    """Removes the lake's catalog first, which ends all use of the files, then the files, and the records last.

    So one cut off half-way is still known and can be run again. Raises BadInput and BrokenInstallation with what to do.
    """
    data = lake.data_path(settings, tenant.id)
    if "://" in data:
        raise BadInput(f"The lake's files under {data} have to be removed there first; then remove the tenant.")
    tenants.remove_lake(catalog, tenant.id)
    for folder in (Path(data), settings.reports / tenant.id, settings.var / "failed" / tenant.id):
        _remove(folder, tenant)
    tenants.remove(catalog, tenant.id)


def _remove(folder: Path, tenant: Tenant) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise BrokenInstallation(
            f"The files of {tenant.id} under {folder} cannot be removed: {error.strerror or error}. "
            f"Permit that, then run `workbench tenant remove {tenant.id}` again: it goes on where it stopped."
        ) from error
