"""Takes a tenant out of the installation with all that belongs to it."""

from __future__ import annotations

import shutil
from pathlib import Path

from workbench import lake
from workbench.catalog import Catalog, tenants
from workbench.catalog.tenants import Tenant
from workbench.errors import BadInput
from workbench.settings import Settings


def remove(catalog: Catalog, settings: Settings, tenant: Tenant) -> None:
    """Removes files first and records last, so that one cut off half-way can simply be run again."""
    data = lake.data_path(settings, tenant.id)
    if "://" in data:
        raise BadInput(f"The lake's files under {data} have to be removed there first; then remove the tenant.")
    for folder in (Path(data), settings.reports / tenant.id, settings.var / "failed" / tenant.id):
        if folder.exists():
            shutil.rmtree(folder)
    tenants.remove(catalog, tenant.id)
