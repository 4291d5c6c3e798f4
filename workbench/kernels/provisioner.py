"""Has the fork server start a kernel, for whatever speaks through `jupyter_client`: papermill, Voila, JupyterLab.

The kernelspec `workbench` names it. Where no fork server runs, the kernel is started as any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from workbench import kernels, settings
from workbench.errors import WorkbenchError
from workbench.kernels import Child, Source

_log = logging.getLogger(__name__)
#: Of a kernel's command what comes before its own arguments: python -m ipykernel_launcher.
_COMMAND = 3


class ForkedProvisioner(LocalProvisioner):
    #: Where kernels come from: the fork server of the workbench in whose folder this process is, or what is set in its place.
    source: Source | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        with contextlib.suppress(WorkbenchError):
            self.source = kernels.found(settings.load())

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Over TCP, which every local user can connect to, the kernel is spoken to in CurveZMQ where libzmq has that."""
        if "transport_encryption" not in kwargs and getattr(self.parent, "transport", None) == "tcp" and zmq.has("curve"):
            kwargs["transport_encryption"] = "auto"
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        child = self._forked(cmd, kwargs)
        if child is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = child  # type: ignore[assignment]  # it has what is used of one
        self.pid = self.pgid = child.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info

    async def wait(self) -> int | None:
        await self.ended()
        return await super().wait()

    async def ended(self) -> None:
        """Until a kernel that was forked has ended."""
        if not isinstance(self.process, Child) or self.process.poll() is not None:
            return
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        loop.add_reader(self.process.fileno(), ended.cancel)
        try:
            await asyncio.wait([ended])
        finally:
            loop.remove_reader(self.process.fileno())

    async def send_signal(self, signum: int) -> None:
        if isinstance(self.process, Child):
            self.process.send_signal(signum)
        else:
            await super().send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> Child | None:
        if kwargs.get("stdout") is not None or kwargs.get("stderr") is not None:
            return None  # whoever wants its output otherwise than as it comes starts it otherwise
        request = {
            "arguments": cmd[_COMMAND:],
            "environment": kwargs["env"],
            "folder": os.fspath(kwargs.get("cwd") or Path.cwd()),
        }
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            child = self.source.start("kernel", request, (nothing, 1, 2)) if self.source else None
        finally:
            os.close(nothing)
        if child is None:
            _log.warning("no fork server gives a kernel; one is started without it, which takes longer")
        return child
