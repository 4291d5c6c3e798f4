from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pytest

from workbench import events
from workbench.capture import capture
from workbench.lake import Lake

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def event(event_type: str = "note.made", data: Any = None, **changed: Any) -> dict[str, Any]:
    row = {"id": str(uuid.uuid4()), "user_id": "ann", "event_type": event_type, "created_at": NOON}
    return row | {"event_data": json.dumps({} if data is None else data)} | changed


def batch(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=events.BATCH_SCHEMA)


def count(lake: Lake) -> int:
    reader = lake.reader()
    row = reader.execute("select count(*) from analytics_events").fetchone()
    reader.close()
    assert row is not None
    return int(row[0])


CALL = {"call_id": "c1", "answered": True}


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (event("survey.rated", {"rating": 7}), "rating", "must be at most 5"),
        (event("survey.rated", {}), "rating", "is required"),
        (event("survey.rated", {"rating": "4"}), "rating", "must be a number"),
        (event("call.completed", CALL | {"duration_seconds": -1}), "duration_seconds", "must be at least 0"),
        (event("call.completed", CALL | {"answered": "yes"}), "answered", "must be true or false"),
        (event("call.completed", CALL | {"direction": "up"}), "direction", "must be one of inbound, outbound"),
        (event("call.completed", CALL | {"topic": 3}), "topic", "must be a text"),
        (event("call.completed", CALL | {"call_id": " "}), "call_id", "must be a text of 1 to 500 characters"),
        (event("Call.Completed"), "event_type", "must be small letters"),
        (event(data=[1]), "event_data", "must be a JSON object"),
        (event(event_data="{"), "event_data", "must be a JSON object"),
        (event(event_data=None), "event_data", "must be a JSON object"),
        (event(data={"note": "x" * 33000}), "event_data", "longer than 32768 bytes"),
        (event(id="42"), "id", "must be a UUID"),
        (event(created_at=None), "created_at", "must be an instant"),
        (event(created_at=NOON + dt.timedelta(days=36500)), "created_at", "a day from now"),
        (event(user_id=""), "user_id", "must be null or a text"),
    ],
)
def test_a_bad_event_is_refused_by_position_field_and_reason_and_the_good_are_kept(
    bad: dict[str, Any], field: str, reason: str, lake: Lake
) -> None:
    captured = capture(lake, batch([event(), bad, event()]))
    assert (captured.accepted, captured.duplicates) == (2, 0)
    (reject,) = captured.rejects
    assert (reject.position, reject.field) == (1, field)
    assert reason in reject.reason
    assert count(lake) == 2


def test_all_or_nothing_keeps_nothing_of_a_batch_with_a_bad_event(lake: Lake) -> None:
    captured = capture(lake, batch([event(), event(id="42")]), all_or_nothing=True)
    assert (captured.accepted, len(captured.rejects)) == (0, 1)
    assert count(lake) == 0


def test_an_event_sent_again_changes_nothing_within_a_batch_or_across_batches(lake: Lake) -> None:
    first, second = event(), event()
    assert capture(lake, batch([first, first, second])).duplicates == 1
    assert capture(lake, batch([second | {"id": second["id"].upper()}, event()])) == capture(lake, batch([])).__class__(
        accepted=1, duplicates=1, rejects=()
    )
    assert count(lake) == 3


@pytest.mark.parametrize("hours", [-14, 1, 24])
def test_an_event_sent_again_with_its_instant_corrected_is_not_added_twice(lake: Lake, hours: int) -> None:
    first = event()
    capture(lake, batch([first]))
    again = capture(lake, batch([first | {"created_at": NOON + dt.timedelta(hours=hours)}]))
    assert (again.accepted, again.duplicates, count(lake)) == (0, 1, 1)


def test_two_writers_with_the_same_events_at_the_same_moment_add_them_once(lake: Lake) -> None:
    same = batch(event() for _ in range(600))
    accepted: list[int] = []
    threads = [threading.Thread(target=lambda: accepted.append(capture(lake, same).accepted)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == [0, 0, 600]
    assert count(lake) == 600


def test_custom_events_keep_their_data_as_sent(lake: Lake, new_lake: Callable[..., Lake]) -> None:
    data = {"naïve \"quoted'": [1, {"a": None}], "emoji": "📞"}
    capture(lake, batch([event("chat.closed", data)]))
    reader = lake.reader()
    row = reader.execute("select tenant_id, event_data, created_at from analytics_events").fetchone()
    reader.close()
    assert row is not None
    assert (row[0], json.loads(row[1]), row[2]) == (lake.tenant.id, data, NOON)
