"""Ticks become runs: once each, by the right clock, also after downtime, and what is missing is found."""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from sqlalchemy import delete, select, update

from workbench import notebooks, schedules
from workbench import settings as settings_table
from workbench.catalog import Catalog, tables, tenants
from workbench.cli.context import Workbench
from workbench.errors import BadInput, NotFound
from workbench.schedules import file, orders, state
from workbench.schedules.schedule import Schedule

ZONES = {"zurich": "Europe/Zurich", "new_york": "America/New_York", "kolkata": "Asia/Kolkata", "sydney": "Australia/Sydney"}
_LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_MINUTE, _HOUR, _DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(scope="module")
def home(new_home: Callable[[], Path]) -> Path:
    return new_home()


@pytest.fixture(scope="module")
def workbench(home: Path) -> Iterator[Workbench]:
    settings = settings_table.load({"WORKBENCH_HOME": str(home)})
    catalog = Catalog(settings)
    for tenant_id, zone in ZONES.items():
        tenants.add(catalog, tenants.Tenant(id=tenant_id, name=tenant_id, timezone=zone, currency="CHF"))
    with catalog.everything() as connection:
        connection.execute(update(tables.tenants).values(created_at=_LONG_AGO))
    yield Workbench(settings=settings, catalog=catalog)
    catalog.close()


@pytest.fixture(autouse=True)
def _nothing_yet(workbench: Workbench) -> None:
    with workbench.catalog.everything() as connection:
        connection.execute(delete(tables.schedules))
        connection.execute(delete(tables.report_executions))


def _parsed(text: str, workbench: Workbench, written_at: dt.datetime = _LONG_AGO) -> dict[str, Schedule]:
    reports = {report.name: report for report in notebooks.reports(workbench.settings.home)}
    known = [tenant.id for tenant in tenants.all_tenants(workbench.catalog)]
    return file.parse(text, reports, known, written_at=written_at)


def _daily(workbench: Workbench, cron: str = "0 7 * * *", **keys: str) -> Schedule:
    lines = {
        "cron": f'"{cron}"',
        "report": "daily_summary",
        "tenants": "[zurich]",
        "parameters": '{date: "{{ yesterday }}"}',
    } | keys
    text = "schedules:\n  daily:\n" + "".join(f"    {key}: {value}\n" for key, value in lines.items())
    return _parsed(text, workbench)["daily"]


def _look(workbench: Workbench, schedule: Schedule, now: dt.datetime) -> orders.Handled:
    return schedules.enqueue_due(workbench.catalog, workbench.settings, schedule, now)


def _ledger(workbench: Workbench) -> list[tuple[str, str, dt.datetime, str]]:
    """Schedule, tenant, tick and status of every run, in that order."""
    rows = tables.report_executions.c
    query = select(rows.schedule, rows.tenant_id, rows.logical_time, rows.status).order_by(
        rows.schedule, rows.tenant_id, rows.logical_time
    )
    with workbench.catalog.everything() as connection:
        return [
            (each.schedule, each.tenant_id, each.logical_time.astimezone(dt.UTC), each.status)
            for each in connection.execute(query)
        ]


def _days(workbench: Workbench, status: str) -> list[int]:
    return [tick.day for _, _, tick, its_status in _ledger(workbench) if its_status == status]


def _at(day: int, hour: int = 12, minute: int = 0, month: int = 6) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Zurich")).astimezone(dt.UTC)


NIGHTS = {
    "spring in Zurich": dt.datetime(2026, 3, 28, 18, tzinfo=dt.UTC),
    "autumn in Zurich": dt.datetime(2026, 10, 24, 18, tzinfo=dt.UTC),
    "spring in New York": dt.datetime(2026, 3, 7, 20, tzinfo=dt.UTC),
    "autumn in New York": dt.datetime(2026, 10, 31, 20, tzinfo=dt.UTC),
    "autumn in Sydney": dt.datetime(2026, 4, 4, 6, tzinfo=dt.UTC),
    "spring in Sydney": dt.datetime(2026, 10, 3, 6, tzinfo=dt.UTC),
}
CRONS = ("30 2 * * *", "0 * * * *", "15,45 1-3 * * *", "*/20 2 * * *", "0 7 * * mon-fri", "10 2 29 3 sun")


