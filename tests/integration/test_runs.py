"""The ledger: what may follow what, whose turn it is, and who may say how a run ended."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from workbench import claims, runs
from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants
from workbench.catalog.tables import RUN_MOVES, RUN_STATES, report_executions, run_moves
from workbench.claims import Ending, Limits, Progress
from workbench.errors import BadInput, NotFound, RunLost
from workbench.runs import Request, Run

LIMITS = Limits(tenant=2, total=1000)
NOTHING = Progress(cells_total=None, cells=(), lines=())
TICK = dt.datetime(2026, 3, 2, 6, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def catalog(new_home: Callable[[], Path]) -> Iterator[Catalog]:
    """A ledger that no other test queues anything in."""
    catalog = Catalog(settings_table.load({"WORKBENCH_HOME": str(new_home())}))
    for tenant_id in ("acme", "bolt", "core"):
        tenants.add(catalog, tenants.Tenant(id=tenant_id, name=tenant_id, timezone="UTC", currency="CHF"))
    yield catalog
    catalog.close()


@pytest.fixture(autouse=True)
def _empty(catalog: Catalog) -> None:
    _forget_everything(catalog)


def _forget_everything(catalog: Catalog) -> None:
    with catalog.everything() as connection:
        connection.execute(text("delete from report_executions"))
        connection.execute(text("delete from queue.procrastinate_jobs"))


def _request(tenant_id: str = "acme", **values: object) -> Request:
    asked = Request(tenant_id=tenant_id, report="weekly", parameters={}, formats=["html"], notebook_hash="0", by="test")
    return replace(asked, **values)  # type: ignore[arg-type]


def _enqueue(catalog: Catalog, tenant_id: str = "acme", **values: object) -> str:
    with catalog.tenant(tenant_id) as connection:
        run_id = runs.enqueue(connection, _request(tenant_id, **values))
    assert run_id is not None
    return run_id


def _claim(catalog: Catalog, worker: str = "worker 1", limits: Limits = LIMITS) -> Run | None:
    return claims.claim(catalog, worker, limits)


def _claimed(catalog: Catalog, worker: str = "worker 1") -> Run:
    run = _claim(catalog, worker)
    assert run is not None
    return run


def _turns(catalog: Catalog) -> int:
    with catalog.everything() as connection:
        return connection.execute(text("select count(*) from queue.procrastinate_jobs where status = 'todo'")).scalar_one()


def _make_silent(catalog: Catalog, run: Run) -> None:
    with catalog.everything() as connection:
        long_ago = func.now() - dt.timedelta(minutes=5)
        connection.execute(update(report_executions).where(report_executions.c.id == run.id).values(heartbeat_at=long_ago))


def test_a_tick_is_in_the_ledger_once_per_tenant_with_one_turn(catalog: Catalog) -> None:
    tick = {"schedule": "morning", "logical_time": TICK}
    assert _enqueue(catalog, **tick)
    with catalog.tenant("acme") as connection:
        assert runs.enqueue(connection, _request(**tick)) is None
        assert runs.skip(connection, _request(**tick), "too late") is None
    assert _enqueue(catalog, "bolt", **tick)
    assert len(runs.listed(catalog)) == 2
    assert _turns(catalog) == 2


def test_a_run_and_its_turn_are_kept_together_or_not_at_all(catalog: Catalog) -> None:
    def cut_off() -> None:
        with catalog.tenant("acme") as connection:
            runs.enqueue(connection, _request())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert runs.listed(catalog) == []
    assert _turns(catalog) == 0


def test_the_database_knows_the_same_moves_as_the_code(catalog: Catalog) -> None:
    with catalog.everything() as connection:
        found = {tuple(row) for row in connection.execute(select(run_moves))}
    assert found == {(before, after) for before, moves in RUN_MOVES.items() for after in moves}
    assert set(RUN_MOVES) == set(RUN_STATES)


def test_the_database_refuses_a_move_that_is_not_allowed(catalog: Catalog) -> None:
    _enqueue(catalog)
    run = _claimed(catalog)
    claims.end(catalog, run, Ending(status="succeeded"), NOTHING)
    with pytest.raises(IntegrityError, match="cannot go from succeeded to failed"), catalog.everything() as connection:
        connection.execute(update(report_executions).values(status="failed"))


def test_one_tenants_five_hundred_runs_let_anothers_single_run_go_first(catalog: Catalog) -> None:
    with catalog.tenant("acme") as connection:
        for _ in range(500):
            runs.enqueue(connection, _request())
    first = _claimed(catalog)
    _enqueue(catalog, "bolt", priority=runs.BACKFILL)
    assert first.tenant_id == "acme"
    assert _claimed(catalog).tenant_id == "bolt"


def test_with_one_place_in_all_tenants_take_turns(catalog: Catalog) -> None:
    for tenant_id in ["acme"] * 5 + ["bolt"] * 2 + ["core"]:
        _enqueue(catalog, tenant_id)
    order = []
    for _ in range(8):
        run = _claimed(catalog)
        order.append(run.tenant_id)
        claims.end(catalog, run, Ending(status="succeeded"), NOTHING)
    assert sorted(order[:3]) == ["acme", "bolt", "core"]
    assert order[5:] == ["acme"] * 3


def test_a_tenant_has_no_more_under_way_than_its_limit_and_all_have_no_more_than_theirs(catalog: Catalog) -> None:
    for tenant_id in ["acme"] * 3 + ["bolt"] * 3:
        _enqueue(catalog, tenant_id)
    claimed = [run.tenant_id for _ in range(6) if (run := _claim(catalog)) is not None]
    assert sorted(claimed) == ["acme", "acme", "bolt", "bolt"]
    _forget_everything(catalog)
    for tenant_id in ["acme"] * 3 + ["bolt"] * 3:
        _enqueue(catalog, tenant_id)
    assert len([1 for _ in range(6) if _claim(catalog, limits=Limits(tenant=2, total=3))]) == 3


@given(st.lists(st.sampled_from([runs.PERSON, runs.SCHEDULE, runs.BACKFILL]), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_person_comes_before_a_schedule_and_that_before_a_backfill(catalog: Catalog, priorities: list[int]) -> None:
    _forget_everything(catalog)
    for priority in priorities:
        _enqueue(catalog, priority=priority)
    order = []
    while (run := _claim(catalog)) is not None:
        order.append((-run.priority, run.created_at))
        claims.end(catalog, run, Ending(status="succeeded"), NOTHING)
    assert order == sorted(order)
    assert len(order) == len(priorities)


def test_a_worker_that_goes_on_without_a_turn_takes_one_so_that_none_is_left_over(catalog: Catalog) -> None:
    for _ in range(2):
        _enqueue(catalog)
    claims.claim(catalog, "worker 1", LIMITS, turn=False)
    assert _turns(catalog) == 1


def test_a_run_that_is_cancelled_while_it_waits_never_starts(catalog: Catalog) -> None:
    run_id = _enqueue(catalog)
    assert runs.cancel(catalog, "acme", run_id).status == "cancelled"
    assert _claim(catalog) is None
    with pytest.raises(BadInput, match="was cancelled; only one that waits or is running"):
        runs.cancel(catalog, "acme", run_id)


def test_who_executes_a_run_learns_that_it_is_not_wanted_any_more(catalog: Catalog) -> None:
    _enqueue(catalog)
    run = _claimed(catalog)
    assert claims.beat(catalog, run, NOTHING)
    runs.cancel(catalog, "acme", run.id)
    assert not claims.beat(catalog, run, NOTHING)


def test_a_run_that_is_cancelled_while_it_is_given_up_does_not_come_back(catalog: Catalog) -> None:
    for give_up in (
        lambda run: claims.hand_back(catalog, run),
        lambda run: claims.try_again(catalog, run, Ending(status="failed", message="It died."), NOTHING, attempts=3),
    ):
        run_id = _enqueue(catalog)
        run = _claimed(catalog)
        runs.cancel(catalog, "acme", run_id)
        give_up(run)
        assert runs.get(catalog, "acme", run_id).status == "cancelled"
        assert _claim(catalog) is None


def test_a_person_who_waits_is_not_kept_by_another_tenants_backfills(catalog: Catalog) -> None:
    _enqueue(catalog)
    _claimed(catalog)
    for _ in range(20):
        _enqueue(catalog, "bolt", priority=runs.BACKFILL)
    person = _enqueue(catalog, priority=runs.PERSON)
    next_two = []
    for _ in range(2):
        run = _claimed(catalog)
        next_two.append(run.id)
        claims.end(catalog, run, Ending(status="succeeded"), NOTHING)
    assert person in next_two


def test_a_worker_does_not_bury_the_runs_that_it_is_executing(catalog: Catalog) -> None:
    _enqueue(catalog)
    run = _claimed(catalog)
    _make_silent(catalog, run)
    assert claims.recover(catalog, 0.1, ours=[run.id]) == []


@pytest.mark.parametrize("call", [runs.get, runs.cancel, runs.retry])
def test_another_tenants_run_answers_like_one_that_does_not_exist(catalog: Catalog, call: Callable[..., Run]) -> None:
    there, nowhere = _enqueue(catalog, "bolt"), str(uuid.uuid4())
    told = []
    for run_id in (there, nowhere):
        with pytest.raises(NotFound) as caught:
            call(catalog, "acme", run_id)
        told.append(str(caught.value).replace(run_id, "…"))
    assert told[0] == told[1]
    with pytest.raises(NotFound, match="an id looks like"):
        call(catalog, "acme", "1; drop table tenants")


def test_the_log_of_a_run_is_its_tenants_alone(catalog: Catalog) -> None:
    _enqueue(catalog)
    run = _claimed(catalog)
    claims.beat(catalog, run, Progress(cells_total=3, cells=({"cell": 1, "seconds": 0.5},), lines=[(1, "stdout", "hello")]))
    assert [line.text for line in runs.log(catalog, "acme", run.id)] == ["hello"]
    assert runs.log(catalog, "bolt", run.id) == []


def test_a_failed_run_that_is_tried_again_keeps_what_happened_before(catalog: Catalog) -> None:
    _enqueue(catalog)
    claims.end(catalog, _claimed(catalog), Ending(status="failed", message="it rained", cell=3), NOTHING)
    [failed] = runs.listed(catalog)
    again = runs.retry(catalog, "acme", failed.id)
    assert (again.status, again.attempt, again.error_message) == ("queued", 2, None)
    assert [(each["attempt"], each["error"]) for each in again.attempts] == [(1, "it rained")]
    claims.end(catalog, _claimed(catalog), Ending(status="succeeded"), NOTHING)
    with pytest.raises(BadInput, match="has succeeded"):
        runs.retry(catalog, "acme", failed.id)


def test_a_dead_workers_run_is_given_to_another_and_the_dead_one_can_no_longer_end_it(catalog: Catalog) -> None:
    _enqueue(catalog)
    dead = _claimed(catalog)
    _make_silent(catalog, dead)
    assert [run.id for run in claims.recover(catalog, 0.1)] == [dead.id]
    alive = _claimed(catalog, "worker 2")
    assert (alive.id, alive.attempt) == (dead.id, 2)
    published: list[str] = []
    for call in (
        lambda: claims.end(catalog, dead, Ending(status="succeeded"), NOTHING, lambda: published.append("dead")),
        lambda: claims.beat(catalog, dead, NOTHING),
        lambda: claims.hand_back(catalog, dead),
        lambda: claims.try_again(catalog, dead, Ending(status="failed"), NOTHING, attempts=3),
    ):
        with pytest.raises(RunLost):
            call()
    claims.end(catalog, alive, Ending(status="succeeded"), NOTHING, lambda: published.append("alive"))
    assert published == ["alive"]
    assert runs.get(catalog, "acme", dead.id).status == "succeeded"


def test_an_end_whose_answer_was_lost_can_be_told_again(catalog: Catalog) -> None:
    _enqueue(catalog)
    run = _claimed(catalog)
    published: list[int] = []
    for _ in range(2):
        claims.end(catalog, run, Ending(status="succeeded"), NOTHING, lambda: published.append(1))
    assert published == [1]


def test_an_end_that_cannot_be_published_is_no_end(catalog: Catalog) -> None:
    def full_disk() -> None:
        raise OSError(28, "No space left on device")

    _enqueue(catalog)
    run = _claimed(catalog)
    with pytest.raises(OSError, match="No space"):
        claims.end(catalog, run, Ending(status="succeeded"), NOTHING, full_disk)
    assert runs.get(catalog, "acme", run.id).status == "running"


def test_a_run_that_is_under_way_at_three_deaths_is_set_aside(catalog: Catalog) -> None:
    run_id = _enqueue(catalog)
    for _ in range(3):
        _make_silent(catalog, _claimed(catalog))
        claims.recover(catalog, 0.1)
    run = runs.get(catalog, "acme", run_id)
    assert run.status == "failed"
    assert "3 deaths of a worker" in (run.error_message or "")
    assert _claim(catalog) is None


def test_a_run_whose_command_died_fails_and_waits_for_nobody(catalog: Catalog) -> None:
    with catalog.tenant("acme") as connection:
        run_id = runs.begin(connection, _request(), "command 1 on here")
    _make_silent(catalog, runs.get(catalog, "acme", run_id))
    claims.recover(catalog, 0.1)
    run = runs.get(catalog, "acme", run_id)
    assert (run.status, run.error_message) == ("failed", "The command that executed it (command 1 on here) died.")


def test_runs_that_wait_without_a_turn_are_given_one_each(catalog: Catalog) -> None:
    for _ in range(3):
        _enqueue(catalog)
    with catalog.everything() as connection:
        connection.execute(text("delete from queue.procrastinate_jobs"))
    for _ in range(2):
        claims.recover(catalog, 0.1)
    assert _turns(catalog) == 3


def test_a_run_to_be_tried_again_waits_longer_each_time(catalog: Catalog) -> None:
    _enqueue(catalog, retries=3)
    run = _claimed(catalog)
    due_at = claims.try_again(catalog, run, Ending(status="timed_out", message="Too long."), NOTHING, attempts=4)
    assert due_at is not None
    assert 7 <= (due_at - dt.datetime.now(dt.UTC)).total_seconds() <= 12.5
    assert _claim(catalog) is None
    [line] = runs.log(catalog, "acme", run.id)
    assert line.text == "Too long. Attempt 2 of 4 follows."
    assert [claims.backoff(attempt) <= 1.25 * 600 for attempt in range(1, 40)] == [True] * 39
