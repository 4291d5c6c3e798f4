"""The demo's companies are always the same, always valid, and show what they were made to show."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import Counter, defaultdict
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from workbench import demo, events

ALL = pytest.mark.parametrize("tenant", demo.TENANTS, ids=lambda tenant: tenant.id)
NORTHWIND, BRIGHTLINE, SUNRISE = demo.TENANTS
TIME_AS_NUMBER = events.BATCH_SCHEMA.set(4, pa.field("created_at", pa.int64()))
KINDS = {"text": str, "number": (int, float), "integer": int, "boolean": bool}


@cache
def arrived(tenant: demo.DemoTenant) -> list[pa.Table]:
    return list(demo.batches(tenant))


@cache
def told(tenant: demo.DemoTenant) -> list[dict[str, Any]]:
    """The tenant's events once each, with `event_data` parsed and `local` time."""
    unique = {row["id"]: row for batch in arrived(tenant) for row in batch.to_pylist()}
    zone = ZoneInfo(tenant.timezone)
    return [
        {**row, "data": json.loads(row["event_data"]), "local": row["created_at"].astimezone(zone)} for row in unique.values()
    ]


def digest(batches: list[pa.Table]) -> str:
    plain = [batch.cast(TIME_AS_NUMBER).columns for batch in batches]
    text = "\n".join(str(column.to_pylist()) for columns in plain for column in columns)
    return hashlib.sha256(text.encode()).hexdigest()


def mistakes(event_type: str, data: dict[str, Any], fields: dict[str, dict[str, Any]]) -> list[str]:
    missing = [name for name, field in fields.items() if field["required"] and name not in data]
    return missing + [name for name, value in data.items() if fields and not fits(value, fields.get(name))]


def fits(value: Any, field: dict[str, Any] | None) -> bool:
    if field is None or not isinstance(value, KINDS[field["kind"]]) or (field["kind"] != "boolean" and isinstance(value, bool)):
        return False
    above = field["minimum"] is None or value >= field["minimum"]
    below = field["maximum"] is None or value <= field["maximum"]
    return above and below and (not field["one_of"] or value in field["one_of"])


def test_there_are_about_three_hundred_thousand_events() -> None:
    assert 280_000 <= sum(len(told(tenant)) for tenant in demo.TENANTS) <= 320_000


@ALL
def test_the_same_events_come_out_every_time(tenant: demo.DemoTenant) -> None:
    assert digest(list(demo.batches(tenant))) == digest(arrived(tenant))


def test_the_dice_are_the_same_on_every_machine() -> None:
    assert digest(arrived(SUNRISE)) == "1f4d0ed1d0758d14cdfd8eca6e3599c125e20634e30559f732278ba956e83865"


@ALL
def test_every_event_is_valid(tenant: demo.DemoTenant) -> None:
    contract: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in events.contract().to_pylist():
        contract[row["event_type"]][row["field"]] = row
    assert all(batch.schema.equals(events.BATCH_SCHEMA) for batch in arrived(tenant))
    for event in told(tenant):
        assert re.match(events.EVENT_TYPE_PATTERN, event["event_type"])
        assert not mistakes(event["event_type"], event["data"], contract[event["event_type"]]), event
        assert str(uuid.UUID(event["id"])) == event["id"]


@ALL
def test_every_known_type_and_some_custom_ones_occur(tenant: demo.DemoTenant) -> None:
    types = {event["event_type"] for event in told(tenant)}
    known = {event_type.name for event_type in events.EVENT_TYPES}
    assert known < types
    assert len(types - known) == 2


@ALL
def test_events_happen_on_the_demo_days_and_leave_no_lead_before_it_came(tenant: demo.DemoTenant) -> None:
    days = {event["local"].date() for event in told(tenant)}
    assert min(days) == demo.FIRST_DAY
    assert max(days) == demo.LAST_DAY
    leads = [event for event in told(tenant) if event["event_type"].startswith("lead.")]
    came = {event["data"]["lead_id"]: event["created_at"] for event in leads if event["event_type"] == "lead.created"}
    assert all(event["created_at"] >= came[event["data"]["lead_id"]] for event in leads)


@ALL
def test_some_events_arrive_late_and_some_twice(tenant: demo.DemoTenant) -> None:
    copies: dict[str, set[str]] = defaultdict(set)
    for batch in arrived(tenant):
        for row in batch.to_pylist():
            copies[row["id"]].add(str(row))
    assert all(len(versions) == 1 for versions in copies.values())
    assert sum(batch.num_rows for batch in arrived(tenant)) > 1.005 * len(copies)
    last = max(row["created_at"] for row in arrived(tenant)[-2].to_pylist())
    assert sum(row["created_at"] < last for row in arrived(tenant)[-1].to_pylist()) > 20


