"""The record tables. Migrations bring a database to this shape; a test proves that they do."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

#: Tenant ids name folders, schemas and roles, so they are kept to what is safe in all of them.
TENANT_ID_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"

RUN_STATES = ("queued", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped")
#: From each state, where a run may go; the database refuses every other move.
RUN_MOVES = {
    "queued": ("running", "cancelled"),
    "running": ("queued", "succeeded", "failed", "timed_out", "cancelled"),
    "succeeded": (),
    "failed": ("queued",),
    "timed_out": ("queued",),
    "cancelled": ("queued",),
    "skipped": ("queued",),
}
ROLES = ("admin", "analyst", "manager")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[object]:
    return Column("id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()"))


def _tenant() -> Column[str]:
    return Column("tenant_id", Text, ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


def _created() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=column)


tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("retention", JSONB, nullable=False, server_default=text("'{}'")),
    # Words by which schedules choose tenants.
    Column("tags", JSONB, nullable=False, server_default=text("'[]'")),
    _created(),
    CheckConstraint(f"id ~ '{TENANT_ID_PATTERN}'", name="id"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
)

lake_readers = Table(
    "lake_readers",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    _id(),
    # Null for an admin, who belongs to no single tenant.
    Column("tenant_id", Text, ForeignKey("tenants.id", ondelete="CASCADE")),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    _created(),
    _one_of("role", ROLES),
    CheckConstraint("(role = 'admin') = (tenant_id is null)", name="tenant"),
    UniqueConstraint("email"),
    UniqueConstraint("tenant_id", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _tenant(),
    Column("name", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("scopes", JSONB, nullable=False, server_default=text("'[]'")),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    _created(),
    UniqueConstraint("tenant_id", "name"),
)

custom_reports = Table(
    "custom_reports",
    metadata,
    _id(),
    _tenant(),
    Column("name", Text, nullable=False),
    Column("report_type", Text, nullable=False),
    Column("parameters", JSONB, nullable=False, server_default=text("'{}'")),
    Column("format", Text, nullable=False, server_default="html"),
    Column("created_by", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    _created(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("tenant_id", "name"),
    UniqueConstraint("tenant_id", "id"),
)

report_executions = Table(
    "report_executions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    _tenant(),
    Column("report", Text, nullable=False),
    Column("report_id", UUID(as_uuid=True)),
    Column("status", Text, nullable=False),
    Column("parameters", JSONB, nullable=False, server_default=text("'{}'")),
    Column("formats", JSONB, nullable=False, server_default=text("'[]'")),
    Column("artifacts", JSONB, nullable=False, server_default=text("'[]'")),
    Column("notebook_hash", Text, nullable=False),
    # Who or what asked, and how urgently.
    Column("created_by", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    _created(),
    # Of a schedule: its name, and the instant of its tick.
    Column("schedule", Text),
    Column("logical_time", DateTime(timezone=True)),
    Column("keep", JSONB, nullable=False, server_default=text("'{}'")),
    # While it waits: not before.
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("timeout_seconds", Double),
    Column("retries", Integer, nullable=False, server_default="0"),
    Column("retry_failures", Boolean, nullable=False, server_default=text("false")),
    # Of this attempt.
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("worker", Text),
    Column("heartbeat_at", DateTime(timezone=True)),
    Column("cancel_requested_at", DateTime(timezone=True)),
    Column("cells_total", Integer),
    Column("cells", JSONB, nullable=False, server_default=text("'[]'")),
    Column("rows_read", BigInteger),
    Column("peak_memory_mb", Double),
    Column("packages", JSONB, nullable=False, server_default=text("'{}'")),
    Column("error_message", Text),
    Column("error_cell", Integer),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    # How the attempts before this one ended, and how many of them ended with their worker.
    Column("attempts", JSONB, nullable=False, server_default=text("'[]'")),
    Column("deaths", Integer, nullable=False, server_default="0"),
    _one_of("status", RUN_STATES),
    # Of the same tenant: another tenant's id answers like one that does not exist.
    ForeignKeyConstraint(
        ["tenant_id", "report_id"], ["custom_reports.tenant_id", "custom_reports.id"], ondelete="SET NULL (report_id)"
    ),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "schedule", "logical_time"),
    CheckConstraint("logical_time is null or schedule is not null", name="logical_time"),
    CheckConstraint("(status = 'queued') = (started_at is null) or status in ('cancelled', 'skipped')", name="started"),
    CheckConstraint("(status in ('queued', 'running')) = (finished_at is null)", name="finished"),
    Index(None, "tenant_id", "created_at"),
    Index(None, "tenant_id", "report", "created_at"),
    Index("ix_report_executions_started", "tenant_id", "started_at", postgresql_where=text("started_at is not null")),
    Index(
        "ix_report_executions_queued",
        "tenant_id",
        text("priority desc"),
        "due_at",
        "id",
        postgresql_where=text("status = 'queued'"),
    ),
    Index("ix_report_executions_running", "tenant_id", postgresql_where=text("status = 'running'")),
    Index(None, "report_id"),
    Index("ix_report_executions_ticks", "schedule", text("logical_time desc"), postgresql_where=text("schedule is not null")),
)

#: The moves of `RUN_MOVES`, where the database looks them up.
run_moves = Table(
    "run_moves",
    metadata,
    Column("from_status", Text, primary_key=True),
    Column("to_status", Text, primary_key=True),
)

run_log = Table(
    "run_log",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    _tenant(),
    Column("run_id", UUID(as_uuid=True), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("cell", Integer),
    # stdout or stderr of the notebook; run for what the workbench itself has to say.
    Column("stream", Text, nullable=False),
    Column("text", Text, nullable=False),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["report_executions.tenant_id", "report_executions.id"], ondelete="CASCADE"),
    Index(None, "run_id", "position"),
)

dashboard_widgets = Table(
    "dashboard_widgets",
    metadata,
    _id(),
    _tenant(),
    Column("user_id", UUID(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("widget_type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("config", JSONB, nullable=False, server_default=text("'{}'")),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    _created(),
    Index(None, "tenant_id", "user_id", "position"),
)

#: How far a schedule of the file has come; one that is paused stays so whatever becomes of the file.
schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    # What decided when it ticks, as a scheduler last saw it: with another one it starts anew.
    Column("timing", Text, nullable=False),
    # Every tick up to then is in the ledger, or was never to be run.
    Column("handled_until", DateTime(timezone=True), nullable=False),
    Column("paused_at", DateTime(timezone=True)),
    Column("paused_by", Text),
    CheckConstraint("(paused_at is null) = (paused_by is null)", name="paused"),
)

#: The tenants that a schedule ticks for, and from when on.
schedule_tenants = Table(
    "schedule_tenants",
    metadata,
    Column("schedule", Text, ForeignKey("schedules.name", ondelete="CASCADE"), primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    Index(None, "tenant_id"),
)

#: Named locks, each held by the transaction that has its row; no reader's login may look at this table.
locks = Table("locks", metadata, Column("name", Text, primary_key=True))

#: Every table whose rows belong to a tenant, with the column that says to which.
TENANT_COLUMNS = {
    "tenants": "id",
    "lake_readers": "tenant_id",
    "users": "tenant_id",
    "api_keys": "tenant_id",
    "custom_reports": "tenant_id",
    "report_executions": "tenant_id",
    "run_log": "tenant_id",
    "schedule_tenants": "tenant_id",
    "dashboard_widgets": "tenant_id",
}
