"""Schedules as a person meets them: the scheduler as a process, and the commands."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants

Cli = Callable[..., subprocess.CompletedProcess[str]]
EVERY_MINUTE = 'schedules:\n  busy: {report: daily_summary, cron: "* * * * *", tenants: all, parameters: {date: "{{ today }}"}}\n'


@pytest.fixture(scope="module")
def own_home(new_home: Callable[[], Path]) -> Path:
    return new_home()


@pytest.fixture(scope="module")
def catalog(own_home: Path) -> Iterator[Catalog]:
    found = Catalog(settings_table.load({"WORKBENCH_HOME": str(own_home)}))
    for tenant_id, zone, tags in (("zurich", "Europe/Zurich", ("retail",)), ("tokyo", "Asia/Tokyo", ())):
        tenants.add(found, tenants.Tenant(id=tenant_id, name=tenant_id, timezone=zone, currency="CHF", tags=tags))
    yield found
    found.close()


@pytest.fixture
def ask(run_cli: Cli, own_home: Path, catalog: Catalog) -> Callable[..., Any]:
    """What `workbench schedules …` answers, as JSON."""

    def asked(*arguments: str) -> Any:
        done = run_cli("schedules", *arguments, "--json", home=own_home)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return asked


def _write(home: Path, text: str, *, minutes_ago: float = 0) -> None:
    path = home / "schedules.yaml"
    path.write_text(text)
    then = time.time() - 60 * minutes_ago
    os.utime(path, (then, then))


class _Process:
    """`workbench scheduler`, with what it has said so far."""

    def __init__(self, home: Path) -> None:
        environment = os.environ | {"WORKBENCH_HOME": str(home)}
        command = [sys.executable, "-m", "workbench", "scheduler"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(iter(self.process.stderr.readline, ""))

    def says(self, what: str, seconds: float = 30) -> None:
        _await(lambda: what in "".join(self.said), seconds, lambda: "".join(self.said))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(20)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


@contextlib.contextmanager
def _running(home: Path) -> Iterator[_Process]:
    process = _Process(home)
    try:
        process.says("scheduler started")
        yield process
    finally:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


def _await(condition: Callable[[], bool], seconds: float, told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def _ticks(home: Path) -> list[tuple[str, str]]:
    query = "select tenant_id, logical_time from report_executions where logical_time is not null"
    catalog = Catalog(settings_table.load({"WORKBENCH_HOME": str(home)}))
    with contextlib.closing(catalog), catalog.everything() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]


def test_two_schedulers_fire_each_tick_once_and_end_when_asked(own_home: Path, catalog: Catalog) -> None:
    _write(own_home, EVERY_MINUTE)
    started = dt.datetime.now(dt.UTC)
    with _running(own_home) as one, _running(own_home) as other:
        _await(lambda: any(tick > started for _, tick in _ticks(own_home)), 75)
        assert (one.end(signal.SIGTERM), other.end(signal.SIGINT)) == (0, 0)
        assert "scheduler stopped" in one.said[-1]
    found = _ticks(own_home)
    assert len(set(found)) == len(found) >= 2
    assert {tick.second for _, tick in found} == {0}


def test_a_change_is_taken_up_and_a_broken_file_leaves_what_was(
    run_cli: Cli, own_home: Path, catalog: Catalog, ask: Callable[..., Any]
) -> None:
    _write(own_home, "schedules: {}\n")
    with _running(own_home) as process:
        _write(own_home, EVERY_MINUTE.replace("* * * * *", "0 7 * * *"))
        process.says("schedules.yaml was changed; schedules now: 1", 4)
        _await(lambda: ask("list")[0]["state"] == "on", 10)
        _write(own_home, EVERY_MINUTE.replace("* * * * *", "0 25 * * *"))
        process.says("schedules.yaml:2: the hour '25' of the cron line", 4)
        process.says("the schedules stay as they were before", 4)
        told = run_cli("schedules", "list", home=own_home)
        assert (told.returncode, told.stderr.count("schedules.yaml:2:")) == (2, 1)
        assert "goes on with what the file said before" in run_cli("doctor", home=own_home).stdout.replace("\n", " ").replace(
            "  ", ""
        )
        assert "".join(process.said).count("cannot be used as it is now") == 1
        _write(own_home, EVERY_MINUTE.replace("busy", "later").replace("* * * * *", "0 8 * * *").replace("all", "[newcomer]"))
        process.says("schedules.yaml:2: there is no tenant 'newcomer'", 4)
        tenants.add(catalog, tenants.Tenant(id="newcomer", name="N", timezone="UTC", currency="CHF"))
        _await(lambda: "".join(process.said).count("schedules now: 1") == 2, 4)
        _write(own_home, "[" * 5000)
        process.says("schedules.yaml:1: this is nested too deeply", 4)
        (own_home / "schedules.yaml").unlink()
        os.mkfifo(own_home / "schedules.yaml")
        process.says("schedules.yaml:1: is no file", 4)
        (own_home / "schedules.yaml").unlink()
        odd = own_home / "notebooks" / "reports" / "odd.ipynb"
        odd.parent.mkdir(parents=True)
        odd.write_text("[" * 100_000)
        _write(own_home, EVERY_MINUTE.replace("* * * * *", "0 9 * * *"))
        process.says("the schedules stay as they were before: RecursionError: ", 4)
        odd.unlink()
        _await(lambda: "".join(process.said).count("schedules now: 1") == 3, 4)
        assert process.end() == 0
    tenants.remove(catalog, "newcomer")


def test_a_scheduler_does_not_start_with_a_broken_file(run_cli: Cli, own_home: Path, catalog: Catalog) -> None:
    _write(own_home, EVERY_MINUTE.replace("daily_summary", "daily_sumary"))
    done = run_cli("scheduler", home=own_home)
    assert done.returncode == 2
    assert "schedules.yaml:2: there is no report 'daily_sumary'; did you mean 'daily_summary'?" in done.stderr


def test_a_scheduler_outlives_the_database(new_home: Callable[[], Path]) -> None:
    home = new_home()
    catalog = Catalog(settings_table.load({"WORKBENCH_HOME": str(home)}))
    tenants.add(catalog, tenants.Tenant(id="zurich", name="Z", timezone="Europe/Zurich", currency="CHF"))
    with catalog.everything() as connection:
        connection.exec_driver_sql("update tenants set created_at = now() - interval '1 hour'")
    with contextlib.closing(catalog), _running(home) as process:
        pid = int((home / "var" / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)
        _write(home, EVERY_MINUTE, minutes_ago=2.5)
        process.says("schedule busy: ", 30)
        assert process.end() == 0
        assert not [line for line in process.said if "Traceback" in line]


WEEK = """\
schedules:
  morning: {report: daily_summary, cron: "0 7 * * mon-fri", tenants: all, parameters: {date: "{{ yesterday }}"}, catch_up: skip}
  shops: {report: lead_trends, cron: "30 6 1 * *", tenants: {tag: retail}, timezone: UTC, formats: [pdf]}
