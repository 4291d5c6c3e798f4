"""A reader's SQL is held to its own lake, whatever it tries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import psycopg
import pytest

from workbench.errors import BrokenInstallation, InvalidQuery
from workbench.lake import Lake
from workbench.lake import reader as open_reader
from workbench.session import Session

_ADD = "insert into analytics_events select uuid(), $tenant, 'ann', 'note.made', '{}', now() from range($count)"


@pytest.fixture(scope="module")
def lakes(new_lake: Callable[..., Lake]) -> tuple[Lake, Lake]:
    """Two tenants' lakes, each with inlined rows and rows in files."""
    mine, other = new_lake(), new_lake()
    for lake in (mine, other):
        with lake.writer() as connection:
            for count in (3, 1000):
                connection.execute(_ADD, {"tenant": lake.tenant.id, "count": count})
    return mine, other


@pytest.fixture
def reader(lakes: tuple[Lake, Lake]) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = lakes[0].reader()
    yield connection
    connection.close()


def test_a_reader_reads_inlined_rows_and_files(reader: duckdb.DuckDBPyConnection) -> None:
    assert reader.execute("select count(*) from analytics_events").fetchone() == (1003,)


ESCAPES = (
    "insert into analytics_events (id) values (uuid())",
    "delete from analytics_events",
    "create table lake.stolen (a int)",
    "drop table analytics_events",
    "select * from read_text('/etc/passwd')",
    "select * from read_csv('/etc/passwd')",
    "select * from read_blob('{other}**')",
    "select * from read_parquet('{other}**/*.parquet')",
    "select * from read_blob('{mine}../{other_id}/**')",
    "select * from glob('{other}*')",
    "select * from sniff_csv('/etc/passwd')",
    "copy (select 1) to '{tmp}/out.csv'",
    "copy analytics_events from '/etc/passwd'",
    "export database '{tmp}/out'",
    "attach '{tmp}/new.db'",
    "attach '{dsn}' as stolen (type postgres)",
    "attach 'ducklake:postgres:{dsn}' as stolen (metadata_schema '{other_schema}', data_path '{other}')",
    "select * from postgres_scan('{dsn}', '{other_schema}', 'ducklake_table')",
    "select * from postgres_scan('{dsn}', 'public', 'tenants')",
    "select * from postgres_scan('{dsn}', 'public', 'lake_readers')",
    "select * from postgres_query('__ducklake_metadata_lake', 'select * from public.lake_readers')",
    "select * from postgres_query('__ducklake_metadata_lake', 'select * from {other_schema}.ducklake_table')",
    "call postgres_execute('__ducklake_metadata_lake', 'create table public.stolen (a int)')",
    "install httpfs",
    "load httpfs",
    "load '{tmp}/evil.duckdb_extension'",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "set lock_configuration = false",
    "reset lock_configuration",
    "set memory_limit = '100GB'",
    "select * from 's3://bucket/file.parquet'",
    "select * from 'https://127.0.0.1/file.parquet'",
    "call ducklake_delete_orphaned_files('lake', cleanup_all => true)",
    "call ducklake_expire_snapshots('lake', older_than => now())",
    "call ducklake_flush_inlined_data('lake')",
    "call lake.set_option('parquet_compression', 'zstd')",
)


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_is_refused(escape: str, lakes: tuple[Lake, Lake], tmp_path: Path) -> None:
    mine, other = lakes
    statement = escape.format(
        mine=mine.reading.data_path,
        other=other.reading.data_path,
        other_id=other.tenant.id,
        other_schema=other.reading.schema,
        dsn=mine.reading.dsn.replace("'", "''"),
        tmp=tmp_path,
    )
    reader = mine.reader()
    with pytest.raises(duckdb.Error):
        reader.execute(statement).fetchall()
    reader.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to '{mine}evil.parquet'",
        "create secret (type postgres, host 'x')",
        "explain analyze copy (select 1) to '{mine}evil.parquet'",
        "explain select 1",
        "select 1; select 2",
        "use memory",
        "",
        "select 1; select * from agent_metrics",
    ],
)
def test_a_session_takes_one_select_at_a_time(statement: str, lakes: tuple[Lake, Lake]) -> None:
    session = Session(lakes[0].reading)
    with pytest.raises(InvalidQuery, match="one SELECT"):
        session.sql(statement.format(mine=lakes[0].reading.data_path))
    session.close()
    assert not Path(lakes[0].reading.data_path, "evil.parquet").exists()


