"""papermill's client and kernel manager, without what only other front ends need: waiting, polling and polite farewells."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from queue import Empty
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbclient.util import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import write_ipynb

from workbench.execution import Say
from workbench.kernels.beforehand import Beforehand
from workbench.kernels.provisioner import ForkedProvisioner

ENGINE = "workbench"
#: Tags of cells that papermill adds.
ADDED = frozenset({"injected-parameters", "papermill-error-cell-tag"})
_START_SECONDS = 60
#: A welcome comes within a few milliseconds.
_WELCOME_SECONDS = 0.25
_ARGUMENTS = (
    "--HistoryManager.enabled=False",
    "--IPKernelApp.outstream_class=workbench.kernels.streams.LimitedStream",
)


class Manager(AsyncKernelManager):
    """Of one kernel, which is spoken to through sockets in the private folder, where TCP is open to every local user."""

    transport = "ipc"

    def __init__(self, source: Beforehand | None) -> None:
        super().__init__()
        self._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *_ARGUMENTS],
            display_name="Python 3",
            language="python",
        )
        self.provisioner = self.forked = ForkedProvisioner(kernel_id="run", kernel_spec=self._kernel_spec, parent=self)
        self.forked.source = self.source = source

    def launch(self) -> None:
        """Starts the kernel, and does not wait for it."""
        run_sync(self._launch)()

    async def _launch(self) -> None:
        command, options = await self._async_pre_start_kernel()
        await self._async_launch_kernel(command, **options)


class Client(PapermillNotebookClient):  # type: ignore[misc]
    def __init__(self, notebook: Any, *, say: Say, manager: Manager, **options: Any) -> None:
        super().__init__(notebook, km=manager, **options)
        self._say = say
        self._source = manager.source
        self._cell: int | None = None
        own = [index for index, cell in enumerate(self.nb.cells) if not ADDED & set(cell.metadata.get("tags", []))]
        self._numbers = {index: number for number, index in enumerate(own, start=1)}
        say({"cells": len(own)})

    @contextlib.contextmanager
    def setup_kernel(self, **_: Any) -> Iterator[None]:
        """The kernel is not told to end: the supervisor kills it with all that it started."""
        run_sync(self._start)()
        yield

    async def _start(self) -> None:
        self.kc = self.km.client()
        if self._source is not None:
            self._source.wait_until_ready(_START_SECONDS)
            await self._async_check_alive()
        self.kc.start_channels(stdin=False, hb=False, control=False)
        if self._source is None:
            await self.kc._async_wait_for_ready(timeout=_START_SECONDS)
        else:
            await self._hear()

    async def _hear(self) -> None:
        """Until outputs reach this client, as the first one shows.

        That is a welcome, which a kernel that publishes something at that very moment never gives, or its state at a question.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                await self.kc._async_get_iopub_msg(timeout=_WELCOME_SECONDS)
                return
            except Empty:
                await self._async_check_alive()
                if time.monotonic() > deadline:
                    raise DeadKernelError("the notebook's kernel did not answer") from None
                self.kc.kernel_info()

    async def _async_poll_kernel_alive(self) -> None:
        """As nbclient's, which looks once a second."""
        if self._source is None:
            await super()._async_poll_kernel_alive()
        await self.km.forked.ended()
        self.task_poll_for_reply.cancel()

    def how_it_ended(self) -> str:
        process = self.km.forked.process
        status = (process and process.poll()) or 0
        told = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return f"the notebook's kernel died ({told})"

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        self._cell = self._numbers.get(cell_index)
        if self._cell is None or cell.cell_type != "code":
            return super().execute_cell(cell, cell_index, **options)
        self._say({"cell": self._cell, "started": True})
        started = time.monotonic()
        try:
            return super().execute_cell(cell, cell_index, **options)
        finally:
            self._say({"cell": self._cell, "seconds": round(time.monotonic() - started, 4)})

    def process_message(self, message: Mapping[str, Any], *arguments: Any, **options: Any) -> Any:
        if message["msg_type"] == "stream" and self._cell is not None:
            content = message["content"]
            self._say({"cell": self._cell, "stream": content["name"], "text": content["text"]})
        return super().process_message(message, *arguments, **options)


class Engine(NBClientEngine):  # type: ignore[misc]
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, say: Say, manager: Manager, kept: str, **_: Any) -> Any:
        """Raises DeadKernelError with what is known of its end; the notebook as far as it came is in the file `kept` then."""
        client = Client(nb_man, say=say, manager=manager, kernel_name=kernel_name)
        try:
            return client.execute()
        except DeadKernelError:
            write_ipynb(nb_man.nb, kept)
            raise DeadKernelError(client.how_it_ended()) from None


papermill_engines.register(ENGINE, Engine)