"""


def test_commands_check_list_and_tell_what_is_to_come(run_cli: Cli, own_home: Path, ask: Callable[..., Any]) -> None:
    _write(own_home, WEEK)
    checked = run_cli("schedules", "check", home=own_home)
    assert checked.returncode == 0
    assert checked.stdout.endswith("schedules.yaml is fine.\n")
    assert [(each["schedule"], each["tenants"], each["when"]) for each in ask("check")] == [
        ("morning", 2, "At 07:00 on Monday through Friday, each tenant's own time"),
        ("shops", 1, "At 06:30 on the first day of every month, UTC"),
    ]
    morning, shops = ask("list")
    assert (morning["tenants"], shops["tenants"], shops["next"]["zone"]) == (["tokyo", "zurich"], ["zurich"], "UTC")
    assert morning["next"]["local"].startswith(dt.datetime.fromisoformat(morning["next"]["local"]).strftime("%Y-%m-%dT07:00:00"))
    coming = ask("next", "--days", "7")
    assert [(each["zone"], each["tenants"]) for each in coming if each["schedule"] == "morning"] == [
        ("Asia/Tokyo", ["tokyo"]),
        ("Europe/Zurich", ["zurich"]),
    ] * 5
    for each in coming:
        local = dt.datetime.fromisoformat(each["local"])
        assert local.astimezone(ZoneInfo(each["zone"])).isoformat() == each["local"]
        assert local == dt.datetime.fromisoformat(each["tick"])
    for told in (checked, run_cli("schedules", "list", home=own_home), run_cli("schedules", "next", home=own_home)):
        assert max(map(len, told.stdout.splitlines())) <= 80


def test_a_schedule_is_run_now_and_filled_up(ask: Callable[..., Any], run_cli: Cli, own_home: Path) -> None:
    _write(own_home, WEEK)
    assert [each["tenant"] for each in ask("run", "morning")] == ["tokyo", "zurich"]
    days = ("--from", "2026-03-02", "--to", "2026-03-08")
    planned = ask("backfill", "morning", *days, "--dry-run")
    assert [each["outcome"] for each in planned] == ["would be queued"] * 10
    assert planned[0] == {"tenant": "tokyo", "tick": "2026-03-02T07:00:00+09:00", "outcome": "would be queued"}
    assert [each["outcome"] for each in ask("backfill", "morning", *days, "--tenant", "zurich")] == ["queued"] * 5
    done = run_cli("schedules", "backfill", "morning", *days, home=own_home)
    assert done.stdout.endswith("5 runs queued, 5 there already.\n")
    unknown = run_cli("schedules", "run", "mornings", home=own_home)
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "Error: There is no schedule 'mornings' in schedules.yaml; did you mean 'morning'?\n",
    )
    nobody = run_cli("schedules", "run", "morning", "--tenant", "nope", home=own_home)
    assert (nobody.returncode, nobody.stderr) == (2, run_cli("runs", "list", "--tenant", "nope", home=own_home).stderr)
    no_day = run_cli("schedules", "backfill", "morning", "--from", "2026-13-01", "--to", "2026-03-08", home=own_home)
    assert no_day.returncode == 2
    assert "'2026-13-01' must be a day like 2026-01-31." in no_day.stderr


def test_of_very_many_ticks_to_come_the_first_are_listed_and_the_others_counted(
    run_cli: Cli, own_home: Path, catalog: Catalog
) -> None:
    _write(own_home, EVERY_MINUTE.replace("all", "[zurich]"))
    told = run_cli("schedules", "next", "--days", "8", home=own_home)
    assert (told.stdout.count(" busy "), told.stdout.splitlines()[-1]) == (1000, "and 10,520 more")
    machine = run_cli("schedules", "next", "--days", "8", "--json", home=own_home)
    assert (len(json.loads(machine.stdout)), machine.stderr) == (10_000, "and 1,520 more\n")


def test_a_pause_holds_until_it_is_ended(ask: Callable[..., Any], run_cli: Cli, own_home: Path) -> None:
    _write(own_home, WEEK)
    assert run_cli("schedules", "pause", "morning", home=own_home).stdout.startswith("Paused morning;")
    assert run_cli("schedules", "pause", "morning", home=own_home).stdout == "morning was paused already.\n"
    morning = ask("list")[0]
    assert morning["state"].startswith("paused by cli:")
    assert morning["next"] is None
    assert run_cli("schedules", "resume", "morning", home=own_home).stdout == "Resumed morning.\n"
    assert ask("list")[0]["next"] is not None


def test_tenants_have_tags(run_cli: Cli, own_home: Path, catalog: Catalog) -> None:
    assert (
        run_cli("tenant", "tag", "tokyo", "--add", "vip", "--add", "retail", home=own_home).stdout
        == "Tags of tokyo: retail, vip.\n"
    )
    assert (
        run_cli("tenant", "tag", "tokyo", "--remove", "retail", "--remove", "vip", home=own_home).stdout
        == "Tags of tokyo: none.\n"
    )
    listed = json.loads(run_cli("tenant", "list", "--json", home=own_home).stdout)
    assert [(each["id"], each["tags"]) for each in listed] == [("tokyo", []), ("zurich", ["retail"])]
    bad = run_cli("tenant", "tag", "tokyo", "--add", "Very Important", home=own_home)
    assert (bad.returncode, "must be small letters" in bad.stderr) == (2, True)


def test_commands_about_schedules_wait_for_no_frames_of_pandas() -> None:
    code = "import sys, workbench.schedules.agenda\nprint({'pandas', 'numpy', 'apscheduler'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
