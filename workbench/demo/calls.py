"""Calls, the ratings some of them get, and the prizes for those who take most of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from workbench.demo.telling import numbered, plain, told, words
from workbench.demo.world import DAY_SECONDS, DAYS, Bools, Floats, Ints, World, agents, draw, times

_TALK_SECONDS = ((0, 14), (0.1, 60), (0.25, 110), (0.5, 185), (0.75, 290), (0.9, 450), (0.98, 820), (1, 1900))
_WAIT_SECONDS = ((0, 0), (0.2, 6), (0.5, 22), (0.8, 55), (0.95, 130), (1, 420))


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """Calls to be told, one row each; `agent`, `lead` and `campaign` are -1 where there is none."""

    day: Ints
    second: Ints
    agent: Ints
    answered: Bools
    inbound: Bools
    lead: Ints
    campaign: Ints


def other_calls(world: World) -> Calls:
    counts = np.round(world.tenant.calls * world.volume * np.where(world.bad, 1.25, 1.0)).astype(np.int64)
    day = np.repeat(np.arange(DAYS), counts)
    count = len(day)
    second = times(world, count)
    inbound = world.rng.random(count) < world.tenant.inbound
    busy = np.array(world.tenant.hours)[second // 3600] > 1.6
    unanswered = np.where(inbound, 0.07 + 0.05 * busy + 0.2 * world.bad[day], 0.58)
    answered = world.rng.random(count) >= unanswered
    # Nobody took an abandoned call; a call out that nobody picked up was still dialled by someone.
    agent = np.where(answered | ~inbound, agents(world, day), -1)
    nobody = np.full(count, -1)
    return Calls(day=day, second=second, agent=agent, answered=answered, inbound=inbound, lead=nobody, campaign=nobody)


def call_events(world: World, parts: Sequence[Calls]) -> list[pa.Table]:
    """The calls, the ratings some of them got, and each week's prize for most calls."""
    day, second, agent, lead, campaign = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("day", "second", "agent", "lead", "campaign")
    )
    answered = np.concatenate([part.answered for part in parts])
    inbound = np.concatenate([part.inbound for part in parts])
    rng, count, who = world.rng, len(day), np.maximum(agent, 0)
    bad, green = world.bad[day], 1 - world.experience[day, who]
    topic = np.minimum(rng.integers(0, len(world.tenant.topics), count), rng.integers(0, len(world.tenant.topics) + 2, count))
    topic = np.where(bad & (rng.random(count) < 0.5), 1, topic)
    talk = draw(rng, count, _TALK_SECONDS) * world.tenant.call_length * world.pace[who] * (1 + 0.5 * green) * (0.85 + 0.1 * topic)
    wait = draw(rng, count, _WAIT_SECONDS) * np.where(bad, 3.2, 1.0) * np.where(answered, 1.0, 1.8)
    resolved = rng.random(count) < 0.76 + 0.14 * world.skill[who] - 0.2 * green - 0.15 * bad
    number = numbered("C-", np.arange(count))
    calls = told(
        world,
        "call.completed",
        day,
        second,
        agent,
        call_id=number,
        answered=plain(answered),
        duration_seconds=plain(np.round(talk).astype(np.int64), answered),
        wait_seconds=plain(np.round(wait).astype(np.int64), inbound),
        resolved=plain(resolved, answered),
        topic=words(world.tenant.topics, topic, answered),
        lead_id=numbered("L-", lead),
        campaign_id=words([campaign.id for campaign in world.tenant.campaigns], campaign),
        direction=words(["outbound", "inbound"], inbound.astype(np.int64)),
    )
    mood = 3.55 + 0.7 * world.charm[who] - 0.3 * green + 0.5 * resolved - 0.9 * bad - wait / 400 + 2.6 * (rng.random(count) - 0.5)
    rated = answered & (rng.random(count) < np.where(inbound, 0.32, 0.09))
    return [
        calls,
        _ratings(world, day[rated], second[rated], agent[rated], mood[rated], number.filter(rated)),
        *_prizes(world, day, agent, answered),
    ]


def _ratings(world: World, day: Ints, second: Ints, agent: Ints, mood: Floats, call: pa.Array) -> pa.Table:
    later = second + world.rng.integers(30, 4 * 3600, len(day))
    # None past midnight: the last day is the last one.
    later = np.where(later < DAY_SECONDS, later, (second + DAY_SECONDS) // 2)
    rating = np.clip(np.round(mood), 1, 5).astype(np.int64)
    return told(world, "survey.rated", day, later, agent, rating=plain(rating), call_id=call)


def _prizes(world: World, day: Ints, agent: Ints, answered: Bools) -> list[pa.Table]:
    """Every Friday evening, who took most calls since Monday; the first time, whoever has taken a thousand."""
    crew, weeks = len(world.names), (DAYS + 6) // 7
    weekday = answered & (day % 7 < 5)
    by_week = np.bincount((day // 7 * crew + agent)[weekday], minlength=weeks * crew).reshape(weeks, crew)
    by_day = np.bincount((day * crew + agent)[answered], minlength=DAYS * crew).reshape(DAYS, crew).cumsum(axis=0)
    friday = np.minimum(np.arange(weeks) * 7 + 4, DAYS - 1)
    reached = np.flatnonzero(by_day[-1] >= 1000)
    thousandth = (by_day[:, reached] >= 1000).argmax(axis=0)
    return [
        _prize(world, "Most calls of the week", 50, friday, by_week.argmax(axis=1)),
        _prize(world, "A thousand calls", 200, thousandth, reached),
    ]


def _prize(world: World, achievement: str, points: int, day: Ints, agent: Ints) -> pa.Table:
    same = np.zeros(len(day), np.int64)
    evening = same + 17 * 3600 + 1800
    return told(
        world, "achievement.unlocked", day, evening, agent, achievement=words([achievement], same), points=plain(same + points)
    )
