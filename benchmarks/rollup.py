"""Roll-up: a year of a million events a month from scratch, then one new day at a time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks import Figure
from benchmarks.measure import median_seconds, new_lake, own_workbench, plain_duckdb, seconds, sql
from benchmarks.synthetic import events
from workbench.lake import Lake
from workbench.queries import query
from workbench.rollup import roll_up

TITLE = "Roll-up: a year of a million events a month, then one day more"
FIGURES = {
    "year_s": Figure(unit="s", promise=20, meaning="the whole year from scratch"),
    "day_s": Figure(unit="s", promise=1, meaning="one new day of 33,000 events, on top of the year"),
    "ratio_to_plain_duckdb": Figure(unit="", meaning="the year, over the same aggregations as plain SQL on one Parquet file"),
    "plain_duckdb_s": Figure(unit="s", meaning="that plain SQL"),
    "nothing_new_s": Figure(unit="s", meaning="a roll-up that finds no new event"),
}

_MONTHS = 12
_A_MONTH = 1_000_000
_A_DAY = 33_000
_START = datetime(2025, 1, 1, tzinfo=UTC)
_MONTH = timedelta(days=365) / _MONTHS
_DAY = timedelta(days=1)
_REPEATS = 3


def run() -> Mapping[str, float]:
    with own_workbench() as (settings, catalog):
        lake = new_lake(settings, catalog, "company")
        file = settings.home / "year.parquet"
        _fill(lake, file)
        year = statistics.median(_from_scratch(lake) for _ in range(_REPEATS))
        with lake.writer() as connection:
            day = statistics.median(_one_more_day(connection, lake, number) for number in range(5))
            nothing = median_seconds(lambda: _roll_up(connection, lake), repeats=5)
        plain = median_seconds(lambda: _plain(file, lake.tenant.timezone), repeats=_REPEATS)
    return {
        "year_s": year,
        "day_s": day,
        "ratio_to_plain_duckdb": year / plain,
        "plain_duckdb_s": plain,
        "nothing_new_s": nothing,
    }


def _fill(lake: Lake, file: Path) -> None:
    """The year's events in the lake, a commit a month, and in one Parquet file."""
    with lake.writer() as connection:
        for month in range(_MONTHS):
            _insert(connection, lake, first=month * _A_MONTH, count=_A_MONTH, start=_START + month * _MONTH, span=_MONTH)
        connection.execute("copy (from analytics_events) to $path (format parquet)", {"path": str(file)})


def _insert(
    connection: duckdb.DuckDBPyConnection, lake: Lake, *, first: int, count: int, start: datetime, span: timedelta
) -> None:
    connection.register("new", events(first=first, count=count, start=start, span=span))
    connection.execute(
        "insert into analytics_events by name select * replace (id::uuid as id, event_data::json as event_data), "
        "$tenant_id as tenant_id from new",
        {"tenant_id": lake.tenant.id},
    )
    connection.unregister("new")


def _roll_up(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    roll_up(connection, tenant_id=lake.tenant.id, timezone=lake.tenant.timezone)


def _from_scratch(lake: Lake) -> float:
    with lake.writer() as connection:
        made = connection.execute("select table_name from duckdb_tables() where database_name = 'lake'").fetchall()
        for (table,) in made:
            if table != "analytics_events":
                connection.execute(f'drop table "{table}"')
        connection.execute(query("lake/tables").sql)
    with lake.writer() as connection:
        return seconds(lambda: _roll_up(connection, lake))


def _one_more_day(connection: duckdb.DuckDBPyConnection, lake: Lake, number: int) -> float:
    first = _MONTHS * _A_MONTH + number * _A_DAY
    _insert(connection, lake, first=first, count=_A_DAY, start=_START + _MONTHS * _MONTH + number * _DAY, span=_DAY)
    return seconds(lambda: _roll_up(connection, lake))


def _plain(file: Path, zone: str) -> None:
    with plain_duckdb() as connection:
        # Several statements at once take no parameters.
        connection.execute("set variable events = $file", {"file": str(file)})
        connection.execute("set variable zone = $zone", {"zone": zone})
        connection.execute(sql("rollup_peer").sql)
