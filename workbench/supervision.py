"""Several commands kept running as the parts of one: started, told of, started again when they die, stopped in order.

A part says on its standard output, in one line, that it is up. It holds on to its standard input and stops when that ends, which
the operating system sees to however this process ends: see `stop_with_input`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workbench import settings

#: A part that lived that long was well: its next death is a first one.
_WELL_SECONDS = 60.0
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.5, 60.0
#: From the second time on that a person asks for the end, a part has so long until it is killed.
_HASTE_SECONDS = 10.0
_APART_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """`arguments` are those of the `workbench` command that it is; `name` is what its lines begin with."""

    name: str
    arguments: Sequence[str]


@dataclass(kw_only=True, slots=True)
class _Running:
    part: Part
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0
    #: What it has said when it came up, for the first time.
    up: str | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Keeps `parts` running until a signal comes (INT, TERM or HUP).

    `say` gets each line of theirs, and what there is to say about them, with the part's name. `ready` is called once, when all
    are up, with what each has said of itself then. The parts have the workbench's folder that was found when this was made.
    """

    def __init__(
        self, parts: Sequence[Part], *, say: Callable[[str, str], None], ready: Callable[[Mapping[str, str]], None]
    ) -> None:
        self._parts = [_Running(part=part) for part in parts]
        self._say = say
        self._ready = ready
        self._home = settings.load().home

    def run(self) -> None:
        """Stops the parts in their order; asked a second time, all of them at once."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        first, second = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self._ask, first, second)
        tasks = [asyncio.create_task(each) for each in (self._stop(first, second), *map(self._keep, self._parts))]
        # An exception in here is a fault of ours: it ends everything, and is told.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        first.set()
        await asyncio.gather(*tasks)

    def _ask(self, first: asyncio.Event, second: asyncio.Event) -> None:
        (second if first.is_set() else first).set()

    async def _keep(self, running: _Running) -> None:
        while not running.stopping.is_set():
            started = time.monotonic()
            status = await self._live(running)
            if running.stopping.is_set():
                return
            lived = time.monotonic() - started
            running.deaths = 1 if lived > _WELL_SECONDS else running.deaths + 1
            delay = min(_BACKOFF_SECONDS * 2 ** (running.deaths - 1), _LONGEST_BACKOFF_SECONDS)
            self._say(running.part.name, _told(status, lived, running.deaths, delay))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(running.stopping.wait(), delay)

    async def _live(self, running: _Running) -> int:
        """One life of a part: returns how it ended."""
        process = running.process = await asyncio.create_subprocess_exec(
            # Not what lies in the working folder by that name.
            *(sys.executable, "-P", "-m", "workbench", *running.part.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # They belong to this workbench also where the file is gone by which its folder was found.
            env=os.environ | {"WORKBENCH_HOME": str(self._home)},
            # What is typed at the terminal is for this process alone, which then stops its parts in order.
            start_new_session=True,
        )
        if running.stopping.is_set():
            _signal(process, signal.SIGTERM)
        assert process.stdout is not None
        assert process.stderr is not None
        await asyncio.gather(self._pass_on(running, process.stdout, up=True), self._pass_on(running, process.stderr, up=False))
        return await process.wait()

    async def _pass_on(self, running: _Running, stream: asyncio.StreamReader, *, up: bool) -> None:
        while line := await _line(stream):
            self._say(running.part.name, line)
            if up and running.up is None:
                running.up = line
                if all(each.up is not None for each in self._parts):
                    self._ready({each.part.name: each.up or "" for each in self._parts})

    async def _stop(self, first: asyncio.Event, second: asyncio.Event) -> None:
        await first.wait()
        for each in self._parts:
            each.stopping.set()
        hurried, ends = asyncio.create_task(second.wait()), []
        for each in self._parts:
            if each.process is not None and each.process.returncode is None:
                ends.append(asyncio.create_task(self._stop_one(each.part.name, each.process, second)))
                await asyncio.wait([ends[-1], hurried], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*ends)
        hurried.cancel()

    async def _stop_one(self, name: str, process: asyncio.subprocess.Process, hurry: asyncio.Event) -> None:
        self._say(name, "is asked to stop")
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(hurry.wait())
        _signal(process, signal.SIGTERM)
        await asyncio.wait([ended, hurried], return_when=asyncio.FIRST_COMPLETED)
        # Two signals that come at the same moment are one.
        await asyncio.wait([ended], timeout=_APART_SECONDS)
        if not ended.done():
            _signal(process, signal.SIGTERM)
            await asyncio.wait([ended], timeout=_HASTE_SECONDS)
        if not ended.done():
            self._say(name, "is killed")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await ended
        hurried.cancel()


async def _line(stream: asyncio.StreamReader) -> str:
    """The next line that is not empty; "" at the end."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue  # longer than anybody reads: the rest of it comes as a line of its own
        if not line:
            return ""
        if text := line.decode(errors="replace").rstrip():
            return text


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _told(status: int, lived: float, deaths: int, delay: float) -> str:
    ended = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    again = "" if deaths == 1 else f", the {deaths}th time in a row" if deaths > 3 else f", the {_ORDINALS[deaths]} time in a row"
    return f"{ended} after {lived:.0f} s{again}; it is started again in {delay:g} s"


_ORDINALS = {2: "second", 3: "third"}


def stop_with_input() -> None:
    """Has this process stop, as if it were asked by SIGTERM, when its standard input ends."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="input", daemon=True).start()
