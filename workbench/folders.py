"""Where the files of a run lie, and by what name a folder is known to be a run's.

`reports/<tenant>/<report>/<run>/` for what is published, beside it, under a name with a dot, what is being made, and
`var/failed/<tenant>/<run>/` for what is left of a run that failed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from workbench.settings import Settings

#: A run's folder, or, with a dot and who makes it, one in which its files are being made.
_NAME = re.compile(r"\.?(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})(\.\d+)*")


def published(settings: Settings, tenant_id: str, report: str, run_id: str) -> Path:
    """Where the files of a run that succeeds are."""
    return settings.reports / tenant_id / report / run_id


def failed(settings: Settings, tenant_id: str, run_id: str) -> Path:
    """Where the notebook of a run that failed is, as far as it came."""
    return settings.var / "failed" / tenant_id / run_id


def staging(published: Path, attempt: int) -> Path:
    """Where this process makes the files of an attempt, beside where they are to be."""
    return published.with_name(f".{published.name}.{attempt}.{os.getpid()}")


def remove_staging(published: Path) -> None:
    """Of attempts whose workers were killed."""
    for left in published.parent.glob(f".{published.name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def run_id(name: str) -> str | None:
    """Of the run whose folder has that name; None where it is no run's."""
    match = _NAME.fullmatch(name)
    return match["id"] if match else None
