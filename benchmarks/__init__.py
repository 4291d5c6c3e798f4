"""How fast the workbench is on this machine, each figure beside the same work done by plain DuckDB in the same run.

A benchmark is a module of this package with `TITLE`, `FIGURES` (each figure's unit, promise and meaning) and `run()`, which
returns the figures by name. It works in a home and on a database server of its own, which are gone afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("capture", "rollup")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one figure means; `promise` is the most that it may be on two cores, None where it only informs."""

    unit: str
    meaning: str
    promise: float | None = None
