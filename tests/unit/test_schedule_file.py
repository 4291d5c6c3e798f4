"""What schedules.yaml may say, what its author is told where it says something else, and what its macros and cron lines mean."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workbench import notebooks
from workbench.errors import InvalidSchedules, NotFound
from workbench.schedules import file, macros, ticks
from workbench.schedules.schedule import Schedule

ROOT = Path(__file__).parent.parent.parent
REPORTS = {report.name: report for report in notebooks.reports(ROOT)}
NOW = dt.datetime(2026, 11, 25, 7, tzinfo=ZoneInfo("Europe/Zurich"))


def parse(text: str) -> dict[str, Schedule]:
    return file.parse(text, REPORTS, ["phonenow", "acme"], written_at=NOW)


GOOD = """\
timezone: tenant
defaults: {timeout: 10m, retries: 2, catch_up: latest, keep: 90d}
schedules:
  morning_summary:
    report: daily_summary
    cron: "0 7 * * mon-fri"
    tenants: all
    parameters:
      date: "{{ yesterday }}"
    formats: [html, pdf]
  quarter:
    report: agent_performance
    cron: "0 6 1 1,4,7,10 *"
    tenants: [phonenow]
    parameters: {start_date: "{{ previous_quarter.start }}", end_date: "{{ previous_quarter.end }}"}
    formats: [pdf, xlsx]
    timezone: Europe/Zurich
    catch_up: all
    keep: {age: 52w, count: 8}
    retries: 0
