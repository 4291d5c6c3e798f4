"""Rows as a person sees them in a terminal."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from workbench.cli import layout
from workbench.cli.answers import distinct


def _lines(names: list[str], *rows: list[Any], width: int = 80, prose: bool = False) -> list[str]:
    return list(layout.lines(names, rows, width=width, prose=prose))


def test_numbers_stand_at_the_right_under_the_columns_own_name() -> None:
    found = _lines(["calls_handled", "d"], [Decimal(5), True], [1000, None])
    assert found == ["calls_handled  d", "─────────────  ────", "            5  true", "         1000  –"]


def test_a_column_without_a_value_stands_at_the_left() -> None:
    assert _lines(["default", "b"], [None, 1])[2] == "–        1"


def test_columns_that_do_not_fit_become_one_block_a_row() -> None:
    assert _lines(["a", "long"], [1, "x" * 90], [2, "y"]) == ["a     1", f"long  {'x' * 90}", "", "a     2", "long  y"]


def test_a_value_of_several_lines_keeps_them_in_a_block() -> None:
    assert _lines(["a"], ["one\ntwo"]) == ["a  one", "   two"]


def test_a_last_column_for_reading_is_broken_between_words_and_never_within_one() -> None:
    path = "/a/folder/" + "with-a-long-name/" * 4
    found = _lines(
        ["check", "detail"], ["home", f"a word and another that together with more do not fit: {path}"], width=50, prose=True
    )
    assert max(len(line) for line in found if path not in line) <= 50
    assert [line.strip() for line in found if path in line] == [path]


def test_a_list_whose_first_columns_leave_no_room_is_in_blocks_that_fit() -> None:
    found = _lines(["name", "meaning"], ["n" * 60, "word " * 40], prose=True)
    assert found[0].startswith("name     nnn")
    assert max(map(len, found)) <= 80


def test_wide_characters_take_two_places() -> None:
    assert _lines(["a", "b"], ["日本", "x"], ["z", "y"])[2:] == ["日本  x", "z     y"]


@pytest.mark.parametrize("given", ["[/x]", "[red]hot lead", ":smile:", "[link=x]y[/link]"])
def test_text_is_never_markup(given: str) -> None:
    assert _lines([given], [given])[2] == given


def test_what_a_terminal_would_obey_is_shown_as_an_escape() -> None:
    assert _lines(["a\x1b]0;t\x07"], ["x\x1b[31m\r\t\x9b1m\u202e"])[0::2] == [r"a\x1b]0;t\x07", r"x\x1b[31m\r\t\x9b1m\u202e"]
    assert layout.as_json("a\x9b\u202e\n") == r'"a\u009b\u202e\n"'


def test_json_has_numbers_as_numbers_null_for_those_that_are_none_and_iso_times() -> None:
    value = {
        "sum": Decimal(2**70),
        "price": Decimal("1.25"),
        "none": [float("nan"), float("inf"), Decimal("NaN")],
        "at": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        "key": {uuid.UUID(int=1): b"a\xff"},
        "yes": True,
    }
    assert json.loads(layout.as_json(value)) == {
        "sum": 2**70,
        "price": 1.25,
        "none": [None, None, None],
        "at": "2026-01-02T03:00:00+00:00",
        "key": {str(uuid.UUID(int=1)): r"a\xff"},
        "yes": True,
    }


def test_a_name_that_comes_again_gets_a_number_that_no_other_has() -> None:
    assert distinct(["a", "b", "A", "a", "a_1"]) == ["a", "b", "A_2", "a_3", "a_1"]
