"""Numbers and choices become events: columns of JSON text, joined to objects without a loop over rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from workbench.demo.world import Bools, Ints, World, micros
from workbench.events import BATCH_SCHEMA


def told(world: World, event_type: str, day: Ints, second: Ints, agent: Ints, **data: pa.Array) -> pa.Table:
    """Events without their ids; `data` holds each field's values as JSON text, null where the field is absent."""
    return pa.table(
        {
            "user_id": pa.DictionaryArray.from_arrays(pa.array(agent, mask=agent < 0), pa.array(world.names)).cast(pa.string()),
            "event_type": pa.array([event_type]).take(pa.array(np.zeros(len(day), np.int64))),
            "event_data": _objects(data),
            "created_at": pa.array(micros(world, day, second)).cast(BATCH_SCHEMA.field("created_at").type),
        }
    )


def _objects(data: dict[str, pa.Array]) -> pa.Array:
    fields = [pc.binary_join_element_wise(f"{json.dumps(name)}: ", values, "") for name, values in data.items()]
    inside = pc.binary_join_element_wise(*fields, ", ", null_handling="skip")
    return pc.binary_join_element_wise("{", inside, "}", "")


def plain(values: NDArray[Any], present: Bools | None = None) -> pa.Array:
    """Numbers or truth values as JSON text."""
    return pa.array(values, mask=None if present is None else ~present).cast(pa.string())


def words(words: Sequence[str], index: Ints, present: Bools | None = None) -> pa.Array:
    """The chosen words as JSON text, null for -1."""
    absent = index < 0 if present is None else ~present
    return pa.array([json.dumps(word, ensure_ascii=False) for word in words]).take(pa.array(index, mask=absent))


def numbered(prefix: str, number: Ints) -> pa.Array:
    """Names like "L-000042" as JSON text, null for -1."""
    digits = pc.utf8_lpad(pa.array(number + 1, mask=number < 0).cast(pa.string()), 6, "0")
    return pc.binary_join_element_wise(f'"{prefix}', digits, '"', "")


def uuids(rng: np.random.Generator, count: int) -> pa.Array:
    """Random (version 4) UUIDs of this generator."""
    raw = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(raw.tobytes().hex().encode(), np.uint8).reshape(count, 32)
    dash = np.full((count, 1), ord("-"), np.uint8)
    parts = [digits[:, start:end] for start, end in pairwise((0, 8, 12, 16, 20, 32))]
    text = np.hstack([part for joined in parts for part in (joined, dash)][:-1])
    return pa.array(np.ascontiguousarray(text).view("S36").ravel()).cast(pa.string())
