"""Runs as a state machine with a queue: what a run is asked for, how far it came, what it said; procrastinate's own tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _executions()
    _moves()
    _log()
    _queue()


def _executions() -> None:
    instant = sa.DateTime(timezone=True)
    for column in (
        sa.Column("priority", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("schedule", sa.Text),
        sa.Column("logical_time", instant),
        sa.Column("keep", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("due_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("timeout_seconds", sa.Double),
        sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("retry_failures", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("worker", sa.Text),
        sa.Column("heartbeat_at", instant),
        sa.Column("cancel_requested_at", instant),
        sa.Column("cells_total", sa.Integer),
        sa.Column("cells", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("rows_read", sa.BigInteger),
        sa.Column("peak_memory_mb", sa.Double),
        sa.Column("packages", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("attempts", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("report_executions", column)
    op.create_unique_constraint(None, "report_executions", ["tenant_id", "id"])
    op.create_unique_constraint(None, "report_executions", ["tenant_id", "schedule", "logical_time"])
    op.create_check_constraint("logical_time", "report_executions", "logical_time is null or schedule is not null")
    _index("started", sa.text("started_at"), where="started_at is not null")
    _index("queued", sa.text("priority desc"), "due_at", "id", where="status = 'queued'")
    _index("running", where="status = 'running'")


def _index(name: str, *columns: object, where: str) -> None:
    op.create_index(
        f"ix_report_executions_{name}",
        "report_executions",
        ["tenant_id", *columns],  # type: ignore[list-item]
        postgresql_where=sa.text(where),
    )


def _moves() -> None:
    # Until now every run was its command's own; none can be under way while this schema is being made.
    op.execute(
        "update report_executions set status = 'failed', started_at = coalesce(started_at, created_at), finished_at = now(), "
        "error_message = 'The command that executed it died.' where status in ('queued', 'running')"
    )
    op.create_table(
        "run_moves", sa.Column("from_status", sa.Text, primary_key=True), sa.Column("to_status", sa.Text, primary_key=True)
    )
    op.execute(
        "insert into run_moves values ('queued', 'running'), ('queued', 'cancelled'), ('running', 'queued'), "
        "('running', 'succeeded'), ('running', 'failed'), ('running', 'timed_out'), ('running', 'cancelled'), "
        "('failed', 'queued'), ('timed_out', 'queued'), ('cancelled', 'queued'), ('skipped', 'queued')"
    )
    op.execute(
        """
        create function check_run_move() returns trigger language plpgsql as $$
        begin
            if not exists (select from run_moves where from_status = old.status and to_status = new.status) then
                raise exception 'run % cannot go from % to %', old.id, old.status, new.status using errcode = 'check_violation';
            end if;
            return new;
        end $$
        """
    )
    op.execute(
        "create trigger run_move before update of status on report_executions "
        "for each row when (old.status is distinct from new.status) execute function check_run_move()"
    )


def _log() -> None:
    op.create_table(
        "run_log",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("run_id", UUID(as_uuid=True), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("cell", sa.Integer),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["report_executions.tenant_id", "report_executions.id"], ondelete="CASCADE"
        ),
        sa.Index(None, "run_id", "position"),
    )
    op.execute("alter table run_log enable row level security")
    op.execute("alter table run_log force row level security")
    op.execute("create policy of_tenant on run_log using (tenant_id = current_setting('workbench.tenant_id', true))")
    op.execute(
        "create policy everything on run_log to current_user using (current_setting('workbench.scope', true) = 'everything')"
    )


def _queue() -> None:
    """procrastinate's tables in a schema of their own; its functions find them from wherever they are called."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    # Past SQLAlchemy, which would take the percent signs in there for parameters.
    connection.execute("create schema queue")
    connection.execute("set local search_path = queue")
    connection.execute(SchemaManager.get_schema())
    connection.execute(
        """
        do $$
        declare found regprocedure;
        begin
            for found in select oid::regprocedure from pg_proc where pronamespace = 'queue'::regnamespace loop
                execute format('alter function %s set search_path = queue', found);
            end loop;
        end $$
        """
    )
    connection.execute("set local search_path = public")
