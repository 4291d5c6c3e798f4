"""A finished run leaves the workbench: HTML, PDF, XLSX, CSV, JSON and Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import BadInput, WorkbenchError
from workbench.exports import files
from workbench.exports.edition import Edition

if TYPE_CHECKING:
    from workbench.exports.page import Page
    from workbench.tables import ReportTable

__all__ = ["FORMATS", "Edition", "check_formats", "export"]


def export(
    notebook: Path,
    tables: Sequence[ReportTable],
    edition: Edition,
    formats: Sequence[str],
    folder: Path,
    *,
    cache: Path | None = None,
) -> list[Path]:
    """Writes the executed notebook and its tables to `folder`, which exists, and returns the files in the order of `formats`.

    report.html, report.pdf, report.xlsx, tables.json, and for each table <table>.csv and <table>.parquet. `cache` is a folder
    that outlives the run: the code for interactive charts is made there once (2 s), else once per process.

    A link in the place of a file is replaced, never followed. Raises BadInput for an unknown format, two tables of one name, and
    whatever else of the notebook or its tables cannot be shown, OSError where a file cannot be written.
    """
    check_formats(formats)
    names = [table.name for table in tables]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadInput(f"Two tables of the report are named {min(twice)}; give each its own name.")
    material = _Material(notebook=notebook, tables=tuple(tables), edition=edition, folder=folder, cache=cache)
    return [path for name in dict.fromkeys(formats) for path in _written(name, material)]


def check_formats(formats: Sequence[str]) -> None:
    """Raises BadInput for a format that is not one of FORMATS."""
    for name in formats:
        if name not in _WRITERS:
            raise BadInput(f"There is no format {name!r}; a report can be exported as {', '.join(FORMATS)}.")


def _written(name: str, material: _Material) -> list[Path]:
    try:
        return _WRITERS[name](material)
    except (WorkbenchError, OSError):
        raise
    except Exception as error:
        # What a notebook leaves can be wrong in more ways than can be listed; its author is told all the same.
        raise BadInput(f"The report cannot be exported as {name}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Material:
    notebook: Path
    tables: Sequence[ReportTable]
    edition: Edition
    folder: Path
    cache: Path | None

    @cached_property
    def page(self) -> Page:
        """Rendered once for HTML and PDF: drawing the charts is what costs."""
        from workbench.exports.page import read

        return read(self.notebook, self.tables, self.edition)


def _html(material: _Material) -> list[Path]:
    path = material.folder / "report.html"
    return [_placed(path, material.page.html(cache=material.cache).encode())]


def _pdf(material: _Material) -> list[Path]:
    from workbench.exports.pdf import to_pdf

    path = material.folder / "report.pdf"
    return [_placed(path, to_pdf(material.page.printed(), material.edition))]


def _xlsx(material: _Material) -> list[Path]:
    from workbench.exports.spreadsheet import to_xlsx

    path = material.folder / "report.xlsx"
    return [_placed(path, to_xlsx(material.tables, material.edition))]


def _placed(path: Path, content: bytes) -> Path:
    with files.new(path) as file:
        file.write(content)
    return path


def _csv(material: _Material) -> list[Path]:
    from workbench.exports.data import write_csv

    return [write_csv(table, material.folder) for table in material.tables]


def _json(material: _Material) -> list[Path]:
    from workbench.exports.data import write_json

    return [write_json(material.tables, material.edition, material.folder)]


def _parquet(material: _Material) -> list[Path]:
    from workbench.exports.data import write_parquet

    return [write_parquet(table, material.folder) for table in material.tables]


_WRITERS: Mapping[str, Callable[[_Material], list[Path]]] = {
    "html": _html,
    "pdf": _pdf,
    "xlsx": _xlsx,
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
FORMATS = tuple(_WRITERS)
