"""nbval runs every shipped notebook, cell by cell, on a demo tenant's lake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from workbench import demo
from workbench.capture import capture_into
from workbench.catalog import tenants
from workbench.cli.context import Workbench
from workbench.rollup import roll_up
from workbench.session import environment

ROOT = Path(__file__).parent.parent.parent


def test_every_notebook_runs_from_top_to_bottom(workbench: Workbench) -> None:
    sample = demo.TENANTS[-1]
    tenant = tenants.Tenant(id="sample", name=sample.name, timezone=sample.timezone, currency=sample.currency)
    tenants.add(workbench.catalog, tenant)
    lake = workbench.lake(tenant)
    with lake.writer() as connection:
        for batch in demo.batches(sample):
            capture_into(connection, lake, batch)
        roll_up(connection, tenant_id=tenant.id, timezone=tenant.timezone)
    notebooks = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval-lax",
            "--nbval-current-env",
            "-q",
            "-p",
            "no:cacheprovider",
            *map(str, notebooks),
        ],
        env=os.environ | environment(lake.reading),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{_code_cells(notebooks)} passed" in done.stdout


def _code_cells(notebooks: list[Path]) -> int:
    return sum(notebook.read_text().count('"cell_type": "code"') for notebook in notebooks)
