"""The tables of a report: shown in the notebook, and handed out as XLSX, CSV, JSON and Parquet.

A kernel writes each table it marks to a folder (`ReportTable.write`), one Parquet file with its title and formats in the schema;
the export reads them back in the order in which they were first written (`read_all`).
"""

from __future__ import annotations

import datetime as dt
import html
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import BadInput

#: How a column's values are meant and shown. `percent` holds 0-100, `seconds` holds seconds and is shown as m:ss or h:mm:ss.
Format = Literal["text", "integer", "number", "percent", "money", "seconds", "rating", "date", "datetime"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: What stands where there is no value.
NOTHING = "–"
MAX_SHOWN_ROWS = 200

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_METADATA_KEY = b"workbench.table"
#: Characters that fit a line on A4 at full size, and at three quarters of it.
_WIDE, _WIDEST = 95, 130
_SHORT = 15
#: A longer word, such as an identifier, may be broken where room is short.
_LONGEST_WORD = 24
_SIDES: Mapping[Format, str] = {
    "text": ' class="wb-left wb-text"',
    "date": ' class="wb-left"',
    "datetime": ' class="wb-left"',
}

STYLE = """
.wb-table{margin:0 0 1.5rem;font-family:Inter,system-ui,sans-serif;color:#1b2430}
.wb-table .wb-title{font-weight:600;font-size:.95rem;margin:0 0 .5rem}
.wb-table .wb-scroll{overflow-x:auto}
.wb-table table{border-collapse:collapse;width:100%;font-size:.82rem;font-variant-numeric:tabular-nums;line-height:1.35}
.wb-table th,.wb-table td{padding:.42rem .7rem;text-align:right;white-space:nowrap;border:0;background:none}
.wb-table th{font-weight:600;color:#55606e;border-bottom:1.5px solid #aab4c0;vertical-align:bottom;white-space:normal}
.wb-table td{border-bottom:1px solid #e6eaee}
.wb-table tr>:first-child{padding-left:0}
.wb-table tr>:last-child{padding-right:0}
.wb-table .wb-left{text-align:left}
.wb-table td.wb-text{white-space:normal;overflow-wrap:anywhere;min-width:6rem}
@media print{
.wb-medium table{font-size:.62rem}
.wb-wide table{font-size:.5rem}
.wb-medium th,.wb-medium td{padding:.35rem .45rem}
.wb-wide th,.wb-wide td{padding:.3rem .3rem}
}
.wb-table .wb-note{color:#55606e;font-size:.8rem;margin:.5rem 0 0}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What stands above a column, and how its values are shown."""

    label: str
    format: Format

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise BadInput(f"The column {self.label!r} has the format {self.format!r}; known formats are {', '.join(FORMATS)}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTable:
    """A named table of a report.

    `columns` describes every column of `data`, in its order. `currency` is the code of all money columns; times with a zone are
    shown in `timezone`. Raises BadInput for a name that is no slug, and where `columns` and `data` differ.
    """

    name: str
    title: str
    data: pa.Table
    columns: Mapping[str, Column]
    currency: str | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadInput(
                f"The table name {self.name!r} cannot be used: it must start with a small letter and hold only small letters, "
                "digits and underscores, 63 at most, as in agents_by_day."
            )
        if list(self.columns) != self.data.column_names:
            raise BadInput(
                f"The table {self.name} has the columns {self.data.column_names}, but {list(self.columns)} are described; "
                "describe each column once, in the same order."
            )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        name: str,
        title: str,
        labels: Mapping[str, str] | None = None,
        formats: Mapping[str, Format] | None = None,
        currency: str | None = None,
        timezone: str = "UTC",
    ) -> Self:
        """A table of `frame`'s columns, its named index levels first.

        Labels and formats are guessed from names and types (`avg_call_seconds` is shown m:ss, `conversion_rate` as a percentage,
        `revenue` as money); `labels` and `formats` overrule the guess, column by column. Raises BadInput for a column they name
        that is not there.
        """
        labels, formats = labels or {}, formats or {}
        flat = _flat(frame, name)
        if unknown := (set(labels) | set(formats)) - set(flat.columns):
            raise BadInput(f"The table {name} has no column {sorted(unknown)[0]!r}; it has {', '.join(flat.columns)}.")
        columns = {
            key: Column(label=labels.get(key) or label_from(key), format=formats.get(key) or _guessed_format(key, flat[key]))
            for key in flat.columns
        }
        arrays = [_array(flat[key], columns[key].format) for key in flat.columns]
        data = pa.table(arrays, names=list(flat.columns))
        return cls(name=name, title=title, data=data, columns=columns, currency=currency, timezone=timezone)

    def texts(self, key: str, *, limit: int | None = None) -> list[str]:
        """The column's values as a reader sees them; at most `limit` of them."""
        values = self.data.column(key).slice(0, limit).to_pylist()
        return format_values(values, self.columns[key].format, timezone=self.timezone)

    def heading(self, key: str) -> str:
        """The column's label, with the currency where it holds money."""
        column = self.columns[key]
        return f"{column.label} ({self.currency})" if column.format == "money" and self.currency else column.label

    def html(self) -> str:
        """The table as HTML without its style; text is escaped, at most MAX_SHOWN_ROWS rows are shown."""
        sides = {key: _SIDES.get(column.format, "") for key, column in self.columns.items()}
        texts = {key: self.texts(key, limit=MAX_SHOWN_ROWS) for key in self.columns}
        heads = "".join(
            f'<th scope="col"{sides[key]}{self._room(key, texts[key])}>{html.escape(self.heading(key))}</th>'
            for key in self.columns
        )
        cells = [[f"<td{sides[key]}>{html.escape(text)}</td>" for text in texts[key]] for key in self.columns]
        rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
        return (
            f'<div class="{self._classes(texts)}"><div class="wb-title">{html.escape(self.title)}</div><div class="wb-scroll">'
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{self._note()}</div>"
        )

    def _room(self, key: str, shown: Sequence[str]) -> str:
        """The width of a text column's longest word: only a word too long for any table is broken."""
        if self.columns[key].format != "text":
            return ""
        longest = max((len(word) for text in shown for word in text.split()), default=0)
        return f' style="min-width:{min(longest, _LONGEST_WORD) * 0.6 + 1:.1f}em"'

    def _classes(self, texts: Mapping[str, Sequence[str]]) -> str:
        """What print must know: a table too wide for paper at full size shrinks, a short one stays on one page."""
        words = {key: max(len(word) for word in ("", *self.heading(key).split())) for key in self.columns}
        characters = sum(
            2 + max([words[key], *(min(len(text), _LONGEST_WORD) for text in shown)]) for key, shown in texts.items()
        )
        width = " wb-wide" if characters > _WIDEST else " wb-medium" if characters > _WIDE else ""
        return f"wb-table{width}{' wb-short' if self.data.num_rows <= _SHORT else ''}"

    def _note(self) -> str:
        if not self.data.num_rows:
            return '<p class="wb-note">No rows in this period.</p>'
        if self.data.num_rows > MAX_SHOWN_ROWS:
            return (
                f'<p class="wb-note">The first {MAX_SHOWN_ROWS} of {self.data.num_rows:,} rows; the downloads hold them all.</p>'
            )
        return ""

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html()}"

    def write(self, folder: Path) -> Path:
        """Writes the table to `folder` (made where missing); one of the same name is replaced and keeps its place."""
        folder.mkdir(parents=True, exist_ok=True)
        existing = sorted(folder.glob("*.parquet"))
        same = [path for path in existing if path.stem.partition("-")[2] == self.name]
        path = same[0] if same else folder / f"{_next_number(existing):04d}-{self.name}.parquet"
        unfinished = path.with_suffix(".tmp")
        pq.write_table(self.data.replace_schema_metadata({_METADATA_KEY: self._metadata()}), unfinished)
        unfinished.replace(path)
        return path

    def _metadata(self) -> bytes:
        columns = {key: {"label": column.label, "format": column.format} for key, column in self.columns.items()}
        rest = {"name": self.name, "title": self.title, "currency": self.currency, "timezone": self.timezone}
        return json.dumps(rest | {"columns": columns}).encode()


