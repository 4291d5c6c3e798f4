"""The catalog: records in PostgreSQL, reached only through transactions that name a tenant or say that they mean all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from workbench.catalog import schema
from workbench.catalog.embedded import EmbeddedServer
from workbench.catalog.tables import locks
from workbench.errors import BadInput, DatabaseUnavailable
from workbench.settings import Settings


class Catalog:
    """The record database of one installation. Opening it starts the embedded server where no URL is set, and migrates.

    Raises DatabaseUnavailable, SchemaMismatch, or BadInput for a URL that cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.embedded = None if settings.database_url else EmbeddedServer(settings.var / "postgres")
        if self.embedded is not None:
            self.embedded.start()
        self.url = _url(settings, self.embedded)
        self._engine = _engine(self.url, self.embedded)
        try:
            with self.everything() as connection:
                schema.migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def tenant(self, tenant_id: str) -> Iterator[Connection]:
        """A transaction that sees and writes this tenant's rows only."""
        with self._begin() as connection:
            connection.execute(text("select set_config('workbench.tenant_id', :id, true)"), {"id": tenant_id})
            yield connection

    @contextlib.contextmanager
    def everything(self) -> Iterator[Connection]:
        """A transaction over all tenants' rows: for administration, never on behalf of one tenant's user."""
        with self._begin() as connection:
            connection.execute(text("select set_config('workbench.scope', 'everything', true)"))
            yield connection

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the named lock, across processes and machines, until the block ends or this process dies.

        It is a row of a table and no advisory lock, which any login of the server could take: a reader of another tenant's, too.
        """
        with self.everything() as connection:
            connection.execute(insert(locks).values(name=name).on_conflict_do_nothing())
            connection.execute(select(locks).where(locks.c.name == name).with_for_update())
            yield

    def close(self) -> None:
        """Ends all connections and this process's use of the embedded server."""
        self._engine.dispose()
        if self.embedded is not None:
            self.embedded.release()

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            transaction = self._engine.begin()
            connection = transaction.__enter__()
        except OperationalError as error:
            raise DatabaseUnavailable(_unavailable(self.url, error)) from error
        with contextlib.ExitStack() as stack:
            stack.push(transaction.__exit__)
            yield connection


def _url(settings: Settings, embedded: EmbeddedServer | None) -> URL:
    if embedded is not None:
        address = embedded.address
        return URL.create(
            "postgresql+psycopg",
            username=address.user,
            password=address.password,
            database=address.dbname,
            port=address.port,
            query={"host": address.host},
        )
    try:
        url = make_url(settings.database_url or "")
    except ArgumentError:
        raise BadInput(_BAD_URL) from None
    if url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
        raise BadInput(_BAD_URL)
    return url.set(drivername="postgresql+psycopg")


_BAD_URL = "WORKBENCH_DATABASE_URL cannot be used; it must look like postgresql://user:password@host:5432/database."


def _engine(url: URL, embedded: EmbeddedServer | None) -> Engine:
    """An engine whose every new connection brings a crashed embedded server back first."""
    arguments = url.translate_connect_args(username="user", database="dbname") | dict(url.query)

    def connect() -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(**arguments, connect_timeout=10)
        except psycopg.OperationalError:
            if embedded is None:
                raise
            embedded.start()
            return psycopg.connect(**arguments, connect_timeout=10)

    return create_engine(url, creator=connect, pool_pre_ping=True)


def _unavailable(url: URL, error: OperationalError) -> str:
    reason = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
    return (
        f"PostgreSQL at {url.render_as_string(hide_password=True)} does not answer: {reason}. "
        "See that it runs and that WORKBENCH_DATABASE_URL is right."
    )
