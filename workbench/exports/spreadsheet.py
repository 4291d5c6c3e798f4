"""The tables as one XLSX workbook: a sheet that says what it is, then one sheet per table."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import xlsxwriter

from workbench.exports.edition import Edition
from workbench.tables import Column, Format, ReportTable, local_time

MAX_ROWS = 1_048_575
_MAX_CELL_CHARACTERS = 32_767
_MAX_EXACT_INTEGER = 2**53
_EXCEL_EPOCH = dt.date(1900, 1, 1)
_ABOUT = "About"

_NUMBER_FORMATS: dict[Format, str] = {
    "text": "@",
    "integer": "#,##0",
    "number": "#,##0.00",
    "percent": "0.0%",
    "money": "#,##0.00",
    "seconds": "#,##0.0",
    "rating": "0.00",
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm",
}
#: Nothing that comes from data is ever a formula or a link.
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
    "remove_timezone": False,
}


def to_xlsx(tables: Sequence[ReportTable], edition: Edition) -> bytes:
    """The workbook. Dates and times are real ones (times on the tenant's clock), seconds plain numbers.

    Percentages are what a spreadsheet means by one, 0.905 shown as 90.5%, so that formulas on them are right.
    """
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, _OPTIONS) as book:
        book.set_properties({"title": edition.report_title, "company": edition.tenant_name, "subject": edition.period})
        names = sheet_names([table.title for table in tables])
        _write_about(book, tables, names, edition)
        for table, name in zip(tables, names, strict=True):
            _write_table(book, table, name)
    return file.getvalue()


def sheet_names(titles: Sequence[str]) -> list[str]:
    """A name Excel accepts for each title: at most 31 characters, without []:*?/\\, different from all others and from About."""
    taken = {_ABOUT.lower(), "history"}
    names = []
    for title in titles:
        plain = re.sub(r"[\[\]:*?/\\\x00-\x1f\s]+", " ", title).strip(" '") or "Table"
        name, number = plain[:31].rstrip(" '"), 1
        while name.lower() in taken:
            number += 1
            ending = f" ({number})"
            name = plain[: 31 - len(ending)].rstrip(" '") + ending
        taken.add(name.lower())
        names.append(name)
    return names


def _write_about(book: Any, tables: Sequence[ReportTable], names: Sequence[str], edition: Edition) -> None:
    sheet = book.add_worksheet(_ABOUT)
    bold = book.add_format({"bold": True, "valign": "top"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    facts = [
        ("Report", edition.report_title),
        ("Company", edition.tenant_name),
        ("Period", edition.period),
        ("Run", edition.run_id),
        ("Generated", edition.generated),
        ("Currency", edition.currency),
        *((f"Sheet {name}", _table_fact(table)) for table, name in zip(tables, names, strict=True)),
    ]
    for row, (label, text) in enumerate(facts):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, text, wrapped)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 70)
    sheet.hide_gridlines(2)


def _table_fact(table: ReportTable) -> str:
    rows = table.data.num_rows
    if rows > MAX_ROWS:
        return f"{table.title}: the first {MAX_ROWS:,} of {rows:,} rows, which is all a sheet can hold"
    return f"{table.title}: {rows:,} rows" if rows else f"{table.title}: no rows in this period"


def _write_table(book: Any, table: ReportTable, name: str) -> None:
    sheet = book.add_worksheet(name)
    head = book.add_format(
        {"num_format": "@", "bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF2F6"}
    )
    rows = min(table.data.num_rows, MAX_ROWS)
    for place, (key, column) in enumerate(table.columns.items()):
        sheet.write_string(0, place, _heading(table, key), head)
        sheet.set_column(place, place, _width(table, key, column))
        _write_column(sheet, place, table, key, book.add_format({"num_format": _NUMBER_FORMATS[column.format]}))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows, len(table.columns) - 1)


def _write_column(sheet: Any, place: int, table: ReportTable, key: str, cell_format: Any) -> None:
    for row, value in enumerate(table.data.column(key).slice(0, MAX_ROWS).to_pylist(), start=1):
        if value is not None:
            share = table.columns[key].format == "percent" and _is_number(value)
            write, cell = _cell(sheet, float(value) / 100 if share else value, table.timezone)
            write(row, place, cell, cell_format)


def _cell(sheet: Any, value: Any, timezone: str) -> tuple[Callable[..., Any], Any]:
    """How to write the value, and as what: a number, date or truth value where Excel can hold it exactly, else text."""
    if isinstance(value, bool):
        return sheet.write_boolean, value
    if isinstance(value, dt.date) and local_time(value, timezone) >= _floor(value):
        return sheet.write_datetime, local_time(value, timezone)
    if isinstance(value, int) and abs(value) <= _MAX_EXACT_INTEGER:
        return sheet.write_number, value
    if isinstance(value, (float, Decimal)):
        return (sheet.write_number, float(value)) if math.isfinite(value) else (sheet.write_blank, None)
    return sheet.write_string, _clipped(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _floor(value: dt.date) -> dt.date:
    return dt.datetime(1900, 1, 1) if isinstance(value, dt.datetime) else _EXCEL_EPOCH  # noqa: DTZ001  # Excel knows no zones


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_CELL_CHARACTERS else text[: _MAX_CELL_CHARACTERS - 1] + "…"


def _heading(table: ReportTable, key: str) -> str:
    return f"{table.columns[key].label} (s)" if table.columns[key].format == "seconds" else table.heading(key)


def _width(table: ReportTable, key: str, column: Column) -> float:
    """Wide enough for the first rows and for the heading in two lines beside its filter button."""
    texts = table.texts(key, limit=200)
    longest = max((len(text) for text in texts), default=0)
    fixed = {"date": 11, "datetime": 17}.get(column.format, 0)
    return float(min(max(longest, fixed, len(_heading(table, key)) // 2 + 3, 8) + 2, 60))