"""


def test_a_schedule_has_what_it_says_and_otherwise_the_defaults() -> None:
    morning, quarter = parse(GOOD).values()
    assert (morning.timeout_seconds, morning.retries, morning.catch_up, morning.enabled) == (600, 2, "latest", True)
    assert (morning.timezone, morning.keep, morning.formats) == ("tenant", {"age_days": 90, "count": None}, ("html", "pdf"))
    assert (quarter.timeout_seconds, quarter.retries, quarter.catch_up) == (600, 0, "all")
    assert (quarter.timezone, quarter.keep) == ("Europe/Zurich", {"age_days": 364, "count": 8})
    assert quarter.texts(dt.datetime(2026, 12, 31, 23, 30, tzinfo=dt.UTC), "America/New_York") == {
        "start_date": "2026-10-01",
        "end_date": "2026-12-31",
    }


#: A change of the good file, the line that is told, and what is told.
MISTAKES = [
    ("timezone: tenant", "timezone: Europe/Zurch", 1, "'Europe/Zurch' is no time zone"),
    ("timezone: tenant", "timzone: tenant", 1, "unknown key 'timzone'; did you mean 'timezone'?"),
    ("timeout: 10m", "timeout: 10", 2, "10 is no length of time; write one like 90s, 10m"),
    ("timeout: 10m", "timeout: 8d", 2, "a run's timeout must be under a week, not 8d"),
    ("retries: 2", "retries: many", 2, "`defaults.retries`: input should be a valid integer"),
    ("catch_up: latest", "catch_up: newest", 2, "input should be 'skip', 'latest' or 'all', not 'newest'"),
    ("keep: 90d", "keep: {age: 90 days}", 2, "'90 days' is no length of time"),
    ("  morning_summary:", "  7th day:", 4, "the schedule's name '7th day' must be letters, digits"),
    ("    report: daily_summary\n", "", 4, "`report` is missing"),
    ("report: daily_summary", "report: daily_sumary", 5, "there is no report 'daily_sumary'; did you mean 'daily_summary'?"),
    ('"0 7 * * mon-fri"', "7", 6, "`schedules.morning_summary.cron` must be text, not 7"),
    (
        "0 7 * * mon-fri",
        "60 7 * * mon-fri",
        6,
        "the minute '60' of the cron line '60 7 * * mon-fri' cannot be used; it takes * or 0-59",
    ),
    ("0 7 * * mon-fri", "0 24 * * mon-fri", 6, "the hour '24' of the cron line"),
    ("0 7 * * mon-fri", "0 7 32 * *", 6, "the day-of-month '32' of the cron line"),
    ("0 7 * * mon-fri", "0 7 30 feb *", 6, "if a month of the line has that day"),
    ("0 7 * * mon-fri", "0 7 * 13 *", 6, "the month '13' of the cron line"),
    ("0 7 * * mon-fri", "0 7 * * fri-mon", 6, "the day-of-week 'fri-mon' of the cron line"),
    ("0 7 * * mon-fri", "0 7 * *", 6, "has 4 fields; it takes five: minute hour day-of-month month day-of-week"),
    ("0 7 * * mon-fri", "0 0 7 * * mon-fri", 6, "has 6 fields; it takes five"),
    ("tenants: all", "tenants: everyone", 7, "`tenants` must be all, a list of ids"),
    ("tenants: all", "tenants: {tga: retail}", 7, '{tag: retail}, not {"tga": "retail"}'),
    (
        "tenants: [phonenow]",
        "tenants:\n      - acme\n      - phonenov",
        16,
        "there is no tenant 'phonenov'; did you mean 'phonenow'?",
    ),
    ('date: "{{ yesterday }}"', 'dat: "{{ yesterday }}"', 9, "report daily_summary has no parameter 'dat'; did you mean 'date'?"),
    ("{{ yesterday }}", "{{ yesterdy }}", 9, "there is no macro 'yesterdy'; did you mean 'yesterday'?"),
    ("{{ yesterday }}", "{{ this_week }}", 9, "write {{ this_week.start }} or {{ this_week.end }}"),
    ("{{ yesterday }}", "{{ yesterday }", 9, "has {{ or }} without the other"),
    ("{{ yesterday }}", "{{ today - 3 months }}", 9, "{{ today - 3 months }} is no macro"),
    ("{{ yesterday }}", "{{ tick }}", 9, "Parameter date is '2026-01-01T00:00:00+00:00'; it must be a date like"),
    ('"{{ yesterday }}"', "{{ yesterday }}", 9, 'a macro stands in quotes: "{{ yesterday }}"'),
    ('"{{ yesterday }}"', "tomorrow", 9, "Parameter date is 'tomorrow'; it must be a date like 2026-01-31"),
    ("formats: [html, pdf]", "formats: [html, doc]", 10, "there is no format 'doc'; there is 'html', 'pdf'"),
    ("formats: [html, pdf]", "formats: []", 10, "at least 1 item"),
    ("{{ previous_quarter.end }}", "{{ previous_year.end }}", 15, "is before start_date"),
    ("    retries: 0", "    enabled: perhaps", 20, "input should be a valid boolean"),
    ("count: 8", "count: 0", 19, "greater than or equal to 1"),
    ("count: 8", "count: " + "9" * 5000, 19, "a number of 5,000 digits cannot be read"),
    ("count: 8", "count: " + "[" * 5000, 19, "nested too deeply"),
]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "told"), MISTAKES, ids=[wrong.split("\n")[0][:60] for _, wrong, _, _ in MISTAKES]
)
def test_every_mistake_is_told_with_its_line_and_what_would_be_right(right: str, wrong: str, line: int, told: str) -> None:
    assert right in GOOD
    with pytest.raises(InvalidSchedules) as refused:
        parse(GOOD.replace(right, wrong, 1))
    assert [found for found, what in refused.value.mistakes if told in what] == [line], refused.value.mistakes
    assert str(refused.value).startswith("schedules.yaml:")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_of_that_name_is_refused_and_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "schedules.yaml")
    with pytest.raises(InvalidSchedules, match=r"^schedules\.yaml:1: is no file"):
        file.read(tmp_path, [])


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = GOOD
    for right, wrong, *_ in (MISTAKES[0], MISTAKES[2], MISTAKES[9], MISTAKES[11], MISTAKES[19], MISTAKES[30], MISTAKES[32]):
        text = text.replace(right, wrong, 1)
    with pytest.raises(InvalidSchedules) as refused:
        parse(text)
    assert [line for line, _ in refused.value.mistakes] == [1, 2, 5, 6, 7, 10, 15]


def test_a_period_that_ends_before_it_starts_on_some_day_is_told_with_that_day() -> None:
    text = GOOD.replace("0 6 1 1,4,7,10 *", "0 6 * * *").replace("previous_quarter.start", "this_month.start")
    with pytest.raises(InvalidSchedules, match=r"is before start_date \(\d{4}-\d\d-01\) at the tick of \d{4}-\d\d-\d\d 06:00"):
        parse(text.replace("previous_quarter.end", "yesterday"))


def test_no_schedules_at_all_are_fine_and_an_unknown_name_is_told_with_the_closest() -> None:
    assert parse("schedules: {}") == {}
    with pytest.raises(NotFound, match=r"There is no schedule 'quarters' in schedules\.yaml; did you mean 'quarter'\?$"):
        file.find(parse(GOOD), "quarters")


def test_the_schedules_that_come_with_the_workbench_are_right() -> None:
    shipped = (ROOT / "schedules.yaml").read_text(encoding="utf-8")
    assert {schedule.report for schedule in parse(shipped).values()} == set(REPORTS)
    assert shipped.startswith("# yaml-language-server: $schema=docs/schedules.schema.json\n")


def test_the_published_schema_is_that_of_the_models_and_takes_what_they_take() -> None:
    published = json.loads((ROOT / "docs" / "schedules.schema.json").read_text(encoding="utf-8"))
    assert published == file.schema(), "write it anew: workbench schedules schema > docs/schedules.schema.json"
    for text in (GOOD, "schedules: {}", (ROOT / "schedules.yaml").read_text(encoding="utf-8")):
        jsonschema.validate(yaml.safe_load(text), published)
    for right, wrong in (("tenants: all", "tenants: 3"), ("10m", "soon"), ("catch_up", "catchup"), ("pdf", "doc")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(GOOD.replace(right, wrong)), published)


def test_the_page_about_schedules_has_a_right_example_every_key_and_every_macro() -> None:
    page = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
    assert set(parse(page.split("```yaml\n")[1].split("```")[0])) == {"morning_summary", "quarter"}
    keys = {key for model in (file.File, file.Entry) for key in model.model_fields} - {"defaults", "schedules"}
    assert [key for key in keys if f"| `{key}` |" not in page] == []
    periods = [name for name in macros.NAMES if name.startswith(("this", "today", "yesterday", "tick"))]
    assert [name for name in periods if f"{{{{ {name} }}}}" not in page] == []


DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2090, 12, 31))
ONE_DAY = dt.timedelta(days=1)


def macro(text: str, day: dt.date) -> dt.date:
    return dt.date.fromisoformat(
        macros.expanded(f"{{{{ {text} }}}}", dt.datetime.combine(day, dt.time(7), ZoneInfo("Asia/Kolkata")))
    )


@given(DAYS, st.integers(0, 99_999), st.sampled_from("+-"), st.sampled_from([("d", 1), ("w", 7)]))
def test_today_yesterday_and_arithmetic_are_those_of_datetime(day: dt.date, count: int, sign: str, unit: tuple[str, int]) -> None:
    assert (macro("today", day), macro("yesterday", day)) == (day, day - ONE_DAY)
    shift = dt.timedelta(days=count * unit[1] * (1 if sign == "+" else -1))
    try:
        expected = day + shift
    except OverflowError:
        with pytest.raises(ValueError, match="is beyond the calendar"):
            macro(f"today {sign} {count}{unit[0]}", day)
    else:
        assert macro(f"today {sign} {count}{unit[0]}", day) == macro(f"today{sign}{count}{unit[0]}", day) == expected


BELONG: dict[str, Callable[[dt.date], object]] = {
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month + 2) // 3),
    "year": lambda day: day.year,
}


@given(DAYS, st.sampled_from(sorted(BELONG)))
def test_a_period_holds_exactly_the_days_that_belong_together_and_the_previous_one_ends_the_day_before(
    day: dt.date, period: str
) -> None:
    belongs = BELONG[period]
    start, end = macro(f"this_{period}.start", day), macro(f"this_{period}.end", day)
    assert start <= day <= end
    assert belongs(start) == belongs(day) == belongs(end)
    assert belongs(start - ONE_DAY) != belongs(day) != belongs(end + ONE_DAY)
    before = start - ONE_DAY
    assert macro(f"previous_{period}.end", day) == before
    assert macro(f"previous_{period}.start", day) == macro(f"this_{period}.start", before)


@given(DAYS)
def test_a_month_ends_on_the_day_that_the_calendar_has(day: dt.date) -> None:
    assert macro("this_month.end", day).day == calendar.monthrange(day.year, day.month)[1]


def test_macros_stand_alone_or_in_a_text_and_go_by_the_local_date_of_the_tick() -> None:
    midnight = dt.datetime(2026, 3, 1, 0, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert macros.expanded("from {{today - 7d}} to {{ yesterday+1w }}.", midnight) == "from 2026-02-22 to 2026-03-07."
    assert macros.expanded("{{ tick }}", midnight) == "2026-03-01T00:30:00+05:30"
    assert macros.expanded("no macro { } here", midnight) == "no macro { } here"


@given(st.text(alphabet="0123456789*/,-#LWsunmotuefri ", max_size=24))
def test_a_cron_line_is_either_right_or_refused_with_what_it_takes(line: str) -> None:
    zone, told = ZoneInfo("Europe/Zurich"), ""
    try:
        ticks.check(line)
    except ValueError as error:
        told = str(error)
    assert ("the cron line" in told) or ((following := ticks.following(line, zone, NOW)) is not None and following > NOW)


#: Zones, and a day on which each changes its clock: by half an hour, at midnight, or as most do.
CHANGES = {
    "Europe/Zurich": (dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    "Australia/Lord_Howe": (dt.date(2026, 4, 5), dt.date(2026, 10, 4)),
    "America/Santiago": (dt.date(2026, 4, 5), dt.date(2026, 9, 6)),
    "America/New_York": (dt.date(2026, 3, 8), dt.date(2026, 11, 1)),
}


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
@pytest.mark.parametrize("cron", ["*/20 2 * * *", "0 * * * *", "30 2 * * *", "15 0-3 * * *", "*/30 0,1 * * sun", "10 */2 * * *"])
def test_ticks_are_the_same_however_often_one_looks(zone: str, day: dt.date, cron: str) -> None:
    start = dt.datetime.combine(day - ONE_DAY, dt.time(12), ZoneInfo(zone)).astimezone(dt.UTC)
    at_once = list(ticks.ticks(cron, ZoneInfo(zone), start, start + ONE_DAY))
    looks = [start + number * dt.timedelta(minutes=7) for number in range(206)] + [start + ONE_DAY]
    pieces = [tick for before, now in itertools.pairwise(looks) for tick in ticks.ticks(cron, ZoneInfo(zone), before, now)]
    assert pieces == at_once
    assert len(set(at_once)) == len(at_once)


def test_the_newest_ticks_are_the_last_of_all_ticks() -> None:
    zone, start = ZoneInfo("Europe/Zurich"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for cron in ("*/7 * * * *", "30 2 * * *", "0 0 1 * *"):
        everything = list(ticks.ticks(cron, zone, start, NOW))
        assert ticks.newest(cron, zone, start, NOW, 50) == everything[-50:]


def test_seven_and_zero_are_sunday() -> None:
    zone = ZoneInfo("Europe/Zurich")
    sundays = [list(ticks.ticks(f"0 7 * * {day}", zone, NOW, NOW + 30 * ONE_DAY)) for day in ("0", "7", "sun")]
    assert sundays[0] == sundays[1] == sundays[2]
    assert {tick.weekday() for tick in sundays[0]} == {6}
