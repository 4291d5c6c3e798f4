"""Charts in the house style, one call each.

Every function takes a pandas frame and the names of its columns and returns an Altair chart that holds its data, so that it shows
in a notebook, on a dashboard and in an export with no file or network beside it. An empty frame gives a calm "no data" chart.
Colours are told apart by the colour-blind and, with dashes and labels at the lines, in greyscale. Times are shown as the frame
has them: convert to the tenant's time zone first. Raises BadInput for a column that is not there and for more than MAX_POINTS
rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from workbench.errors import BadInput
from workbench.tables import Format, format_values, label_from

#: Chart data lies inside the notebook; more points than this belong in an aggregate.
MAX_POINTS = 20_000
MAX_BARS = 25
#: After Okabe and Ito, without the yellow that vanishes on paper; neighbours differ in greyscale too.
PALETTE = ("#0072b2", "#e69f00", "#00664b", "#cc79a7", "#3b4252", "#56b4e9", "#a34000", "#8a94a0")
#: The same for text, which needs more contrast than a line.
TEXT_PALETTE = ("#005a8c", "#8a5a00", "#00664b", "#9c4577", "#3b4252", "#1b6fa3", "#a34000", "#55606e")
DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [1, 0], [6, 3], [2, 2], [9, 3, 2, 3])
NO_DATA = "No data in this period"
MIME_TYPE = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

_INK, _MUTED, _AXIS, _GRID = "#1b2430", "#55606e", "#aab4c0", "#e6eaee"
_BLUES = ("#e9f1f7", "#a9cce3", "#4f9bc9", "#0072b2", "#003a5d")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MAX_LABELLED_LINES = 6
_LABEL_GAP = 15
_TIME_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)

_CLOCK = (
    "(datum.value >= 3600 ? floor(datum.value / 3600) + ':' + pad('' + floor(datum.value / 60) % 60, 2, '0', 'left')"
    " : floor(datum.value / 60)) + ':' + pad('' + round(datum.value) % 60, 2, '0', 'left')"
)
_SHORT = "replace(abs(datum.value) >= 100000 ? format(datum.value, '~s') : format(datum.value, ',~r'), 'G', 'B')"
_AXIS_TEXT: Mapping[Format, str] = {"percent": "format(datum.value, ',~r') + '%'", "seconds": _CLOCK}


def use_theme() -> None:
    """Makes the house theme the current one. The functions here do so by themselves; call it before a chart of your own."""
    alt.theme.register("workbench", enable=True)(_theme)
    alt.data_transformers.enable("default", max_rows=None)
    alt.renderers.register("workbench", _as_data)
    alt.renderers.enable("workbench")


def _as_data(specification: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The chart for a notebook: as data, where Altair's own default is a page that fetches its library from elsewhere.

    Under version 5, which JupyterLab and Voila draw; Altair's name for version 6 is one that notebooks cannot hold.
    """
    title = specification.get("description") or "chart"
    return {MIME_TYPE: {**specification, "$schema": SCHEMA}, "text/plain": f"[chart: {title}]"}


