"""What a run imports, imported beforehand; and what has to be so that a process may be forked from the one that did it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

#: Under this environment, importing all that starts no thread: BLAS and Arrow's allocator would.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # One heap for all threads: each further one would be memory of the process's own.
    "MALLOC_ARENA_MAX": "1",
    # Sets and dictionaries of texts are in one order in every run of a notebook.
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}

#: By name, since most of them stand above this room.
_MODULES = (
    *("altair", "duckdb", "pandas", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet", "pytz", "vl_convert"),
    *("ipykernel.debugger", "ipykernel.kernelapp", "ipykernel.zmqshell", "ipywidgets", "tornado.platform.asyncio"),
    *("IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect"),
    *("IPython.extensions.storemagic", "IPython.utils.wildcard", "bleach._vendor.html5lib.treebuilders.etree", "pdb"),
    *("workbench.charts", "workbench.findings", "workbench.metrics", "workbench.session"),
    *("workbench.execution.supervisor", "workbench.kernels.application", "workbench.kernels.streams"),
)


def load() -> None:
    """Imports it all, and lets the collector alone what is there now: to visit an object would copy its page in every child."""
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries
            for name in _MODULES:
                importlib.import_module(name)
            _warm_up()
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def threads() -> int:
    """How many this process has; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        return len(list(Path("/proc/self/task").iterdir()))
    return 0


def forkable() -> bool:
    """Whether a copy of this process works: on Linux, with a single thread. A fork would take no other with it, but its locks."""
    return sys.platform == "linux" and threads() == 1


def live_in(environment: Mapping[str, str]) -> None:
    """Makes this, a forked process, one that was started in `environment`, and unlike the others in what is random.

    Python's own `random` and `uuid` see to themselves.
    """
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()


def _warm_up() -> None:
    """What is made once per process when it is first used."""
    import duckdb

    from workbench import lake
    from workbench.kernels import application

    importlib.import_module("workbench.execution.rehearsal").rehearse()
    # Loaded once, the extensions' libraries stay mapped when the connection is gone.
    with contextlib.closing(duckdb.connect(":memory:", config={"threads": 1, "allow_unsigned_extensions": True})) as connection:
        for name in lake.EXTENSIONS:
            lake.load_extension(connection, name)
    # The connection that the module opens when it is imported, with a thread for each core; it opens another when it needs one.
    duckdb.close()
    application.remember_files()


def fingerprint() -> str:
    """What changes when this package's code or the installed packages do."""
    import sysconfig

    package = Path(__file__).parent.parent
    packages = Path(sysconfig.get_path("purelib"))
    own = max(path.stat().st_mtime_ns for path in package.rglob("*.py"))
    return f"{sys.version}/{own}/{len(list(package.rglob('*.py')))}/{packages.stat().st_mtime_ns}"
