"""The fork server's process.

python -P -m workbench.kernels FOLDER MEMORY    # its first holder's connection is the standard input; MB that a kernel may have
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from pathlib import Path

from workbench.kernels import kernel, preload, wire
from workbench.kernels.server import ForkServer, Work


def main(folder: str, kernel_memory_mb: str) -> int:
    if os.fork():
        return 0  # it is nobody's child: whoever started it may end before it
    os.umask(0o077)
    first = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), 0)
    preload.load()
    if not preload.forkable():
        wire.send(first, {"refused": f"a process of {preload.threads()} threads cannot be forked"})
        return 1
    work = ForkServer(Path(folder), first, kernel_memory_mb=int(kernel_memory_mb)).serve()
    return 0 if work is None else _done(work)


def _done(work: Work) -> int:
    """In a child. What stands above this room is known to it by name."""
    if work.kind == "run":
        status: int = importlib.import_module("workbench.execution.supervisor").main()
        return status
    kernel.become(work.request)
    return 0


if __name__ == "__main__":
    kernel.end(main(*sys.argv[1:]))
