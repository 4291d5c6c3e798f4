"""All processes that came of this one: how many there are, what memory is theirs, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1 << 20
#: Threads take memory and numbers of the system's that are nowhere counted as the process's. DuckDB starts one for each core.
_MOST_THREADS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    pid: int
    parent: int
    group: int
    threads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Exceeded:
    """What is too much: `kind` is `memory` or `processes`."""

    kind: str
    message: str


class Watch:
    """Looks, at most every `INTERVAL` seconds, whether all that came of this process, or of one `child`, keeps to its limits."""

    INTERVAL = 0.1
    #: Walking through all the memory of a run takes 15 ms.
    _EXACTLY_INTERVAL = 0.5
    _FILES_INTERVAL = 0.5

    def __init__(self, *, memory_mb: int | None, processes: int | None, child: int | None = None) -> None:
        self._child = child
        self._memory_mb = memory_mb
        self._processes = processes
        # All that was imported before the run began, and is shared with whoever imported it.
        self._inherited = _unshared_with_files(os.getpid())
        self._next = self._exactly_next = self._files_next = 0.0
        #: What the processes have changed of what they inherited, as far as it is known: it is nowhere counted but page by page.
        self._changed_mb = 0.0
        #: Files in memory, which need not be mapped anywhere. What is mapped of them may be counted twice.
        self._files_mb = 0.0
        self.peak_mb = 0.0

    def look(self, *, closely: bool = False) -> Exceeded | None:
        """What is exceeded, if anything is.

        With `closely`, it looks now, and page by page where that was not done lately; so it does when half the memory is taken.
        """
        now = time.monotonic()
        if sys.platform != "linux" or (now < self._next and not closely):
            return None
        self._next = now + self.INTERVAL
        found = self._found()
        if self._processes is not None and (exceeded := _too_many(found, self._processes)):
            return exceeded
        if now >= self._files_next:
            self._files_next = now + self._FILES_INTERVAL
            self._files_mb = _files_in_memory(found) / _MEBIBYTE
        grown = sum(max(_unshared_with_files(each.pid) - self._inherited, 0) for each in found) / _MEBIBYTE + self._files_mb
        near = self._memory_mb is not None and grown > self._memory_mb / 2
        if near or (closely and now >= self._exactly_next):
            self._exactly_next = now + self._EXACTLY_INTERVAL
            used = _exactly(found, self._inherited) / _MEBIBYTE + self._files_mb
            # What its processes share counts once, which makes it less; later they may be gone.
            self._changed_mb = max(used - grown, 0.0)
        else:
            used = grown + self._changed_mb
        self.peak_mb = max(self.peak_mb, used)
        if self._memory_mb is not None and used > self._memory_mb:
            return Exceeded(kind="memory", message=f"it took more than the {self._memory_mb:,} MB of memory that it may have")
        return None

    def _found(self) -> list[Process]:
        if self._child is None:
            return below(os.getpid())
        return [Process(pid=self._child, parent=os.getpid(), group=self._child, threads=1), *below(self._child)]


def _too_many(found: Sequence[Process], processes: int) -> Exceeded | None:
    if len(found) > processes:
        return Exceeded(kind="processes", message=f"it started more than the {processes} processes that it may have")
    if sum(each.threads for each in found) > _MOST_THREADS:
        return Exceeded(kind="processes", message=f"it started more than the {_MOST_THREADS:,} threads that it may have")
    return None


def below(root: int) -> list[Process]:
    table = _linux() if sys.platform == "linux" else _elsewhere()
    children: dict[int, list[Process]] = {}
    for each in table:
        children.setdefault(each.parent, []).append(each)
    found: list[Process] = []
    waiting = list(children.get(root, ()))
    while waiting:
        found.append(each := waiting.pop())
        waiting += children.get(each.pid, ())
    return found


def end(child: int, private: str) -> int:
    """Kills all there are, orphans included, until there are none; returns how the `child` itself ended.

    Where orphans are not adopted, those that have the folder `private` as their home count as well.
    """
    status = 0
    while True:
        found = below(os.getpid())
        # A group is killed in one step, before any of it can start another process.
        for group in {each.group for each in found} - {os.getpgrp()}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        _kill([each.pid for each in found] + ([] if sys.platform == "linux" else _at_home(private)))
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            return status
        status = ended if pid == child else status


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _linux() -> Iterable[Process]:
    for name in os.listdir("/proc"):  # noqa: PTH208  # ten times a second
        if name.isdecimal():
            with contextlib.suppress(OSError):
                # After the command's name, which may hold anything: state, parent, group, and as the 18th the number of threads.
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split(maxsplit=18)
                yield Process(pid=int(name), parent=int(fields[1]), group=int(fields[2]), threads=int(fields[17]))


def _elsewhere() -> Iterable[Process]:
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            yield Process(pid=each.pid, parent=each.ppid(), group=os.getpgid(each.pid), threads=1)


def _at_home(private: str) -> list[int]:
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.environ().get("HOME") == private:
                found.append(each.pid)
    return found


def _unshared_with_files(pid: int) -> int:
    """Bytes in memory that are no file's, inherited ones included."""
    with contextlib.suppress(OSError, ValueError):
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_bytes().split()
        return (int(resident) - int(shared)) * _PAGE
    return 0


def _files_in_memory(found: Iterable[Process]) -> int:
    """Bytes of those that the processes hold open, each file once."""
    sizes = {}
    for process in found:
        folder = f"/proc/{process.pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208  # of all the processes of a run
                with contextlib.suppress(OSError):
                    if os.readlink(f"{folder}/{name}").startswith("/memfd:"):  # noqa: PTH115
                        status = Path(folder, name).stat()
                        sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def _exactly(found: Iterable[Process], inherited: int) -> int:
    """Bytes that are the processes' own, or shared by them alone.

    This process has the same memory in common with whoever imported it as each of them has, or more: that part does not count.
    Where a process does not let itself be looked at, all that is not `inherited` is its own.
    """
    mine = _proportional(os.getpid())
    common = mine.get("Pss_Anon", 0) - mine.get("Private_Dirty", 0)
    total = 0
    for process in found:
        if each := _proportional(process.pid):
            total += max(each.get("Pss_Anon", 0) + each.get("Pss_Shmem", 0) - common, each.get("Private_Dirty", 0))
        else:
            total += max(_unshared_with_files(process.pid) - inherited, 0)
    return total


def _proportional(pid: int) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return {}
