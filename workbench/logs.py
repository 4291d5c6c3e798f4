"""The log of an installation: var/workbench.log, one JSON object a line, by all its processes at once.

Each has `time` (UTC), `level`, `logger`, `message` and `process`; where they are known, `run_id`, `tenant_id`, `schedule` and
`request_id`, which `about` sets; and after a failure its `traceback`. No password is in any of them. The console stays plain.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import fcntl
import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path
from typing import Any

from workbench.errors import without_passwords

#: How large a file becomes, and how many old ones are kept.
_BYTES, _OLD_FILES = 10_000_000, 5

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039  it is never changed in place


@contextlib.contextmanager
def about(
    *, run_id: str | None = None, tenant_id: str | None = None, schedule: str | None = None, request_id: str | None = None
) -> Iterator[None]:
    """Whatever this thread, or this task, logs within the block is about these."""
    given = {"run_id": run_id, "tenant_id": tenant_id, "schedule": schedule, "request_id": request_id}
    token = _about.set({**_about.get(), **{name: value for name, value in given.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


class Record(logging.LogRecord):
    """A record of the log that holds no password, neither in its message nor in its traceback."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.about = _about.get()
        if self.exc_info:
            self.exc_text = without_passwords("".join(traceback.format_exception(*self.exc_info)).rstrip())

    def getMessage(self) -> str:  # noqa: N802  logging's own name
        return without_passwords(super().getMessage())


def to_file(path: Path, *, limit: int = _BYTES) -> None:
    """From here on, what the workbench does is written there, beside what the console shows. May be repeated.

    A file of `limit` bytes makes room for a new one.
    """
    logger = logging.getLogger("workbench")
    for handler in [each for each in logger.handlers if isinstance(each, _File)]:
        logger.removeHandler(handler)
        handler.close()
    file = _File(path, limit)
    file.setLevel(logging.INFO)
    file.setFormatter(_Json())
    logger.setLevel(min(logging.INFO, logging.getLogger().getEffectiveLevel()))
    logger.addHandler(file)


def to_terminal() -> None:
    """What the workbench does is what whoever started this process wants to see, with the time."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(min(handler.level, logging.INFO))
        handler.setFormatter(_Terminal("%(asctime)s %(levelname)s %(message)s"))


class _Terminal(logging.Formatter):
    """One line a message, without what a notebook could draw on a screen with; where something happened is for the file."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        shown.exc_info = shown.exc_text = shown.stack_info = None
        return "".join(each if each.isprintable() else " " for each in super().format(shown))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **getattr(record, "about", {}),
        }
        if record.exc_text or record.exc_info:
            told["traceback"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(told, ensure_ascii=False)


class _File(logging.FileHandler):
    """A file that several processes write to: a line is one write, and whoever finds it full moves it aside for all of them."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path, encoding="utf-8")
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            if os.fstat(self._current()).st_size + len(line) > self._limit:
                self._make_room()
            os.write(self._current(), line)
        except Exception:
            self.handleError(record)

    def _current(self) -> int:
        """The file, opened again where another process has moved it aside, or somebody has removed it."""
        if self.stream is None or not self._is_current(self.stream.fileno()):
            self.close()
            self.stream = self._open()
        return self.stream.fileno()

    def _is_current(self, opened: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(opened))  # noqa: PTH116
        return False

    def _make_room(self) -> None:
        opened = self._current()
        fcntl.flock(opened, fcntl.LOCK_EX)
        if not self._is_current(opened):
            return
        path = Path(self.baseFilename)
        files = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, _OLD_FILES + 1))]
        for newer, older in reversed(list(pairwise(files))):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)
