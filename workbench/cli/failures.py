"""How a command ends that did not end well: one message for the person, the whole story for the log, and an exit status."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from pathlib import Path

import click

from workbench.errors import BrokenInstallation, WorkbenchError, without_passwords

_log = logging.getLogger(__name__)

INTERRUPTED = 130
BROKEN = BrokenInstallation.exit_status


def end(error: BaseException, *, interrupted: bool) -> int:
    """Says on the error stream what ended the command; returns the exit status.

    `interrupted`: a signal came, so that whatever was raised is an outcome of that.
    """
    if interrupted or isinstance(error, click.Abort | KeyboardInterrupt):
        _say("Interrupted. What was finished is kept; the same command can be run again.")
        return INTERRUPTED
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, click.ClickException):
        _say(_shown(error))
        return 2
    return _end_of_work(error)


def _end_of_work(error: BaseException) -> int:
    known = error if isinstance(error, WorkbenchError) else _known(error)
    if known is None:
        _say(f"Error: {type(error).__name__}: {error}\nThis is a fault of the workbench; {_where(error)}")
        return BROKEN
    if known is not error:
        _log.info("%s", known, exc_info=error)
    _say(f"Error: {known}")
    return known.exit_status


def _known(error: BaseException) -> WorkbenchError | None:
    """What the machine did to us, in words for the person; None for what only we can have done."""
    if isinstance(error, OSError):
        place = "".join(f" {os.fsdecode(name)}" for name in [error.filename] if isinstance(name, str | bytes))
        return BrokenInstallation(f"Cannot read or write{place}: {error.strerror or error}. {_REMEDY}")
    if isinstance(error, MemoryError):
        return BrokenInstallation("There is not enough memory for this; the same command can be run again.")
    if "duckdb" in sys.modules:
        return _known_of_duckdb(error)
    return None


_REMEDY = "Make room or permit it there; then the same command can be run again."


def _known_of_duckdb(error: BaseException) -> WorkbenchError | None:
    import duckdb

    from workbench import lake

    if not isinstance(error, duckdb.Error):
        return None
    if lost := lake.lost(error):
        return lost
    told = str(error).strip().split("\n", 1)[0].rstrip(".")
    if isinstance(error, duckdb.OutOfMemoryException):
        return BrokenInstallation(f"There is not enough memory or room for temporary files: {told}.")
    if isinstance(error, duckdb.IOException):
        return BrokenInstallation(f"Cannot read or write: {told.removeprefix('IO Error: ')}. {_REMEDY}")
    return None


def _where(error: BaseException) -> str:
    """Puts the fault into the log and says where that is; without a log, the traceback itself."""
    for handler in logging.getLogger("workbench").handlers:
        if isinstance(handler, logging.FileHandler):
            file = Path(handler.baseFilename)
            before = _size(file)
            _log.info("unexpected: %s", error, exc_info=error)
            if _size(file) != before:
                return f"{file} shows where."
    return "no log could be written, so this is where:\n" + "".join(traceback.format_exception(error))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _shown(error: click.ClickException) -> str:
    page = io.StringIO()
    error.show(page)
    return page.getvalue().rstrip()


def _say(message: str) -> None:
    # The terminal may be gone, and a file that takes the messages may be full.
    with contextlib.suppress(OSError):
        click.echo(without_passwords(message), err=True)
