"""What the cells of a run print: so much is kept, and then said how much more there was."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from ipykernel.iostream import OutStream
from IPython.core.getipython import get_ipython

#: Characters, of all cells together. Nobody reads more, and a notebook's file should open.
KEPT = 1_000_000


class LimitedStream(OutStream):
    left: ClassVar[int] = KEPT
    _cut: ClassVar[int] = 0

    def write(self, string: str) -> int:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        kept, LimitedStream.left = string[: self.left], max(self.left - len(string), 0)
        if kept:
            super().write(kept)
        if len(kept) < len(string):
            self._leave_out(len(string) - len(kept))
        return len(string)

    def _leave_out(self, number: int) -> None:
        if not LimitedStream._cut and (shell := get_ipython()) is not None:
            shell.events.register("post_run_cell", self._say_cut)
        LimitedStream._cut += number

    def _say_cut(self, *_: Any) -> None:
        if LimitedStream._cut:
            super().write(f"\n[{LimitedStream._cut:,} more characters were printed; {KEPT:,} of a run are kept]\n")
            LimitedStream._cut = 0
        if (shell := get_ipython()) is not None:
            shell.events.unregister("post_run_cell", self._say_cut)

    def _watch_pipe_fd(self) -> None:
        """As ipykernel's, which copies all that a library or a program prints to where this process's own errors go, too."""
        while self._fid is not None and (piece := os.read(self._fid, 1 << 16)) and self._should_watch:
            if self.left:
                os.write(self._original_stdstream_copy, piece)
            self.write(piece.decode(errors="replace"))
