"""Tenants: their records, and the PostgreSQL schema and reader role of each one's lake."""

from __future__ import annotations

import re
import secrets
import zoneinfo
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from workbench.catalog import Catalog
from workbench.catalog.tables import TENANT_ID_PATTERN, lake_readers, tenants
from workbench.errors import InvalidTenant, NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A company. Days are cut in `timezone` (IANA name), money is in `currency` (ISO 4217)."""

    id: str
    name: str
    timezone: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """The PostgreSQL login that can read one tenant's lake and nothing else."""

    role: str
    password: str


def check(tenant: Tenant) -> None:
    """Raises InvalidTenant for an id, name, time zone or currency that cannot be used."""
    check_id(tenant.id)
    if not tenant.name.strip() or len(tenant.name) > 200 or not tenant.name.isprintable():
        raise InvalidTenant(f"The tenant's name {tenant.name!r} must be 1 to 200 printable characters.")
    if tenant.timezone not in zoneinfo.available_timezones():
        raise InvalidTenant(f"There is no time zone {tenant.timezone!r}; use a name like Europe/Zurich.")
    if not re.fullmatch("[A-Z]{3}", tenant.currency):
        raise InvalidTenant(f"The currency {tenant.currency!r} must be three capital letters, like CHF.")


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
        values = {"id": tenant.id, "name": tenant.name, "timezone": tenant.timezone, "currency": tenant.currency}
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
    return Tenant(id=row.id, name=row.name, timezone=row.timezone, currency=row.currency)


def all_tenants(catalog: Catalog) -> list[Tenant]:
    """Every tenant of the installation, by id."""
    with catalog.everything() as connection:
        rows = connection.execute(select(tenants).order_by(tenants.c.id)).all()
    return [Tenant(id=row.id, name=row.name, timezone=row.timezone, currency=row.currency) for row in rows]


def reader(catalog: Catalog, tenant_id: str) -> Reader:
    with catalog.tenant(tenant_id) as connection:
        row = connection.execute(select(lake_readers)).one()
    return Reader(role=row.role, password=row.password)


def remove(catalog: Catalog, tenant_id: str) -> None:
    """Removes the tenant's records, its lake's schema and its reader role; files are the caller's to remove first."""
    login = reader(catalog, tenant_id)
    with catalog.everything() as connection:
        quote = connection.dialect.identifier_preparer.quote
        connection.execute(text(f"drop schema if exists {quote(schema_name(tenant_id))} cascade"))
        connection.execute(delete(tenants).where(tenants.c.id == tenant_id))
        database = connection.execute(text("select current_database()")).scalar_one()
        connection.execute(text(f"revoke all on database {quote(database)} from {quote(login.role)}"))
        connection.execute(text(f"drop role {quote(login.role)}"))


def schema_name(tenant_id: str) -> str:
    """PostgreSQL schema of the tenant's lake catalog."""
    return f"lake_{tenant_id}"


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
    connection.execute(text(f"create role {role} login connection limit 200 password '{login.password}'"))
    connection.execute(text(f"alter role {role} set default_transaction_read_only = on"))
    connection.execute(text(f"grant connect on database {database} to {role}"))
    connection.execute(text(f"create schema {schema}"))
    connection.execute(text(f"grant usage on schema {schema} to {role}"))
    connection.execute(text(f"alter default privileges in schema {schema} grant select on tables to {role}"))
