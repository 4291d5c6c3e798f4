"""The processes of one run: one executes the notebook, one exports it, and a supervisor sees to it that nothing outlives them.

    python -P -m workbench.execution    # where no fork server gives a copy of itself

The order comes as one line of JSON on the standard input, which stays open: when it ends, because whoever gave the order has died
or has had enough, everything is killed at once. On the standard output come lines of JSON (`workbench.processes` says which), the
last of them with the outcome.

The notebook's process may write to the run's private folder alone (`workbench.sandbox`) and ends, with all that it started,
before the exporting one takes the expected files out of there. Nothing is imported from that folder, or read as settings, here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Order = Mapping[str, Any]
Outcome = Mapping[str, Any]
Say = Callable[[Mapping[str, Any]], None]

#: Names within the folder that a run may write to.
NOTEBOOK, TABLES = "executed.ipynb", "tables"
_LONGEST_ERROR = 2000


def shortened(text: str) -> str:
    """As it may stand in the ledger and on a screen: nobody reads a megabyte."""
    return cleaned(text)[:_LONGEST_ERROR]


def cleaned(text: str) -> str:
    """As it may be kept and sent, with as many characters: PostgreSQL holds no NUL, and UTF-8 no half of a pair."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
