"""A forked process becomes an IPython kernel."""

from __future__ import annotations

import atexit
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from workbench import sandbox
from workbench.kernels import preload


def prepare() -> None:
    """What can be done before it is known which kernel this process becomes."""
    from workbench.kernels.application import Application, Kernel

    Application.instance(kernel_class=Kernel)


def become(request: Mapping[str, Any], ready: Callable[[], None] = lambda: None) -> None:
    """Serves as the kernel with the `arguments`, `environment` and `folder` that a kernel of its own would be started with.

    `ready` is called when clients can connect.
    """
    from workbench.kernels.application import Application

    sandbox.end_with_parent()
    os.chdir(request["folder"])
    preload.live_in(request["environment"])
    _search(request["environment"].get("PYTHONPATH", ""))
    # Its parent is no client of it, and nobody reads what it would say of its connection.
    arguments = [*request["arguments"], "--IPKernelApp.parent_handle=1"]
    sys.argv = ["ipykernel_launcher", *arguments]
    prepare()
    application = Application.instance()
    application.initialize(arguments)  # type: ignore[no-untyped-call]
    ready()
    application.start()  # type: ignore[no-untyped-call]


def end(status: int) -> NoReturn:
    """As a Python program ends, but for taking all its modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _search(path: str) -> None:
    """For modules as a process started with that PYTHONPATH does, not where the fork server found this package."""
    mine = str(Path(__file__).parent.parent.parent)
    if mine in sys.path and mine not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        sys.path.remove(mine)
    sys.path[:0] = [folder for folder in path.split(os.pathsep) if folder]
