"""Report tables: what a reader sees, and what is guessed from a frame."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import BadInput
from workbench.tables import MAX_SHOWN_ROWS, Column, Format, ReportTable, format_value, format_values


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (4054, "integer", "4,054"),
        (-1234.5, "number", "−1,234.50"),
        (-0.001, "number", "0.00"),
        (10.525, "percent", "10.5%"),
        (1234.5, "money", "CHF 1,234.50"),
        (61_784_006.4, "money", "CHF 61,784,006"),
        (224.92, "seconds", "3:45"),
        (59.6, "seconds", "1:00"),
        (3661, "seconds", "1:01:01"),
        (3.4, "rating", "3.40"),
        (Decimal("12.5"), "number", "12.50"),
        (dt.date(2021, 3, 31), "date", "31 Mar 2021"),
        (dt.datetime(2021, 3, 31, 22, 30, tzinfo=dt.UTC), "datetime", "1 Apr 2021, 00:30"),
        (True, "text", "yes"),
        (None, "money", "–"),
        (float("nan"), "percent", "–"),
        (float("inf"), "number", "–"),
        (pd.NaT, "date", "–"),
    ],
)
def test_a_value_is_shown_as_people_write_it(value: object, kind: Format, text: str) -> None:
    assert format_value(value, kind, currency="CHF", timezone="Europe/Zurich") == text


def test_a_column_has_as_many_decimals_as_it_needs_and_no_more() -> None:
    assert format_values([1.0, 2.0], "number") == ["1", "2"]
    assert format_values([1.0, 2.5], "number") == ["1.00", "2.50"]
    assert format_values([0.5, 12_000.4], "money") == ["0", "12,000"]


def test_formats_and_labels_are_guessed_from_names_and_types() -> None:
    frame = pd.DataFrame(
        {
            "metric_date": [dt.date(2021, 1, 1)],
            "agent_id": ["becky"],
            "calls_handled": [3],
            "avg_call_seconds": [224.9],
            "conversion_rate": [10.5],
            "customer_rating": [3.4],
            "total_revenue": [12.0],
            "day": pd.to_datetime(["2021-01-01"]),
            "entered_at": pd.to_datetime(["2021-01-01T10:00Z"]),
            "active": [True],
            "ratio": [0.5],
        }
    )
    table = ReportTable.from_frame(frame, name="agents", title="Agents")
    assert {key: (column.label, column.format) for key, column in table.columns.items()} == {
        "metric_date": ("Date", "date"),
        "agent_id": ("Agent", "text"),
        "calls_handled": ("Calls handled", "integer"),
        "avg_call_seconds": ("Average call time", "seconds"),
        "conversion_rate": ("Conversion rate", "percent"),
        "customer_rating": ("Customer rating", "rating"),
        "total_revenue": ("Total revenue", "money"),
        "day": ("Day", "date"),
        "entered_at": ("Entered", "datetime"),
        "active": ("Active", "text"),
        "ratio": ("Ratio", "number"),
    }
    assert table.data.schema.field("day").type == pa.date32()


def test_a_day_is_the_day_on_the_clock_it_was_given_with() -> None:
    midnight = pd.to_datetime(["2021-07-01"]).tz_localize("Europe/Zurich")
    table = ReportTable.from_frame(pd.DataFrame({"day": midnight}), name="days", title="Days")
    assert table.data.column("day").to_pylist() == [dt.date(2021, 7, 1)]


def test_labels_and_formats_can_be_given() -> None:
    frame = pd.DataFrame({"roi": [12.5]})
    table = ReportTable.from_frame(frame, name="a", title="A", labels={"roi": "Return"}, formats={"roi": "percent"})
    assert table.columns == {"roi": Column(label="Return", format="percent")}
    with pytest.raises(BadInput, match="no column 'rio'"):
        ReportTable.from_frame(frame, name="a", title="A", labels={"rio": "Return"})


def test_named_index_levels_become_columns() -> None:
    frame = pd.DataFrame({"topic": ["a", "a", "b"], "calls": [1, 2, 3]}).groupby("topic").sum()
    assert ReportTable.from_frame(frame, name="t", title="T").data.to_pydict() == {"topic": ["a", "b"], "calls": [3, 3]}


def test_odd_columns_become_text_rather_than_an_error() -> None:
    frame = pd.DataFrame({"mixed": [1, "x", None], "nested": [{"a": 1}, None, {"a": 2}]})
    table = ReportTable.from_frame(frame, name="odd", title="Odd")
    assert table.data.column("mixed").to_pylist() == ["1", "x", None]
    assert table.data.column("nested").to_pylist()[0] == "{'a': 1}"


@pytest.mark.parametrize("name", ["Agents", "1st", "../agents", "a b", "", "a" * 64, "a\n"])
def test_a_name_that_is_no_slug_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="must start with a small letter"):
        ReportTable.from_frame(pd.DataFrame({"a": [1]}), name=name, title="A")


def test_what_is_shown_is_escaped_aligned_and_grouped() -> None:
    frame = pd.DataFrame({"agent_id": ["<b>Becky</b>"], "calls_handled": [1234], "revenue": [np.nan]})
    shown = ReportTable.from_frame(frame, name="a", title="A & B", currency="CHF")._repr_html_()
    assert "A &amp; B" in shown
    assert "&lt;b&gt;Becky&lt;/b&gt;" in shown
    assert "<td>1,234</td><td>–</td>" in shown
    assert ">Revenue (CHF)</th>" in shown


def test_a_name_has_room_for_its_longest_word_and_only_an_identifier_is_broken() -> None:
    names = {"short": ["a b"], "long": ["trade_fair_chicago"], "endless": ["x" * 200]}
    shown = ReportTable.from_frame(pd.DataFrame(names), name="a", title="A").html()
    assert re.findall(r"min-width:([\d.]+)em", shown) == ["1.6", "11.8", "15.4"]


def test_an_empty_table_shows_its_columns_and_says_so() -> None:
    shown = ReportTable.from_frame(pd.DataFrame({"agent_id": pd.Series([], dtype="str")}), name="a", title="A")._repr_html_()
    assert ">Agent</th>" in shown
    assert "No rows in this period." in shown


def test_a_long_table_is_cut_and_says_so() -> None:
    shown = ReportTable.from_frame(pd.DataFrame({"n": range(1000)}), name="a", title="A")._repr_html_()
    assert shown.count("<td>") == MAX_SHOWN_ROWS
    assert "The first 200 of 1,000 rows" in shown


def test_columns_must_be_described_as_they_are() -> None:
    data = pa.table({"a": [1], "b": [2]})
    with pytest.raises(BadInput, match="describe each column once"):
        ReportTable(name="t", title="T", data=data, columns={"a": Column(label="A", format="integer")})
