"""The rejects file: what kept rows of an import from becoming events, as CSV."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.csv as pacsv

from workbench.errors import BadInput
from workbench.importers.conversion import PROBLEMS_SCHEMA

_HEADER = ",".join(f'"{name}"' for name in PROBLEMS_SCHEMA.names).encode()


class RejectsFile:
    """Written only once there is something to reject. Without a path nothing is written.

    The file of an earlier import is replaced; any other file at that path is left alone, and refused with BadInput. So is, before
    anything is imported, a place where no file can be; a disk that fills up later is told by BadInput too.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer: pacsv.CSVWriter | None = None

    def __enter__(self) -> RejectsFile:
        if self._path:
            with _told(self._path):
                _make_way(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._path and self._writer and not error:
            with _told(self._path):
                self._writer.close()

    @property
    def written(self) -> Path | None:
        return self._path if self._writer else None

    def add(self, problems: pa.Table) -> None:
        if not self._path or not problems.num_rows:
            return
        with _told(self._path):
            self._writer = self._writer or pacsv.CSVWriter(self._path, PROBLEMS_SCHEMA)
            self._writer.write_table(problems.sort_by("line"))


def _make_way(path: Path) -> None:
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            raise BadInput(f"The rejects file {path} cannot be written: there is no folder {path.parent} that may be written to.")
    elif path.is_file() or path.is_dir():  # what is neither, as a pipe, takes what is written
        _remove_earlier(path)


def _remove_earlier(path: Path) -> None:
    """Removes a rejects file, also one that a full disk cut short; reads no more of it than tells it from other files."""
    with path.open("rb") as file:
        start = file.read(len(_HEADER) + 1)
    if not _HEADER.startswith(start.rstrip()):
        raise BadInput(f"{path} exists and is not a rejects file; name another with --rejects.")
    if start:
        path.unlink()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise BadInput(
            f"The rejects file {path} cannot be written: {why}. What is in stays; mend this or name another file with --rejects, "
            "and run the same import again: it lists all rejects."
        ) from None
