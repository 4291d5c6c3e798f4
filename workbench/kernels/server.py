"""The fork server: one thread, everything imported and nothing opened, and a copy of itself for each who asks.

Whoever asks must be this user and show the address file, open for reading: it lies where a notebook cannot read. There is no
secret, for a run's processes are copies of this one and know all it does. A connection is for one request, whose first descriptor
is that file's:

    {"kind": "hold"}                     the server stays until the last such connection has ended
    {"kind": "run" | "kernel", …} + descriptors for input, output and error

The answer to the second is {"pid": …} with a descriptor of the process, and {"status": …} when that has ended; a kernel ends with
the connection. {"refused": why} is the answer to anything else. A server whose code has changed on disk refuses, and listens no
more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import selectors
import signal
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from workbench.kernels import preload, wire
from workbench.kernels.descendants import Watch

_log = logging.getLogger(__name__)

#: In the server's folder: where it listens, and what is shown to it.
ADDRESS = "server.json"
KINDS = ("run", "kernel")
_MOST_CHILDREN = 200
#: Connections that have asked nothing yet: a notebook may open them, for it can see the socket.
_MOST_WAITING = 32
_CHECK_SECONDS = 1.0
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a child has to do; its input, output and error are in place."""

    kind: str
    request: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    pid: int
    pidfd: int
    kind: str
    connection: socket.socket
    watch: Watch


