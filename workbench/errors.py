"""Every error the workbench raises on purpose.

    WorkbenchError                  exit status of the command line
    ├── BadInput                    2   what was asked for is wrong; the message says what would be right
    │   ├── InvalidTenant
    │   ├── InvalidDocument             carries the file and line of every mistake
    │   │   ├── InvalidMapping
    │   │   └── InvalidSchedules
    │   ├── InvalidParameter            carries the parameter's name
    │   ├── InvalidQuery                carries the database's own words
    │   ├── InvalidSource               a file or query to import that cannot be read as rows
    │   └── NotFound                    also for another tenant's things: the two cannot be told apart
    ├── RunFailed                   3   a notebook raised, died or was interrupted; carries run, cell and line
    │   ├── KernelDied                  its process ended by itself; another attempt may do better
    │   ├── RunCutOff                   the database was lost under it; another attempt may do better
    │   ├── RunTimedOut
    │   ├── RunCancelled
    │   ├── RunLost                     it was given to somebody else meanwhile
    │   └── PublishFailed               the run was fine, its artifacts could not be written
    └── BrokenInstallation          4   something the workbench stands on is missing or unhealthy; says how to mend it
        ├── DatabaseUnavailable
        └── SchemaMismatch              the database is of a newer workbench

A message is one or two sentences for the person who reads it; faces turn the class into an exit status, an HTTP answer or a page.
"""

from __future__ import annotations

import re
from typing import ClassVar


class WorkbenchError(Exception):
    """Root of all errors that carry a message for the user."""

    exit_status: ClassVar[int] = 1


class BadInput(WorkbenchError):
    exit_status = 2


class InvalidTenant(BadInput):
    pass


class InvalidDocument(BadInput):
    """A file with mistakes; `mistakes` holds (line, what is wrong), lines counted from 1."""

    def __init__(self, file: str, mistakes: list[tuple[int, str]]) -> None:
        self.file = file
        self.mistakes = mistakes
        super().__init__("\n".join(f"{file}:{line}: {what}" for line, what in mistakes))


class InvalidMapping(InvalidDocument):
    pass


class InvalidSchedules(InvalidDocument):
    pass


class InvalidParameter(BadInput):
    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class InvalidQuery(BadInput):
    pass


class InvalidSource(BadInput):
    pass


class NotFound(BadInput):
    pass


class RunFailed(WorkbenchError):
    """A run that did not succeed.

    `cell` is the notebook cell and `line` the line in it, both counted from 1, where the notebook raised; None where it did not.
    """

    exit_status = 3
    #: The state that a run of which this is the end is in.
    status: ClassVar[str] = "failed"

    def __init__(self, message: str, *, run_id: str, cell: int | None = None, line: int | None = None) -> None:
        self.run_id = run_id
        self.cell = cell
        self.line = line
        super().__init__(message)


class KernelDied(RunFailed):
    pass


class RunCutOff(RunFailed):
    pass


class RunTimedOut(RunFailed):
    status = "timed_out"


class RunCancelled(RunFailed):
    status = "cancelled"


class RunLost(RunFailed):
    pass


class PublishFailed(RunFailed):
    pass


class BrokenInstallation(WorkbenchError):
    exit_status = 4


class DatabaseUnavailable(BrokenInstallation):
    pass


class SchemaMismatch(BrokenInstallation):
    pass


_QUOTED = r"""''(?:\\''|\\.|[^'\\])+''|'(?:\\.|''|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s'"&]+"""
#: What follows the word in a connection string, a URL's query, a Python or JSON object, and in SQL.
_PASSWORD = re.compile(rf"(password['\"]?\s*[=:]\s*)(?:{_QUOTED})|(password\s+)'(?:''|[^'])*'", re.IGNORECASE)
#: But for the word itself, as it stands where a URL's form is explained.
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)(?!password@)[^\s'\"]*@")


def without_passwords(text: str) -> str:
    """`text` with … in the place of every password that a URL, a connection string or a statement of SQL in it holds."""
    return _URL_PASSWORD.sub(r"\1…@", _PASSWORD.sub(r"\1\2…", text))
