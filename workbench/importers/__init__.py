"""Import: raw exports of a call centre or CRM become events.

    source, mapping = importers.opened(Path("calls.csv"), Path("calls.yaml"))
    summary = importers.run(source, mapping, tenant.timezone, lambda batch: capture(lake, batch))

A source gives chunks of text cells, a mapping says which events they become, and `run` hands these to a sink.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.importers import mapping as mappings
from workbench.importers.database import open_query
from workbench.importers.formats import open_file
from workbench.importers.importing import Progress, Rehearsal, Sink, Summary, order_warnings, run
from workbench.importers.mapping import Mapping, SourceOptions
from workbench.importers.sources import Source
from workbench.importers.suggestion import suggest

__all__ = [
    "DatabaseQuery",
    "Mapping",
    "Progress",
    "Rehearsal",
    "Sink",
    "Source",
    "Summary",
    "opened",
    "order_warnings",
    "run",
    "suggested",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseQuery:
    """A query on a PostgreSQL that is not the workbench's own."""

    url: str
    query: str


def opened(what: Path | DatabaseQuery, mapping_file: Path) -> tuple[Source, Mapping]:
    """What to import, opened as the mapping file says, and the mapping checked against its columns.

    Raises InvalidMapping with every mistake and its line, and InvalidSource.
    """
    document = mappings.read(mapping_file)
    source = _source(what, mappings.source_options(document))
    return source, mappings.validated(document, source.columns)


def suggested(what: Path | DatabaseQuery, mapping_file: Path | None = None) -> str:
    """A mapping file for it, guessed from its columns and first rows; of a mapping file that is given, `source` is heeded.

    Raises InvalidMapping and InvalidSource.
    """
    options = mappings.source_options(mappings.read(mapping_file)) if mapping_file else SourceOptions()
    return suggest(_source(what, options), options)


def _source(what: Path | DatabaseQuery, options: SourceOptions) -> Source:
    return open_query(what.url, what.query) if isinstance(what, DatabaseQuery) else open_file(what, options)
