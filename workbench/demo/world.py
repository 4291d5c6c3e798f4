"""A company with its dice rolled once: which days are busy, who works when and how well, and where its clock stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from workbench.demo.tenants import FIRST_DAY, LAST_DAY, DemoTenant

DAYS = (LAST_DAY - FIRST_DAY).days + 1
_RAMP_DAYS = 35
DAY_SECONDS = 86400

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: A curve, as (share of cases below, value).
AROUND_ONE = ((0, 0.78), (0.25, 0.94), (0.5, 1), (0.75, 1.06), (1, 1.25))


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A tenant with its dice rolled once: who works when and how well. Matrices are days by agents."""

    tenant: DemoTenant
    rng: np.random.Generator
    names: tuple[str, ...]
    volume: Floats
    bad: Bools
    on_duty: Floats
    experience: Floats
    pace: Floats
    skill: Floats
    charm: Floats
    offsets: Ints
    open_from: Ints


def world_of(tenant: DemoTenant) -> World:
    rng = np.random.default_rng(tenant.seed)
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    names = (*tenant.agents, *(name for name, _ in tenant.newcomers))
    starts = np.array([-_RAMP_DAYS] * len(tenant.agents) + [(start - FIRST_DAY).days for _, start in tenant.newcomers])
    tenure = np.arange(DAYS)[:, None] - starts
    week = np.array([tenant.week[day.weekday()] for day in days])
    holiday = np.array([day in tenant.holidays for day in days])
    openness = week * np.where(holiday, 0.12, 1.0)
    experience = np.clip(tenure / _RAMP_DAYS, 0.0, 1.0)
    talent = rng.random(len(names)) * 2 - 1
    # Leads are not worked on days with a skeleton crew.
    is_open = np.flatnonzero(openness >= 0.3)
    return World(
        tenant=tenant,
        rng=rng,
        names=names,
        volume=openness * (1 + tenant.growth * np.arange(DAYS) / DAYS) * draw(rng, DAYS, AROUND_ONE),
        bad=np.array([tenant.bad_week is not None and tenant.bad_week[0] <= day <= tenant.bad_week[1] for day in days]),
        on_duty=_on_duty(rng, openness, tenure, a_day_at_work=4.7 / week[:7].sum()) * (0.4 + 0.6 * experience),
        experience=experience,
        pace=1 - 0.2 * talent + 0.15 * (rng.random(len(names)) - 0.5),
        skill=0.75 * talent + 0.25 * (rng.random(len(names)) * 2 - 1),
        charm=0.5 * talent + 0.5 * (rng.random(len(names)) * 2 - 1),
        offsets=_offsets(tenant, days),
        open_from=np.array([*is_open[np.searchsorted(is_open, np.arange(is_open[-1] + 1))], *[DAYS] * (60 + DAYS - is_open[-1])]),
    )


def _on_duty(rng: np.random.Generator, openness: Floats, tenure: Ints, *, a_day_at_work: float) -> Floats:
    """1 where the agent works: most on full days, few on quiet ones, under five days a week, someone wherever it is open."""
    dice = rng.random(tenure.shape)
    working = (dice < np.minimum(a_day_at_work * openness, 0.93)[:, None]) & (tenure >= 0) & (openness > 0)[:, None]
    standby = np.arange(DAYS) % 8
    working[np.arange(DAYS), standby] |= (openness > 0) & ~working.any(axis=1)
    return working.astype(np.float64)


def _offsets(tenant: DemoTenant, days: Sequence[date]) -> Ints:
    """Seconds east of UTC by day, hour and fold: an hour that comes twice has two of them."""
    zone = ZoneInfo(tenant.timezone)

    def seconds(day: date, hour: int, fold: Literal[0, 1]) -> int:
        offset = datetime(day.year, day.month, day.day, hour, tzinfo=zone, fold=fold).utcoffset()
        return int(offset.total_seconds()) if offset else 0

    return np.array([[(seconds(day, hour, 0), seconds(day, hour, 1)) for hour in range(24)] for day in days])


def micros(world: World, day: Ints, second: Ints) -> Ints:
    """Local day and second as microseconds since 1970 in UTC; in an hour that comes twice, odd seconds are of the second one."""
    midnight = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
    seconds = midnight + day * DAY_SECONDS + second - world.offsets[day, second // 3600, second % 2]
    # A fraction of a second that looks measured but costs no dice.
    return np.asarray(seconds * 1_000_000 + (seconds * 7919 + second * 104_729) % 1000 * 1000, np.int64)


def draw(rng: np.random.Generator, count: int, curve: Sequence[tuple[float, float]]) -> Floats:
    """Random values spread as the curve says."""
    below, value = np.array(curve, np.float64).T
    return np.asarray(np.interp(rng.random(count), below, value))


def times(world: World, count: int) -> Ints:
    """Seconds of the day, spread as the tenant's hours are."""
    weights = np.array(world.tenant.hours, np.float64)
    edges = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    hour = np.searchsorted(edges, world.rng.random(count), side="right") - 1
    return np.asarray(np.minimum(hour, 23) * 3600 + world.rng.integers(0, 3600, count), np.int64)


def agents(world: World, day: Ints) -> Ints:
    """An agent on duty for each day, the experienced and the quick more often."""
    weight = np.cumsum(world.on_duty / world.pace, axis=1)
    total = weight[:, -1:]
    share = np.divide(weight, total, out=np.ones_like(weight), where=total > 0) + np.arange(DAYS)[:, None]
    found = np.searchsorted(share.ravel(), day + world.rng.random(len(day)), side="right") - day * len(world.names)
    return np.asarray(np.minimum(found, len(world.names) - 1), np.int64)


def cover(world: World, day: Ints, owner: Ints) -> Ints:
    """The owner, or a colleague where the lead has none or the owner is away."""
    present = (owner >= 0) & (world.on_duty[day, np.maximum(owner, 0)] > 0)
    return np.where(present, owner, agents(world, day))
