"""The workbench, as notebooks see it. The names in `__all__` are stable; everything else may move."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.figures import Figure, standout
    from workbench.session import Period, Session, open  # noqa: A004
    from workbench.tables import Column

__all__ = ["Column", "Figure", "Period", "Session", "open", "standout"]

_HOME = {
    "Column": "tables",
    "Figure": "figures",
    "Period": "session",
    "Session": "session",
    "open": "session",
    "standout": "figures",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for, so that `workbench --help` does not wait for pandas."""
    if name not in _HOME:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    return getattr(importlib.import_module(f"workbench.{_HOME[name]}"), name)
