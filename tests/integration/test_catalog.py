from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from workbench import settings as settings_table
from workbench.catalog import Catalog, schema, tenants
from workbench.catalog.tables import TENANT_COLUMNS, custom_reports, metadata, report_executions
from workbench.cli.context import Workbench
from workbench.errors import InvalidTenant, NotFound, SchemaMismatch
from workbench.lake import Lake


def test_the_migrated_schema_is_the_declared_one(workbench: Workbench) -> None:
    with workbench.catalog.everything() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_known_head_is_the_newest_migration() -> None:
    folder = Path(schema.__file__).with_name("migrations")
    assert ScriptDirectory(str(folder)).get_current_head() == schema.HEAD


def test_every_tenant_table_is_closed_by_row_level_security(workbench: Workbench) -> None:
    assert set(TENANT_COLUMNS) == set(metadata.tables) - {"locks", "run_moves", "schedules"}
    with workbench.catalog.everything() as connection:
        found = connection.execute(text("select relname from pg_class where relrowsecurity and relforcerowsecurity")).scalars()
        assert set(found) >= set(TENANT_COLUMNS)


def _add_report(catalog: Catalog, tenant_id: str, owner: str) -> None:
    values = {"tenant_id": owner, "name": "weekly", "report_type": "agents", "created_by": "test"}
    with catalog.tenant(tenant_id) as connection:
        connection.execute(insert(custom_reports).values(values))


def test_a_transaction_sees_and_writes_its_tenants_rows_only(workbench: Workbench, new_lake: Callable[..., Lake]) -> None:
    mine, other = new_lake().tenant.id, new_lake().tenant.id
    _add_report(workbench.catalog, mine, mine)
    with pytest.raises(Exception, match="row-level security"):
        _add_report(workbench.catalog, mine, other)
    with workbench.catalog.tenant(other) as connection:
        assert connection.execute(select(custom_reports)).all() == []
    with workbench.catalog.tenant(mine) as connection:
        assert len(connection.execute(select(custom_reports)).all()) == 1


def test_another_role_sees_one_tenants_rows_and_cannot_ask_for_everything(workbench: Workbench, lake: Lake) -> None:
    _add_report(workbench.catalog, lake.tenant.id, lake.tenant.id)
    url = workbench.catalog.url
    with workbench.catalog.everything() as connection:
        connection.execute(text("create role clerk login password 'clerk'"))
        connection.execute(text("grant connect on database workbench to clerk"))
        connection.execute(text("grant usage on schema public to clerk"))
        connection.execute(text("grant select on custom_reports to clerk"))
    with psycopg.connect(host=url.query["host"], dbname="workbench", user="clerk", password="clerk") as clerk:  # type: ignore[arg-type]
        clerk.execute("select set_config('workbench.scope', 'everything', true)")
        assert clerk.execute("select count(*) from custom_reports").fetchone() == (0,)
        clerk.execute("select set_config('workbench.tenant_id', %s, true)", [lake.tenant.id])
        assert clerk.execute("select count(*) from custom_reports").fetchone() == (1,)


def test_a_row_cannot_name_another_tenants_report(workbench: Workbench, new_lake: Callable[..., Lake]) -> None:
    mine, other = new_lake().tenant.id, new_lake().tenant.id
    _add_report(workbench.catalog, other, other)
    with workbench.catalog.tenant(other) as connection:
        foreign = connection.execute(select(custom_reports.c.id)).scalar_one()
    for report_id in (foreign, uuid.uuid4()):
        run = {"id": uuid.uuid4(), "report": "weekly", "status": "queued", "notebook_hash": "", "created_by": "test"}
        with pytest.raises(IntegrityError, match="foreign key"), workbench.catalog.tenant(mine) as connection:
            connection.execute(insert(report_executions).values(run | {"tenant_id": mine, "report_id": report_id}))


