"""The processes of one run, as the one who started them sees them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

#: Killing a run's processes takes moments; this long is waited before their leader is killed too.
_PATIENCE_SECONDS = 10.0


class Processes:
    """One run's processes; leaving the block ends them."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._told = b""

    @classmethod
    def start(cls, order: Mapping[str, Any], *, error: IO[bytes]) -> Processes:
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "HOME", "TMPDIR", "VIRTUAL_ENV") if key in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.execution"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=error,
            env=environment | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            cwd=order["staging"],
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        return cls(process)

    def receive(self, timeout: float) -> Mapping[str, Any] | None:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not ready:
            return None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        message = json.loads(line)
        return {"outcome": message}

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin and self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