@pytest.mark.parametrize("start", NIGHTS.values(), ids=NIGHTS)
def test_a_day_and_night_of_a_clock_that_is_changed_has_exactly_the_ticks_of_the_cron_library(
    workbench: Workbench, start: dt.datetime
) -> None:
    text = "defaults: {catch_up: all}\nschedules:\n" + "".join(
        f'  s{number}: {{report: daily_summary, cron: "{cron}", tenants: all}}\n' for number, cron in enumerate(CRONS)
    )
    made = _parsed(text, workbench, written_at=start)
    end, now, steps = start + _DAY, start, random.Random(7)
    while now < end:
        for schedule in made.values():
            _look(workbench, schedule, now)
        now = min(end, now + steps.uniform(1, 120) * _MINUTE)
    for schedule in made.values():
        _look(workbench, schedule, end)
    expected = {
        (f"s{number}", tenant_id, tick)
        for number, cron in enumerate(CRONS)
        for tenant_id, zone in ZONES.items()
        for tick in _ticks_of_the_library(cron, zone, start, end)
    }
    found = _ledger(workbench)
    assert len(found) == len(expected) > 100
    assert {(schedule, tenant_id, tick) for schedule, tenant_id, tick, _ in found} == expected
    assert {status for *_, status in found} == {"queued"}


def _ticks_of_the_library(cron: str, zone: str, start: dt.datetime, end: dt.datetime) -> Iterator[dt.datetime]:
    """Looked up from a week before, so that the start is no special case."""
    for tick in CronSim(cron, (start - 7 * _DAY).astimezone(ZoneInfo(zone))):
        instant = tick.astimezone(dt.UTC)
        if instant > end:
            return
        if instant > start:
            yield instant


def test_half_past_two_comes_once_in_the_night_that_has_it_not_and_in_the_one_that_has_it_twice(workbench: Workbench) -> None:
    for month, last in ((3, 29), (10, 25)):
        schedule = replace(_daily(workbench, "30 2 * * *"), name=f"in_{month:02}")
        now = _at(last, 0, month=month)
        while now < _at(last, 5, month=month):
            _look(workbench, schedule, now)
            now += 4 * _MINUTE
    zurich = ZoneInfo("Europe/Zurich")
    assert [f"{tick.astimezone(zurich):%m-%d %H:%M %z} {status}" for _, _, tick, status in _ledger(workbench)] == [
        "03-29 03:00 +0200 queued",
        "10-25 02:30 +0200 queued",
    ]


def test_a_run_is_asked_for_with_the_dates_of_its_own_tick_in_the_tenants_zone(workbench: Workbench) -> None:
    schedule = _daily(
        workbench, "30 23 * * *", tenants="all", formats="[pdf, html]", timeout="5m", retries="3", keep="{age: 36h, count: 7}"
    )
    _look(workbench, schedule, _at(10, 6))
    _look(workbench, schedule, _at(11, 6))
    with workbench.catalog.everything() as connection:
        found = {row.tenant_id: row for row in connection.execute(select(tables.report_executions))}
    assert {tenant_id: row.parameters for tenant_id, row in found.items()} == {
        "kolkata": {"date": "2026-06-09"},
        "sydney": {"date": "2026-06-09"},
        "new_york": {"date": "2026-06-09"},
        "zurich": {"date": "2026-06-09"},
    }
    row = found["zurich"]
    assert (row.report, row.formats, row.created_by, row.priority) == ("daily_summary", ["pdf", "html"], "schedule:daily", 10)
    assert (row.timeout_seconds, row.retries, row.keep) == (300, 3, {"age_days": 1.5, "count": 7})
    assert row.notebook_hash == notebooks.report(workbench.settings.home, "daily_summary").content_hash()
    assert row.logical_time.astimezone(ZoneInfo("Europe/Zurich")).strftime("%d %H:%M") == "10 23:30"


