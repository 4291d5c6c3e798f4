"""Events to measure with: realistic, all valid, of every known type and one custom type."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa

from benchmarks.measure import plain_duckdb, sql
from workbench.events import BATCH_SCHEMA


def events(*, first: int, count: int, start: datetime, span: timedelta) -> pa.Table:
    """`count` events with the columns of `events.BATCH_SCHEMA`, evenly over `span` from `start`; event numbers make ids."""
    query = sql("events")
    values = {"first": first, "count": count, "start": start, "seconds": span.total_seconds()}
    with plain_duckdb() as connection:
        made = connection.execute(query.sql, query.bind(values)).to_arrow_table()
    return made.cast(BATCH_SCHEMA)
