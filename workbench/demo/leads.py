"""Leads and their way through the funnel, with the calls made on that way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from workbench.demo.calls import Calls
from workbench.demo.telling import numbered, plain, told, words
from workbench.demo.tenants import FIRST_DAY
from workbench.demo.world import AROUND_ONE, DAY_SECONDS, DAYS, Bools, Floats, Ints, World, cover, draw, times

_STEP_DAYS = ((0, 0), (0.3, 1), (0.6, 2.5), (0.85, 6), (1, 16))
_MONEY = ((0, 0.25), (0.25, 0.6), (0.5, 0.9), (0.8, 1.35), (0.95, 2.1), (1, 4))

#: The stages after contact, with the share of leads that go on and the share that is lost there; the rest stays open.
_STAGES = (("contacted", 0.88, 0.05), ("qualified", 0.56, 0.32), ("proposal", 0.62, 0.24), ("converted", 0.5, 0.36))
_LOST_REASONS = ("no budget", "no answer", "chose a competitor", "bad timing", "not a fit")


def leads(world: World) -> tuple[list[pa.Table], list[Calls]]:
    """Every lead's way through the funnel, and the calls made on that way."""
    rng, campaigns = world.rng, world.tenant.campaigns
    day, campaign = _new_leads(world)
    count = len(day)
    second = times(world, count)
    mean = np.array([campaign.mean_revenue for campaign in campaigns])[campaign]
    worth = np.round(mean * draw(rng, count, _MONEY))
    lead = np.arange(count)
    nobody = np.full(count, -1)
    # One lead in eight found the company by itself: it has no campaign.
    organic = rng.random(count) < 0.125
    sources = [campaign.source for campaign in campaigns]
    journey = _Journey(
        day=day, second=second, lead=lead, campaign=np.where(organic, -1, campaign), owner=nobody, worth=worth,
        appeal=np.array([campaign.conversion for campaign in campaigns])[campaign],
    )  # fmt: skip
    created = _lead_told(
        world,
        "lead.created",
        journey,
        source=words([*sources, "website"], np.where(organic, len(sources), campaign)),
        value=plain(worth.astype(np.int64), rng.random(count) < 0.8),
    )
    tables, calls = _progress(world, journey)
    return [created, *tables], calls


def _new_leads(world: World) -> tuple[Ints, Ints]:
    """The day and the campaign of each new lead."""
    days, campaigns = [], []
    for number, campaign in enumerate(world.tenant.campaigns):
        first, last = (campaign.first_day - FIRST_DAY).days, (campaign.last_day - FIRST_DAY).days
        span = np.arange(first, last + 1)
        # Forms are filled in on closed days too, only less.
        counts = np.round(campaign.leads_a_day * (0.25 + 0.75 * world.volume[span]) * draw(world.rng, len(span), AROUND_ONE))
        days.append(np.repeat(span, counts.astype(np.int64)))
        campaigns.append(np.full(len(days[-1]), number))
    return np.concatenate(days), np.concatenate(campaigns)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Journey:
    """Leads and where each of them stands: the time of its latest step and the agent who made it."""

    day: Ints
    second: Ints
    lead: Ints
    campaign: Ints
    owner: Ints
    worth: Floats
    appeal: Floats

    def of(self, chosen: Bools) -> _Journey:
        return _Journey(**{name: getattr(self, name)[chosen] for name in self.__slots__})

    def at(self, day: Ints, second: Ints, owner: Ints) -> _Journey:
        rest = {name: getattr(self, name) for name in ("lead", "campaign", "worth", "appeal")}
        return _Journey(day=day, second=second, owner=owner, **rest)


