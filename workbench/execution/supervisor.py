"""The process above a run's others: passes on what they say, holds them to their limits, and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from workbench import sandbox
from workbench.execution import Order, Outcome, Say, messages, notebook, taking
from workbench.execution.space import Space
from workbench.kernels import descendants
from workbench.kernels.descendants import Exceeded, Watch

#: Of what the other processes say.
_LONGEST_LINE = 8 << 20


def main() -> int:
    sandbox.adopt_orphans()
    order = json.loads(sys.stdin.readline())
    os.chdir(order["staging"])
    run = _Run(order)
    try:
        if "error" in (outcome := run.phase(notebook.execute)):
            run.tell(outcome)
        else:
            # Told before its process has ended, which may take longer than what it did, and which nobody needs to wait for.
            run.phase(taking.export, tell=True)
    except _NoLongerWanted:
        shutil.rmtree(order["private"], ignore_errors=True)
        return 1
    return 0


class _NoLongerWanted(Exception):
    pass


class _Run:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._space = Space(order)
        self._checks = messages.Checks()
        self._cell: int | None = None
        self._outcome: Outcome | None = None
        self._exceeded: Exceeded | None = None
        self.watch = Watch(memory_mb=order.get("memory_limit_mb"), processes=order.get("process_limit"))

    def phase(self, work: Callable[[Order, Say], Outcome], *, tell: bool = False) -> Outcome:
        """The outcome of `work` in a process of its own, all of whose descendants have ended by then.

        With `tell`, it is told as soon as it is known.
        """
        self._outcome = None
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            _be_child(work, self._order, write_end)
        os.close(write_end)
        try:
            exceeded = self._listen(read_end)
            if tell and self._outcome is not None:
                self.tell(self._outcome)
        finally:
            os.close(read_end)
            status = descendants.end(child, self._order["private"])
        outcome = self._concluded(exceeded, status)
        if tell and self._outcome is None:
            self.tell(outcome)
        return outcome

    def tell(self, outcome: Outcome) -> None:
        _print({"outcome": {**outcome, "peak_memory_mb": round(self.watch.peak_mb, 1)}})

    def _concluded(self, exceeded: Exceeded | None, status: int) -> Outcome:
        if exceeded is not None:
            return {"error": exceeded.message, "kind": exceeded.kind, **self._where()}
        if self._outcome is None:
            return {"error": f"its process ended unexpectedly ({_in_words(status)})", "kind": "died", **self._where()}
        return self._outcome

    def _listen(self, read_end: int) -> Exceeded | None:
        """Hears the child until it has said its outcome, or ends, or is to be ended."""
        heard = b""
        while self._outcome is None:
            ready, _, _ = select.select([read_end, sys.stdin], [], [], Watch.INTERVAL)
            if sys.stdin in ready:
                raise _NoLongerWanted
            if (exceeded := self._exceeded or self.watch.look() or self._space.look()) is not None:
                return exceeded
            if read_end in ready:
                if not (piece := os.read(read_end, 1 << 16)) or len(heard) > _LONGEST_LINE:
                    return None
                *lines, heard = (heard + piece).split(b"\n")
                for line in lines:
                    self._hear(line)
        return None

    def _hear(self, line: bytes) -> None:
        message = messages.parsed(line)
        if message is None:
            return
        if isinstance(message.get("outcome"), dict):
            said = messages.outcome(message["outcome"])
            self._outcome = {**said, **self._where()} if said.get("kind") == "died" else said
        elif (passed := self._checks.passed(message)) is not None:
            self._cell = passed.get("cell", self._cell)
            if "seconds" in passed:
                self._exceeded = self.watch.look(closely=True)
            _print(passed)

    def _where(self) -> dict[str, int]:
        return {"cell": self._cell} if self._cell is not None else {}


def _be_child(work: Callable[[Order, Say], Outcome], order: Order, write_end: int) -> NoReturn:
    """Never returns into the code of the process that this one is a copy of."""
    try:
        os.setpgid(0, 0)
        sandbox.end_with_parent()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)

        def say(message: Mapping[str, Any]) -> None:
            _write(write_end, message)

        say({"outcome": work(order, say)})
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _print(message: Mapping[str, Any]) -> None:
    # Nobody may be there to hear it any more; then the input ends too.
    with contextlib.suppress(BrokenPipeError):
        _write(1, message)


def _write(descriptor: int, message: Mapping[str, Any]) -> None:
    left = memoryview(json.dumps(message, allow_nan=False).encode() + b"\n")
    while left:
        left = left[os.write(descriptor, left) :]


def _in_words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"