@pytest.mark.parametrize(
    "question",
    [
        "select * from postgres_query('__ducklake_metadata_lake', 'select pg_advisory_lock(1)')",
        "select * from postgres_execute('__ducklake_metadata_lake', 'commit; begin read write')",
        "select * from Postgres_Scan('host=x', 'public', 'lake_readers')",
        "select * from query('select 1')",
        "select * from query_table('agent_metrics')",
        "select * from enable_logging(storage => 'file', storage_path => '{mine}logs')",
        "select * from json_execute_serialized_sql('{{}}')",
        "select * from read_text('{mine}**')",
        "select * from ducklake_snapshots('lake')",
        "select (select max(file) from glob('*'))",
        "with a as (select * from postgres_query('a', 'b')) select * from a",
        "select * from agent_metrics where agent_id in (select a from postgres_query('a', 'b'))",
        "select * from __ducklake_metadata_lake.{schema}.ducklake_table",
        "select * from __ducklake_metadata_lake.ducklake_table",
        "select path from duckdb_databases",
        "select path from system.main.duckdb_databases",
        "select path from duckdb_databases()",
        "describe (select * from postgres_query('a', 'b'))",
    ],
)
def test_a_session_refuses_what_reaches_past_the_lakes_tables(question: str, lakes: tuple[Lake, Lake]) -> None:
    reading = lakes[0].reading
    session = Session(reading)
    with pytest.raises(InvalidQuery, match=r"cannot be (used|read) here"):
        session.sql(question.format(mine=reading.data_path, schema=reading.schema))
    session.close()


@pytest.mark.parametrize(
    "question",
    [
        "select a, sum(b) over () from (values (1, 2)) as t(a, b)",
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 3) select * from n",
        "select unnest([1, 2]), * from range(2)",
        "from analytics_events select count(*)",
        "describe agent_metrics",
        "summarize analytics_events",
        "show tables",
        "select table_name from information_schema.tables",
        "select key from json_each('{\"a\": 1}')",
        "select * from agent_metrics at (timestamp => now())",
        "table agent_metrics",
        "-- a comment\nselect 1;",
    ],
)
def test_a_session_answers_any_plain_select(question: str, lakes: tuple[Lake, Lake]) -> None:
    session = Session(lakes[0].reading)
    session.sql(question)
    session.close()


def test_readers_share_no_folder_to_spill_to(lakes: tuple[Lake, Lake]) -> None:
    folders = []
    for lake in lakes:
        connection = lake.reader()
        row = connection.execute("select current_setting('allowed_directories'), current_setting('temp_directory')").fetchone()
        connection.close()
        assert row is not None
        folders += [*row[0], row[1]]
    assert not any(str(Path.cwd()) in folder for folder in folders)
    assert len({folder.rstrip("/") for folder in folders}) == 4


def test_a_session_binds_values_and_reports_mistakes_in_the_databases_words(lakes: tuple[Lake, Lake]) -> None:
    session = Session(lakes[0].reading)
    hostile = "x' or 1=1 --"
    assert session.sql("select count(*) as n from analytics_events where user_id = $who", who=hostile)["n"].tolist() == [0]
    with pytest.raises(InvalidQuery, match="agent_metrix"):
        session.sql("select * from agent_metrix")
    session.close()


def test_a_readers_login_reads_its_own_catalog_and_writes_nothing(lakes: tuple[Lake, Lake]) -> None:
    mine, other = lakes
    with psycopg.connect(mine.reading.dsn, autocommit=True) as login:
        assert login.execute(f"select count(*) from {mine.reading.schema}.ducklake_table").fetchone() != (0,)
        for refused in (
            f"select * from {other.reading.schema}.ducklake_table",
            "select * from public.tenants",
            "select * from public.lake_readers",
            "select rolpassword from pg_authid",
            "select pg_read_file('/etc/passwd')",
            "copy (select 1) to program 'id'",
            f"set role {mine.catalog.url.username}",
            "create temp table t (a int)",
            "create schema stolen",
        ):
            with pytest.raises(psycopg.Error):
                login.execute(refused)  # type: ignore[call-overload]
        login.execute("set default_transaction_read_only = off")
        for refused in (f"delete from {mine.reading.schema}.ducklake_table", f"create table {mine.reading.schema}.t (a int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                login.execute(refused)  # type: ignore[call-overload]


def test_timestamps_come_in_the_tenants_zone_and_days_are_cut_in_it(new_lake: Callable[..., Lake]) -> None:
    lake = new_lake(timezone="Asia/Kolkata")
    with lake.writer() as connection:
        connection.execute(
            "insert into analytics_events values (uuid(), $tenant, null, 'note.made', '{}', '2026-01-31 20:00:00+00')",
            {"tenant": lake.tenant.id},
        )
    session = Session(lake.reading)
    found = session.sql("select created_at, created_at::date as day from analytics_events").iloc[0]
    session.close()
    assert (str(found["created_at"]), str(found["day"].date())) == ("2026-02-01 01:30:00+05:30", "2026-02-01")


def test_a_lake_that_cannot_be_opened_is_told_without_its_password(lake: Lake) -> None:
    wrong = replace(lake.reading, dsn=lake.reading.dsn.replace("port='5432'", "port='1'"))
    assert "port='1'" in wrong.dsn
    with pytest.raises(BrokenInstallation, match=f"lake of tenant {lake.tenant.id} cannot be opened") as told:
        open_reader(wrong)
    secret = re.search(r"password='([^']+)'", wrong.dsn)
    assert secret is not None
    assert secret.group(1) not in str(told.value)
