"""A tenant's lake: events and metric tables in a DuckLake, with a writer for the workbench and a locked reader for notebooks.

A reader is held to its tenant twice. Its DuckDB has the one lake attached read-only, may open no file outside that lake's folder,
and has its configuration locked; and its PostgreSQL login can select from that lake's catalog and from nothing else.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlalchemy import URL, Connection

from workbench import queries
from workbench.catalog import Catalog, tenants
from workbench.catalog import lost as lost_postgresql
from workbench.catalog.tenants import Tenant
from workbench.errors import BrokenInstallation, DatabaseUnavailable, without_passwords
from workbench.queries import literal
from workbench.settings import Settings

#: Batches up to this many rows are kept in the catalog until they are flushed, which makes a small commit quick.
INLINED_ROWS = 500
#: What every connection loads.
EXTENSIONS = ("ducklake", "postgres_scanner")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """All that is needed to read one tenant's lake; handed to notebooks through their environment."""

    tenant: Tenant
    dsn: str
    schema: str
    data_path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lake:
    """One tenant's lake, as the workbench itself sees it."""

    tenant: Tenant
    catalog: Catalog
    reading: Reading
    dsn: str

    @contextlib.contextmanager
    def writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection on which the lake is the default catalog, writable; its sessions' time zone is UTC.

        Two writers of a tenant may work at once; where they must take turns, hold `lock`.
        """
        with self._told(), contextlib.closing(_connect("UTC")) as connection:
            _attach(connection, self.dsn, self.reading)
            # The order of a lake's rows means nothing, and to keep it costs time and memory.
            connection.execute("set preserve_insertion_order = false")
            yield connection

    def lock(self, purpose: str) -> contextlib.AbstractContextManager[Connection]:
        """Held by one process at a time for this tenant and purpose."""
        return tenants.lock(self.catalog, self.tenant.id, purpose)

    def reader(self) -> duckdb.DuckDBPyConnection:
        return reader(self.reading)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB only says that something failed; where the server or the tenant is gone, that is what is raised."""
        try:
            yield
        except duckdb.Error as error:
            if gone := lost(error):
                raise gone from None
            tenants.reader(self.catalog, self.tenant.id)
            raise

    def _complete(self) -> None:
        """Makes the tables that are not there yet; of several processes that find them missing, one does."""
        if tenants.has_lake_table(self.catalog, self.tenant.id, _LAST_TABLE):
            return
        with self.lock("tables"), self.writer() as connection:
            if not tenants.has_lake_table(self.catalog, self.tenant.id, _LAST_TABLE):
                connection.execute(queries.query("lake/tables").sql)


#: Made last, so that a lake which has it has all tables.
_LAST_TABLE = "rollup_state"


def open_lake(catalog: Catalog, settings: Settings, tenant: Tenant) -> Lake:
    """The lake of a tenant that has been added; its tables are made where that has not been done, or was cut off half-way.

    Raises NotFound where the tenant has been removed.
    """
    login = tenants.reader(catalog, tenant.id)
    reading = Reading(
        tenant=tenant,
        dsn=_dsn(catalog.url, user=login.role, password=login.password),
        schema=tenants.schema_name(tenant.id),
        data_path=data_path(settings, tenant.id),
    )
    lake = Lake(tenant=tenant, catalog=catalog, reading=reading, dsn=_dsn(catalog.url))
    lake._complete()
    return lake


def data_path(settings: Settings, tenant_id: str) -> str:
    """Folder or S3 prefix of the tenant's Parquet files, ending in a slash."""
    return f"{settings.lake}/{tenant_id}/"


