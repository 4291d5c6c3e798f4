"""Headline figures: the change is right, in words, and never said by colour alone."""

from __future__ import annotations

import re

import pytest

from workbench.figures import Change, Figure, change, headline, standout


def seen(shown: object) -> str:
    """The text a reader sees."""
    html = shown._repr_html_()  # type: ignore[attr-defined]
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Figure(label="", value=110, previous=100, good="up"), Change(arrow="▲", size="10.0%", verdict="better")),
        (Figure(label="", value=90, previous=100, good="up"), Change(arrow="▼", size="10.0%", verdict="worse")),
        (Figure(label="", value=90, previous=100, good="down"), Change(arrow="▼", size="10.0%", verdict="better")),
        (Figure(label="", value=90, previous=100), Change(arrow="▼", size="10.0%", verdict="changed")),
        (Figure(label="", value=-50, previous=-100, good="up"), Change(arrow="▲", size="50.0%", verdict="better")),
        (
            Figure(label="", value=10.5, previous=12.0, format="percent", good="up"),
            Change(arrow="▼", size="1.5 points", verdict="worse"),
        ),
        (Figure(label="", value=100.01, previous=100, good="up"), Change(arrow="=", size="", verdict="unchanged")),
        (Figure(label="", value=5, previous=0, good="up"), None),
        (Figure(label="", value=None, previous=3), None),
        (Figure(label="", value=3, previous=float("nan")), None),
    ],
)
def test_a_change_has_a_direction_a_size_and_a_verdict(figure: Figure, expected: Change | None) -> None:
    assert change(figure) == expected


def test_a_tile_says_value_change_and_previous_value_in_words() -> None:
    figure = Figure(label="Average call time", value=224.92, format="seconds", previous=231.4, good="down", note="answered calls")
    assert seen(headline([figure])) == "Average call time 3:45 ▼ 2.8% down, better previous period: 3:51 answered calls"


def test_a_tile_says_what_its_previous_value_is_of() -> None:
    shown = headline([Figure(label="Calls", value=110, previous=100)], before="a week & a day before")
    assert seen(shown) == "Calls 110 ▲ 10.0% up a week &amp; a day before: 100"


def test_money_carries_its_currency() -> None:
    figure = Figure(label="Revenue", value=12_500, previous=10_000, format="money")
    assert seen(headline([figure], currency="CHF")) == "Revenue CHF 12,500 ▲ 25.0% up previous period: 10,000"


def test_a_null_is_a_dash_without_a_change() -> None:
    assert seen(headline([Figure(label="Rating", value=None, format="rating", previous=3.4)])) == "Rating –"


def test_sentences_are_escaped_and_their_absence_is_said() -> None:
    assert "&lt;script&gt;" in standout("<script>alert(1)</script>")._repr_html_()
    assert seen(standout([])) == "What stands out Nothing stands out in this period."
