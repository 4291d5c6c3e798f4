"""A company's calls and leads become a delivered report, through the commands a user types."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import psutil
import pypdf
import pytest
from sqlalchemy import select

from workbench.catalog.tables import report_executions
from workbench.cli.context import Workbench

ROOT = Path(__file__).parent.parent.parent
MAPPINGS = ROOT / "docs" / "mappings"
Cli = Callable[..., subprocess.CompletedProcess[str]]


def _ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def _imported(run_cli: Cli, tenant: str, timezone: str, files: dict[str, Path]) -> None:
    _ok(run_cli("tenant", "add", tenant, "--name", tenant.title(), "--timezone", timezone, "--currency", "CHF"))
    for mapping, file in files.items():
        _ok(run_cli("import", str(file), "--tenant", tenant, "--mapping", str(MAPPINGS / mapping)))
    _ok(run_cli("rollup", "--tenant", tenant))


@pytest.fixture(scope="module")
def phonenow(run_cli: Cli, real_data: Path) -> str:
    _imported(run_cli, "phonenow", "Europe/Zurich", {"phonenow_calls.yaml": real_data / "phonenow_calls_2021q1.csv"})
    return "phonenow"


@pytest.fixture(scope="module")
def olist(run_cli: Cli, real_data: Path) -> str:
    files = {
        "olist_leads.yaml": real_data / "olist_marketing_qualified_leads.csv",
        "olist_deals.yaml": real_data / "olist_closed_deals.csv",
    }
    _imported(run_cli, "olist", "America/Sao_Paulo", files)
    return "olist"


def _run_report(run_cli: Cli, report: str, tenant: str, *options: str) -> dict[str, Path]:
    """The published files by name."""
    answer = json.loads(_ok(run_cli("report", "run", report, "--tenant", tenant, *options, "--json")))
    return {Path(file).name: Path(file) for file in answer["files"]}


def _sheet(file: Path, name: str) -> list[dict[str, Any]]:
    heading, *rows = openpyxl.load_workbook(file)[name].iter_rows(values_only=True)
    return [dict(zip([str(cell) for cell in heading], row, strict=True)) for row in rows]


QUARTER = ("-p", "start_date=2021-01-01", "-p", "end_date=2021-03-31")


def test_phonenow_gives_the_known_answers_through_sql(run_cli: Cli, phonenow: str) -> None:
    question = (
        "select count(distinct agent_id) as agents, sum(calls_offered) as calls, sum(calls_handled) as answered, "
        "sum(call_seconds_sum) / sum(calls_with_duration) as talk, sum(rating_sum) / sum(ratings) as rating from agent_metrics"
    )
    (row,) = json.loads(_ok(run_cli("sql", "--tenant", phonenow, question, "--format", "json")))
    assert {key: round(float(value), 2) for key, value in row.items()} == {
        "agents": 8,
        "calls": 5000,
        "answered": 4054,
        "talk": 224.92,
        "rating": 3.40,
    }


def test_phonenows_report_shows_and_exports_the_same_answers(run_cli: Cli, phonenow: str) -> None:
    files = _run_report(run_cli, "agent_performance", phonenow, *QUARTER, "--format", "html,pdf,xlsx,csv,json,parquet")
    assert set(files) == {
        "executed.ipynb",
        "report.html",
        "report.pdf",
        "report.xlsx",
        "tables.json",
        "agents.csv",
        "agents.parquet",
    }
    page = files["report.html"].read_text()
    assert all(text in page for text in ("Phonenow", "4,054", "3.40", "2021-01-01 to 2021-03-31"))
    document = pypdf.PdfReader(files["report.pdf"])
    footer = document.pages[-1].extract_text()
    assert files["report.pdf"].parent.name in footer
    assert all(text in footer for text in ("Phonenow", "2021-01-01 to 2021-03-31", str(len(document.pages))))
    rows = list(csv.DictReader(io.StringIO(files["agents.csv"].read_text(encoding="utf-8-sig"))))
    assert (len(rows), sum(int(row["calls_handled"]) for row in rows)) == (8, 4054)
    exported = json.loads(files["tables.json"].read_text())["tables"]["agents"]
    assert len(exported["rows"]) == 8
    sheets = openpyxl.load_workbook(files["report.xlsx"]).sheetnames
    sheet = _sheet(files["report.xlsx"], sheets[-1])
    assert sum(row["Calls"] for row in sheet) == 4054
    rated = sum(row["Rating"] * row["Ratings"] for row in sheet) / sum(row["Ratings"] for row in sheet)
    assert round(rated, 2) == 3.40


def test_olist_gives_the_known_answers_with_the_deal_won_too_early(run_cli: Cli, olist: str) -> None:
    question = (
        "select count(distinct lead_id) filter (created > 0) as leads, count(distinct lead_id) filter (converted > 0) as won, "
        "sum(revenue) as revenue from lead_activity"
    )
    (row,) = json.loads(_ok(run_cli("sql", "--tenant", olist, question, "--format", "json")))
    assert {key: round(float(value)) for key, value in row.items()} == {"leads": 8000, "won": 842, "revenue": 61784006}
    funnel = "select min(seconds_in_stage) as shortest, count(*) as won from conversion_funnels where outcome = 'converted'"
    assert json.loads(_ok(run_cli("sql", "--tenant", olist, funnel, "--format", "json"))) == [{"shortest": 0.0, "won": 842}]
    period = ("-p", "start_date=2017-06-01", "-p", "end_date=2018-12-31")
    files = _run_report(run_cli, "lead_trends", olist, *period, "--format", "json")
    sources = json.loads(files["tables.json"].read_text())["tables"]["sources"]["rows"]
    # Ten named origins, and 60 leads without one.
    assert len(sources) == 11
    assert [row["leads"] for row in sources if row["source"] == "not given"] == [60]
    assert [sum(row[key] for row in sources) for key in ("leads", "leads_converted", "revenue")] == [8000, 842, 61784006]


@pytest.mark.parametrize("report", ["agent_performance", "lead_trends", "daily_summary"])
def test_a_tenant_without_a_single_event_gets_a_sensible_page(run_cli: Cli, new_lake: Callable[..., Any], report: str) -> None:
    files = _run_report(run_cli, report, new_lake().tenant.id, "--format", "html,pdf,xlsx")
    page = files["report.html"].read_text()
    assert "No rows" in page
    assert "nan" not in page.split("<main", 1)[-1].split("<script", 1)[0].lower().replace("finance", "")


def _notebook(home: Path, name: str, *cells: str) -> str:
    folder = home / "notebooks" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    sources = ["top: int = 3  # how many", *cells]
    body = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
        for number, source in enumerate(sources)
    ]
    body[0]["metadata"] = {"tags": ["parameters"]}
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {name}\n\nFor a test."}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [title, *body], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook))
    return name


def _last_run(workbench: Workbench, tenant_id: str) -> Any:
    with workbench.catalog.tenant(tenant_id) as connection:
        return connection.execute(select(report_executions).order_by(report_executions.c.created_at.desc()).limit(1)).one()


def _published(home: Path, tenant_id: str) -> list[Path]:
    return [file for file in (home / "reports" / tenant_id).rglob("*") if file.is_file()]


def test_a_notebook_that_raises_is_told_by_cell_and_line_and_kept_and_not_published(
    run_cli: Cli, home: Path, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    name = _notebook(home, "raises", "fine = 1", "a = 1\nb = a / 0")
    done = run_cli("report", "run", name, "--tenant", tenant_id, "-p", "top=5")
    assert done.returncode == 3
    assert "failed in cell 4, line 2: ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    run = _last_run(workbench, tenant_id)
    assert (run.status, run.error_cell, run.parameters) == ("failed", 4, {"top": 5})
    assert _published(home, tenant_id) == []
    assert (home / "var" / "failed" / tenant_id / str(run.id) / "executed.ipynb").exists()
    assert str(run.id) in (home / "var" / "workbench.log").read_text()


def test_a_run_sees_no_secret_of_the_server_and_no_other_tenant(run_cli: Cli, home: Path, new_lake: Callable[..., Any]) -> None:
    tenant_id, other = new_lake().tenant.id, new_lake().tenant.id
    name = _notebook(
        home,
        "looks_around",
        "import os\nfound = sorted(os.environ.items())",
        f"assert not any('hidden-value' in value or '{other}' in value for _, value in found), found",
        f"import workbench\nassert workbench.open().tenant.id == '{tenant_id}'",
    )
    _ok(run_cli("report", "run", name, "--tenant", tenant_id, MY_SECRET="hidden-value"))


def test_a_run_that_takes_too_long_is_ended_with_all_it_started(
    run_cli: Cli, home: Path, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    marker = "86411"
    name = _notebook(home, "sleeps", f"import subprocess\nsubprocess.run(['sleep', '{marker}'])")
    done = run_cli("report", "run", name, "--tenant", tenant_id, WORKBENCH_RUN_TIMEOUT="8")
    assert done.returncode == 3
    assert "longer than 8 s" in done.stderr
    assert _last_run(workbench, tenant_id).status == "timed_out"
    assert not _processes_with(marker)


def _processes_with(text: str) -> list[str]:
    return [
        " ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]) if text in (each.info["cmdline"] or [])
    ]


def test_an_interrupted_run_is_recorded_as_cancelled_and_leaves_nothing(
    home: Path, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    marker = "86422"
    name = _notebook(home, "waits", f"import subprocess\nsubprocess.run(['sleep', '{marker}'])")
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "report", "run", name, "--tenant", tenant_id],
        env=os.environ | {"WORKBENCH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not _processes_with(marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in told
    assert _last_run(workbench, tenant_id).status == "cancelled"
    assert _published(home, tenant_id) == []
    assert not _processes_with(marker)


def test_a_place_that_cannot_be_written_publishes_nothing_and_says_so(
    run_cli: Cli, home: Path, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    (home / "reports").mkdir(exist_ok=True)
    (home / "reports" / tenant_id).write_text("a file where a folder should be")
    done = run_cli("report", "run", "daily_summary", "--tenant", tenant_id)
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert _last_run(workbench, tenant_id).status == "failed"


def test_a_disk_that_fills_up_while_a_report_is_exported_publishes_nothing_and_says_so(
    run_cli: Cli, home: Path, workbench: Workbench, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    # No file may grow beyond this: writing the page fails half-way, as it does where there is no room.
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000,) * 2); from workbench.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "report", "run", "daily_summary", "--tenant", tenant_id],
        env=os.environ | {"WORKBENCH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert _last_run(workbench, tenant_id).status == "failed"
    assert _published(home, tenant_id) == []
    _ok(run_cli("report", "run", "daily_summary", "--tenant", tenant_id))


_TRIES = """
import os, pathlib, signal, subprocess, workbench
session = workbench.open()
home = pathlib.Path({home!r})
mine = {mine!r}
def open_to(what, attempt):
    try:
        found = attempt()
    except (OSError, subprocess.CalledProcessError):
        return []
    return [f"{{what}}: {{found!r:.80}}"]