def test_a_readers_login_can_neither_see_nor_hold_the_workbenchs_locks(
    workbench: Workbench, new_lake: Callable[..., Lake]
) -> None:
    mine, other = new_lake(), new_lake()
    with psycopg.connect(other.reading.dsn) as login, mine.lock("capture"):
        login.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"lake:{mine.tenant.id}:capture"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("select * from public.locks for update")


def test_a_lock_is_held_by_one_at_a_time(lake: Lake) -> None:
    held, order = threading.Event(), []

    def wait_for_it() -> None:
        held.wait(10)
        with lake.lock("test"):
            order.append("second")

    second = threading.Thread(target=wait_for_it)
    second.start()
    with lake.lock("test"):
        held.set()
        time.sleep(0.3)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("bad", ["../x", "A", "", "a-b", "x" * 41, "1st", "a\n"])
def test_a_tenant_id_that_would_not_be_safe_everywhere_is_refused(workbench: Workbench, bad: str) -> None:
    with pytest.raises(InvalidTenant, match="must start with a small letter"):
        tenants.add(workbench.catalog, tenants.Tenant(id=bad, name="X", timezone="UTC", currency="CHF"))


def test_an_unknown_tenant_is_not_found(workbench: Workbench) -> None:
    with pytest.raises(NotFound, match="There is no tenant nobody"):
        workbench.tenant("nobody")


def test_a_removed_tenant_leaves_no_rows_schema_role_or_files(workbench: Workbench, lake: Lake, run_cli) -> None:  # type: ignore[no-untyped-def]
    _add_report(workbench.catalog, lake.tenant.id, lake.tenant.id)
    assert run_cli("tenant", "remove", lake.tenant.id).returncode != 0
    assert workbench.tenant(lake.tenant.id) == lake.tenant
    assert run_cli("tenant", "remove", lake.tenant.id, "--yes").returncode == 0
    with workbench.catalog.everything() as connection:
        left = connection.execute(text("select nspname from pg_namespace union all select rolname from pg_roles")).scalars().all()
        assert [name for name in left if name.endswith(lake.tenant.id)] == []
        assert connection.execute(select(custom_reports).where(custom_reports.c.tenant_id == lake.tenant.id)).all() == []
    assert not Path(lake.reading.data_path).exists()


def test_a_newer_schema_is_refused_with_what_to_do(workbench: Workbench, home: Path) -> None:
    with workbench.catalog.everything() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    try:
        with pytest.raises(SchemaMismatch, match=r"9999.*bring this installation to that version"):
            Catalog(settings_table.load({"WORKBENCH_HOME": str(home)}))
    finally:
        with workbench.catalog.everything() as connection:
            connection.execute(text("update alembic_version set version_num = :head"), {"head": schema.HEAD})


_OPEN = "from workbench.cli.context import opened\nwith opened() as w: w.catalog"


def _python(code: str, home: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"WORKBENCH_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _server_processes(home: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if str(home) in line]


def test_processes_that_start_the_server_at_once_all_succeed_and_leave_none(new_home: Callable[[], Path]) -> None:
    home = new_home()
    started = [_python(_OPEN, home) for _ in range(3)]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert [code for _, code in ends] == [0, 0, 0], ends
    assert _server_processes(home) == []


def test_a_server_killed_hard_loses_nothing_and_the_next_command_just_works(
    new_home: Callable[[], Path], run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    home = new_home()
    catalog = Catalog(settings_table.load({"WORKBENCH_HOME": str(home)}))
    tenants.add(catalog, tenants.Tenant(id="acme", name="Acme", timezone="UTC", currency="CHF"))
    pid = int((home / "var" / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)
    listed = run_cli("tenant", "list", "--json", home=home)
    assert listed.returncode == 0, listed.stderr
    assert [tenant["id"] for tenant in json.loads(listed.stdout)] == ["acme"]
    assert [tenant.id for tenant in tenants.all_tenants(catalog)] == ["acme"]
    catalog.close()
    assert _server_processes(home) == []
