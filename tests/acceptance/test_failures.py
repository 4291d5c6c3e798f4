"""A machine that fails, a person who interrupts and a reader who means harm: what the command line says, and what is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from workbench import removal
from workbench import settings as settings_table
from workbench.catalog import Catalog, system_user, tenants
from workbench.catalog.embedded import EmbeddedServer
from workbench.cli import failures
from workbench.cli.context import Workbench
from workbench.errors import BrokenInstallation, NotFound, without_passwords
from workbench.lake import Lake
from workbench.session import Session

Cli = Callable[..., subprocess.CompletedProcess[str]]

_ENDLESS = "select sum(a.range * b.range) from range(10000000) a, range(10000000) b"


def _started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "workbench", *arguments],
        env=environment | {"WORKBENCH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(what: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def _cpu_seconds(process: subprocess.Popen[str]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, told = process.communicate(timeout=120)
    return process.returncode, told


# Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_inside_a_statement_is_an_interrupt_and_no_fault(home: Path, lake: Lake, number: signal.Signals) -> None:
    process = _started(home, "sql", "--tenant", lake.tenant.id, _ENDLESS)
    _wait_for(lambda: len(psutil.Process(process.pid).open_files()) and _cpu_seconds(process) > 4)
    process.send_signal(number)
    status, told = _ended(process)
    assert status == 130
    assert told.strip() == "Interrupted. What was finished is kept; the same command can be run again."


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells by /proc that the command has begun")
def test_an_interrupt_while_a_command_is_still_being_loaded_is_told_like_any_other(home: Path) -> None:
    process = _started(home, "tenant", "list")

    def listens() -> bool:
        caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        return caught is not None and bool(int(caught.group(1), 16) >> (signal.SIGTERM - 1) & 1)

    _wait_for(listens)
    process.send_signal(signal.SIGINT)
    status, told = _ended(process)
    assert (status, told) == (130, "Interrupted.\n")


def test_a_command_that_was_told_to_outlive_its_terminal_does(home: Path, lake: Lake) -> None:
    command = ["nohup", sys.executable, "-m", "workbench", "sql", "--tenant", lake.tenant.id, "select count(*) from range(9)"]
    with subprocess.Popen(command, env=os.environ | {"WORKBENCH_HOME": str(home)}, stdout=subprocess.PIPE, text=True) as process:
        _wait_for(lambda: _cpu_seconds(process) > 0.3)
        process.send_signal(signal.SIGHUP)
        assert process.wait(120) == 0


# The database is lost


def _kill_server(home: Path) -> None:
    pid = int((home / "var" / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)


def _kill_keeper(home: Path) -> None:
    pid = int((home / "var" / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    psutil.Process(pid).parent().kill()  # type: ignore[union-attr]


def _stop_server(home: Path) -> None:
    EmbeddedServer(home / "var" / "postgres").stop()


_MAPPING = """
when: {column: at, format: "%Y-%m-%d %H:%M:%S"}
who: agent
events:
  - type: call.completed
    id: id
    data: {call_id: id, answered: answered}
