"""Sentences about what stands out: true, told with the right denominators, and silent where the cases are few."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from workbench import findings
from workbench.figures import Figure, headline

TEAM = pd.Series(
    {"customer_rating": 4.47, "avg_call_seconds": 300.0, "resolution_rate": 70.0, "leads_touched": 200, "leads_converted": 20}
)


def agent(name: str, **figures: Any) -> dict[str, Any]:
    """An agent of whom nothing is known but `figures`."""
    counts = dict.fromkeys(["calls_handled", "ratings", "calls_with_duration", "calls_with_resolution", "leads_touched"], 0)
    rates = dict.fromkeys(["customer_rating", "avg_call_seconds", "resolution_rate", "conversion_rate"])
    return {"agent_id": name} | counts | rates | figures


def said(*rows: dict[str, Any]) -> list[str]:
    return findings.agents(pd.DataFrame(rows), TEAM)


def test_one_rating_of_a_busy_agent_says_nothing_and_does_not_move_the_team() -> None:
    ann = agent("Ann", calls_handled=1000, ratings=1, customer_rating=1.0)
    bob = agent("Bob", calls_handled=100, ratings=100, customer_rating=4.5)
    assert said(ann, bob) == []


def test_agents_are_held_against_the_teams_own_figures_in_the_units_of_the_tiles() -> None:
    rows = [
        agent("Ann", ratings=40, customer_rating=4.0, calls_with_duration=30, avg_call_seconds=395.0),
        agent("Bob", ratings=90, customer_rating=4.5, calls_with_duration=900, avg_call_seconds=296.0),
    ]
    assert said(*rows) == [
        "Ann is furthest from the team in average rating: 4.00 against 4.47.",
        "Ann is furthest from the team in average call time: 6:35 against 5:00.",
    ]


@pytest.mark.parametrize(
    ("cases", "rate", "sentence"),
    [
        ("calls_with_resolution", "resolution_rate", "share of calls resolved: 54.1% against 70.0%."),
        ("leads_touched", "conversion_rate", "share of leads converted: 54.1% against 10.0%."),
    ],
)
def test_each_rate_needs_enough_cases_of_its_own(cases: str, rate: str, sentence: str) -> None:
    other = agent("Bob", **{cases: 500, rate: float(sentence.split()[-1].rstrip("%."))})
    few = agent("Ann", calls_handled=900, **{cases: 29, rate: 54.1})
    assert said(few, other) == []
    assert said(few | {cases: 30}, other) == [f"Ann is furthest from the team in {sentence}"]


def test_an_extraordinary_day_is_named_although_sundays_are_closed() -> None:
    days = pd.date_range("2021-01-04", periods=28)
    calls = [None if day.day_of_week == 6 else 100.0 + number % 5 for number, day in enumerate(days)]
    calls[9] = 400.0
    found = findings.days(pd.DataFrame({"day": days, "calls": calls}), "calls", "calls")
    assert found == ["Wednesday 13 January had 400 calls, 298 more than usual for that weekday."]


def test_days_may_be_dates_and_too_few_of_them_say_nothing() -> None:
    frame = pd.DataFrame({"day": [dt.date(2021, 1, day) for day in range(1, 20)], "calls": [float(day % 7) for day in range(19)]})
    assert findings.days(frame, "calls", "calls") == []
    assert findings.days(frame.head(13).assign(calls=[1.0] * 12 + [900.0]), "calls", "calls") == []


def leads(**rates: tuple[float, int]) -> pd.DataFrame:
    rows = [{"source": name, "conversion_rate": rate, "leads": count} for name, (rate, count) in rates.items()]
    return pd.DataFrame(rows)


def test_the_best_and_the_least_of_the_sources_are_named() -> None:
    frame = leads(partner=(17.04, 875), event=(7.0, 286), search=(10.0, 4000), tiny=(90.0, 29))
    assert findings.sources(frame, "source") == [
        "The source partner converts best, 17.0% of 875 leads; event converts least, 7.0% of 286."
    ]
    assert findings.sources(frame.rename(columns={"source": "campaign_id"}), "campaign_id")[0].startswith("The campaign partner ")


def test_a_source_without_a_name_and_a_hair_of_difference_are_passed_over() -> None:
    blank = pd.DataFrame({"source": ["not given", None, " ", "Unknown"], "conversion_rate": 99.0, "leads": 500})
    assert findings.sources(pd.concat([blank, leads(a=(10.0, 90), b=(9.9, 90))]), "source") == []
    assert findings.sources(leads(a=(0.0, 90), b=(0.0, 90)), "source") == []


def changes(*tiles: Figure) -> list[str]:
    return findings.changes(headline(tiles, currency="CHF", before="a week before"))


def test_what_changed_most_is_told_first_with_both_values() -> None:
    assert changes(
        Figure(label="Calls handled", value=434, previous=495),
        Figure(label="New leads", value=9, previous=8),
        Figure(label="Speed of answer", value=395, previous=200, format="seconds"),
    ) == [
        "Speed of answer rose by 97.5%, from 3:20 (a week before) to 6:35.",
        "Calls handled fell by 12.3%, from 495 (a week before) to 434.",
    ]


def test_what_was_nothing_rose_from_none() -> None:
    revenue = Figure(label="Revenue", value=6000, previous=0, format="money")
    assert changes(revenue) == ["Revenue rose from none (a week before) to CHF 6,000."]
    ended = Figure(label="Revenue", value=0, previous=6000, format="money")
    assert changes(ended) == ["Revenue fell from CHF 6,000 (a week before) to none."]


@pytest.mark.parametrize(
    "tile",
    [
        Figure(label="few", value=9, previous=4),
        Figure(label="few cases", value=1.0, previous=4.5, format="rating", cases=2),
        Figure(label="small", value=109, previous=100),
        Figure(label="less than a point", value=0.9, previous=0.1, format="percent"),
        Figure(label="unchanged", value=0, previous=0),
        Figure(label="nothing before", value=100, previous=None),
        Figure(label="nothing now", value=float("nan"), previous=100),
    ],
)
def test_changes_that_say_little_are_not_told(tile: Figure) -> None:
    assert changes(tile) == []


def test_a_percentage_changes_in_points() -> None:
    assert changes(Figure(label="Abandoned", value=8.1, previous=5.4, format="percent", cases=500)) == [
        "Abandoned rose by 2.7 points, from 5.4% (a week before) to 8.1%."
    ]


def test_weeks_that_the_period_cuts_are_named() -> None:
    weeks = pd.DataFrame({"week": pd.to_datetime(["2021-01-04", "2021-01-11", "2021-01-18"]), "days": [5, 7, 3]})
    first, last = "the week from 4 Jan 2021 (5 of 7 days)", "the week from 18 Jan 2021 (3 of 7 days)"
    assert findings.part_weeks(weeks) == f"not whole: {first} and {last}"
    assert findings.part_weeks(weeks.iloc[1:2]) is None
