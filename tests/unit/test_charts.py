"""Charts: each draws without a warning, holds its data, and copes with what real data has."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from workbench import charts
from workbench.errors import BadInput

DAYS = pd.DataFrame(
    {"day": pd.date_range("2021-01-01", periods=90).date, "calls": np.arange(90) % 7 + 40, "agent": ["a", "b"] * 45}
)

EVERY_CHART: dict[str, Callable[[pd.DataFrame], alt.LayerChart]] = {
    "line": lambda frame: charts.line(frame, "day", "calls", title="T"),
    "lines": lambda frame: charts.line(frame, "day", "calls", "agent", title="T", value_format="seconds"),
    "columns": lambda frame: charts.columns(frame, "day", "calls", title="T"),
    "stacked": lambda frame: charts.columns(frame, "day", "calls", "agent", title="T"),
    "bar": lambda frame: charts.bar(frame, "agent", "calls", title="T"),
    "funnel": lambda frame: charts.funnel(frame, "agent", "calls", title="T"),
    "heatmap": lambda frame: charts.heatmap(frame, "calls", "agent", "calls", title="T"),
}


def drawn(chart: alt.LayerChart) -> str:
    specification = bundle(chart)[charts.MIME_TYPE] | {"width": 600}
    return str(vl_convert.vegalite_to_svg(specification, vl_version="5.21", allowed_base_urls=[]))


def bundle(chart: alt.LayerChart) -> dict[str, Any]:
    found: Any = chart._repr_mimebundle_()
    return dict(found[0] if isinstance(found, tuple) else found)


@pytest.mark.parametrize("name", EVERY_CHART)
def test_every_chart_is_data_in_a_form_that_notebooks_hold(name: str) -> None:
    found = bundle(EVERY_CHART[name](DAYS))
    assert set(found) == {"application/vnd.vegalite.v5+json", "text/plain"}
    specification = json.dumps(found[charts.MIME_TYPE], allow_nan=False)
    assert '"url"' not in specification
    assert '"datasets"' in specification


@pytest.mark.parametrize("name", EVERY_CHART)
@pytest.mark.parametrize(
    "frame", [pd.DataFrame(), DAYS.head(0), DAYS.assign(calls=np.nan)], ids=["nothing", "no rows", "all null"]
)
def test_without_data_every_chart_says_so_calmly(name: str, frame: pd.DataFrame) -> None:
    assert charts.NO_DATA in drawn(EVERY_CHART[name](frame))


@pytest.mark.parametrize("name", EVERY_CHART)
def test_one_row_is_enough(name: str) -> None:
    assert "<path" in drawn(EVERY_CHART[name](DAYS.head(1)))


def test_lines_carry_their_names_where_they_end() -> None:
    shown = drawn(EVERY_CHART["lines"](DAYS))
    assert ">a</text>" in shown
    assert ">b</text>" in shown


def test_names_at_line_ends_do_not_overlap() -> None:
    assert charts._apart([1.0, 1.0, 1.0, 9.0], gap=2, highest=10) == [1.0, 3.0, 5.0, 9.0]
    assert charts._apart([9.0, 9.5, 10.0], gap=2, highest=10) == [6.0, 8.0, 10.0]


def test_column_names_and_labels_may_hold_anything() -> None:
    frame = pd.DataFrame({"a.b[0]": ["x'y\"</script>", "z"], "c:Q": [1, 2]})
    shown = drawn(charts.bar(frame, "a.b[0]", "c:Q", title='</script>"'))
    assert "&lt;/script&gt;" in shown
    assert "</script>" not in shown


def test_a_day_stays_that_day_wherever_the_page_is_read() -> None:
    times = pd.to_datetime(["2021-07-01T22:30Z"]).tz_convert("Europe/Zurich")
    specification = bundle(charts.line(pd.DataFrame({"at": times, "n": [1]}), "at", "n", title="T"))[charts.MIME_TYPE]
    (rows,) = specification["datasets"].values()
    assert rows[0]["x"] == "2021-07-02T00:30:00"
    assert rows[0]["when"] == "2 Jul 2021, 00:30"


@pytest.mark.parametrize("days", [1, 5, 20, 90, 400, 1500])
def test_no_two_ticks_of_a_time_axis_say_the_same(days: int) -> None:
    values = pd.Series(pd.date_range(dt.date(2021, 1, 5), periods=days))
    axis = charts._time_axis(values).to_dict()
    labels = [(tick["year"], tick["month"], tick["date"] if "d" in axis["format"] else 0) for tick in axis["values"]]
    assert 1 <= len(labels) == len(set(labels)) <= 14


def test_bars_show_their_values_highest_first_and_say_when_they_are_not_all() -> None:
    frame = pd.DataFrame({"name": [f"n{i}" for i in range(40)], "rate": np.arange(40) - 3.0})
    shown = drawn(charts.bar(frame, "name", "rate", title="T", subtitle="rates", value_format="percent"))
    assert "36.0%" in shown
    assert ">n2<" not in shown
    assert "rates · the first 25 of 40" in shown


def test_an_axis_of_nothing_but_zeros_has_whole_numbers() -> None:
    shown = drawn(charts.columns(DAYS.assign(calls=0), "day", "calls", title="T"))
    assert ">0.05<" not in shown
    assert ">1<" in shown


def test_a_funnel_shows_each_stage_against_the_first() -> None:
    shown = drawn(charts.funnel(pd.DataFrame({"stage": ["lead", "won"], "n": [8000, 842]}), "stage", "n", title="T"))
    assert "8,000 · 100.0%" in shown
    assert "842 · 10.5%" in shown


def test_a_missing_column_and_too_many_rows_are_refused_with_advice() -> None:
    with pytest.raises(BadInput, match="no column 'nope'; it has day, calls, agent"):
        charts.line(DAYS, "day", "nope", title="T")
    with pytest.raises(BadInput, match="sum them up"):
        charts.bar(pd.DataFrame({"a": range(30_000), "b": 1}), "a", "b", title="T")


def test_neighbouring_colours_differ_in_greyscale() -> None:
    grey = [0.299 * int(c[1:3], 16) + 0.587 * int(c[3:5], 16) + 0.114 * int(c[5:7], 16) for c in charts.PALETTE]
    assert all(abs(one - other) > 25 for one, other in itertools.pairwise(grey))
