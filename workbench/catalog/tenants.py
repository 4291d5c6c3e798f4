"""Tenants: their records, and the PostgreSQL schema and reader role of each one's lake."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import time
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError

from workbench.catalog import Catalog
from workbench.catalog.tables import TENANT_ID_PATTERN, lake_readers, locks, tenants
from workbench.errors import BadInput, BrokenInstallation, InvalidTenant, NotFound

#: Of one reader's login at a time; the embedded server takes 300, of which it keeps some for the workbench itself.
_CONNECTIONS = 60
#: How long a removal waits until nobody is at work in a lake.
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A company. Days are cut in `timezone` (IANA name), money is in `currency` (ISO 4217), schedules choose it by its `tags`."""

    id: str
    name: str
    timezone: str
    currency: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """The PostgreSQL login that can read one tenant's lake and nothing else."""

    role: str
    password: str


def check(tenant: Tenant) -> None:
    """Raises InvalidTenant for an id, name, time zone, currency or tag that cannot be used."""
    check_id(tenant.id)
    if not tenant.name.strip() or len(tenant.name) > 200 or not tenant.name.isprintable():
        raise InvalidTenant(f"The tenant's name {tenant.name!r} must be 1 to 200 printable characters.")
    if tenant.timezone not in zoneinfo.available_timezones():
        raise InvalidTenant(f"There is no time zone {tenant.timezone!r}; use a name like Europe/Zurich.")
    if not re.fullmatch("[A-Z]{3}", tenant.currency):
        raise InvalidTenant(f"The currency {tenant.currency!r} must be three capital letters, like CHF.")
    for tag in tenant.tags:
        if not re.fullmatch("[a-z][a-z0-9_-]{0,39}", tag):
            raise InvalidTenant(f"The tag {tag!r} must be small letters, digits, _ and -, a letter first, up to 40.")


def check_id(tenant_id: str) -> None:
    if not re.fullmatch(TENANT_ID_PATTERN.strip("^$"), tenant_id):
        raise InvalidTenant(
            f"The tenant id {tenant_id!r} cannot be used: it must start with a small letter, "
            "hold only small letters, digits and _, and have at most 40 characters."
        )


def add(catalog: Catalog, tenant: Tenant) -> None:
    """Records the tenant and makes its lake's schema and reader role, all or nothing.

    Raises InvalidTenant where a value is wrong or the id is taken.
    """
    check(tenant)
    with catalog.everything() as connection:
        values = dataclasses.asdict(tenant) | {"tags": sorted(set(tenant.tags))}
        added = connection.execute(insert(tenants).values(values).on_conflict_do_nothing().returning(tenants.c.id)).scalar()
        if added is None:
            raise InvalidTenant(f"There is a tenant {tenant.id} already.")
        reader = Reader(role=_role_name(connection, tenant.id), password=secrets.token_urlsafe(32))
        connection.execute(insert(lake_readers).values(tenant_id=tenant.id, role=reader.role, password=reader.password))
        _create_schema(connection, tenant.id, reader)


def get(catalog: Catalog, tenant_id: str) -> Tenant:
    """Raises InvalidTenant for an id that cannot be one, NotFound for one that is not there."""
    check_id(tenant_id)
    with catalog.tenant(tenant_id) as connection:
        row = connection.execute(select(tenants)).one_or_none()
    if row is None:
        raise NotFound(f"There is no tenant {tenant_id}. `workbench tenant list` shows those there are.")
    return _tenant(row)


def tag(catalog: Catalog, tenant_id: str, *, add: Collection[str] = (), remove: Collection[str] = ()) -> Tenant:
    """The tenant with these tags more and fewer. Raises InvalidTenant for a tag that cannot be one, and as `get` does."""
    found = get(catalog, tenant_id)
    changed = dataclasses.replace(found, tags=tuple(sorted({*found.tags, *add} - set(remove))))
    check(changed)
    with catalog.tenant(tenant_id) as connection:
        connection.execute(update(tenants).values(tags=list(changed.tags)))
    return changed


def all_tenants(catalog: Catalog) -> list[Tenant]:
    """Every tenant of the installation, by id."""
    with catalog.everything() as connection:
        rows = connection.execute(select(tenants).order_by(tenants.c.id)).all()
    return [_tenant(row) for row in rows]


def reader(catalog: Catalog, tenant_id: str) -> Reader:
    """The login of the tenant's lake. Raises NotFound where the tenant was removed, be it half-way."""
    with catalog.tenant(tenant_id) as connection:
        row = connection.execute(select(lake_readers)).one_or_none()
    if row is None:
        raise NotFound(f"Tenant {tenant_id} was removed; where that was cut off, `workbench tenant remove {tenant_id}` ends it.")
    return Reader(role=row.role, password=row.password)


def lock(catalog: Catalog, tenant_id: str, purpose: str) -> contextlib.AbstractContextManager[Connection]:
    """Held by one process at a time for this tenant and purpose."""
    return catalog.lock(_lock_prefix(tenant_id) + purpose)