"""


@pytest.fixture(scope="module")
def other_home(new_home: Callable[[], Path], run_cli: Cli) -> Path:
    """A workbench of its own, whose server may be killed, with a tenant and calls to import."""
    home = new_home()
    rows = (f"call{n},2026-0{n % 3 + 1}-1{n % 9} 10:0{n % 7}:00,agent{n % 9},1" for n in range(300_000))
    (home / "calls.csv").write_text("id,at,agent,answered\n" + "\n".join(rows) + "\n")
    (home / "calls.yaml").write_text(_MAPPING)
    added = run_cli("tenant", "add", "acme", "--name", "Acme", "--timezone", "UTC", "--currency", "CHF", home=home)
    assert added.returncode == 0, added.stderr
    return home


def _holds_a_lock(home: Path) -> bool:
    """Whether a command is in the middle of a capture or a roll-up."""
    address = EmbeddedServer(home / "var" / "postgres").address
    query = "select 1 from pg_stat_activity where state = 'idle in transaction' and query ilike '%from locks%for update%'"
    login = {"host": address.host, "dbname": address.dbname, "user": address.user, "password": address.password}
    try:
        with psycopg.connect(**login) as connection:  # type: ignore[arg-type]
            return connection.execute(query).fetchone() is not None
    except psycopg.OperationalError:
        return False


@pytest.mark.parametrize(
    ("command", "lose"),
    [("import", _kill_server), ("import", _stop_server), ("rollup", _kill_server), ("rollup", _kill_keeper)],
)
def test_a_server_that_is_lost_is_told_as_that_and_the_command_can_be_run_again(
    other_home: Path, run_cli: Cli, command: str, lose: Callable[[Path], None]
) -> None:
    arguments = {
        "import": ["import", str(other_home / "calls.csv"), "--tenant", "acme", "--mapping", str(other_home / "calls.yaml")],
        "rollup": ["rollup", "--rebuild"],
    }[command]
    process = _started(other_home, *arguments)
    _wait_for(lambda: _holds_a_lock(other_home))
    lose(other_home)
    status, told = _ended(process)
    assert status == 4, told
    assert re.fullmatch(r"Error: PostgreSQL was lost while it was in use: .*; the same command can be run again\.\n", told), told
    for secret in ("password", "superuser-password"):
        assert (other_home / "var" / "postgres" / secret).read_text() not in (other_home / "var" / "workbench.log").read_text()
    again = run_cli(*arguments, home=other_home)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://x:secret@127.0.0.1:notaport/x", "must look like"),
        ("postgresql://x:secret@127.0.0.1:1/x?bogus=1", "bogus"),
        ("postgresql://x:secret@127.0.0.1:1/x?autocommit=1", "autocommit"),
        ("postgresql://x:secret@127.0.0.1:1/x?connect_timeout=soon", "connect_timeout"),
        ("postgresql://x:secret@127.0.0.1:1/x?sslmode=disable&sslmode=require", "sslmode is given more than once"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_told_with_what_would_be_right(run_cli: Cli, url: str, told: str) -> None:
    done = run_cli("tenant", "list", WORKBENCH_DATABASE_URL=url)
    assert done.returncode == 2
    assert told in done.stderr
    assert "postgresql://user:password@host:5432/database" in done.stderr
    assert "secret" not in done.stderr


def test_a_database_urls_options_reach_the_database(run_cli: Cli, home: Path, workbench: Workbench) -> None:
    address = EmbeddedServer(home / "var" / "postgres").address
    url = f"postgresql://workbench:{address.password}@/workbench?host={address.host}&connect_timeout=5"
    done = run_cli("tenant", "list", "--json", WORKBENCH_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr


# Places that are full or closed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_full_disk_is_told_as_that(home: Path, lake: Lake) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "workbench", "sql", "--tenant", lake.tenant.id, "from range(99999)", "--format", "csv"],
            env=os.environ | {"WORKBENCH_HOME": str(home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert "Make room" in done.stderr
    assert "fault of the workbench" not in done.stderr


def test_a_lake_that_cannot_be_written_is_told_as_that(run_cli: Cli, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / lake.tenant.id).write_text("a file where a folder should be")
    done = run_cli("rollup", "--tenant", lake.tenant.id, WORKBENCH_LAKE=str(tmp_path))
    assert done.returncode == 4
    assert str(tmp_path / lake.tenant.id) in done.stderr
    assert "fault of the workbench" not in done.stderr


def test_a_fault_names_the_log_only_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.end(RuntimeError("at postgresql://me:secret@host/x"), interrupted=False) == 4
    told = capsys.readouterr().err
    assert "This is a fault of the workbench; no log could be written" in told
    assert "postgresql://me:…@host/x" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("dbname='x' password='se\\'cret' port='1'", "dbname='x' password=… port='1'"),
        ("dbname=x password=secret port=1", "dbname=x password=… port=1"),
        ("'postgres:dbname=''x'' password=''secret'' port=''1'''", "'postgres:dbname=''x'' password=… port=''1'''"),
        ("create role x login password 'secret'; select 1", "create role x login password …; select 1"),
        ("postgresql://me:s:e@cret@host:5432/x", "postgresql://me:…@host:5432/x"),
        ("postgresql://host/x?password=secret&sslmode=disable", "postgresql://host/x?password=…&sslmode=disable"),
        ('{"password": "se\\"cret", "port": 1}', '{"password": …, "port": 1}'),
        ("connect(password='secret', port=1)", "connect(password=…, port=1)"),
        ("the password of postgresql://host:5432/x is not told", "the password of postgresql://host:5432/x is not told"),
    ],
)
def test_no_password_is_told_whatever_form_it_has(text: str, hidden: str) -> None:
    assert without_passwords(text) == hidden


# What is half-way, and who comes first


def test_a_tenant_cut_off_before_its_lake_was_made_reads_as_empty(workbench: Workbench) -> None:
    tenant = tenants.Tenant(id="halfway", name="Halfway", timezone="UTC", currency="CHF")
    tenants.add(workbench.catalog, tenant)
    session = Session(workbench.lake(tenant).reading)
    assert session.sql("select count(*) as n from analytics_events")["n"].tolist() == [0]
    session.close()


def test_a_lake_cut_off_between_two_of_its_tables_is_completed(workbench: Workbench, lake: Lake) -> None:
    with lake.writer() as connection:
        connection.execute("drop table rollup_state")
        connection.execute("drop table lead_events")
    with workbench.lake(lake.tenant).writer() as connection:
        assert connection.execute("select count(*) from lead_events, rollup_state").fetchone() == (0,)


def test_first_writers_of_a_tenant_at_once_all_succeed(workbench: Workbench) -> None:
    tenant = tenants.Tenant(id="crowded", name="Crowded", timezone="UTC", currency="CHF")
    tenants.add(workbench.catalog, tenant)
    counted: list[object] = []

    def write() -> None:
        try:
            with workbench.lake(tenant).writer() as connection:
                counted.append(connection.execute("select count(*) from rollup_state").fetchone())
        except Exception as error:
            counted.append(error)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert counted == [(0,)] * 4


# Removal


def _left(workbench: Workbench, tenant_id: str) -> list[str]:
    """What the server still has of a tenant."""
    query = (
        "select nspname from pg_namespace union all select rolname from pg_roles union all select id from public.tenants "
        "union all select name from public.locks"
    )
    with workbench.catalog.everything() as connection:
        names = connection.exec_driver_sql(query).scalars().all()
    return [name for name in names if re.search(rf"(?<![a-z0-9]){tenant_id}(?![a-z0-9])", name.replace("_tenant", ":tenant"))]


def test_a_reader_that_made_things_and_sits_in_a_transaction_does_not_hinder_the_removal(
    run_cli: Cli, workbench: Workbench, lake: Lake
) -> None:
    reader = psycopg.connect(lake.reading.dsn, autocommit=True)
    reader.execute("set default_transaction_read_only = off")
    reader.execute("select lo_from_bytea(0, 'x')")
    reader.execute("alter default privileges grant select on tables to public")
    reader.execute("begin")
    reader.execute(f"select * from {lake.reading.schema}.ducklake_table")  # type: ignore[call-overload]
    with lake.lock("capture"):
        pass
    assert len(_left(workbench, lake.tenant.id)) >= 3
    removed = run_cli("tenant", "remove", lake.tenant.id, "--yes")
    assert removed.returncode == 0, removed.stderr
    assert _left(workbench, lake.tenant.id) == []
    with pytest.raises(psycopg.OperationalError):
        reader.execute("select 1")
    reader.close()


def test_a_reader_reaches_no_other_database_of_the_embedded_server(lake: Lake) -> None:
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(lake.reading.dsn, dbname=database)


def test_a_removal_that_is_stopped_by_its_files_is_told_and_goes_on_where_it_stopped(
    run_cli: Cli, home: Path, workbench: Workbench, lake: Lake, tmp_path: Path
) -> None:
    reports = home / "reports" / lake.tenant.id
    reports.parent.mkdir(exist_ok=True)
    reports.symlink_to(tmp_path)  # which Python refuses to remove as a folder
    stopped = run_cli("tenant", "remove", lake.tenant.id, "--yes")
    assert stopped.returncode == 4
    assert f"under {reports} cannot be removed" in stopped.stderr
    with pytest.raises(NotFound, match=f"workbench tenant remove {lake.tenant.id}"):
        workbench.lake(lake.tenant)
    reports.unlink()
    removed = run_cli("tenant", "remove", lake.tenant.id, "--yes")
    assert removed.returncode == 0, removed.stderr
    assert _left(workbench, lake.tenant.id) == []


def test_an_import_into_a_tenant_that_is_removed_ends_with_that_as_its_reason(run_cli: Cli, other_home: Path) -> None:
    added = run_cli("tenant", "add", "doomed", "--name", "D", "--timezone", "UTC", "--currency", "CHF", home=other_home)
    assert added.returncode == 0, added.stderr
    settings = settings_table.load({"WORKBENCH_HOME": str(other_home)})
    with contextlib.closing(Catalog(settings)) as catalog:
        tenant = tenants.get(catalog, "doomed")
        files = [str(other_home / "calls.csv"), "--mapping", str(other_home / "calls.yaml")]
        process = _started(other_home, "import", *files, "--tenant", "doomed")
        _wait_for(lambda: _holds_a_lock(other_home))
        removal.remove(catalog, settings, tenant)
        status, told = _ended(process)
    assert status == 2, told
    assert "Tenant doomed was removed" in told
    assert not (other_home / "var" / "lake" / "doomed").exists()


# Who may read and hold what


def test_what_the_command_line_writes_is_for_its_own_user_only(run_cli: Cli, other_home: Path) -> None:
    assert run_cli("report", "run", "daily_summary", "--tenant", "acme", home=other_home).returncode == 0
    written = [path for folder in ("reports", "var") for path in (other_home / folder).rglob("*") if "data" not in path.parts]
    assert {"workbench.log", "users.lock", "keeper.lock", "keeper.log", "report.html"} <= {path.name for path in written}
    assert [path for path in written if path.is_file() and path.stat().st_mode & 0o077] == []
    # Root's folders can be passed through, for the server's user.
    assert [path for path in written if path.is_dir() and path.stat().st_mode & 0o066] == []


def test_the_superusers_password_is_not_the_workbenchs(home: Path, workbench: Workbench) -> None:
    server = EmbeddedServer(home / "var" / "postgres").address
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(host=server.host, dbname="postgres", user="postgres", password=server.password)


def test_readers_cannot_use_up_the_server(workbench: Workbench, lake: Lake) -> None:
    role = tenants.reader(workbench.catalog, lake.tenant.id).role
    with workbench.catalog.everything() as connection:
        limit = "select rolconnlimit from pg_roles where rolname = %s"
        assert connection.exec_driver_sql(limit, (role,)).scalar() == 60
        assert connection.exec_driver_sql("select pg_has_role('pg_use_reserved_connections', 'member')").scalar()


def test_the_servers_socket_folder_is_never_a_link_or_another_users(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(BrokenInstallation, match="is a link"):
        system_user.make_own(tmp_path / "link", None)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755
    if os.geteuid() == 0:
        os.chown(victim, 12345, 12345)
        with pytest.raises(BrokenInstallation, match="belongs to another user"):
            system_user.make_own(victim, system_user.SystemUser(name="x", uid=54321, gid=54321))


def test_a_socket_folder_among_the_temporary_files_goes_with_its_server(new_home: Callable[[], Path]) -> None:
    server = EmbeddedServer(new_home() / ("long" * 25) / "var" / "postgres")
    server.start()
    socket = Path(server.address.host)
    assert socket.is_dir()
    assert socket.name.startswith("workbench-")
    server.release()
    assert not socket.exists()
