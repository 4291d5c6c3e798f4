"""Warm kernels: a fork server that has imported what notebooks import, and hands out copies of itself (Linux).

    with kernels.serving(settings) as server:      # a process that lives long: starts it, and again where it has ended
        ...
    server = kernels.found(settings)               # a command: uses the one there is

Whoever gets no child from it starts a process of its own in the usual way; that costs about two seconds, and works the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from workbench import sandbox
from workbench.kernels import preload, wire
from workbench.kernels.children import Child
from workbench.kernels.server import ADDRESS, short_path
from workbench.settings import Settings

__all__ = ["Child", "Kernels", "Source", "found", "server_pid", "serving"]

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).parent.parent
#: Importing takes about two seconds, much longer on a machine that is busy.
_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
#: How long a server that could not be started is not tried again.
_PAUSE_SECONDS = 60.0


class Source(Protocol):
    """Where forked processes come from."""

    def start(self, kind: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> Child | None:
        """A child that does `request` with these as input, output and error; None where there is none to be had."""


class Kernels:
    """The fork server of one workbench. Where this object `holds` it, it is started when it is missing."""

    def __init__(self, settings: Settings, *, holds: bool) -> None:
        self._folder = _folder(settings)
        self._kernel_memory_mb = settings.kernel_memory_mb
        self._holds = holds
        self._holding: socket.socket | None = None
        self._lock = threading.Lock()
        self._not_before = 0.0

    def start(self, kind: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> Child | None:
        if child := self._asked(kind, request, descriptors):
            return child
        if not self.ensure():
            _log.info("no fork server answers; a process is started without it")
            return None
        child = self._asked(kind, request, descriptors)
        if child is None:
            _log.warning("the fork server gives no process; one is started without it")
        return child

    def ensure(self) -> bool:
        """Where this object holds a server, there is one after this, unless none can be started; a warning says why."""
        if not self._holds or sys.platform != "linux":
            return False
        with self._lock:
            if time.monotonic() < self._not_before:
                return False
            try:
                self._hold()
            except (OSError, EOFError, ValueError) as error:
                self._not_before = time.monotonic() + _PAUSE_SECONDS
                _log.warning("the fork server cannot be started, so that kernels start without it: %s", error)
                return False
        return True

    def close(self) -> None:
        """The server ends with its last holder, when its children have ended."""
        self._holds = False
        if self._holding is not None:
            self._holding.close()
            self._holding = None

    def _hold(self) -> None:
        """Of several who find no server, one starts it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = self._joined()
            if held is None:
                if self._holding is not None:
                    _log.warning("the fork server has ended, or its code has changed; another one is started")
                held = _started(self._folder, self._kernel_memory_mb)
        if self._holding is not None:
            self._holding.close()
        self._holding = held

    def _joined(self) -> socket.socket | None:
        """A connection that holds the server there is; None where there is none, or one that is out of date."""
        try:
            connection, told, _ = self._told({"kind": "hold"})
        except (OSError, EOFError, ValueError, KeyError):
            return None
        if "ready" in told:
            return connection
        connection.close()
        return None

    def _asked(self, kind: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> Child | None:
        try:
            connection, told, received = self._told({**request, "kind": kind}, descriptors)
        except (OSError, EOFError, ValueError, KeyError):
            return None
        if "pid" in told and len(received) == 1:
            return Child(told["pid"], received[0], connection)
        connection.close()
        _log.info("the fork server gives no process: %s", told.get("refused"))
        return None

    def _told(
        self, request: Mapping[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[socket.socket, dict[str, Any], list[int]]:
        """The answer to a request, and the connection it came on, open."""
        with (self._folder / ADDRESS).open() as shown:
            name = json.load(shown)["socket"]
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                connection.settimeout(_ANSWER_SECONDS)
                with short_path(self._folder) as path:
                    connection.connect(f"{path}/{name}")
                wire.send(connection, request, [shown.fileno(), *descriptors])
                return connection, *wire.receive(connection)
            except BaseException:
                connection.close()
                raise


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[Kernels]:
    """The fork server of this workbench, there as long as this lasts; several who do this share one."""
    kernels = Kernels(settings, holds=True)
    try:
        kernels.ensure()
        yield kernels
    finally:
        kernels.close()


def found(settings: Settings) -> Kernels | None:
    """The fork server that a longer process of this workbench has started; None where none has."""
    return Kernels(settings, holds=False) if (_folder(settings) / ADDRESS).exists() else None


def server_pid(settings: Settings) -> int | None:
    """The process that the fork server is, or was the last time there was one."""
    try:
        return int(json.loads((_folder(settings) / ADDRESS).read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _folder(settings: Settings) -> Path:
    return settings.var / "kernels"


def _started(folder: Path, kernel_memory_mb: int) -> socket.socket:
    """The first connection that holds a new server. Raises OSError with what it said where it does not come up."""
    mine, its = wire.pair()
    with its, (folder / "server.log").open("wb") as log:
        starting = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.kernels", str(folder), str(kernel_memory_mb)],
            stdin=its.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=sandbox.environment("HOME", "TMPDIR") | preload.ENVIRONMENT | {"PYTHONPATH": str(_PACKAGE.parent)},
            cwd="/",
            start_new_session=True,
        )
    starting.wait()
    try:
        mine.settimeout(_START_SECONDS)
        told, _ = wire.receive(mine)
    except (OSError, EOFError) as error:
        mine.close()
        said = (folder / "server.log").read_text(errors="replace").strip().rsplit("\n", 1)[-1]
        raise OSError(said or f"it ended, or did not come up within {_START_SECONDS:g} s") from error
    if "ready" not in told:
        mine.close()
        raise OSError(str(told.get("refused")))
    return mine
