"""What a text file is made of, found out by reading it once in bounded memory."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from workbench.errors import InvalidSource

#: No line (for CSV, no row) may be longer: a longer one is a file without line ends, or a quote that is never closed.
MAX_LINE_BYTES = 16 * 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_SAMPLE_BYTES = 256 * 1024
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LEGACY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "gb18030", "euc_kr"]
_KINDS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or name it .xlsx"),
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); save it as .xlsx or CSV"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A file that is text. `quotes` is how many double quotes it has."""

    encoding: str
    quotes: int


def examine(path: Path, encoding: str | None = None, *, in_lines: bool = True) -> Text:
    """The encoding of the file, detected where it is not given.

    Raises InvalidSource where the file is empty, not text or, if it is `in_lines`, has one above MAX_LINE_BYTES. Keeps only a
    block in memory and stops at the first thing that is wrong.
    """
    scan = _Scan(path, encoding, in_lines=in_lines)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            scan.take(block)
    return scan.result()


def kind_of(start: bytes) -> str | None:
    """What a file that starts so is, if it is a known kind that is not text."""
    return next((kind for magic, kind in _KINDS if start.startswith(magic)), None)


class _Scan:
    """One pass over a file: its encoding, its longest line, and whether it is text at all."""

    def __init__(self, path: Path, encoding: str | None, *, in_lines: bool) -> None:
        self._path = path
        self._in_lines = in_lines
        self._given = encoding
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._suspects = b""
        self._line = 1
        self._since_line_end = 0
        self._read = 0
        self._quotes = 0

    def take(self, block: bytes) -> None:
        if not self._read:
            self._start(block)
        self._read += len(block)
        self._quotes += block.count(b'"')
        self._measure_lines(block)
        if self._encoding is None:
            self._check_text(block)

    def result(self) -> Text:
        if not self._read:
            raise InvalidSource(f"{self._path} is empty; there is nothing to import.")
        if self._encoding is None and self._decoder:
            self._decode(b"", final=True)
        return Text(encoding=self._encoding or ("utf-8" if self._decoder else self._legacy()), quotes=self._quotes)

    def _start(self, block: bytes) -> None:
        if self._given is None and (kind := kind_of(block)):
            raise InvalidSource(f"{self._path} is not text: it looks like {kind}.")
        if self._given is None:
            self._encoding = next((name for mark, name in _MARKS if block.startswith(mark) and name != "utf-8"), None)
            self._encoding = self._encoding or _utf_16_without_mark(block[:_SAMPLE_BYTES])

    def _measure_lines(self, block: bytes) -> None:
        first, last = block.find(b"\n"), block.rfind(b"\n")
        self._since_line_end += len(block) if first < 0 else first
        if self._in_lines and self._since_line_end > MAX_LINE_BYTES:
            raise InvalidSource(
                f"{self._path}: line {self._line} is longer than {MAX_LINE_BYTES // 1024**2} MB, the most a line may have. "
                "Is it really a table with one row a line?"
            )
        if first >= 0:
            self._line += block.count(b"\n")
            self._since_line_end = len(block) - last - 1

    def _check_text(self, block: bytes) -> None:
        if b"\0" in block:
            raise InvalidSource(f"{self._path} is not text: it has zero bytes near line {self._line}.")
        if self._decoder:
            self._decode(block)
        if not self._decoder and len(self._suspects) < _SAMPLE_BYTES:
            self._suspects += b"\n".join(line for line in block[: 4 * _SAMPLE_BYTES].split(b"\n") if not line.isascii())

    def _decode(self, block: bytes, *, final: bool = False) -> None:
        try:
            if self._decoder:
                self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            self._decoder = None
            around = error.object[max(0, error.start - _SAMPLE_BYTES) : error.start + _SAMPLE_BYTES]
            self._suspects = b"\n".join(line for line in around.split(b"\n") if not line.isascii())

    def _legacy(self) -> str:
        """The encoding of text that is not UTF-8. Western European unless the bytes clearly say something else."""
        sample = self._suspects[:_SAMPLE_BYTES]
        controls = sum(sample.count(byte) for byte in [*range(9), *range(14, 32)])
        if controls > len(sample) // 200:
            raise InvalidSource(f"{self._path} is not text: it is full of control characters.")
        best = from_bytes(sample, cp_isolation=_LEGACY).best() if len(sample) > 2000 else None
        encoding = best.encoding if best else "cp1252"
        try:
            sample.decode(encoding)
        except UnicodeDecodeError:
            raise InvalidSource(
                f"{self._path} is not text, or in an encoding that was not recognised; if it is text, say which under "
                "`source: {encoding: …}` in the mapping."
            ) from None
        return encoding


def _utf_16_without_mark(sample: bytes) -> str | None:
    """Half of the bytes of Western text in UTF-16 are zero, all on the same side."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) < 4 or max(even, odd) < 0.3 * len(sample) or min(even, odd) > 0.02 * len(sample):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"
