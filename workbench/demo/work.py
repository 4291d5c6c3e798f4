"""What agents do beside calls and leads, and what campaigns cost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from workbench.demo.telling import numbered, plain, told, words
from workbench.demo.tenants import FIRST_DAY, CustomEvents
from workbench.demo.world import AROUND_ONE, Ints, World, draw, times

_TASKS = ("follow-up", "paperwork", "data clean-up", "call-back", "training")


def shifts(world: World) -> list[pa.Table]:
    """What agents do on a day at work beside calls: being available, tasks, the tenant's own events."""
    day, agent = np.nonzero(world.on_duty > 0)
    twice = np.repeat(np.arange(len(day)), 2)
    half = np.arange(len(twice)) % 2
    seconds = np.round(12_600 * draw(world.rng, len(twice), AROUND_ONE)).astype(np.int64)
    signed_off = 43_200 + half * 18_000 + world.rng.integers(-1200, 1200, len(twice))
    available = told(world, "agent.available", day[twice], signed_off, agent[twice], available_seconds=plain(seconds))
    many = np.repeat(np.arange(len(day)), world.rng.integers(0, 7, len(day)))
    tasks = told(
        world,
        "task.completed",
        day[many],
        times(world, len(many)),
        agent[many],
        task_id=numbered("T-", np.arange(len(many))),
        kind=words(_TASKS, world.rng.integers(0, len(_TASKS), len(many))),
    )
    return [available, tasks, *(_custom(world, custom, day, agent) for custom in world.tenant.custom)]


def _custom(world: World, custom: CustomEvents, day: Ints, agent: Ints) -> pa.Table:
    row = np.repeat(np.arange(len(day)), world.rng.integers(0, custom.an_agent_day + 1, len(day)))
    word = words(custom.words, world.rng.integers(0, len(custom.words), len(row)))
    number = plain(world.rng.integers(1, custom.highest + 1, len(row)))
    data = {custom.word: word, custom.number: number}
    return told(world, custom.event_type, day[row], times(world, len(row)), agent[row], **data)


def spending(world: World) -> list[pa.Table]:
    """Each campaign's bill of the day, at six in the morning."""
    tables = []
    for campaign in world.tenant.campaigns:
        day = np.arange((campaign.first_day - FIRST_DAY).days, (campaign.last_day - FIRST_DAY).days + 1)
        same = np.zeros(len(day), np.int64)
        amount = np.round(campaign.spend_a_day * draw(world.rng, len(day), AROUND_ONE) * 20) / 20
        data = {
            "campaign_id": words([campaign.id], same),
            "amount": plain(amount),
            "currency": words([world.tenant.currency], same),
        }
        tables.append(told(world, "campaign.spent", day, same + 6 * 3600, same - 1, **data))
    return tables
