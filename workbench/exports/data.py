"""The tables as data for other programs: CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from workbench.exports import files
from workbench.exports.edition import Edition
from workbench.tables import ReportTable

#: A spreadsheet that opens a CSV file takes a cell that starts with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: ReportTable, folder: Path) -> Path:
    """<table>.csv: UTF-8, RFC 4180, column names in the first line, ISO dates, times in the table's zone with their offset.

    Nulls are empty. A text that a spreadsheet would run as a formula is preceded by an apostrophe; numbers never are.
    """
    path = folder / f"{table.name}.csv"
    columns = [[_csv_cell(value, table.timezone) for value in column.to_pylist()] for column in table.data.columns]
    with io.TextIOWrapper(files.new(path), encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(name) for name in table.data.column_names])
        writer.writerows(zip(*columns, strict=True))
    return path


def write_json(tables: Sequence[ReportTable], edition: Edition, folder: Path) -> Path:
    """tables.json: what the report says about itself, and each table's title, columns and rows (one object per row)."""
    path = folder / "tables.json"
    document = {
        "report": edition.report_title,
        "tenant": edition.tenant_name,
        "period": edition.period,
        "run_id": edition.run_id,
        "generated_at": _iso(edition.generated_at, edition.timezone),
        "timezone": edition.timezone,
        "currency": edition.currency,
        "tables": {table.name: _table_document(table) for table in tables},
    }
    with files.new(path) as file:
        file.write(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")
    return path


def write_parquet(table: ReportTable, folder: Path) -> Path:
    """<table>.parquet: the table's exact types."""
    path = folder / f"{table.name}.parquet"
    with files.new(path) as file:
        pq.write_table(table.data, file)
    return path


def harmless(text: str) -> str:
    """The text as a CSV cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _table_document(table: ReportTable) -> dict[str, Any]:
    columns = [{"name": key, "label": column.label, "format": column.format} for key, column in table.columns.items()]
    values = [[_json_value(value, table.timezone) for value in column.to_pylist()] for column in table.data.columns]
    rows = [dict(zip(table.columns, row, strict=True)) for row in zip(*values, strict=True)]
    return {"title": table.title, "columns": columns, "rows": rows}


def _csv_cell(value: Any, timezone: str) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dt.date):
        return _iso(value, timezone)
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if _is_no_number(value) else value


def _json_value(value: Any, timezone: str) -> Any:
    if isinstance(value, dt.date):
        return _iso(value, timezone)
    if _is_no_number(value):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def _iso(value: dt.date, timezone: str) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(ZoneInfo(timezone))
    return value.isoformat()


def _is_no_number(value: Any) -> bool:
    return isinstance(value, (float, Decimal)) and not math.isfinite(value)