def _theme() -> alt.theme.ThemeConfig:
    muted = {"labelColor": _MUTED, "titleColor": _MUTED, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": 400}
    lines = {"gridColor": _GRID, "domainColor": _AXIS, "tickColor": _AXIS, "labelPadding": 6, "titlePadding": 8, "tickSize": 4}
    title = {"anchor": "start", "frame": "bounds", "color": _INK, "fontSize": 14, "fontWeight": 600, "offset": 16}
    subtitle = {"subtitleColor": _MUTED, "subtitleFontSize": 12, "subtitlePadding": 4}
    config: Any = {
        "font": "Inter, system-ui, sans-serif",
        "background": "#ffffff",
        "padding": {"left": 0, "top": 4, "right": 2, "bottom": 4},
        "view": {"stroke": None, "continuousWidth": 640, "discreteWidth": 640},
        "title": title | subtitle,
        "axis": muted | lines,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": {"orient": "top", "title": None, "labelColor": _INK, "labelFontSize": 12, "symbolType": "square"},
        "range": {"category": list(PALETTE), "heatmap": list(_BLUES)},
        "bar": {"color": PALETTE[0]},
        "line": {"color": PALETTE[0], "strokeWidth": 2},
        "text": {"color": _INK, "fontSize": 12},
    }
    return {"config": config}


def line(
    frame: pd.DataFrame,
    x: str,
    y: str,
    color: str | None = None,
    *,
    title: str,
    subtitle: str | None = None,
    value_format: Format = "number",
    zero: bool = True,
    height: int = 230,
) -> alt.LayerChart:
    """Values over time (or over ordered steps), one line per value of `color`.

    Up to six lines carry their names at their ends, more have a legend. A null value breaks the line. `zero` has the axis
    start at 0.
    """
    points = _points(frame, {"x": x, "y": y, "series": color}, value_format)
    if points["y"].isna().all():
        return _nothing(title, height)
    points = points.sort_values("x", kind="stable")
    names = list(dict.fromkeys(points["series"])) if color else []
    low, high = _span(points["y"], zero=zero)
    across = _across(points["x"])
    up = alt.Y("y:Q", axis=_value_axis(value_format, low, high), scale=alt.Scale(domain=[low, high]))
    encoding: dict[str, Any] = {"x": across, "y": up} | _series_encoding(names)
    layers: list[Any] = [
        alt.Chart().mark_line(interpolate="linear", strokeJoin="round").encode(**encoding),
        _hover(points, {"x": across, "y": up} | _series_encoding(names, dashes=False), _tooltip(when=x, series=color, shown=y)),
    ]
    if 1 < len(names) <= _MAX_LABELLED_LINES:
        layers.append(_end_labels(points, across, up, names, (low, high), height))
    return _drawn(layers, points, title, subtitle, height)


def columns(
    frame: pd.DataFrame,
    x: str,
    y: str,
    color: str | None = None,
    *,
    title: str,
    subtitle: str | None = None,
    value_format: Format = "integer",
    height: int = 230,
) -> alt.LayerChart:
    """Upright bars over time or over ordered steps; stacked by `color`, whose values must be amounts that add up."""
    points = _points(frame, {"x": x, "y": y, "series": color}, value_format)
    if points["y"].isna().all():
        return _nothing(title, height)
    names = list(dict.fromkeys(points["series"])) if color else []
    points["top"] = points.fillna({"y": 0.0}).groupby("x", sort=False)["y"].cumsum()
    points["bottom"] = points["top"] - points["y"].fillna(0.0)
    low, high = _span(pd.concat([points["top"], points["bottom"]]), zero=True)
    up = alt.Y("top:Q", axis=_value_axis(value_format, low, high), scale=alt.Scale(domain=[low, high]))
    encoding = {"y": up, "y2": alt.Y2("bottom"), "tooltip": _tooltip(when=x, series=color, shown=y)}
    bars = alt.Chart().mark_bar(orient="vertical", stroke="#ffffff", strokeWidth=0.6 if names else 0)
    bars = bars.encode(**encoding, **_column_places(points), **_series_encoding(names, dashes=False, legend=True))
    return _drawn([bars], points, title, subtitle, height)


def bar(
    frame: pd.DataFrame,
    category: str,
    value: str,
    *,
    title: str,
    subtitle: str | None = None,
    value_format: Format = "number",
    sort: bool = True,
) -> alt.LayerChart:
    """Lying bars, one per row, each with its value; the highest first, or in the frame's order. At most MAX_BARS are shown."""
    points = _points(frame, {"y": category, "x": value}, value_format, value="x")
    if points["x"].isna().all():
        return _nothing(title, 4 * _LABEL_GAP)
    if sort:
        points = points.sort_values("x", ascending=False, kind="stable", na_position="last")
    if len(points) > MAX_BARS:
        subtitle = " · ".join(filter(None, [subtitle, f"the first {MAX_BARS} of {len(points)}"]))
    return _lying_bars(points.head(MAX_BARS), _tooltip(y=category, shown=value), title, subtitle)


def funnel(frame: pd.DataFrame, stage: str, value: str, *, title: str, subtitle: str | None = None) -> alt.LayerChart:
    """Stages in the frame's order, each with its count and its share of the first stage."""
    points = _points(frame, {"y": stage, "x": value}, "integer", value="x")
    if points["x"].isna().all():
        return _nothing(title, 4 * _LABEL_GAP)
    first = points["x"].iloc[0]
    shares = format_values([count / first * 100 if first else None for count in points["x"]], "percent")
    points["shown"] = [f"{shown} · {share}" for shown, share in zip(points["shown"], shares, strict=True)]
    return _lying_bars(points, _tooltip(y=stage, shown=value), title, subtitle)


def heatmap(
    frame: pd.DataFrame,
    x: str = "hour",
    y: str = "weekday",
    value: str = "calls",
    *,
    title: str,
    subtitle: str | None = None,
    value_format: Format = "integer",
) -> alt.LayerChart:
    """A field of weekdays (ISO numbers, Monday is 1, or names) by hours of the day; the darker, the more."""
    points = _points(frame, {"x": x, "y": y, "value": value}, value_format, value="value")
    if points["value"].isna().all():
        return _nothing(title, 120)
    points["y"] = [_WEEKDAYS[int(day) - 1] if isinstance(day, (int, float)) else str(day) for day in points["y"]]
    hours = list(range(int(points["x"].min()), int(points["x"].max()) + 1))
    days = [day for day in _WEEKDAYS if day in set(points["y"])] or sorted(set(points["y"]))
    across = alt.X(
        "x:O",
        scale=alt.Scale(domain=hours, paddingInner=0.06),
        axis=alt.Axis(title="hour of the day", labelAngle=0, ticks=False, domain=False),
    )
    down = alt.Y("y:N", scale=alt.Scale(domain=days, paddingInner=0.06), axis=alt.Axis(title=None))
    legend = alt.Legend(orient="top", direction="horizontal", gradientLength=160, gradientThickness=8, tickCount=3)
    shade = alt.Color("value:Q", scale=alt.Scale(range=list(_BLUES)), legend=legend)
    tooltip = _tooltip(y=y, x=x, shown=value)
    cells = alt.Chart().mark_rect(cornerRadius=2).encode(x=across, y=down, color=shade, tooltip=tooltip)
    return _drawn([cells], points, title, subtitle, 26 * len(days))


def _points(frame: pd.DataFrame, fields: Mapping[str, str | None], kind: Format, *, value: str = "y") -> pd.DataFrame:
    """The columns under names of ours, so that a dot or bracket in a name means nothing; `shown` is the value as text."""
    used = {ours: theirs for ours, theirs in fields.items() if theirs is not None}
    if frame.empty:
        return pd.DataFrame(columns=[*used, "shown"])
    for theirs in used.values():
        if theirs not in frame.columns:
            raise BadInput(f"The chart's data has no column {theirs!r}; it has {', '.join(map(str, frame.columns))}.")
    if len(frame) > MAX_POINTS:
        raise BadInput(f"A chart of {len(frame):,} rows is more than {MAX_POINTS:,}; sum them up by day or group first.")
    points = pd.DataFrame({ours: frame[theirs].to_numpy() for ours, theirs in used.items()})
    points[value] = pd.to_numeric(points[value]).astype("float64").replace([math.inf, -math.inf], math.nan)
    points["shown"] = format_values(points[value].tolist(), kind)
    if "series" in used:
        points["series"] = ["(none)" if pd.isna(name) else str(name) for name in points["series"]]
    if "x" in used and value != "x":
        points["x"] = _wall_clock(frame[used["x"]])
        points["when"] = _when(points["x"])
    if "y" in used and value == "x":
        points["y"] = ["(none)" if pd.isna(name) else str(name) for name in points["y"]]
    return points


def _wall_clock(values: pd.Series[Any]) -> Any:
    """Dates and times as the page shall show them wherever it is read: without a zone."""
    fresh = values.reset_index(drop=True)
    if pd.api.types.is_datetime64_any_dtype(fresh.dtype):
        return fresh.dt.tz_localize(None)
    if pd.api.types.infer_dtype(fresh, skipna=True) in {"date", "datetime"}:
        return pd.to_datetime(fresh).dt.tz_localize(None)
    return fresh.tolist()


def _is_time(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values.dtype)


def _when(values: pd.Series[Any]) -> list[str]:
    if not _is_time(values):
        return [str(value) for value in values]
    whole_days = bool((values.dropna() == values.dropna().dt.normalize()).all())
    return format_values(values.tolist(), "date" if whole_days else "datetime")


def _across(values: pd.Series[Any]) -> alt.X:
    if not _is_time(values):
        return alt.X("x:O", sort=None, axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True))
    return alt.X("x:T", axis=_time_axis(values))


