"""A process that was forked elsewhere, spoken of as `subprocess` speaks of one that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from workbench.kernels import wire

#: How it ended is told within moments, unless whoever could tell has died.
_TOLD_SECONDS = 1.0
_UNKNOWN = 1


class Child:
    """Has what a kernel's provisioner uses of `subprocess.Popen`. Its group bears its number."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd = pidfd
        self._connection = connection

    def fileno(self) -> int:
        """Readable when it has ended."""
        return self._pidfd

    def poll(self) -> int | None:
        if self.returncode is None and wire.readable(self._pidfd, 0):
            self.returncode = self._status()
            self.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutError where it has not ended by then."""
        if self.returncode is None and not wire.readable(self._pidfd, timeout):
            raise TimeoutError
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """To its whole group, as long as it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """A kernel that has not ended is killed by this."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
            self._connection.close()

    def _status(self) -> int:
        with contextlib.suppress(ChildProcessError):
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        deadline = time.monotonic() + _TOLD_SECONDS
        self._connection.settimeout(_TOLD_SECONDS)
        with contextlib.suppress(EOFError, OSError, ValueError):
            while time.monotonic() < deadline:
                told, _ = wire.receive(self._connection)
                if isinstance(told.get("status"), int):
                    status: int = told["status"]
                    return status
        return _UNKNOWN