@pytest.mark.parametrize(
    ("catch_up", "queued", "skipped"),
    [("skip", [14], [11, 12, 13]), ("latest", [14], [11, 12, 13]), ("all", [11, 12, 13, 14], [])],
)
def test_after_downtime_late_ticks_are_run_or_skipped_as_asked(
    workbench: Workbench, catch_up: str, queued: list[int], skipped: list[int]
) -> None:
    schedule = _daily(workbench, catch_up=catch_up)
    _look(workbench, schedule, _at(10))
    done = _look(workbench, schedule, _at(14, 7, 4))
    assert (_days(workbench, "queued"), _days(workbench, "skipped")) == (queued, skipped)
    assert (len(done.enqueued), done.skipped) == (len(queued), len(skipped))


@pytest.mark.parametrize(("catch_up", "queued"), [("skip", []), ("latest", [13]), ("all", [11, 12, 13])])
def test_where_every_tick_is_late_none_one_or_all_are_run(workbench: Workbench, catch_up: str, queued: list[int]) -> None:
    schedule = _daily(workbench, catch_up=catch_up)
    _look(workbench, schedule, _at(10))
    _look(workbench, schedule, _at(13, 18))
    assert _days(workbench, "queued") == queued
    assert sorted(queued + _days(workbench, "skipped")) == [11, 12, 13]


def test_a_year_of_downtime_with_a_tick_every_minute_is_bounded(workbench: Workbench) -> None:
    schedule = _daily(workbench, "* * * * *", catch_up="all")
    _look(workbench, schedule, _at(10))
    done = _look(workbench, schedule, _at(10) + 365 * _DAY)
    assert (len(done.enqueued), done.skipped) == (orders.MOST_LATE, 1)
    (oldest,) = (tick for _, _, tick, status in _ledger(workbench) if status == "skipped")
    assert oldest == _at(10) + 365 * _DAY - orders.MOST_LATE * _MINUTE
    (gap,) = _gaps(workbench, _at(10), _at(10) + 365 * _DAY, "schedules: {}", "skipped")
    assert gap.reason.startswith("with all before it")


def _gaps(
    workbench: Workbench, since: dt.datetime, now: dt.datetime, text: str, *kinds: str, written_at: dt.datetime = _LONG_AGO
) -> list[schedules.Gap]:
    path = workbench.settings.home / file.NAME
    path.write_text(text)
    os.utime(path, (written_at.timestamp(), written_at.timestamp()))
    found = schedules.missing(workbench.catalog, workbench.settings, since, now)
    return [gap for gap in found if not kinds or gap.kind in kinds]


def test_what_is_new_starts_when_it_is_first_seen(workbench: Workbench) -> None:
    schedule = _daily(workbench, catch_up="all")
    assert _look(workbench, schedule, _at(10)).enqueued == ()
    assert len(_look(workbench, schedule, _at(12)).enqueued) == 2


CHANGES = {
    "cron": ("cron: '0 8 * * *', timezone: tenant", "queued", ["14 08:00"]),
    "timezone": ("cron: '0 7 * * *', timezone: Asia/Kolkata", "queued", ["14 03:30"]),
    "off": ("cron: '0 7 * * *', enabled: false", "skipped", []),
}


