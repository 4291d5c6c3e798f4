"""What commands that use the database open, and close again."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
from collections.abc import Iterator
from dataclasses import dataclass

from workbench import settings as settings_table
from workbench.catalog import Catalog, system_user, tenants
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
    _log_to_file(settings)
    catalog = Catalog(settings)
    try:
        yield Workbench(settings=settings, catalog=catalog)
    finally:
        catalog.close()


def _log_to_file(settings: Settings) -> None:
    """Every failure with its run's id goes to var/workbench.log, also what a person is told in fewer words."""
    system_user.make_private(settings.var)
    file = logging.handlers.RotatingFileHandler(settings.var / "workbench.log", maxBytes=10_000_000, backupCount=5, delay=True)
    file.setLevel(logging.INFO)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logger = logging.getLogger("workbench")
    logger.setLevel(min(logging.INFO, logging.getLogger().getEffectiveLevel()))
    logger.addHandler(file)