def _progress(world: World, journey: _Journey) -> tuple[list[pa.Table], list[Calls]]:
    tables: list[pa.Table] = []
    calls: list[Calls] = []
    for stage, going_on, lost in _STAGES:
        dice = world.rng.random(len(journey.lead))
        # Leads win by the agent's skill and the campaign's quality, and only at the end.
        push = journey.appeal * (1 + 0.45 * world.skill[np.maximum(journey.owner, 0)]) if stage == "converted" else 1.0
        tables.append(_lost(world, _step(world, journey.of(dice > 1 - lost))[0]))
        before = journey.of(dice < np.minimum(going_on * push, 1 - lost))
        journey, kept = _step(world, before)
        if stage == "contacted":
            calls.append(_dials(world, before.of(kept), journey))
        tables.append(_entered(world, stage, journey))
        calls.append(_talks(journey))
    return tables, calls


def _step(world: World, before: _Journey) -> tuple[_Journey, Bools]:
    """The leads some open day later, with their owner or a colleague; those past the last day drop out (True: kept)."""
    late = before.second > 75_000
    day = world.open_from[before.day + late + draw(world.rng, len(before.day), _STEP_DAYS).astype(np.int64)]
    drawn = times(world, len(day))
    soon = np.minimum(before.second + world.rng.integers(600, 9000, len(day)), DAY_SECONDS - 60)
    second = np.where(day == before.day, soon, drawn)
    kept = day < DAYS
    day, second, owner = day[kept], second[kept], before.owner[kept]
    return before.of(kept).at(day, second, cover(world, day, owner)), kept


def _entered(world: World, stage: str, journey: _Journey) -> pa.Table:
    count = len(journey.lead)
    if stage == "contacted":
        return _lead_told(world, "lead.contacted", journey, channel=words(["phone"], np.zeros(count, np.int64)))
    if stage == "converted":
        revenue = np.round(journey.worth * draw(world.rng, count, AROUND_ONE) * 20) / 20
        return _lead_told(world, "lead.converted", journey, revenue=plain(revenue))
    return _lead_told(world, "lead.stage_entered", journey, stage=words([stage], np.zeros(count, np.int64)))


def _lost(world: World, journey: _Journey) -> pa.Table:
    reason = world.rng.integers(0, len(_LOST_REASONS), len(journey.lead))
    return _lead_told(world, "lead.lost", journey, reason=words(_LOST_REASONS, reason, world.rng.random(len(reason)) < 0.9))


def _lead_told(world: World, event_type: str, journey: _Journey, **data: pa.Array) -> pa.Table:
    campaign = words([campaign.id for campaign in world.tenant.campaigns], journey.campaign)
    lead = numbered("L-", journey.lead)
    return told(world, event_type, journey.day, journey.second, journey.owner, lead_id=lead, campaign_id=campaign, **data)


def _talks(journey: _Journey) -> Calls:
    """The call in which a step was made, ended half a minute before it was noted."""
    yes = np.ones(len(journey.lead), np.bool_)
    return Calls(
        day=journey.day,
        second=np.maximum(journey.second - 30, 0),
        agent=journey.owner,
        answered=yes,
        inbound=~yes,
        lead=journey.lead,
        campaign=journey.campaign,
    )


def _dials(world: World, before: _Journey, after: _Journey) -> Calls:
    """Tries to reach a lead between its creation and its first contact, without success."""
    tries = world.rng.integers(0, 2 * world.tenant.dials_a_lead + 1, len(after.lead))
    row = np.repeat(np.arange(len(tries)), tries)
    span = (after.day - before.day + 1)[row]
    day = np.minimum(world.open_from[before.day[row] + (world.rng.random(len(row)) * span).astype(np.int64)], after.day[row])
    second = times(world, len(row))
    early, late = day * DAY_SECONDS + second, after.day[row] * DAY_SECONDS + after.second[row] - 60
    row_second = np.where(early > late, np.maximum(after.second[row] - 600, 0), second)
    in_time = day * DAY_SECONDS + row_second > before.day[row] * DAY_SECONDS + before.second[row]
    row, no = row[in_time], np.zeros(int(in_time.sum()), np.bool_)
    return Calls(
        day=day[in_time],
        second=row_second[in_time],
        agent=cover(world, day[in_time], after.owner[row]),
        answered=no,
        inbound=no,
        lead=after.lead[row],
        campaign=after.campaign[row],
    )