@pytest.mark.parametrize(("keys", "outcome", "then"), CHANGES.values(), ids=CHANGES)
def test_what_was_missed_before_the_timing_was_changed_is_missing_and_then_made_up_for(
    workbench: Workbench, keys: str, outcome: str, then: list[str]
) -> None:
    _look(workbench, _daily(workbench, catch_up="all"), _at(10))
    same = "report: daily_summary, tenants: [zurich], catch_up: all, parameters: {date: '{{ yesterday }}'}"
    text = f"schedules: {{daily: {{{same}, {keys}}}}}"
    missing = _gaps(workbench, _at(1), _at(14), text, written_at=_at(13, 12))
    local = [f"{gap.tick.astimezone(ZoneInfo('Europe/Zurich')):%d %H:%M}" for gap in missing]
    assert local == ["11 07:00", "12 07:00", "13 07:00", *then]
    _look(workbench, _parsed(text, workbench, _at(13, 12))["daily"], _at(14))
    assert [(tick, status) for _, _, tick, status in _ledger(workbench)] == [(gap.tick, outcome) for gap in missing]
    skipped = {gap.reason for gap in _gaps(workbench, _at(1), _at(14), text, "skipped")}
    assert skipped <= {"no scheduler was running when it was due, and the schedule was turned off since"}
    with workbench.catalog.everything() as connection:
        dates = connection.execute(select(tables.report_executions.c.parameters["date"].astext)).scalars()
        assert sorted(dates) == [f"2026-06-{gap.tick.day - 1}" for gap in missing]


def test_a_change_dated_before_the_last_look_counts_from_the_next_and_only_the_latest_of_both_timings_is_run(
    workbench: Workbench,
) -> None:
    _look(workbench, _daily(workbench), _at(10))
    _look(workbench, _daily(workbench, "0 8 * * *"), _at(12))
    assert (_days(workbench, "skipped"), _days(workbench, "queued")) == ([11], [12])
    assert {tick.astimezone(ZoneInfo("Europe/Zurich")).hour for _, _, tick, _ in _ledger(workbench)} == {7}
    _look(workbench, replace(_daily(workbench), written_at=_at(13)), _at(14))
    assert (_days(workbench, "skipped"), _days(workbench, "queued")) == ([11, 13], [12, 14])


def test_a_schedule_that_left_the_file_and_comes_back_owes_nothing_of_that_time(workbench: Workbench) -> None:
    schedule = _daily(workbench, catch_up="all")
    _look(workbench, schedule, _at(10))
    with workbench.catalog.everything() as connection:
        state.forget_timing(connection, ["daily"])
    assert _look(workbench, schedule, _at(12)).enqueued == ()
    assert len(_look(workbench, schedule, _at(13)).enqueued) == 1


def test_a_clock_that_was_years_ahead_silences_nothing(workbench: Workbench) -> None:
    schedule = _daily(workbench)
    _look(workbench, schedule, _at(10) + 4000 * _DAY)
    _look(workbench, schedule, _at(10))
    assert len(_look(workbench, schedule, _at(11, 7)).enqueued) == 1


def test_a_tenant_counts_from_its_making_and_one_that_gets_the_tag_from_then(workbench: Workbench) -> None:
    schedule = _daily(workbench, tenants="{tag: retail}", catch_up="all")
    _look(workbench, schedule, _at(10))
    tenants.add(
        workbench.catalog, tenants.Tenant(id="newcomer", name="N", timezone="Europe/Zurich", currency="CHF", tags=("retail",))
    )
    with workbench.catalog.everything() as connection:
        connection.execute(update(tables.tenants).where(tables.tenants.c.id == "newcomer").values(created_at=_at(12)))
    tenants.tag(workbench.catalog, "zurich", add=["retail"])
    try:
        _look(workbench, schedule, _at(13, 18))
        assert [(tenant_id, tick.day) for _, tenant_id, tick, _ in _ledger(workbench)] == [("newcomer", 13)]
        _look(workbench, schedule, _at(14, 7))
        assert [tenant_id for _, tenant_id, tick, _ in _ledger(workbench) if tick.day == 14] == ["newcomer", "zurich"]
    finally:
        tenants.tag(workbench.catalog, "zurich", remove=["retail"])
        tenants.remove(workbench.catalog, "newcomer")