@ALL
def test_weekends_are_quieter(tenant: demo.DemoTenant) -> None:
    weekdays = Counter(event["local"].weekday() for event in told(tenant) if event["event_type"] == "call.completed")
    assert weekdays[6] < 0.75 * min(weekdays[day] for day in range(5))
    assert weekdays[5] < 0.95 * sum(weekdays[day] for day in range(5)) / 5


@ALL
def test_lunch_is_quieter_than_the_hours_around_it(tenant: demo.DemoTenant) -> None:
    hours = Counter(event["local"].hour for event in told(tenant) if event["event_type"] == "call.completed")
    assert hours[12] < 0.85 * min(hours[11], hours[14])


def test_one_company_has_a_bad_week() -> None:
    def week(of: date) -> tuple[float, float, float]:
        chosen = [event for event in told(NORTHWIND) if event["local"].isocalendar()[:2] == of.isocalendar()[:2]]
        calls = [event["data"] for event in chosen if event["event_type"] == "call.completed"]
        ratings = [event["data"]["rating"] for event in chosen if event["event_type"] == "survey.rated"]
        waits = [call["wait_seconds"] for call in calls if "wait_seconds" in call]
        return sum(not call["answered"] for call in calls) / len(calls), sum(waits) / len(waits), sum(ratings) / len(ratings)

    abandoned, wait, rating = week(date(2026, 9, 14))
    usual_abandoned, usual_wait, usual_rating = week(date(2026, 9, 7))
    assert abandoned > 1.7 * usual_abandoned
    assert wait > 2 * usual_wait
    assert rating < usual_rating - 0.5


def test_newcomers_learn_to_be_quick() -> None:
    name, start = NORTHWIND.newcomers[0]

    def talk(month: int) -> float:
        calls = [
            event["data"]["duration_seconds"]
            for event in told(NORTHWIND)
            if event["user_id"] == name and event["local"].month == month and "duration_seconds" in event["data"]
        ]
        return sum(calls) / len(calls)

    assert start.month == 8
    assert talk(8) > 1.15 * talk(10)


@ALL
def test_some_campaigns_pay_and_some_do_not(tenant: demo.DemoTenant) -> None:
    balance: Counter[str] = Counter()
    for event in told(tenant):
        if campaign := event["data"].get("campaign_id"):
            balance[campaign] += event["data"].get("revenue", 0) - event["data"].get("amount", 0)
    assert set(balance) == {campaign.id for campaign in tenant.campaigns}
    assert max(balance.values()) > 0 > min(balance.values())


@ALL
def test_leads_end_won_lost_or_open(tenant: demo.DemoTenant) -> None:
    by_type: dict[str, set[str]] = defaultdict(set)
    for event in told(tenant):
        by_type[event["event_type"]].add(event["data"].get("lead_id", ""))
    won, lost = by_type["lead.converted"], by_type["lead.lost"]
    assert not won & lost
    assert 0.05 < len(won) / len(by_type["lead.created"]) < 0.25
    assert by_type["lead.created"] > won | lost


def test_the_hour_that_comes_twice_has_calls_in_both_turns() -> None:
    night = [
        event["local"] for event in told(NORTHWIND) if event["local"].date() == date(2026, 10, 25) and event["local"].hour == 2
    ]
    assert {moment.utcoffset() for moment in night} == {
        datetime(2026, 10, day, tzinfo=ZoneInfo("Europe/Zurich")).utcoffset() for day in (24, 26)
    }


@pytest.mark.parametrize(
    ("tenant", "holiday"), [(BRIGHTLINE, date(2026, 9, 7)), (SUNRISE, date(2026, 10, 5))], ids=lambda x: str(x)[:10]
)
def test_a_holiday_is_a_quiet_monday(tenant: demo.DemoTenant, holiday: date) -> None:
    mondays = Counter(event["local"].date() for event in told(tenant) if event["local"].weekday() == 0)
    assert mondays[holiday] < 0.3 * sorted(mondays.values())[1]


def test_names_are_as_awkward_as_in_life() -> None:
    names = {event["user_id"] for tenant in demo.TENANTS for event in told(tenant)}
    assert {"Siobhán O'Neill", "Smith, Robert Jr.", "Łukasz Wójcik", None} <= names