def has_lake_table(catalog: Catalog, tenant_id: str, table: str) -> bool:
    """Whether the lake has that table; False, too, where it is no lake yet."""
    with catalog.tenant(tenant_id) as connection:
        quote = connection.dialect.identifier_preparer.quote
        tables = f"{quote(schema_name(tenant_id))}.ducklake_table"
        if connection.execute(text("select to_regclass(:tables)"), {"tables": tables}).scalar() is None:
            return False
        query = text(f"select exists (select from {tables} where table_name = :table and end_snapshot is null)")  # noqa: S608
        return bool(connection.execute(query, {"table": table}).scalar_one())


def remove_lake(catalog: Catalog, tenant_id: str) -> None:
    """Removes the reader's login with all it owns, and the lake's schema; waits for the writers and ends the readers.

    Does nothing where that is done already. Raises BadInput where the lake stays in use, BrokenInstallation where the login owns
    things in another database.
    """
    with catalog.everything() as connection:
        login = _login(connection, tenant_id)
        if login is not None:
            _shut_out(connection, login)
    with lock(catalog, tenant_id, "rollup"), lock(catalog, tenant_id, "capture"), catalog.everything() as connection:
        if login is not None:
            _end_sessions(connection, login)
        _drop_schema(connection, schema_name(tenant_id))
        if login is not None:
            _drop_role(connection, login)
        connection.execute(delete(lake_readers).where(lake_readers.c.tenant_id == tenant_id))


def remove(catalog: Catalog, tenant_id: str) -> None:
    """Removes the tenant's lake from the catalog, and its records; files are the caller's to remove. May be repeated."""
    remove_lake(catalog, tenant_id)
    with catalog.everything() as connection:
        connection.execute(delete(tenants).where(tenants.c.id == tenant_id))
        connection.execute(delete(locks).where(locks.c.name.startswith(_lock_prefix(tenant_id), autoescape=True)))


def schema_name(tenant_id: str) -> str:
    """PostgreSQL schema of the tenant's lake catalog."""
    return f"lake_{tenant_id}"


def _tenant(row: Any) -> Tenant:
    return Tenant(id=row.id, name=row.name, timezone=row.timezone, currency=row.currency, tags=tuple(row.tags))


def _lock_prefix(tenant_id: str) -> str:
    return f"lake:{tenant_id}:"


def _login(connection: Connection, tenant_id: str) -> str | None:
    """The reader's role, quoted; None where there is none any more."""
    role = connection.execute(select(lake_readers.c.role).where(lake_readers.c.tenant_id == tenant_id)).scalar()
    found = connection.execute(text("select rolname from pg_roles where rolname = :role"), {"role": role}).scalar()
    return None if found is None else connection.dialect.identifier_preparer.quote(found)


def _shut_out(connection: Connection, login: str) -> None:
    """No new sessions; and we become a member, who may end those there are and drop what they made."""
    connection.execute(text(f"alter role {login} nologin"))
    connection.execute(text(f"grant {login} to current_user"))


def _end_sessions(connection: Connection, login: str) -> None:
    of_role = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usesysid = cast(:login as regrole)"
    connection.execute(text(of_role), {"login": login})


def _drop_schema(connection: Connection, schema: str) -> None:
    """All tables are locked at once or none: whoever is at work in the lake is waited for, and never waits for us."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _locked(connection, schema):
        if time.monotonic() > deadline:
            raise BadInput("The lake is in use by another command; when that has ended, the tenant can be removed.")
        time.sleep(0.02)
    connection.execute(text(f"drop schema if exists {connection.dialect.identifier_preparer.quote(schema)} cascade"))


def _locked(connection: Connection, schema: str) -> bool:
    query = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = :schema"
    tables = connection.execute(text(query), {"schema": schema}).scalars().all()
    if not tables:
        return True
    try:
        with connection.begin_nested():
            connection.execute(text(f"lock table {', '.join(tables)} in access exclusive mode nowait"))
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return False
        raise
    return True


def _drop_role(connection: Connection, login: str) -> None:
    connection.execute(text(f"drop owned by {login}"))
    try:
        connection.execute(text(f"drop role {login}"))
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.DependentObjectsStillExist):
            raise
        raise BrokenInstallation(
            f"The tenant's login {login} owns things in another database of this server: {error.orig.diag.message_detail}. "
            f"Drop them there (drop owned by {login}), then remove the tenant again."
        ) from None


def _role_name(connection: Connection, tenant_id: str) -> str:
    """Roles belong to the whole server, which may hold several workbenches' databases."""
    database = connection.execute(text("select current_database()")).scalar_one()
    return f"{database[:15]}_reader_{tenant_id}"


def _create_schema(connection: Connection, tenant_id: str, login: Reader) -> None:
    """A schema owned by us, in which the reader may select from all tables there are and will be; and nothing else anywhere."""
    quote = connection.dialect.identifier_preparer.quote
    schema, role = quote(schema_name(tenant_id)), quote(login.role)
    database = quote(connection.execute(text("select current_database()")).scalar_one())
    # The password is made of letters, digits, - and _, so it cannot end the literal.
    connection.execute(text(f"create role {role} login connection limit {_CONNECTIONS} password '{login.password}'"))
    connection.execute(text(f"alter role {role} set default_transaction_read_only = on"))
    connection.execute(text(f"grant connect on database {database} to {role}"))
    connection.execute(text(f"create schema {schema}"))
    connection.execute(text(f"grant usage on schema {schema} to {role}"))
    connection.execute(text(f"alter default privileges in schema {schema} grant select on tables to {role}"))
