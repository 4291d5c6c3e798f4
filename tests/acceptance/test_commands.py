"""Commands as a person or a script meets them: what they print, where they fail, what they leave."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from workbench.catalog import tenants
from workbench.cli.context import Workbench
from workbench.lake import Lake

Cli = Callable[..., subprocess.CompletedProcess[str]]
ZURICH = ("--name", "Acme", "--timezone", "Europe/Zurich", "--currency", "CHF")


@pytest.fixture(scope="module")
def tenant(run_cli: Cli) -> str:
    assert run_cli("tenant", "add", "asked", *ZURICH).returncode == 0
    return "asked"


@pytest.fixture
def ask(run_cli: Cli, tenant: str) -> Callable[..., str]:
    def asked(query: str, form: str = "table") -> str:
        done = run_cli("sql", "--tenant", tenant, query, "--format", form)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return asked


def _piped(home: Path, tenant: str, query: str, form: str, *reader: str) -> tuple[int, bytes, bytes]:
    """Status and error stream of `workbench sql`, and what the reader of its output made of it."""
    environment = os.environ | {"WORKBENCH_HOME": str(home)}
    command = [sys.executable, "-m", "workbench", "sql", "--tenant", tenant, query, "--format", form]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as writer,
        subprocess.Popen(reader, stdin=writer.stdout, stdout=subprocess.PIPE) as end,
    ):
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.close()
        read, _ = end.communicate(timeout=60)
        told = writer.stderr.read()
        return writer.wait(60), told, read


WIDE = (
    "select 1 as a, 2 as a, sum(range) as total, 1.50::decimal(5, 2) as price, 'nan'::double as nan, [1, 2] as list, "
    "interval '1 month 3 days' as time, {'x': 'inf'::double} as struct, map {'k': 1} as map, '' as empty, null as none, "
    "timestamptz '2026-07-01 10:00:00+00' as at, 'a,\"b' as quoted from range(4)"
)


def test_an_answer_as_json_has_all_columns_in_their_own_types(ask: Callable[..., str]) -> None:
    assert json.loads(ask(WIDE, "json")) == [
        {
            "a": 1,
            "a_1": 2,
            "total": 6,
            "price": 1.5,
            "nan": None,
            "list": [1, 2],
            "time": "1 month 3 days",
            "struct": {"x": None},
            "map": {"k": 1},
            "empty": "",
            "none": None,
            "at": "2026-07-01T12:00:00+02:00",
            "quoted": 'a,"b',
        }
    ]
    assert json.loads(ask("select 1 as a where false", "json")) == []


def test_an_answer_as_csv_has_what_no_csv_can_hold_as_text(ask: Callable[..., str]) -> None:
    text = ask(WIDE, "csv")
    assert ',"",,' in text  # an empty text, and a null
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {
        "a": "1",
        "a_1": "2",
        "total": "6",
        "price": "1.50",
        "nan": "nan",
        "list": "[1, 2]",
        "time": "1 month 3 days",
        "struct": '{"x": null}',
        "map": '{"k": 1}',
        "empty": "",
        "none": "",
        "at": "2026-07-01 12:00:00+02",
        "quoted": 'a,"b',
    }


def test_an_answer_as_parquet_has_its_exact_types_and_whole_sums(home: Path, tenant: str) -> None:
    status, told, read = _piped(home, tenant, WIDE, "parquet", "cat")
    assert (status, told) == (0, b"")
    (row,) = pq.read_table(io.BytesIO(read)).to_pylist(maps_as_pydicts="strict")
    assert (row["a"], row["a_1"], row["total"], row["list"], row["time"]) == (1, 2, 6, [1, 2], "1 month 3 days")
    assert (str(row["price"]), row["map"], row["at"].isoformat()) == ("1.50", {"k": 1}, "2026-07-01T12:00:00+02:00")


def test_a_table_shows_the_columns_as_they_are_named_and_no_markup(ask: Callable[..., str]) -> None:
    head, _, row = ask("select sum(range) as calls_handled, '[/x] :smile: ' || chr(27) as m from range(4)").splitlines()
    assert (head, row) == ("calls_handled  m", r"            6  [/x] :smile: \x1b")


def test_a_table_of_many_columns_has_a_block_per_row(ask: Callable[..., str]) -> None:
    lines = ask("describe agent_metrics").splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines[2:]]
    values = ", ".join("null" for _ in names)
    shown = ask(f"select * from agent_metrics union all values ({values}), ({values})").splitlines()
    assert [line.split()[0] for line in shown if line] == names * 2
    assert max(map(len, shown)) <= 80


def test_a_table_shows_a_hundred_rows_and_says_how_many_more_there_are(run_cli: Cli, tenant: str) -> None:
    done = run_cli("sql", "--tenant", tenant, "select range as n from range(250000)")
    assert done.returncode == 0
    assert done.stdout.split()[2:] == [str(number) for number in range(100)]
    assert done.stderr == "249,900 more rows; --format csv has them all.\n"


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "table"])
def test_a_reader_that_has_seen_enough_is_no_failure(home: Path, tenant: str, form: str) -> None:
    query = "select range as n, repeat('x', 2000) as filler from range(20000)"
    status, told, read = _piped(home, tenant, query, form, "head", "-c", "3")
    assert (status, len(read)) == (0, 3)
    assert b"Error" not in told


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "table"])
def test_an_answer_that_fails_half_way_prints_nothing(run_cli: Cli, tenant: str, form: str) -> None:
    query = "select if(range = 3000000, error('too late'), range) as n from range(3000001) order by n"
    done = run_cli("sql", "--tenant", tenant, query, "--format", form)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: Invalid Input Error: too late\n"


def test_commands_that_use_the_database_wait_for_no_frames_of_pandas() -> None:
    code = (
        "import sys, workbench.cli.context, workbench.cli.answers\n"
        "print({'pandas', 'numpy', 'pyarrow', 'alembic', 'jinja2'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_tenant_whose_lake_cannot_be_made_is_not_added(run_cli: Cli, home: Path) -> None:
    nowhere = str(home / "schedules.yaml" / "lake")
    done = run_cli("tenant", "add", "undone", *ZURICH, WORKBENCH_LAKE=nowhere)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"A lake cannot be made under {nowhere}: Not a directory" in done.stderr
    assert "undone" not in run_cli("tenant", "list").stdout
    assert run_cli("tenant", "add", "undone", *ZURICH).returncode == 0
    assert (home / "var" / "lake" / "undone").is_dir()


def test_a_lake_in_a_place_that_is_not_known_is_bad_input(run_cli: Cli) -> None:
    done = run_cli("tenant", "add", "cloudy", *ZURICH, WORKBENCH_LAKE="gs://bucket/x")
    assert done.returncode == 2
    assert "s3://bucket/prefix" in done.stderr


@pytest.mark.parametrize("given", ["/etc/passwd", "/nowhere/at/all"])
def test_a_home_that_is_no_folder_is_bad_input(run_cli: Cli, given: str) -> None:
    done = run_cli("tenant", "list", home=Path(given))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"WORKBENCH_HOME is '{given}'" in done.stderr


def test_a_home_that_cannot_be_written_is_told_with_what_to_do(run_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    done = run_cli("tenant", "list", home=tmp_path)
    assert done.returncode == 4
    assert f"The workbench folder {tmp_path} cannot be used: Not a directory" in done.stderr
    assert "fault" not in done.stderr


def _states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["check"]: row["state"] for row in json.loads(done.stdout)}


def test_the_doctor_tells_a_missing_folder_once(run_cli: Cli) -> None:
    done = run_cli("doctor", "--json", home=Path("/nowhere"))
    assert done.returncode == 4
    assert _states(done) == {
        "Python": "ok",
        "packages": "ok",
        "workbench folder": "bad",
        "database": "unknown",
        "lakes": "unknown",
        "reports": "unknown",
        "schedules": "unknown",
    }
    assert done.stdout.count("/nowhere") == 1


def test_the_doctors_list_fits_a_terminal(run_cli: Cli) -> None:
    text = run_cli("doctor", home=Path("/nowhere/" + "long words " * 12)).stdout
    assert max(map(len, text.splitlines())) <= 80
    text = run_cli("report", "list").stdout + run_cli("report", "show", "agent_performance").stdout
    assert max(map(len, text.splitlines())) <= 80


def test_the_doctor_names_the_lake_whose_files_are_missing_and_how_many(run_cli: Cli, lake: Lake) -> None:
    with lake.writer() as connection:
        connection.execute("insert into analytics_events select uuid(), 't', 'ann', 'note.made', '{}', now() from range(1000)")
    (file,) = Path(lake.reading.data_path).rglob("*.parquet")
    away = file.rename(file.with_suffix(".away"))
    done, asked = run_cli("doctor", "--json"), run_cli("sql", "--tenant", lake.tenant.id, "from analytics_events")
    away.rename(file)
    assert done.returncode == 4
    assert [check for check, state in _states(done).items() if state != "ok"] == ["lakes"]
    assert f"{lake.tenant.id}: 1 of its lake's 1 files are missing, the first is {file}" in done.stdout
    assert (asked.returncode, asked.stdout) == (4, "")
    assert "`workbench doctor` says what the lake lacks" in asked.stderr


def test_a_tenant_whose_lake_was_never_finished_gets_it_when_it_is_used(run_cli: Cli, workbench: Workbench) -> None:
    tenants.add(workbench.catalog, tenants.Tenant(id="lakeless", name="Acme", timezone="UTC", currency="CHF"))
    asked = run_cli("sql", "--tenant", "lakeless", "select count(*) as n from analytics_events", "--format", "json")
    assert run_cli("tenant", "remove", "lakeless", "--yes").returncode == 0
    assert json.loads(asked.stdout) == [{"n": 0}]


def test_a_run_names_its_files_as_they_can_be_typed_from_here(run_cli: Cli, home: Path, lake: Lake) -> None:
    done = run_cli("report", "run", "daily_summary", "--tenant", lake.tenant.id)
    assert done.returncode == 0, done.stderr
    _, *files = done.stdout.splitlines()
    assert files
    for file in files:
        assert Path(file.strip()).resolve().is_relative_to(home)
        assert len(file.strip()) <= len(str(Path(file.strip()).resolve()))
