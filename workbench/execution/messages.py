"""What a run's processes say, as far as it is passed on.

A notebook can speak in the name of the process that executes it, so that what is said has to be possible: of cells there are,
once, in numbers and texts that can be kept, and no more text than is kept of a run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from workbench.execution import Outcome, cleaned, shortened
from workbench.kernels.streams import KEPT

_MOST_CELLS = 100_000
_MOST_SECONDS = 10.0**7
_MOST_ROWS = 2**62
_MOST_NAMES = 1000
#: Characters of the line that says how much was left out.
_NOTE = 200

Message = Mapping[str, Any]


def parsed(line: bytes) -> Message | None:
    """None for what is no message."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


class Checks:
    """Of the messages of one run."""

    def __init__(self) -> None:
        self._cells = 0
        self._told: set[tuple[str, int]] = set()
        self._left = KEPT + _NOTE

    def passed(self, message: Message) -> Message | None:
        """What is passed on of a message that is no outcome; None where nothing is."""
        if "cells" in message:
            return self._counted(message["cells"])
        cell = message.get("cell")
        if not _is_number(cell, self._cells):
            return None
        if "stream" in message:
            return self._printed(cell, message["stream"], message.get("text"))
        if message.get("started") is True:
            return self._once("started", cell, True)
        seconds = message.get("seconds")
        if ("started", cell) in self._told and _is_duration(seconds):
            return self._once("seconds", cell, seconds)
        return None

    def _counted(self, cells: Any) -> Message | None:
        if self._cells or not _is_number(cells, _MOST_CELLS):
            return None
        self._cells = cells
        return {"cells": cells}

    def _printed(self, cell: int, stream: Any, text: Any) -> Message | None:
        if stream not in ("stdout", "stderr") or not isinstance(text, str) or not self._left:
            return None
        text = cleaned(text[: self._left])
        self._left -= len(text)
        return {"cell": cell, "stream": stream, "text": text}

    def _once(self, name: str, cell: int, value: float) -> Message | None:
        if (name, cell) in self._told:
            return None
        self._told.add((name, cell))
        return {"cell": cell, name: value}


def outcome(said: Message) -> Outcome:
    """What is passed on of an outcome."""
    return {name: value for name, of in _OUTCOME.items() if (value := of(said.get(name))) is not None}


def _text(value: Any) -> str | None:
    return shortened(value) if isinstance(value, str) else None


def _place(value: Any) -> int | None:
    return value if _is_number(value, _MOST_CELLS) else None


def _names(value: Any) -> list[str] | None:
    return [shortened(each) for each in value[:_MOST_NAMES] if isinstance(each, str)] if isinstance(value, list) else None


def _rows(value: Any) -> int | None:
    return min(max(value, 0), _MOST_ROWS) if type(value) is int else None


_OUTCOME: Mapping[str, Callable[[Any], Any]] = {
    "error": _text,
    "kind": _text,
    "cell": _place,
    "line": _place,
    "unwritable": _text,
    "names": _names,
    "rows_read": _rows,
}


def _is_number(value: Any, most: int) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= most


def _is_duration(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and 0 <= value < _MOST_SECONDS
