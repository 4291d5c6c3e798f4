"""Three made-up companies and ninety days of their events: what `workbench demo` loads, and what tests may count on.

The days are fixed and the dice are seeded, so the same events come out every time and everywhere: only comparison and plain
arithmetic touch the random numbers (curves are tables of quantiles), because a logarithm's last digit differs by machine.

What a visitor finds in the data: weekly and hourly rhythm with a lunch dip, newcomers who ramp up, agents of different skill,
campaigns that pay and campaigns that don't, a bad week at one company, public holidays, the end and the start of
daylight-saving time, events that arrive days late and events that arrive twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from workbench.demo.calls import call_events, other_calls
from workbench.demo.leads import leads
from workbench.demo.telling import uuids
from workbench.demo.tenants import FIRST_DAY, LAST_DAY, TENANTS, DemoCampaign, DemoTenant
from workbench.demo.work import shifts, spending
from workbench.demo.world import DAY_SECONDS, DAYS, Ints, World, draw, micros, world_of
from workbench.events import BATCH_SCHEMA

__all__ = ["FIRST_DAY", "LAST_DAY", "TENANTS", "DemoCampaign", "DemoTenant", "batches"]

_DELAY_SECONDS = ((0, 2), (0.9, 40), (1, 900))


def batches(tenant: DemoTenant) -> Iterator[pa.Table]:
    """The tenant's events as they arrive: a table of `events.BATCH_SCHEMA` a week, late events and repeated ones among them."""
    world = world_of(tenant)
    told = pa.concat_tables(_everything(world)).combine_chunks()
    told = told.add_column(0, BATCH_SCHEMA.field("id"), uuids(world.rng, told.num_rows)).select(BATCH_SCHEMA.names)
    rows, arrival = _arrivals(world, told)
    start = micros(world, np.zeros(1, np.int64), np.zeros(1, np.int64))[0]
    week = np.minimum((arrival - start) // (7 * DAY_SECONDS * 1_000_000), (DAYS + 6) // 7)
    for number in np.unique(week):
        yield told.take(rows[week == number])


def _everything(world: World) -> list[pa.Table]:
    journeys, lead_calls = leads(world)
    calls = [other_calls(world), *lead_calls]
    return [*journeys, *call_events(world, calls), *shifts(world), *spending(world)]


def _arrivals(world: World, told: pa.Table) -> tuple[Ints, Ints]:
    """Rows of `told` in order of arrival, some of them twice, and the time of arrival in microseconds."""
    rng, count = world.rng, told.num_rows
    happened = told["created_at"].cast(pa.int64()).to_numpy()
    late = rng.random(count) < 0.012
    delay = np.where(late, 2 * DAY_SECONDS + rng.integers(0, 10 * DAY_SECONDS, count), draw(rng, count, _DELAY_SECONDS))
    arrival = happened + np.round(delay).astype(np.int64) * 1_000_000
    again = np.flatnonzero(rng.random(count) < 0.009)
    row = np.concatenate([np.arange(count), again])
    arrival = np.concatenate([arrival, arrival[again] + rng.integers(1, 9 * DAY_SECONDS, len(again)) * 1_000_000])
    order = np.argsort(arrival, kind="stable")
    return row[order], arrival[order]
