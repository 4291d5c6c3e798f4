"""ipykernel's application, so that starting it touches little of the memory that this process shares with the fork server.

A page of memory is copied when an object in it gets another reference. A kernel started in the ordinary way makes a parser of
every option there is (4 MB) and looks at every module (10 MB).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar

from ipykernel import ipkernel
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

_OPTION = re.compile(r"--(\w+)\.(\w+)=(.*)", re.DOTALL)


class Kernel(IPythonKernel):
    #: The modules that a debugger need not show, as they were before the fork.
    files: ClassVar[Sequence[str]] = ()

    def __init__(self, **options: Any) -> None:
        ipkernel.sys = _WithoutModules("sys")  # type: ignore[attr-defined]
        try:
            super().__init__(**options)  # type: ignore[no-untyped-call]
        finally:
            ipkernel.sys = sys  # type: ignore[attr-defined]
        self._kernel_modules += self.files


class _WithoutModules(ModuleType):
    modules: ClassVar[dict[str, ModuleType]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


class Application(IPKernelApp):
    def parse_command_line(self, argv: Any = None) -> None:
        """Reads what clients start kernels with, itself; anything else in the ordinary way."""
        config = _config(argv or ())
        if config is None:
            super().parse_command_line(argv)
            return
        self.argv = list(argv)
        self.cli_config = config
        self.update_config(config)


def _config(arguments: Sequence[str]) -> Config | None:
    """From `-f FILE` and `--Class.name=value`; None where there are others."""
    config = Config()
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "-f" and left:
            config.IPKernelApp.connection_file = left.pop(0)
        elif found := _OPTION.fullmatch(argument):
            config[found[1]][found[2]] = DeferredConfigString(found[3])
        else:
            return None
    return config


def remember_files() -> None:
    """Before the fork: copies of the names, which lie together."""
    files = [getattr(each, "__file__", None) for each in tuple(sys.modules.values())]
    Kernel.files = ["".join(list(each)) for each in files if each]