def reader(reading: Reading) -> duckdb.DuckDBPyConnection:
    """A connection that can read this lake and nothing else, not even with SQL of the reader's own.

    The lake is the default catalog; the session's time zone is the tenant's.
    """
    connection = _connect(reading.tenant.timezone)
    _attach(connection, reading.dsn, reading, "READ_ONLY")
    connection.execute(f"set allowed_directories = [{literal(reading.data_path)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _connect(timezone: str) -> duckdb.DuckDBPyConnection:
    """DuckDB with the extensions from their wheels: nothing is fetched, and nothing is written to anyone's home folder.

    What does not fit in memory goes to a folder of this connection's own, which DuckDB makes and removes: its default is one in
    the working folder, which readers of several tenants would share.
    """
    spill = Path(tempfile.gettempdir()) / f"workbench-duckdb-{os.getpid()}-{secrets.token_hex(8)}"
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(spill),
        # They are this environment's own, checked when it was installed: to check a signature here takes 0.1 s for each. A reader
        # can load none at all.
        "allow_unsigned_extensions": True,
        # Rows that wait for their partition's file; eight times as many would be kept by default, by each thread.
        "partitioned_write_flush_threshold": 65_536,
    }
    connection = duckdb.connect(":memory:", config=config)
    _open.add(connection)
    # A literal: to bind a first parameter, DuckDB imports pandas and pyarrow, half a second that many commands need not wait.
    connection.execute(f"set timezone = {literal(timezone)}")
    for name in EXTENSIONS:
        load_extension(connection, name)
    return connection


#: This process's connections to lakes.
_open: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def interrupt() -> None:
    """Ends the statements that run in this process's lakes; without it, closing such a connection waits for them."""
    for connection in tuple(_open):
        with contextlib.suppress(duckdb.Error):
            connection.interrupt()


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Loads the extension from its wheel. Raises BrokenInstallation where the wheel is missing or for another DuckDB."""
    connection.execute(f"load {literal(str(_extension(name)))}")


def _extension(name: str) -> Path:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.exists():
            return path
    raise BrokenInstallation(
        f"DuckDB {duckdb.__version__} needs the package duckdb-extension-{name.replace('_', '-')} of the same version; "
        "install workbench again."
    )


def _attach(connection: duckdb.DuckDBPyConnection, dsn: str, reading: Reading, *options: str) -> None:
    if reading.data_path.startswith("s3://"):
        load_extension(connection, "httpfs")
    else:
        Path(reading.data_path).mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = ", ".join(
        (
            f"data_path {literal(reading.data_path)}",
            # The folder may have been moved together with its catalog.
            "override_data_path true",
            f"metadata_schema {literal(reading.schema)}",
            f"data_inlining_row_limit {INLINED_ROWS}",
            *options,
        )
    )
    try:
        connection.execute(f"attach {literal('ducklake:postgres:' + dsn)} as lake ({settings})")
    except duckdb.Error as error:
        # DuckDB's own words quote the whole connection string.
        told = without_passwords(str(error).replace(dsn, "…")).strip().split("\n", 1)[0]
        away = DatabaseUnavailable if lost(error) else BrokenInstallation
        raise away(f"The lake of tenant {reading.tenant.id} cannot be opened: {told}") from None
    connection.execute("use lake")


def lost(error: duckdb.Error) -> DatabaseUnavailable | None:
    """The error to raise for one of DuckDB's that means that its connection to PostgreSQL was lost; None for any other."""
    if re.search(_LOST, str(error)) is None or re.search(_REFUSED, str(error)):
        return None
    told = [line.strip().rstrip(".") for line in str(error).splitlines() if re.search(_LOST_WORDS, line)]
    reason = told[0].rsplit(": ", 1)[-1] if told else "the connection was closed"
    return lost_postgresql(reason)


_LOST_WORDS = (
    "server closed the connection|terminating connection|connection to server|could not (?:receive|send) data"
    "|the database system is"
)
#: The server is there, and will not have this login another time either.
_REFUSED = "authentication failed|not permitted to log in|role .* does not exist|database .* does not exist"
#: A rollback fails only where there is nobody left to ask for it.
_LOST = _LOST_WORDS + '|Unable to connect to Postgres|Failed to execute query "ROLLBACK"'


def _dsn(url: URL, *, user: str | None = None, password: str | None = None) -> str:
    """`url` in libpq's form, optionally as another role."""
    parts: dict[str, object] = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    if user is not None:
        parts |= {"user": user, "password": password}
    return " ".join(f"{key}={_quoted(value)}" for key, value in _present(parts).items())


def _present(parts: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in parts.items() if value is not None}


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