def _time_axis(values: pd.Series[Any]) -> alt.Axis:
    """Ticks where the data are, if few; else on days, Mondays or the first of months, and never one label twice."""
    first, last = values.min(), values.max()
    days = (last - first).days
    rest: dict[str, Any] = {"title": None, "labelOverlap": True, "labelFlush": False}
    if days < 2 and (values != values.dt.normalize()).any():
        return alt.Axis(format="%H:%M", **rest)
    step, form = ("MS", "%b %Y") if days > 180 else ("W-MON", "%-d %b") if days > 14 else ("D", "%-d %b")
    moments = values.drop_duplicates().sort_values()
    ticks = moments.tolist() if len(moments) <= 14 else pd.date_range(first.normalize(), last, freq=step).tolist()
    return alt.Axis(format=form, values=[_instant(tick) for tick in ticks[:: math.ceil(len(ticks) / 13) or 1]], **rest)


def _instant(moment: pd.Timestamp) -> alt.DateTime:
    return alt.DateTime(year=moment.year, month=moment.month, date=moment.day, hours=moment.hour, minutes=moment.minute)


def _column_places(points: pd.DataFrame) -> dict[str, Any]:
    """Where the bars stand: over time each is centred on its moment and nearly as wide as the step between two."""
    if not _is_time(points["x"]):
        return {"x": _across(points["x"])}
    moments = points["x"].drop_duplicates().sort_values()
    step = moments.diff().min() if len(moments) > 1 else pd.Timedelta(days=1)
    points["left"], points["right"] = points["x"] - step * 0.41, points["x"] + step * 0.41
    return {"x": alt.X("left:T", scale=alt.Scale(nice=False), axis=_time_axis(points["x"])), "x2": alt.X2("right")}


