"""What commands that use the database open, and close again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench import logs
from workbench import settings as settings_table
from workbench.catalog import Catalog, system_user, tenants
from workbench.catalog.tenants import Tenant
from workbench.errors import BrokenInstallation
from workbench.lake import Lake, data_path, open_lake
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

    def add(self, tenant: Tenant) -> Lake:
        """Adds the tenant with an empty lake; where that fails or is interrupted, nothing of either is left.

        Raises InvalidTenant where a value is wrong or the id is taken, BrokenInstallation where the lake cannot be made.
        """
        tenants.add(self.catalog, tenant)
        try:
            return self._made(tenant)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(data_path(self.settings, tenant.id)).rmdir()
            tenants.remove(self.catalog, tenant.id)
            raise

    @contextlib.contextmanager
    def reader(self, tenant: Tenant) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that reads this tenant's lake and nothing else. Raises BrokenInstallation where it cannot be opened."""
        with contextlib.closing(self.lake(tenant).reader()) as connection:
            yield connection

    def _made(self, tenant: Tenant) -> Lake:
        try:
            return self.lake(tenant)
        except (duckdb.Error, OSError) as error:
            raise BrokenInstallation(
                f"A lake cannot be made under {self.settings.lake}: {_reason(error)}. "
                "Nothing was added; mend that, or set WORKBENCH_LAKE to another place."
            ) from error


@contextlib.contextmanager
def opened() -> Iterator[Workbench]:
    """The workbench of this folder, with its database running; closed at the end, and the embedded server with it.

    Raises BrokenInstallation where its folder cannot be written.
    """
    settings = settings_table.load()
    try:
        system_user.make_private(settings.var)
        logs.to_file(settings.var / "workbench.log")
        catalog = Catalog(settings)
    except OSError as error:
        raise BrokenInstallation(
            f"The workbench folder {settings.home} cannot be used: {_reason(error)}. "
            "Permit writing there, or set WORKBENCH_HOME to a folder of yours."
        ) from error
    try:
        yield Workbench(settings=settings, catalog=catalog)
    finally:
        catalog.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})"
    return str(error).strip().rstrip(".")
