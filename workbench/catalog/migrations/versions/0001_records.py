"""The record tables, each closed to all rows but one tenant's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tenants()
    _people()
    _reports()
    op.create_table("locks", sa.Column("name", sa.Text, primary_key=True))
    _isolate()


def _id() -> sa.Column[object]:
    return sa.Column("id", UUID(as_uuid=True), primary_key=True, server_default=sa.text("gen_random_uuid()"))


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False)


def _created() -> sa.Column[object]:
    return sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("retention", JSONB, nullable=False, server_default=sa.text("'{}'")),
        _created(),
        sa.CheckConstraint("id ~ '^[a-z][a-z0-9_]{0,39}$'", name="id"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )
    op.create_table(
        "lake_readers",
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text, nullable=False, unique=True),
        sa.Column("password", sa.Text, nullable=False),
    )


def _people() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE")),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.text("true")),
        _created(),
        sa.CheckConstraint("role in ('admin', 'analyst', 'manager')", name="role"),
        sa.CheckConstraint("(role = 'admin') = (tenant_id is null)", name="tenant"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("tenant_id", "id"),
    )
    op.create_table(
        "api_keys",
        _id(),
        _tenant(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False, unique=True),
        sa.Column("scopes", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        _created(),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_table(
        "dashboard_widgets",
        _id(),
        _tenant(),
        sa.Column("user_id", UUID(as_uuid=True), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("widget_type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("config", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.text("true")),
        _created(),
        sa.Index(None, "tenant_id", "user_id", "position"),
    )


def _reports() -> None:
    op.create_table(
        "custom_reports",
        _id(),
        _tenant(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("report_type", sa.Text, nullable=False),
        sa.Column("parameters", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("format", sa.Text, nullable=False, server_default="html"),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.text("true")),
        _created(),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("tenant_id", "name"),
        sa.UniqueConstraint("tenant_id", "id"),
    )
    op.create_table(
        "report_executions",
        sa.Column("id", UUID(as_uuid=True), primary_key=True),
        _tenant(),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("report_id", UUID(as_uuid=True)),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("parameters", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("formats", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("artifacts", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("notebook_hash", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("error_message", sa.Text),
        sa.Column("error_cell", sa.Integer),
        sa.Column("created_by", sa.Text, nullable=False),
        _created(),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["tenant_id", "report_id"], ["custom_reports.tenant_id", "custom_reports.id"], ondelete="SET NULL (report_id)"
        ),
        sa.CheckConstraint(
            "status in ('queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'skipped')", name="status"
        ),
        sa.CheckConstraint("(status = 'queued') = (started_at is null) or status in ('cancelled', 'skipped')", name="started"),
        sa.CheckConstraint("(status in ('queued', 'running')) = (finished_at is null)", name="finished"),
        sa.Index(None, "tenant_id", "created_at"),
        sa.Index(None, "tenant_id", "report", "created_at"),
        sa.Index(None, "report_id"),
    )


def _isolate() -> None:
    """Whoever connects sees one tenant's rows, this role included, unless it says that it means everything."""
    op.execute("revoke all on schema public from public")
    columns = {
        "tenants": "id",
        "lake_readers": "tenant_id",
        "users": "tenant_id",
        "api_keys": "tenant_id",
        "custom_reports": "tenant_id",
        "report_executions": "tenant_id",
        "dashboard_widgets": "tenant_id",
    }
    for table, column in columns.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy of_tenant on {table} using ({column} = current_setting('workbench.tenant_id', true))")
        op.execute(
            f"create policy everything on {table} to current_user using (current_setting('workbench.scope', true) = 'everything')"
        )