def read_all(folder: Path) -> list[ReportTable]:
    """The tables written to `folder`, in the order of their first writing; none where there is no folder.

    Raises BadInput for a link, and for a file that `ReportTable.write` has not written.
    """
    if folder.is_symlink():
        raise BadInput(f"The folder of the report's tables is a link; {folder.name} must be left as it is.")
    return [_read(plain_file(path)) for path in sorted(folder.glob("*.parquet"))]


def plain_file(path: Path) -> Path:
    """The path, if a file lies there itself. Raises BadInput for a link or a pipe: a run must not read what lies elsewhere."""
    if path.is_symlink() or not path.is_file():
        raise BadInput(f"{path.name} in the folder of the run is no plain file; a notebook must leave what is there as it is.")
    return path


def _read(path: Path) -> ReportTable:
    try:
        data = pq.read_table(path)
        described = json.loads((data.schema.metadata or {})[_METADATA_KEY])
        columns = {key: Column(**column) for key, column in described.pop("columns").items()}
        return ReportTable(data=data.replace_schema_metadata(None), columns=columns, **described)
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path.name} among the report's tables is none that session.table has written: {error}") from error


def _next_number(existing: Sequence[Path]) -> int:
    return int(existing[-1].stem.partition("-")[0]) + 1 if existing else 1


def format_value(value: Any, kind: Format, *, currency: str | None = None, timezone: str = "UTC") -> str:
    """One value as a reader sees it; an en dash where it is null, not a number or infinite."""
    text = format_values([value], kind, timezone=timezone)[0]
    return f"{currency} {text}" if kind == "money" and currency and text != NOTHING else text


