"""A kernel forked before anyone asks for it: from a process that will have threads by then, or be held in a sandbox."""

from __future__ import annotations

import contextlib
import os
import socket
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from workbench.kernels import kernel, wire
from workbench.kernels.children import Child


class Beforehand:
    """The process that becomes a kernel with the first request; there is only this one. It ends with the one that forked it."""

    def __init__(self) -> None:
        mine, its = wire.pair()
        self._pid = os.fork()
        if self._pid == 0:
            mine.close()
            _wait(its)
        its.close()
        self._connection = mine
        self._asked = False

    def start(self, kind: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> Child | None:
        if self._asked:
            return None
        self._asked = True
        wire.send(self._connection, {**request, "kind": kind}, descriptors)
        return Child(self._pid, os.pidfd_open(self._pid), self._connection)

    def wait_until_ready(self, timeout: float) -> None:
        """Until the kernel can be connected to, or has ended. Raises TimeoutError."""
        self._connection.settimeout(timeout)
        with contextlib.suppress(EOFError):
            wire.receive(self._connection)


def _wait(connection: socket.socket) -> NoReturn:
    status = 1
    try:
        os.setsid()
        kernel.prepare()
        request, descriptors = wire.receive(connection)
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
        _close_all_but(connection.fileno())
        kernel.become(request, lambda: wire.send(connection, {"ready": True}))
        status = 0
    except EOFError:
        status = 0
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(Exception):
        kernel.end(status)
    os._exit(status)


def _close_all_but(descriptor: int) -> None:
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
