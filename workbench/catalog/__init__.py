"""The catalog: records in PostgreSQL, reached only through transactions that name a tenant or say that they mean all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from workbench.catalog import schema
from workbench.catalog.embedded import EmbeddedServer
from workbench.catalog.tables import locks
from workbench.errors import BadInput, DatabaseUnavailable, without_passwords
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
        #: For connections of libraries that take libpq's form.
        self.conninfo = _conninfo(self.url)
        self._engine = _engine(self.conninfo, self.url, self.embedded)
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
    def lock(self, name: str) -> Iterator[Connection]:
        """Holds the named lock, across processes and machines, until the block ends or this process dies.

        What it yields is its transaction, over all tenants' rows.

        It is a row of a table and no advisory lock, which any login of the server could take: a reader of another tenant's, too.
        """
        row = select(locks).where(locks.c.name == name).with_for_update()
        with self.everything() as connection:
            # Its holder may have removed it, with the tenant that it was about.
            while connection.execute(row).first() is None:
                connection.execute(insert(locks).values(name=name).on_conflict_do_nothing())
            yield connection

    def close(self) -> None:
        """Ends all connections and this process's use of the embedded server."""
        self._engine.dispose()
        if self.embedded is not None:
            self.embedded.release()

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        """A transaction. Raises DatabaseUnavailable where the server is not there, or is lost before the end."""
        with contextlib.ExitStack() as stack:
            try:
                connection = stack.enter_context(self._engine.begin())
            except OperationalError as error:
                raise DatabaseUnavailable(_unavailable(self.url, self.embedded, error)) from None
            # Outside the transaction, whose own end fails, too, where the server is lost.
            body = stack.pop_all()
            try:
                with body:
                    yield connection
            except (OperationalError, InterfaceError) as error:
                raise lost(_reason(error)) from None


def lost(reason: str) -> DatabaseUnavailable:
    """PostgreSQL went away, or could not go on, in the middle of something."""
    return DatabaseUnavailable(
        f"PostgreSQL was lost while it was in use: {reason}. What was finished is kept; the same command can be run again."
    )


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
    except (ArgumentError, ValueError):
        raise _bad_url() from None
    if url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
        raise _bad_url()
    return url.set(drivername="postgresql+psycopg")


def _bad_url(reason: str = "") -> BadInput:
    return BadInput(
        f"WORKBENCH_DATABASE_URL cannot be used{f' ({reason})' if reason else ''}; "
        "it must look like postgresql://user:password@host:5432/database, with libpq's options, if any, after a ?."
    )


def _conninfo(url: URL) -> str:
    """`url` in libpq's form. Raises BadInput for an option that libpq does not know, or for one given twice."""
    given = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    if twice := [name for name, value in given.items() if isinstance(value, tuple)]:
        raise _bad_url(f"{twice[0]} is given more than once")
    try:
        # Seconds until a host that does not answer is given up.
        whole = psycopg.conninfo.make_conninfo("", **{"connect_timeout": 10} | given)
        psycopg.conninfo.timeout_from_conninfo(psycopg.conninfo.conninfo_to_dict(whole))
    except (psycopg.ProgrammingError, TypeError) as error:
        raise _bad_url(_first_line(error)) from None
    return whole


def _engine(conninfo: str, url: URL, embedded: EmbeddedServer | None) -> Engine:
    """An engine whose every new connection brings a crashed embedded server back first."""

    def connect() -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(conninfo)
        except psycopg.OperationalError:
            if embedded is None:
                raise
            embedded.start()
            return psycopg.connect(conninfo)

    # What a tenant's notebook printed is among the parameters: it is no matter for a message or the log.
    return create_engine(url, creator=connect, pool_pre_ping=True, hide_parameters=True)


def _unavailable(url: URL, embedded: EmbeddedServer | None, error: DBAPIError) -> str:
    if embedded is not None:
        return f"The embedded PostgreSQL server does not answer: {_reason(error)}. `workbench doctor` says more."
    place = f"{url.query.get('host') or url.host or 'localhost'}:{url.port or 5432}/{url.database}"
    return f"PostgreSQL at {place} does not answer: {_reason(error)}. See that it runs and that WORKBENCH_DATABASE_URL is right."


def _reason(error: DBAPIError) -> str:
    """What the server or its library said, without the statement that was under way."""
    return _first_line(error.orig) if error.orig else type(error).__name__


def _first_line(error: BaseException) -> str:
    return without_passwords(str(error).strip().split("\n", 1)[0].rstrip("."))