class ForkServer:
    def __init__(self, folder: Path, first: socket.socket, *, kernel_memory_mb: int) -> None:
        """Listens in `folder`; `first` is a connection that holds the server, and is told when it is ready.

        A kernel that takes more memory than it may is killed. Runs see to their own limits.
        """
        self._folder = folder
        self._kernel_memory_mb = kernel_memory_mb
        self._fingerprint = preload.fingerprint()
        self._checked_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._holders: set[socket.socket] = set()
        self._waiting: list[socket.socket] = []
        self._children: dict[int, _Child] = {}
        self._name = f"{secrets.token_hex(8)}.sock"
        self._listener: socket.socket | None = self._listen()
        self._hold(first)
        wire.send(first, {"ready": True})

    def serve(self) -> Work | None:
        """Until nobody holds the server and its children have ended: None. In each child, at once: what it is to do."""
        while self._holders or self._children:
            kernels = [child for child in self._children.values() if child.kind == "kernel"]
            for key, _ in self._selector.select(_LOOK_SECONDS if kernels else None):
                # What came before in this round may have closed it.
                if self._selector.get_map().get(key.fd) != key:
                    continue
                work: Work | None = key.data()
                if work is not None:
                    self._leave()
                    return work
            for kernel in kernels:
                self._look(kernel)
            if not self._holders:
                self._stop_listening()
        return None

    def _look(self, kernel: _Child) -> None:
        if kernel.pid in self._children and (exceeded := kernel.watch.look()) is not None:
            _log.warning("kernel %d was killed: %s", kernel.pid, exceeded.message)
            _kill_group(kernel.pid)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with short_path(self._folder) as path:
            listener.bind(f"{path}/{self._name}")
        listener.listen(64)
        listener.setblocking(False)
        fresh = self._folder / f"{self._name}.json"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"socket": self._name, "pid": os.getpid()}))
        fresh.rename(self._folder / ADDRESS)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        return listener

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._forget(self._listener)
            self._listener = None
            (self._folder / self._name).unlink(missing_ok=True)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone again
        connection.setblocking(False)
        self._waiting.append(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, connection))
        if len(self._waiting) > _MOST_WAITING:
            self._forget(self._waiting.pop(0))

    def _hear(self, connection: socket.socket) -> Work | None:
        self._waiting.remove(connection)
        try:
            request, descriptors = wire.receive(connection)
        except (EOFError, ValueError, OSError):
            self._forget(connection)
            return None
        try:
            return self._granted(connection, request, descriptors)
        except Exception as error:
            _log.warning("a request could not be answered: %r", error)
            self._forget(connection)
            return None
        finally:
            for each in descriptors:
                os.close(each)

    def _granted(self, connection: socket.socket, request: Mapping[str, Any], descriptors: Sequence[int]) -> Work | None:
        shown, *others = descriptors or [-1]
        if why := self._refusal(connection, request, shown, len(others)):
            self._tell(connection, {"refused": why})
            self._forget(connection)
        elif request["kind"] == "hold":
            self._selector.unregister(connection)
            self._hold(connection)
            self._tell(connection, {"ready": True})
        else:
            return self._fork(connection, request, others)
        return None

    def _refusal(self, connection: socket.socket, request: Mapping[str, Any], shown: int, others: int) -> str | None:
        kind = request.get("kind")
        if _user(connection) != os.geteuid() or not self._is_address(shown):
            return "not for you"
        if self._is_stale():
            self._stop_listening()
            return "stale"
        if (kind, others) != ("hold", 0) and (kind not in KINDS or others != 3):
            return "not understood"
        return "too many children" if len(self._children) >= _MOST_CHILDREN else None

    def _is_address(self, descriptor: int) -> bool:
        """Whether it is the address file's, and reads. Landlock lets one open any file by O_PATH, or in a mode that is neither.

        The file is looked at as it is now: the number of one that is gone may be another's.
        """
        try:
            mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_PATH | os.O_ACCMODE)
            own = (self._folder / ADDRESS).stat()
            return mode == os.O_RDONLY and os.path.samestat(os.fstat(descriptor), own)
        except (OSError, ValueError):
            return False

    def _is_stale(self) -> bool:
        if self._listener is not None and time.monotonic() - self._checked_at > _CHECK_SECONDS:
            self._checked_at = time.monotonic()
            if preload.fingerprint() != self._fingerprint:
                return True
        return self._listener is None

    def _hold(self, connection: socket.socket) -> None:
        self._holders.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._let_go, connection))

    def _let_go(self, connection: socket.socket) -> None:
        self._holders.discard(connection)
        self._forget(connection)

    def _fork(self, connection: socket.socket, request: Mapping[str, Any], descriptors: Sequence[int]) -> Work | None:
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(connection, {"refused": error.strerror})
            self._forget(connection)
            return None
        if pid == 0:
            return _begun(request, descriptors)
        watch = Watch(memory_mb=self._kernel_memory_mb, processes=None, child=pid)
        child = _Child(pid=pid, pidfd=os.pidfd_open(pid), kind=request["kind"], connection=connection, watch=watch)
        self._children[pid] = child
        self._selector.register(child.pidfd, selectors.EVENT_READ, partial(self._bury, child))
        self._selector.modify(connection, selectors.EVENT_READ, partial(self._abandon, child))
        self._tell(connection, {"pid": pid}, [child.pidfd])
        return None

    def _abandon(self, child: _Child) -> None:
        """Its client has gone. A run learns that by the end of its input, and tidies up before it ends."""
        self._selector.unregister(child.connection)
        if child.kind == "kernel":
            _kill_group(child.pid)

    def _bury(self, child: _Child) -> None:
        # What it left in its group, while nothing else can have its number.
        _kill_group(child.pid)
        _, status = os.waitpid(child.pid, 0)
        del self._children[child.pid]
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        self._tell(child.connection, {"status": os.waitstatus_to_exitcode(status)})
        self._forget(child.connection)

    def _tell(self, connection: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):
            wire.send(connection, message, descriptors)

    def _forget(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        connection.close()

    def _leave(self) -> None:
        """In a child: nothing of the server's stays open, and nothing that Python closes later is another's by then."""
        for each in (self._listener, *self._holders, *self._waiting, *(child.connection for child in self._children.values())):
            if each is not None:
                each.close()
        self._selector.close()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _begun(request: Mapping[str, Any], descriptors: Sequence[int]) -> Work:
    """In a child, which goes on as that or not at all: no second server may come of an error."""
    try:
        os.setsid()
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
        return Work(kind=request["kind"], request=request)
    except BaseException:
        os._exit(1)


@contextlib.contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """A name of the folder that leaves room for a socket's: such a path has about 100 characters."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _user(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", credentials)[1]
    return user


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
