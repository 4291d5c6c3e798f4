"""What commands that use the database open, and close again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants
from workbench.catalog.tenants import Tenant
from workbench.lake import Lake, open_lake
from workbench.session import Session
from workbench.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Workbench:
    settings: Settings
    catalog: Catalog

    def tenant(self, tenant_id: str) -> Tenant:
        """Raises InvalidTenant or NotFound."""
        return tenants.get(self.catalog, tenant_id)

    def lake(self, tenant: Tenant) -> Lake:
        return open_lake(self.catalog, self.settings, tenant)

    def session(self, tenant: Tenant) -> Session:
        return Session(self.lake(tenant).reading)


@contextlib.contextmanager
def opened() -> Iterator[Workbench]:
    """The workbench of this folder, with its database running; closed at the end, and the embedded server with it."""
    settings = settings_table.load()
    catalog = Catalog(settings)
    try:
        yield Workbench(settings=settings, catalog=catalog)
    finally:
        catalog.close()
