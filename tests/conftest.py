"""A workbench of its own for the whole test run: embedded PostgreSQL, real lakes, in a folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench import settings as settings_table
from workbench.catalog import Catalog, tenants
from workbench.cli.context import Workbench
from workbench.lake import Lake

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def new_home() -> Iterator[Callable[[], Path]]:
    """Makes folders for workbenches; not below pytest's own, whose permissions another pytest resets while a server uses it."""
    with contextlib.ExitStack() as stack:

        def make() -> Path:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-test-")))
            (folder / "schedules.yaml").write_text("schedules: {}\n")
            return folder

        yield make


@pytest.fixture(scope="session")
def home(new_home: Callable[[], Path]) -> Path:
    return new_home()


@pytest.fixture(scope="session")
def workbench(home: Path) -> Iterator[Workbench]:
    settings = settings_table.load({"WORKBENCH_HOME": str(home)})
    catalog = Catalog(settings)
    yield Workbench(settings=settings, catalog=catalog)
    catalog.close()


@pytest.fixture(scope="session")
def new_lake(workbench: Workbench) -> Callable[..., Lake]:
    """Makes a tenant with an empty lake; `new_lake(timezone="Asia/Kolkata")`."""

    def make(timezone: str = "Europe/Zurich", name: str = "Acme") -> Lake:
        tenant = tenants.Tenant(id=f"tenant_{next(_numbers)}", name=name, timezone=timezone, currency="CHF")
        tenants.add(workbench.catalog, tenant)
        lake = workbench.lake(tenant)
        with lake.writer():
            return lake

    return make


@pytest.fixture
def lake(new_lake: Callable[..., Lake]) -> Lake:
    return new_lake()


@pytest.fixture(scope="session")
def run_cli(home: Path, workbench: Workbench) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `workbench …` as a user does, in the test run's workbench."""

    def run(*arguments: str, home: Path = home, **options: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
        return subprocess.run(
            [sys.executable, "-m", "workbench", *arguments],
            env=environment | {"WORKBENCH_HOME": str(home)} | options,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the public data whose answers are known."""
    folder = os.environ.get("WORKBENCH_TEST_DATA")
    if not folder:
        pytest.skip("WORKBENCH_TEST_DATA names no folder with the public data sets")
    return Path(folder)
