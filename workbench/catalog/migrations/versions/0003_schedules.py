"""How far each schedule has come and for which tenants it ticks; tags by which schedules choose tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.add_column("tenants", sa.Column("tags", JSONB, nullable=False, server_default=sa.text("'[]'")))
    op.create_table(
        "schedules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("timing", sa.Text, nullable=False),
        sa.Column("handled_until", instant, nullable=False),
        sa.Column("paused_at", instant),
        sa.Column("paused_by", sa.Text),
        sa.CheckConstraint("(paused_at is null) = (paused_by is null)", name="paused"),
    )
    op.create_table(
        "schedule_tenants",
        sa.Column("schedule", sa.Text, sa.ForeignKey("schedules.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("since", instant, nullable=False),
        sa.Index(None, "tenant_id"),
    )
    op.execute("alter table schedule_tenants enable row level security")
    op.execute("alter table schedule_tenants force row level security")
    op.execute("create policy of_tenant on schedule_tenants using (tenant_id = current_setting('workbench.tenant_id', true))")
    op.execute(
        "create policy everything on schedule_tenants to current_user "
        "using (current_setting('workbench.scope', true) = 'everything')"
    )
    _index_of_ticks()


def _index_of_ticks() -> None:
    """For what should have run and did not, and the last run of each schedule."""
    op.create_index(
        "ix_report_executions_ticks",
        "report_executions",
        ["schedule", sa.text("logical_time desc")],
        postgresql_where=sa.text("schedule is not null"),
    )
