"""The rejects file: what kept rows of an import from becoming events, as CSV."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.csv as pacsv

from workbench.errors import BadInput
from workbench.importers.conversion import PROBLEMS_SCHEMA

_HEADER = ",".join(f'"{name}"' for name in PROBLEMS_SCHEMA.names).encode()


class RejectsFile:
    """Written only once there is something to reject. Without a path nothing is written.

    The file of an earlier import is replaced; any other file at that path is left alone, and refused with BadInput.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer: pacsv.CSVWriter | None = None

    def __enter__(self) -> RejectsFile:
        if self._path and self._path.exists():
            self._remove_earlier(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer:
            self._writer.close()

    @property
    def written(self) -> Path | None:
        return self._path if self._writer else None

    def add(self, problems: pa.Table) -> None:
        if not self._path or not problems.num_rows:
            return
        try:
            self._writer = self._writer or pacsv.CSVWriter(self._path, PROBLEMS_SCHEMA)
        except OSError as error:
            raise BadInput(f"The rejects file {self._path} cannot be written: {error.strerror or error}.") from None
        self._writer.write_table(problems.sort_by("line"))

    def _remove_earlier(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                ours = file.readline().strip() == _HEADER
            if ours:
                path.unlink()
        except OSError as error:
            raise BadInput(f"The rejects file {path} cannot be written: {error.strerror or error}.") from None
        if not ours:
            raise BadInput(f"{path} exists and is not a rejects file; name another with --rejects.")
