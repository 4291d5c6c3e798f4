"""How much a run has written to its private folder, which is on a disk that others need."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from workbench.execution import Order
from workbench.kernels.descendants import Exceeded

_MOST_MB = 4000
#: So many are seen in a tenth of a second, for which nothing else is looked after.
_MOST_FILES = 20_000
_INTERVAL = 1.0
_MEGABYTE = 10**6


class Space:
    """Looks, at most once a second, whether the run keeps to what it may write (`files_limit_mb` of its order)."""

    def __init__(self, order: Order) -> None:
        self._folder = order["private"]
        self._most_mb = order.get("files_limit_mb", _MOST_MB)
        self._next = 0.0

    def look(self) -> Exceeded | None:
        if time.monotonic() < self._next:
            return None
        used = 0
        for number, each in enumerate(_sizes(self._folder), start=1):
            used += each
            if number > _MOST_FILES:
                return Exceeded(kind="memory", message=f"it made more than the {_MOST_FILES:,} files that it may have")
        # After it, for a disk may be slow.
        self._next = time.monotonic() + _INTERVAL
        if used > self._most_mb * _MEGABYTE:
            return Exceeded(kind="memory", message=f"it wrote more than the {self._most_mb:,} MB of files that it may have")
        return None


def _sizes(folder: str) -> Iterator[int]:
    """Of all there is below it, as it is on the disk; no link is followed."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as found:
            for each in found:
                with contextlib.suppress(OSError):
                    yield each.stat(follow_symlinks=False).st_blocks * 512
                    if each.is_dir(follow_symlinks=False):
                        waiting.append(each.path)
