"""What a notebook opens in one line: one tenant's lake, read-only, and the calls that mark what a report hands out.

    session = workbench.open()
    session.sql("select metric_date, calls_handled from agent_metrics where agent_id = $agent", agent="Diane")

Whose lake it is comes from the environment of the run, never from a cell.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Mapping, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import duckdb

from workbench import lake, selects
from workbench.catalog.tenants import Tenant
from workbench.errors import BadInput, InvalidParameter, InvalidQuery
from workbench.lake import Reading
from workbench.queries import query

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from workbench import figures
    from workbench.tables import Format, ReportTable

_Answer = TypeVar("_Answer", bound=Sized)
_READING = "WORKBENCH_READING"
_TABLES = "WORKBENCH_TABLES"
#: Beside the tables of a run: the period its report is about, in words.
PERIOD_FILE = "period.txt"
#: And how many rows the sessions of the run have returned.
ROWS_FILE = "rows.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Whole days of the tenant's time zone, both ends included."""

    start: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def previous(self) -> Period:
        """The period of the same length that ends the day before this one starts."""
        return Period(start=self.start - dt.timedelta(days=self.days), end=self.start - dt.timedelta(days=1))

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} to {self.end}"


class Session:
    """One tenant's data. Timestamps come in the tenant's time zone, money in its currency."""

    _rows: ClassVar[int] = 0

    def __init__(self, reading: Reading, tables: Path | None = None) -> None:
        self.tenant: Tenant = reading.tenant
        self._connection = lake.reader(reading)
        self._tables = tables

    def sql(self, text: str, /, **parameters: Any) -> pd.DataFrame:
        """The answer to one SELECT, its `$names` bound to `parameters`. Raises InvalidQuery with the database's own words."""
        return self._counted(self._asked(text, parameters).df())

    def arrow(self, text: str, /, **parameters: Any) -> pa.Table:
        """As `sql`, in Arrow's exact types."""
        return self._counted(self._asked(text, parameters).to_arrow_table())

    def query(self, name: str, /, **parameters: Any) -> pd.DataFrame:
        """The answer to a named query of `sql/`, for example `metrics/agents`."""
        named = query(name)
        return self._counted(self._connection.execute(named.sql, named.bind(parameters)).df())

    def period(self, start: dt.date | str | None, end: dt.date | str | None, *, days: int = 28) -> Period:
        """The days from `start` to `end`; without an end, up to the last day with events (or `start`, where that is later), and
        without a start, `days` of them.

        The first period asked for is the one the report says that it is about.

        Raises InvalidParameter where the end is before the start.
        """
        first = _day(start)
        last = _day(end) or max(self._last_day(), first or dt.date.min)
        first = first or last - dt.timedelta(days=days - 1)
        if last < first:
            raise InvalidParameter("end_date", f"The period ends ({last}) before it starts ({first}).")
        period = Period(start=first, end=last)
        self._say_period(period)
        return period

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        title: str,
        labels: Mapping[str, str] | None = None,
        formats: Mapping[str, Format] | None = None,
    ) -> ReportTable:
        """Shows `frame` and marks it as a table of the report: it is exported under `name`."""
        from workbench.tables import ReportTable

        table = ReportTable.from_frame(
            frame,
            name=name,
            title=title,
            labels=labels,
            formats=formats,
            currency=self.tenant.currency,
            timezone=self.tenant.timezone,
        )
        if self._tables is not None:
            table.write(self._tables)
        return table

    def headline(self, tiles: Iterable[figures.Figure], *, before: str | None = None) -> figures.Headline:
        """The figures, each with its change against the period before, or against what `before` calls the earlier values."""
        from workbench import figures

        return figures.headline(tiles, currency=self.tenant.currency, before=before or figures.PREVIOUS_PERIOD)

    def close(self) -> None:
        self._connection.close()

    def first_day(self) -> dt.date | None:
        """The first day with events, if there is any."""
        return self._one_day("select min(report_date) from daily_reports where events > 0")

    def _counted(self, answer: _Answer) -> _Answer:
        if self._tables is not None:
            Session._rows += len(answer)
            (self._tables / ROWS_FILE).write_text(str(Session._rows), encoding="ascii")
        return answer

    def _say_period(self, period: Period) -> None:
        if self._tables is not None and not (file := self._tables / PERIOD_FILE).exists():
            file.write_text(str(period), encoding="utf-8")

    def _last_day(self) -> dt.date:
        last = self._one_day("select max(report_date) from daily_reports where events > 0")
        return last or dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)

    def _one_day(self, text: str) -> dt.date | None:
        row = self._asked(text, {}).fetchone()
        return row[0] if row else None

    def _asked(self, text: str, parameters: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(selects.checked(self._connection, text), dict(parameters))
        except duckdb.Error as error:
            raise lake.lost(error) or InvalidQuery(str(error).strip()) from None


def open(environ: Mapping[str, str] = os.environ) -> Session:  # noqa: A001  read as workbench.open()
    """The session of the tenant this process runs for. Raises BadInput outside a run or a workbench's JupyterLab."""
    given = environ.get(_READING)
    if given is None:
        raise BadInput("This process belongs to no tenant. Start the notebook with `workbench report run … --tenant …`.")
    values = json.loads(given)
    reading = Reading(**values | {"tenant": Tenant(**values["tenant"])})
    tables = environ.get(_TABLES)
    return Session(reading, Path(tables) if tables else None)


def environment(reading: Reading, tables: Path | None = None) -> dict[str, str]:
    """What a process needs in its environment for `open` to give this tenant's session."""
    values = {_READING: json.dumps(asdict(reading))}
    return values | {_TABLES: str(tables)} if tables else values


def _day(value: dt.date | str | None) -> dt.date | None:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value