def _span(values: pd.Series[Any], *, zero: bool) -> tuple[float, float]:
    """The axis from a little below the lowest to a little above the highest value; from 0 where `zero`."""
    low, high = float(values.min()), float(values.max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            return 0.0, 1.0
    room = (high - low or abs(high) or 1.0) * 0.06
    return (low if zero and low == 0 else low - room, high if zero and high == 0 and low < 0 else high + room)


def _value_axis(kind: Format, low: float, high: float) -> alt.Axis:
    rest: dict[str, Any] = {"title": None, "labelExpr": _AXIS_TEXT.get(kind, _SHORT)}
    if kind == "seconds":
        step = next((step for step in _TIME_STEPS if (high - low) / step <= 6), 86400)
        return alt.Axis(values=[tick * step for tick in range(math.ceil(low / step), math.floor(high / step) + 1)], **rest)
    if kind == "integer":
        return alt.Axis(tickCount=5, tickMinStep=1, **rest)
    return alt.Axis(tickCount=5, **rest)


def _series_encoding(names: Sequence[str], *, dashes: bool = True, legend: bool | None = None) -> dict[str, Any]:
    if not names:
        return {}
    shown = len(names) > _MAX_LABELLED_LINES if legend is None else legend
    key = alt.Legend(columns=6, symbolType="stroke" if dashes else "square") if shown else None
    colours = [PALETTE[place % len(PALETTE)] for place in range(len(names))]
    encoding: dict[str, Any] = {"color": alt.Color("series:N", scale=alt.Scale(domain=list(names), range=colours), legend=key)}
    if dashes:
        strokes = [DASHES[place % len(DASHES)] for place in range(len(names))]
        scale = alt.Scale(domain=list(names), range=strokes)
        encoding["strokeDash"] = alt.StrokeDash("series:N", scale=scale, legend=key)
    return encoding


def _tooltip(**fields: str | None) -> list[alt.Tooltip]:
    """What is shown of a mark that is pointed at: our columns, under the labels of the caller's."""
    return [alt.Tooltip(f"{ours}:N", title=label_from(theirs)) for ours, theirs in fields.items() if theirs is not None]


def _hover(points: pd.DataFrame, encoding: Mapping[str, Any], tooltip: list[alt.Tooltip]) -> Any:
    """Something to point at; visible only where there are few points, or a value stands alone between gaps."""
    moments = points["x"].nunique()
    few, lone = moments <= 45 and len(points) <= 90, moments == 1
    mark = alt.Chart().mark_circle(size=70 if lone else 26 if few else 90, opacity=1 if few or lone else 0, aria=False)
    return mark.encode(**dict(encoding), tooltip=tooltip).transform_filter("isValid(datum.y)")


def _end_labels(
    points: pd.DataFrame, across: alt.X, up: alt.Y, names: Sequence[str], span: tuple[float, float], height: int
) -> Any:
    """Each line's name beside its last point, moved apart where they would overlap."""
    last = points.dropna(subset=["y"]).groupby("series", sort=False).tail(1).sort_values("y")
    gap = (span[1] - span[0]) / height * _LABEL_GAP
    places = _apart(last["y"].tolist(), gap, span[1])
    labels = last.assign(y=places, x=points["x"].max() if _is_time(points["x"]) else points["x"].iloc[-1])
    labels["ink"] = [TEXT_PALETTE[names.index(name) % len(TEXT_PALETTE)] for name in labels["series"]]
    mark = alt.Chart(labels).mark_text(align="left", dx=8, fontWeight=600, fontSize=11.5)
    return mark.encode(x=across, y=up, text="series:N", color=alt.Color("ink:N", scale=None))


def _apart(values: Sequence[float], gap: float, highest: float) -> list[float]:
    """Ascending values moved up until neighbours are `gap` apart, then down again as far as `highest` demands."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + gap) if places else value)
    limit = highest
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    return places


def _lying_bars(points: pd.DataFrame, tooltip: list[alt.Tooltip], title: str, subtitle: str | None) -> alt.LayerChart:
    down = alt.Y("y:N", sort=None, axis=alt.Axis(title=None, labelColor=_INK, labelFontSize=12, labelLimit=220))
    low, high, rows = min(points["x"].min(), 0.0), max(points["x"].max(), 0.0), points["y"].nunique()
    # Labels at the right make room for themselves, those at the left would run into the names.
    scale = alt.Scale(domain=[low - (high - low) * 0.16 if low < 0 else 0, high or 1.0], nice=False)
    across = alt.X("x:Q", axis=None, scale=scale)
    layers: list[Any] = [alt.Chart().mark_bar(cornerRadiusEnd=2, height={"band": 0.68}).encode(x=across, y=down, tooltip=tooltip)]
    beside = alt.Chart().mark_text(align="left", dx=6), alt.Chart().mark_text(align="right", dx=-6)
    for text, wanted in zip(beside, ("!(datum.x < 0)", "datum.x < 0"), strict=True):
        layers.append(text.encode(x=across, y=down, text="shown:N").transform_filter(wanted))
    return _drawn(layers, points.fillna({"x": 0.0}), title, subtitle, rows * (27 if rows <= 10 else 20))


def _nothing(title: str, height: int) -> alt.LayerChart:
    text = alt.Chart().mark_text(color=_MUTED, fontSize=13, align="center")
    return _drawn([text.encode(text=alt.value(NO_DATA))], pd.DataFrame({"x": [0]}), title, None, min(height, 110))


def _drawn(layers: Sequence[Any], points: pd.DataFrame, title: str, subtitle: str | None, height: int) -> alt.LayerChart:
    use_theme()
    heading = alt.TitleParams(title, subtitle=subtitle) if subtitle else alt.TitleParams(title)
    drawing: alt.LayerChart = alt.layer(*layers, data=points)  # type: ignore[assignment]  # it is typed for facets too
    return drawing.properties(title=heading, width="container", height=height, description=title)