def test_schedulers_that_look_at_the_same_moment_fire_once(workbench: Workbench) -> None:
    schedule = _daily(workbench, "*/10 * * * *", tenants="all", catch_up="all")
    _look(workbench, schedule, _at(10, 12, 5) - _MINUTE / 2)
    before = len(_ledger(workbench))
    others = [Catalog(workbench.settings) for _ in range(4)]
    at_once, done = threading.Barrier(len(others)), []

    def look(catalog: Catalog) -> None:
        for hour in range(13, 19):
            at_once.wait(30)
            done.append(schedules.enqueue_due(catalog, workbench.settings, schedule, _at(10, hour, 5)))

    threads = [threading.Thread(target=look, args=[catalog]) for catalog in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for catalog in others:
        catalog.close()
    assert sum(len(each.enqueued) for each in done) == len(_ledger(workbench)) - before == 6 * 6 * len(ZONES)


def test_a_schedule_whose_report_is_gone_or_refuses_its_parameters_is_skipped_with_the_reason(workbench: Workbench) -> None:
    gone = replace(_daily(workbench), report="removed")
    refused = replace(_daily(workbench), name="refused", parameters={"dat": "{{ today }}"})
    for schedule in (gone, refused):
        _look(workbench, schedule, _at(10))
        _look(workbench, schedule, _at(11))
    reasons = {gap.schedule: gap.reason for gap in _gaps(workbench, _at(1), _at(11), "schedules: {}")}
    assert "There is no report 'removed'" in reasons["daily"]
    assert "has no parameter 'dat'" in reasons["refused"]


TEXT = """schedules:
  daily: {report: daily_summary, cron: "0 7 * * *", tenants: [zurich, new_york], catch_up: skip}
  off: {report: daily_summary, cron: "0 7 * * *", tenants: all, enabled: false}
"""


def test_pausing_holds_and_what_falls_into_the_pause_is_neither_run_nor_missing(workbench: Workbench) -> None:
    schedule = _daily(workbench, catch_up="all")
    text = 'schedules:\n  daily: {report: daily_summary, cron: "0 7 * * *", tenants: [zurich], catch_up: all}\n'
    _look(workbench, schedule, _at(10))
    with workbench.catalog.everything() as connection:
        assert state.pause(connection, "daily", "ann", _at(10, 13))
        assert not state.pause(connection, "daily", "bob", _at(10, 14))
    _look(workbench, schedule, _at(12))
    assert _gaps(workbench, _at(1), _at(14), text) == []
    with workbench.catalog.everything() as connection:
        assert state.states(connection)["daily"].paused_by == "ann"
        assert state.resume(connection, "daily", _at(14))
        assert not state.resume(connection, "daily", _at(14))
    assert _gaps(workbench, _at(1), _at(14, 13), text) == []
    _look(workbench, schedule, _at(15))
    assert _days(workbench, "queued") == [15]


@pytest.mark.parametrize("looked_at", ["while it is paused", "when it goes on"])
def test_what_was_missed_before_a_pause_is_missing_and_then_skipped(workbench: Workbench, looked_at: str) -> None:
    schedule = _daily(workbench, catch_up="all")
    text = 'schedules:\n  daily: {report: daily_summary, cron: "0 7 * * *", tenants: [zurich], catch_up: all}\n'
    _look(workbench, schedule, _at(10))
    with workbench.catalog.everything() as connection:
        state.pause(connection, "daily", "ann", _at(12))
    missing = _gaps(workbench, _at(1), _at(14), text)
    assert [(gap.tick.day, gap.kind) for gap in missing] == [(11, "unseen"), (12, "unseen")]
    if looked_at == "while it is paused":
        _look(workbench, schedule, _at(13))
    assert schedules.resume(workbench.catalog, workbench.settings, schedule, _at(14))
    assert not schedules.resume(workbench.catalog, workbench.settings, schedule, _at(14))
    skipped = _gaps(workbench, _at(1), _at(14, 13), text)
    assert [(gap.tick.day, gap.kind) for gap in skipped] == [(11, "skipped"), (12, "skipped")]
    assert {gap.reason for gap in skipped} == {"no scheduler was running when it was due, and the schedule was paused since"}
    _look(workbench, schedule, _at(15))
    assert _days(workbench, "queued") == [15]


def test_a_tick_in_a_pause_of_a_schedule_that_no_scheduler_saw_is_not_run(workbench: Workbench) -> None:
    with workbench.catalog.everything() as connection:
        state.pause(connection, "daily", "ann", _at(10, 6, 58))
        state.resume(connection, "daily", _at(10, 7, 2))
    _look(workbench, _daily(workbench), _at(10, 7, 3))
    assert _ledger(workbench) == []


def test_what_no_scheduler_saw_is_missing_until_one_comes_and_says_what_became_of_it(workbench: Workbench) -> None:
    first = _gaps(workbench, _at(9, 12), _at(11, 6), TEXT)
    assert [(gap.tenant_id, f"{gap.local:%d %H:%M}") for gap in first] == [
        ("new_york", "09 07:00"),
        ("zurich", "10 07:00"),
        ("new_york", "10 07:00"),
    ]
    assert {gap.reason for gap in first} == {"no scheduler has run since this was written into the file"}
    schedule = _parsed(TEXT, workbench)["daily"]
    _look(workbench, schedule, _at(11, 18))
    assert _gaps(workbench, _at(1), _at(12, 7, 4), TEXT) == [], "what is within the grace may still come"
    down = _gaps(workbench, _at(1), _at(12, 14), TEXT)
    assert [(gap.tenant_id, gap.kind, gap.reason) for gap in down] == [
        ("zurich", "unseen", "no scheduler was running"),
        ("new_york", "unseen", "no scheduler was running"),
    ]
    _look(workbench, schedule, _at(12, 14))
    known = _gaps(workbench, _at(1), _at(12, 14), TEXT)
    assert [(gap.tenant_id, gap.kind) for gap in known] == [("zurich", "skipped"), ("new_york", "skipped")]
    assert "no scheduler was running when it was due" in known[0].reason


def test_a_run_that_nobody_takes_or_that_failed_is_missing_and_one_that_succeeded_is_not(workbench: Workbench) -> None:
    schedule = _daily(workbench, tenants="all")
    _look(workbench, schedule, _at(10, 20))
    _look(workbench, schedule, _at(11, 20))
    rows = tables.report_executions.c
    with workbench.catalog.everything() as connection:
        for tenant_id, status in (("zurich", "succeeded"), ("new_york", "failed"), ("kolkata", "timed_out")):
            run = update(tables.report_executions).where(rows.tenant_id == tenant_id)
            connection.execute(run.values(status="running", started_at=_at(11), error_message=None))
            connection.execute(run.values(status=status, finished_at=_at(11), error_message="in cell 3"))
    now = dt.datetime.now(dt.UTC)
    assert {gap.tenant_id: gap.reason for gap in _gaps(workbench, _at(1), now, "schedules: {}")} == {
        "new_york": "failed: in cell 3",
        "kolkata": "ran too long: in cell 3",
    }
    late = {gap.tenant_id: gap.reason for gap in _gaps(workbench, _at(1), now + _HOUR, "schedules: {}")}
    assert late["sydney"] == "no worker took it"


def test_a_run_whose_worker_died_with_nobody_left_is_missing_and_one_that_was_cancelled_is_not(workbench: Workbench) -> None:
    schedule = _daily(workbench, tenants="all")
    _look(workbench, schedule, _at(10, 20))
    _look(workbench, schedule, _at(11, 20))
    rows = tables.report_executions.c
    last_signs = {"zurich": _at(12), "new_york": _at(12) + _HOUR, "kolkata": None}
    with workbench.catalog.everything() as connection:
        for tenant_id, last_sign in last_signs.items():
            run = update(tables.report_executions).where(rows.tenant_id == tenant_id)
            connection.execute(run.values(status="running", started_at=_at(12), heartbeat_at=last_sign))
        cancelled = update(tables.report_executions).where(rows.tenant_id == "sydney")
        connection.execute(cancelled.values(status="cancelled", finished_at=_at(12)))
    found = {gap.tenant_id: (gap.kind, gap.reason) for gap in _gaps(workbench, _at(1), _at(12) + _HOUR, "schedules: {}")}
    assert found == dict.fromkeys(("zurich", "kolkata"), ("waiting", "its worker died and no other took it"))


def test_a_backfill_queues_whole_days_once_and_what_was_skipped_again(workbench: Workbench) -> None:
    schedule = _daily(workbench, "0 7,19 * * *", tenants="[zurich, kolkata]", catch_up="skip")
    _look(workbench, schedule, _at(10, 12))
    _look(workbench, schedule, _at(11, 12))

    def fill(first: int, last: int, **options: object) -> list[tuple[str, str, bool]]:
        keys = {"tenant_id": None, "by": "cli:ann", "dry_run": False} | options
        days = (dt.date(2026, 6, first), dt.date(2026, 6, last))
        found = schedules.backfill(workbench.catalog, workbench.settings, schedule, *days, _at(11, 18), **keys)  # type: ignore[arg-type]
        return [(each.tenant_id, f"{each.local:%d %H}", each.run_id is not None) for each in found]

    before = _ledger(workbench)
    assert (
        fill(9, 9, dry_run=True)
        == fill(9, 9, tenant_id=None)
        == [(each, f"09 {hour}", True) for each in ("kolkata", "zurich") for hour in ("07", "19")]
    )
    assert fill(9, 9) == [(each, f"09 {hour}", False) for each in ("kolkata", "zurich") for hour in ("07", "19")]
    assert _days(workbench, "skipped") != []
    assert fill(10, 11, tenant_id="zurich")[-1] == ("zurich", "11 07", True), "no tick of the future"
    assert [run for run in _ledger(workbench) if run[1] == "zurich" and run[3] == "skipped"] == []
    assert len(before) < len(_ledger(workbench))
    with pytest.raises(BadInput, match=r"is not for tenant new_york; its tenants are: zurich, kolkata"):
        fill(9, 9, tenant_id="new_york")
    with pytest.raises(BadInput, match="before it starts"):
        fill(9, 8)
    with pytest.raises(NotFound, match="There is no tenant nope"):
        fill(9, 9, tenant_id="nope")


def test_a_backfill_of_any_days_there_are_is_answered_at_once(workbench: Workbench) -> None:
    def fill(cron: str, first: dt.date, last: dt.date) -> list[orders.Filled]:
        return schedules.backfill(
            *(workbench.catalog, workbench.settings, _daily(workbench, cron), first, last, _at(11, 18)),
            tenant_id=None,
            by="cli:ann",
            dry_run=True,
        )

    assert [f"{each.local:%d}" for each in fill("0 7 * * *", dt.date(2026, 6, 10), dt.date.max)] == ["10", "11"]
    assert fill("0 7 * * *", dt.date.max, dt.date.max) == []
    with pytest.raises(BadInput, match="starts on 0001-01-01; its first day can be 1970-01-01 or later"):
        fill("0 7 * * *", dt.date.min, dt.date.max)
    started = time.monotonic()
    with pytest.raises(BadInput, match="more than 10,000 runs"):
        fill("* * * * *", dt.date(1990, 1, 1), dt.date.max)
    assert time.monotonic() - started < 5


def test_a_person_runs_a_schedule_now_and_its_own_tick_comes_all_the_same(workbench: Workbench) -> None:
    schedule = _daily(workbench, tenants="[zurich, kolkata]")
    _look(workbench, schedule, _at(10))
    for _ in range(2):
        queued = schedules.enqueue_now(workbench.catalog, workbench.settings, schedule, _at(11, 6), tenant_id=None, by="cli:ann")
        assert [tenant_id for tenant_id, _ in queued] == ["kolkata", "zurich"]
    _look(workbench, schedule, _at(11, 7))
    with workbench.catalog.everything() as connection:
        found = connection.execute(select(tables.report_executions).where(tables.report_executions.c.tenant_id == "zurich")).all()
    assert sorted((row.created_by, row.priority, row.parameters) for row in found) == [
        ("cli:ann", 20, {"date": "2026-06-10"}),
        ("cli:ann", 20, {"date": "2026-06-10"}),
        ("schedule:daily", 10, {"date": "2026-06-10"}),
    ]
