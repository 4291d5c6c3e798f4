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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlalchemy import URL

from workbench import queries
from workbench.catalog import Catalog, tenants
from workbench.catalog.tenants import Tenant
from workbench.errors import BrokenInstallation
from workbench.settings import Settings

#: Batches up to this many rows are kept in the catalog until they are flushed, which makes a small commit quick.
INLINED_ROWS = 500


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
        with contextlib.closing(_connect("UTC")) as connection:
            _attach(connection, self.dsn, self.reading)
            _create_tables(connection)
            yield connection

    def lock(self, purpose: str) -> contextlib.AbstractContextManager[None]:
        """Held by one process at a time for this tenant and purpose."""
        return self.catalog.lock(f"lake:{self.tenant.id}:{purpose}")

    def reader(self) -> duckdb.DuckDBPyConnection:
        return reader(self.reading)


def open_lake(catalog: Catalog, settings: Settings, tenant: Tenant) -> Lake:
    """The lake of a tenant that has been added."""
    login = tenants.reader(catalog, tenant.id)
    reading = Reading(
        tenant=tenant,
        dsn=_dsn(catalog.url, user=login.role, password=login.password),
        schema=tenants.schema_name(tenant.id),
        data_path=data_path(settings, tenant.id),
    )
    return Lake(tenant=tenant, catalog=catalog, reading=reading, dsn=_dsn(catalog.url))


def data_path(settings: Settings, tenant_id: str) -> str:
    """Folder or S3 prefix of the tenant's Parquet files, ending in a slash."""
    return f"{settings.lake}/{tenant_id}/"


def reader(reading: Reading) -> duckdb.DuckDBPyConnection:
    """A connection that can read this lake and nothing else, not even with SQL of the reader's own.

    The lake is the default catalog; the session's time zone is the tenant's.
    """
    connection = _connect(reading.tenant.timezone)
    _attach(connection, reading.dsn, reading, "READ_ONLY")
    connection.execute("set allowed_directories = $folders", {"folders": [reading.data_path]})
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
        # Rows that wait for their partition's file; four times as many would be kept by default, by each thread.
        "partitioned_write_flush_threshold": 131_072,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("set timezone = $timezone", {"timezone": timezone})
    for name in ("ducklake", "postgres_scanner"):
        load_extension(connection, name)
    return connection


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Loads the extension from its wheel. Raises BrokenInstallation where the wheel is missing or for another DuckDB."""
    connection.execute(f"load {_literal(str(_extension(name)))}")


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
            f"data_path {_literal(reading.data_path)}",
            # The folder may have been moved together with its catalog.
            "override_data_path true",
            f"metadata_schema {_literal(reading.schema)}",
            f"data_inlining_row_limit {INLINED_ROWS}",
            *options,
        )
    )
    try:
        connection.execute(f"attach {_literal('ducklake:postgres:' + dsn)} as lake ({settings})")
    except duckdb.Error as error:
        # DuckDB's own words quote the whole connection string.
        raise BrokenInstallation(f"The lake of tenant {reading.tenant.id} cannot be opened: {_without(dsn, error)}") from None
    connection.execute("use lake")


def _without(dsn: str, error: duckdb.Error) -> str:
    """The error's first line, with no trace of the connection string."""
    told = str(error).replace(dsn, "…")
    return re.sub(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", "password=…", told).strip().split("\n", 1)[0]


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'lake' and table_name = 'rollup_state'"
    ).fetchone()
    if found is None:
        connection.execute(queries.query("lake/tables").sql)


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


def _literal(value: str) -> str:
    """A SQL string literal, for the few statements in which DuckDB binds no parameters."""
    return "'" + value.replace("'", "''") + "'"
