"""The processes of one run, as whoever has it executed sees them.

They say, as it happens, one of these, cells counted from 1 as in the notebook:

    {"cells": 9}                                         how many there are, once the notebook is read
    {"cell": 4, "started": true}
    {"cell": 4, "stream": "stdout", "text": "…"}          what it prints; of a run, a million characters
    {"cell": 4, "seconds": 0.41}                         at its end
    {"outcome": {…}}                                     the last one

The outcome has `names`, of the files to publish, or `error` in words and its `kind`: `raised` (with `cell` and `line`), `died`,
`memory`, `processes` (all three with `cell`), `unwritable` or `export`. In both there is `peak_memory_mb`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from workbench import sandbox
from workbench.kernels import Child, Source, preload, wire

_PACKAGE = Path(__file__).parent
#: Killing a run's processes takes moments; this long is waited before their leader is killed too.
_PATIENCE_SECONDS = 10.0


class Processes:
    """One run's. Leaving the block ends them."""

    def __init__(self, leader: Child | subprocess.Popen[bytes], told: int, heard: int) -> None:
        self._leader = leader
        self._told: int | None = told
        self._heard = heard
        self._begun = b""
        self._messages: list[Mapping[str, Any]] = []

    @classmethod
    def start(cls, order: Mapping[str, Any], *, error: IO[bytes], kernels: Source | None) -> Processes:
        """Copies of the fork server where that gives one, else of a new process; what goes wrong there is written to `error`."""
        its_input, told = os.pipe()
        heard, its_output = os.pipe()
        try:
            descriptors = (its_input, its_output, error.fileno())
            leader = (kernels and kernels.start("run", {}, descriptors)) or _started(descriptors)
        except BaseException:
            os.close(told)
            os.close(heard)
            raise
        finally:
            os.close(its_input)
            os.close(its_output)
        started = cls(leader, told, heard)
        with contextlib.suppress(BrokenPipeError), os.fdopen(told, "wb", closefd=False) as input_:
            input_.write(json.dumps(order).encode() + b"\n")
        return started

    def receive(self, timeout: float) -> Mapping[str, Any] | None:
        """The next message; None where none comes in time. Raises EOFError when they have ended without an outcome."""
        deadline = time.monotonic() + timeout
        while not self._messages:
            if not wire.readable(self._heard, max(deadline - time.monotonic(), 0)):
                return None
            if not (piece := os.read(self._heard, 1 << 16)):
                raise EOFError
            *lines, self._begun = (self._begun + piece).split(b"\n")
            self._messages += [json.loads(line) for line in lines]
        return self._messages.pop(0)

    def end(self) -> None:
        """Tells them, by the end of their input, that nobody wants them any more, and waits until they have ended."""
        if self._told is None:
            return
        os.close(self._told)
        self._told = None
        try:
            self._leader.wait(_PATIENCE_SECONDS)
        except (subprocess.TimeoutExpired, TimeoutError):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader.pid, signal.SIGKILL)
            self._leader.wait()
        os.close(self._heard)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end()


def _started(descriptors: tuple[int, int, int]) -> subprocess.Popen[bytes]:
    input_, output, error = descriptors
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench.execution"],
        stdin=input_,
        stdout=output,
        stderr=error,
        env=sandbox.environment("HOME", "TMPDIR") | preload.ENVIRONMENT | {"PYTHONPATH": str(_PACKAGE.parent)},
        start_new_session=True,
    )
