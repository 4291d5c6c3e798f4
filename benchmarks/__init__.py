"""How fast the workbench is on this machine, each figure beside the same work done by a peer in the same run.

A benchmark is a module of this package with `TITLE`, `FIGURES` (each figure's unit, promise and meaning) and `run()`, which
returns the figures by name. It works in a home and on a database server of its own, which are gone afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("capture", "rollup", "runs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one figure means; on two cores it may be at most `promise` and has to be `at_least`; None where it only informs."""

    unit: str
    meaning: str
    promise: float | None = None
    at_least: float | None = None

    def promised(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}".rstrip()
        return "" if self.promise is None else f"≤ {self.promise:g} {self.unit}".rstrip()

    def missed_by(self, value: float) -> bool:
        if self.at_least is not None:
            return value < self.at_least
        return self.promise is not None and value > self.promise
