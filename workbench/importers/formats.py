"""Which format a file has, and the source that reads it."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import InvalidSource
from workbench.importers.columnar import open_parquet, open_workbook
from workbench.importers.delimited import open_delimited
from workbench.importers.mapping import Format, SourceOptions
from workbench.importers.records import open_json, open_ndjson
from workbench.importers.sources import Source

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_STARTS: tuple[tuple[bytes, Format], ...] = ((b"PAR1", "parquet"), (b"PK\x03\x04", "xlsx"), (b"[", "json"), (b"{", "json"))


def open_file(path: Path, options: SourceOptions) -> Source:
    """The file as a source: in the format that the options say, else that of its ending, else what it starts like.

    Raises InvalidSource where it is not there, empty, or not in that format.
    """
    try:
        if path.is_dir():
            raise InvalidSource(f"{path} is a folder; name one file to import.")
        if path.stat().st_size == 0:
            raise InvalidSource(f"{path} is empty; there is nothing to import.")
        return _open(path, options, options.format or _ENDINGS.get(path.suffix.lower()) or _sniffed(path))
    except FileNotFoundError:
        raise InvalidSource(f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidSource(f"{path} cannot be read: {error.strerror or error}.") from None


def _open(path: Path, options: SourceOptions, file_format: Format) -> Source:
    match file_format:
        case "csv":
            return open_delimited(path, options, None)
        case "tsv":
            return open_delimited(path, options, "\t")
        case "json":
            return open_json(path, options)
        case "ndjson":
            return open_ndjson(path, options)
        case "parquet":
            return open_parquet(path)
        case "xlsx":
            return open_workbook(path, options)


def _sniffed(path: Path) -> Format:
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((name for magic, name in _STARTS if start.startswith(magic)), "csv")
