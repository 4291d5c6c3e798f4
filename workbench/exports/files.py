"""Files of an export, written so that nothing a notebook left in the folder leads elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


def new(path: Path) -> BinaryIO:
    """A new file in the place of whatever was there: a link is replaced and never followed. Raises OSError."""
    path.unlink(missing_ok=True)
    return path.open("xb")