outside = os.getppid()
for _ in range(1):
    outside = int(pathlib.Path(f"/proc/{{outside}}/stat").read_text().rsplit(")", 1)[1].split()[1])
"""

_CLOSED = {
    "the database's password": "(home / 'var/postgres/password').read_text()",
    "another tenant's files": "os.listdir(home / 'var/lake' / '{other}')",
    "the folder of tenants": "os.listdir(home / 'reports')",
    "the log": "(home / 'var/workbench.log').read_text()",
    "the home of the workbench": "os.listdir(home)",
    "the code": "open(workbench.__file__, 'a')",
    "its own lake": "open(home / 'var/lake' / mine / 'x', 'w')",
    "a system file": "pathlib.Path('/etc/shadow').read_text()",
    "a link out": "(os.symlink(home / 'var/postgres/password', 'link'), pathlib.Path('link').read_text())",
    "another program": "subprocess.run(['cat', str(home / 'var/postgres/password')], check=True, capture_output=True)",
    "the runner's environment": "pathlib.Path(f'/proc/{{outside}}/environ').read_bytes()",
    "the runner's folder": "os.listdir(f'/proc/{{outside}}/cwd')",
    "a signal to the runner": "os.kill(outside, 0)",
    "the temporary folder of others": "os.listdir('/tmp')",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel holds a process to some files")
def test_a_notebooks_python_reaches_its_own_run_and_nothing_else(run_cli: Cli, home: Path, new_lake: Callable[..., Any]) -> None:
    mine, other = new_lake().tenant.id, new_lake().tenant.id
    tries = [f"    *open_to({what!r}, lambda: {attempt.format(other=other)})," for what, attempt in _CLOSED.items()]
    name = _notebook(
        home,
        "reaches_out",
        _TRIES.format(home=str(home), mine=mine),
        "\n".join(["found = [", *tries, "]", "assert found == [], found"]),
        "open('note.txt', 'w').write('its own folder is its own')\nsession.sql('select count(*) from agent_metrics')",
    )
    _ok(run_cli("report", "run", name, "--tenant", mine))


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("(run / 'tables' / 'period.txt').symlink_to({secret!r})", "no plain file"),
        ("os.link(run / 'own', run / 'tables' / '0001-a.parquet')", "no plain file"),
        ("os.mkfifo(run / 'tables' / '0001-a.parquet')", "no plain file"),
        ("(run / 'tables').rmdir(); (run / 'tables').symlink_to({folder!r})", "left a link"),
        ("(run / 'tables' / '0001-a.parquet').write_bytes(b'PAR1')", "none that session.table has written"),
        ("(run / 'tables' / '0001-a.parquet').write_bytes(b'')", "none that session.table has written"),
    ],
)
def test_what_a_notebook_leaves_in_its_folder_is_not_followed_or_trusted(
    run_cli: Cli, home: Path, new_lake: Callable[..., Any], cell: str, told: str
) -> None:
    tenant_id = new_lake().tenant.id
    secret = home / "secrets" / "period.txt"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("hidden-value")
    attack = cell.format(secret=str(secret), folder=str(secret.parent))
    name = _notebook(home, "leaves_things", f"import os, pathlib\nrun = pathlib.Path.cwd()\nopen('own', 'w').close()\n{attack}")
    done = run_cli("report", "run", name, "--tenant", tenant_id)
    assert done.returncode == 3
    assert told in done.stderr
    assert _published(home, tenant_id) == []


def test_files_of_its_own_that_a_notebook_leaves_are_not_published_and_its_code_runs_in_no_other_process(
    run_cli: Cli, home: Path, new_lake: Callable[..., Any]
) -> None:
    tenant_id = new_lake().tenant.id
    name = _notebook(
        home,
        "leaves_code",
        "import os, pathlib",
        "for folder in ('.', '..', '../code'):\n    pathlib.Path(folder, 'jinja2.py').write_text('raise SystemExit')\n"
        "    pathlib.Path(folder, 'report.html').write_text('<script>alert(1)</script>')",
    )
    done = _ok(run_cli("report", "run", name, "--tenant", tenant_id, "--json"))
    assert {Path(file).name for file in json.loads(done)["files"]} == {"executed.ipynb", "report.html"}
    assert {path.name for path in _published(home, tenant_id)} == {"executed.ipynb", "report.html"}


def test_nothing_that_a_notebook_starts_outlives_its_run(run_cli: Cli, home: Path, new_lake: Callable[..., Any]) -> None:
    marker = "86433"
    detached = f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'], start_new_session=True)"
    forked = f"subprocess.run(['sh', '-c', 'setsid sleep {marker} & exit'])"
    name = _notebook(home, "lets_loose", detached, forked)
    _ok(run_cli("report", "run", name, "--tenant", new_lake().tenant.id))
    assert not _processes_with(marker)


def test_a_run_whose_command_is_killed_hard_ends_with_it(home: Path, workbench: Workbench, new_lake: Callable[..., Any]) -> None:
    tenant_id = new_lake().tenant.id
    marker = "86444"
    name = _notebook(home, "is_orphaned", f"import subprocess\nsubprocess.run(['sleep', '{marker}'])")
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "report", "run", name, "--tenant", tenant_id],
        env=os.environ | {"WORKBENCH_HOME": str(home)},
    )
    _wait_until(lambda: bool(_processes_with(marker)), 60)
    process.kill()
    process.wait()
    _wait_until(lambda: not _processes_with(marker), 10)


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("raise ValueError('a\\x00b' + 'x' * 100_000)", "ValueError: a�bxxx"),
        ("import os\nos.write(2, b'\\xff')\nos._exit(3)", "died"),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", "ended unexpectedly (signal SIGKILL)"),
    ],
)
def test_a_notebook_that_ends_badly_is_recorded_in_plain_words(
    run_cli: Cli, home: Path, workbench: Workbench, new_lake: Callable[..., Any], cell: str, told: str
) -> None:
    tenant_id = new_lake().tenant.id
    name = _notebook(home, "ends_badly", cell)
    done = run_cli("report", "run", name, "--tenant", tenant_id)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    run = _last_run(workbench, tenant_id)
    assert (run.status, told in run.error_message, len(run.error_message) < 3000) == ("failed", True, True), run.error_message
    assert str(run.id) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "run", "daily_summary", "--tenant", "nobody"], "There is no tenant nobody"),
        (["report", "run", "nothing", "--tenant", "nobody"], "There is no report"),
        (["report", "run", "daily_summary", "--tenant", "../x"], "must start with a small letter"),
        (["report", "run", "daily_summary", "--tenant", "nobody", "--format", "doc"], "There is no format 'doc'"),
        (["report", "run", "daily_summary", "--tenant", "nobody", "-p", "date"], "NAME=VALUE"),
        (["tenant", "add", "a", "--name", "A", "--timezone", "Mars/Base", "--currency", "CHF"], "no time zone 'Mars/Base'"),
        (["tenant", "add", "a", "--name", "A", "--timezone", "UTC", "--currency", "francs"], "three capital letters"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_input_is_told_on_the_error_stream_with_status_2(run_cli: Cli, arguments: list[str], told: str) -> None:
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_finds_a_fresh_workbench_healthy_and_lists_are_json(run_cli: Cli) -> None:
    checks = json.loads(_ok(run_cli("doctor", "--json")))
    assert {check["state"] for check in checks} == {"ok"}
    assert {report["report"] for report in json.loads(_ok(run_cli("report", "list", "--json")))} >= {"daily_summary"}


def test_a_database_that_does_not_answer_is_a_broken_installation(run_cli: Cli) -> None:
    done = run_cli("tenant", "list", WORKBENCH_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert done.returncode == 4
    assert "does not answer" in done.stderr
    assert "secret" not in done.stderr