def format_values(values: Sequence[Any], kind: Format, *, timezone: str = "UTC") -> list[str]:
    """A column's values as a reader sees them, all with the same number of decimals; nulls are an en dash."""
    shown = [None if _is_nothing(value) else value for value in values]
    formatter = _formatter(kind, [value for value in shown if value is not None], timezone)
    return [NOTHING if value is None else formatter(value) for value in shown]


def _formatter(kind: Format, values: Sequence[Any], timezone: str) -> Callable[[Any], str]:
    if kind == "date":
        return lambda value: _date_text(value, "{0.day} {0:%b %Y}", timezone)
    if kind == "datetime":
        return lambda value: _date_text(value, "{0.day} {0:%b %Y, %H:%M}", timezone)
    if kind == "text" or not all(isinstance(value, (int, float, Decimal)) for value in values):
        return _text
    if kind == "seconds":
        return _clock
    decimals, unit = _decimals(kind, values), "%" if kind == "percent" else ""
    return lambda value: _number(value, decimals) + unit


def _decimals(kind: Format, values: Sequence[Any]) -> int:
    """As many decimals as a column needs: none where all values are whole, or money is in the thousands."""
    fixed = {"integer": 0, "percent": 1, "rating": 2}.get(kind)
    if fixed is not None:
        return fixed
    if all(float(value).is_integer() for value in values):
        return 0
    return 0 if kind == "money" and max(abs(value) for value in values) >= 10_000 else 2


def _number(value: Any, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if not text.startswith("-"):
        return text
    # A value that rounds to nothing has no sign.
    return text.replace("-", "−") if any(digit in "123456789" for digit in text) else text[1:]


def _clock(value: Any) -> str:
    whole = round(abs(value))
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours:,}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"−{text}" if value < 0 and whole else text


def _date_text(value: Any, pattern: str, timezone: str) -> str:
    return pattern.format(local_time(value, timezone)) if isinstance(value, dt.date) else _text(value)


def local_time(value: dt.date, timezone: str) -> dt.date:
    """A time with a zone as the wall clock of `timezone` shows it, without a zone; anything else as it is."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    return value


def _text(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _is_nothing(value: Any) -> bool:
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    return isinstance(value, (float, Decimal)) and not math.isfinite(value)


def _flat(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    named = [level for level in frame.index.names if level is not None]
    flat = frame.reset_index(level=named) if named else frame
    flat = flat.set_axis([str(key) for key in flat.columns], axis="columns")
    if not flat.columns.is_unique:
        twice = flat.columns[flat.columns.duplicated()][0]
        raise BadInput(f"The table {name} has the column {twice!r} twice; give each column its own name.")
    if not len(flat.columns):
        raise BadInput(f"The table {name} has no columns.")
    return flat


def _array(series: pd.Series[Any], kind: Format) -> pa.Array | pa.ChunkedArray:
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Mixed types in one column: as text, which can show anything.
        array = pa.array([None if _is_nothing(value) else str(value) for value in series], pa.string())
    if pa.types.is_nested(array.type):
        array = pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    if kind == "date" and pa.types.is_timestamp(array.type):
        # The day on the clock of the values' own zone; a plain cast would take the day in UTC.
        array = pa.Array.from_pandas(series.dt.tz_localize(None)).cast(pa.date32(), safe=False)
    return array


def label_from(key: str) -> str:
    """A label for a column that was given none: Average call time for avg_call_seconds."""
    words = re.sub(r"^avg ", "average ", key.replace("_", " ").strip())
    words = re.sub(r"^metric (?=date$)| (id|at)$", "", re.sub(r" seconds$", " time", words))
    return words[:1].upper() + words[1:]


_BY_NAME: tuple[tuple[str, Format], ...] = (
    (r"seconds$|_time$", "seconds"),
    (r"rating", "rating"),
    (r"rate$|percent|pct|share$", "percent"),
    (r"revenue|spend$|amount|cost|price|avg_.*value|(^|_)value$", "money"),
)


def _guessed_format(key: str, series: pd.Series[Any]) -> Format:
    kind = pa.Array.from_pandas(series).type if len(series) and series.dtype == object and _all_dates(series) else None
    if kind is not None and pa.types.is_date(kind):
        return "date"
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or (kind is not None and pa.types.is_timestamp(kind)):
        return "date" if re.search(r"(^|_)(date|day|week|month|quarter|year)$", key) else "datetime"
    if "date32" in str(series.dtype):
        return "date"
    if not _is_numeric(series):
        return "text"
    for pattern, guessed in _BY_NAME:
        if re.search(pattern, key):
            return guessed
    return "integer" if pd.api.types.is_integer_dtype(series.dtype) else "number"


def _all_dates(series: pd.Series[Any]) -> bool:
    return all(isinstance(value, dt.date) or _is_nothing(value) for value in series)


def _is_numeric(series: pd.Series[Any]) -> bool:
    if pd.api.types.is_bool_dtype(series.dtype):
        return False
    if pd.api.types.is_numeric_dtype(series.dtype):
        return True
    present = [value for value in series if not _is_nothing(value)] if series.dtype == object else []
    return bool(present) and all(isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in present)
