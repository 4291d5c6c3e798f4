"""A worker: takes turns from the queue and executes, in each, the runs that the ledger says are next.

Any number of workers on any number of machines share one ledger. One that is asked to stop finishes its runs, and hands back
those that take longer than its grace; one that dies is noticed by the others, who run its runs again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from workbench import claims, logs, runner, runs
from workbench.catalog import Catalog
from workbench.claims import Limits
from workbench.errors import DatabaseUnavailable, RunFailed, RunLost, WorkbenchError
from workbench.kernels import Kernels
from workbench.monitoring import Monitoring
from workbench.runs import Run
from workbench.settings import Settings

_log = logging.getLogger(__name__)
_RECONNECT_SECONDS = 0.5
#: A look costs a millisecond, and who waits for a notification that was lost does not wait long.
_POLLING_SECONDS = 1.0


class _Connector(procrastinate.PsycopgConnector):
    async def listen_notify(self, on_notification: Any, channels: Iterable[str]) -> None:
        """Listens again wherever that ends: with the database, or with what is no notification, which any login can send."""
        while True:
            try:
                await super().listen_notify(on_notification, channels)
            except Exception as error:
                _log.info("listening for turns begins anew: %s", error.__cause__ or error)
                await asyncio.sleep(_RECONNECT_SECONDS)


class Worker:
    """Executes up to `concurrency` runs at a time, on the fork server `warm`, until it is told to stop."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        warm: Kernels,
        *,
        concurrency: int,
        monitoring: Monitoring | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`ready` is called whenever it begins to take turns: at first, and when the database is back after it was lost."""
        self._catalog = catalog
        self._settings = settings
        self._warm = warm
        self._concurrency = concurrency
        self._limits = Limits(tenant=settings.tenant_runs, total=settings.all_runs)
        self._monitoring = monitoring or Monitoring(catalog, settings)
        self._ready = ready
        self._name = runner.name(runs.WORKER)
        self._executing: set[str] = set()
        self._recover_from = 0.0
        self._stopping = threading.Event()
        self._leaving = threading.Event()
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="run")

    def run(self) -> None:
        """Works until a signal comes (INT, TERM or HUP): its runs have ended, or are handed back, by then."""
        runner.sweep()
        with self._threads:
            asyncio.run(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_tell_the_log)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._asked_to_stop, stop)
        tasks = [asyncio.create_task(self._take_turns()), asyncio.create_task(self._look_after_others())]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def _asked_to_stop(self, stop: asyncio.Event) -> None:
        """No more runs from here on; asked again, or at the end of the grace, those under way are handed back."""
        if self._stopping.is_set():
            self._leaving.set()
            return
        _log.info("%s stops", self._name)
        self._stopping.set()
        asyncio.get_running_loop().call_later(self._settings.worker_grace_seconds, self._leaving.set)
        stop.set()

    async def _take_turns(self) -> None:
        while not self._stopping.is_set():
            try:
                # Brings the embedded server back where it has crashed.
                await asyncio.to_thread(self._recover)
                async with self._queue().open_async() as queue:
                    _log.info("%s takes turns", self._name)
                    self._ready()
                    await queue.run_worker_async(
                        queues=["runs"],
                        concurrency=self._concurrency,
                        delete_jobs="always",
                        install_signal_handlers=False,
                        fetch_job_polling_interval=_POLLING_SECONDS,
                        update_heartbeat_interval=self._settings.worker_silence_seconds / 4,
                        stalled_worker_timeout=self._settings.worker_silence_seconds,
                    )
            except (DatabaseUnavailable, ConnectorException, psycopg.Error, PoolTimeout) as error:
                self._was_blind()
                _log.warning("%s waits for the database: %s", self._name, error.__cause__ or error)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _queue(self) -> procrastinate.App:
        app = procrastinate.App(
            connector=_Connector(
                conninfo=self._catalog.conninfo,
                kwargs={"options": "-c search_path=queue"},
                min_size=1,
                max_size=4,
                timeout=10.0,
            )
        )
        app.task(name="turn")(self._turn)
        # It tells of a lost database with a traceback for each of its tasks; what there is to say is said here.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        return app

    async def _turn(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._execute_what_is_next)

    def _execute_what_is_next(self) -> None:
        """One run after the other, as long as there are any: one turn was taken to come here, and each run has its own."""
        turn = True
        try:
            while not self._stopping.is_set():
                run = claims.claim(self._catalog, self._name, self._limits, turn=turn)
                if run is None:
                    return
                turn = False
                self._execute(run)
            with self._catalog.everything() as connection:
                runs.call(connection)
        except DatabaseUnavailable as error:
            _log.warning("%s lost its turn: %s", self._name, error)

    def _execute(self, run: Run) -> None:
        with logs.about(run_id=run.id, tenant_id=run.tenant_id, schedule=run.schedule):
            _log.info("run %s of %s for %s starts, attempt %d", run.id, run.report, run.tenant_id, run.attempt)
        self._monitoring.began(run)
        started = time.monotonic()
        self._executing.add(run.id)
        try:
            status = self._performed(run)
        finally:
            self._executing.discard(run.id)
        self._monitoring.ended(run, status, time.monotonic() - started)

    def _performed(self, run: Run) -> str:
        """How it ended. What there is to say about a failure is in the ledger and in the log by then."""
        try:
            runner.perform(self._catalog, self._settings, run, warm=self._warm, leave=self._leaving)
        except RunLost:
            return "handed_back"
        except RunFailed as error:
            return error.status
        except WorkbenchError as error:
            # A database that stays away; others will find the run.
            _log.info("run %s: %s", run.id, error)
            return "failed"
        except Exception as error:
            _log.error("run %s of %s for %s met a fault of the workbench: %s", run.id, run.report, run.tenant_id, error)
            return "failed"
        return "succeeded"

    async def _look_after_others(self) -> None:
        while True:
            await asyncio.sleep(self._settings.worker_silence_seconds / 4)
            try:
                await asyncio.to_thread(self._recover)
            except DatabaseUnavailable as error:
                self._was_blind()
                _log.info("%s cannot look after others: %s", self._name, error)

    def _was_blind(self) -> None:
        """While the database was away nobody could give a sign of life: they have the time of one silence to do so."""
        self._recover_from = time.monotonic() + self._settings.worker_silence_seconds

    def _recover(self) -> None:
        if time.monotonic() < self._recover_from:
            with self._catalog.everything():
                return
        for run in claims.recover(self._catalog, self._settings.worker_silence_seconds, ours=tuple(self._executing)):
            _log.warning("run %s of %s for %s was left behind by %s", run.id, run.report, run.tenant_id, run.worker)


def _tell_the_log(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What ends a task that nobody waits for: procrastinate's own, of a database that is lost, which is told of elsewhere."""
    _log.info("%s", context["message"], exc_info=context.get("exception"))
