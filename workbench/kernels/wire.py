"""What the fork server and those who ask it say to each other: JSON objects over a Unix socket that keeps messages apart.

With a message may come file descriptors, which the other side gets as its own.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Mapping, Sequence
from typing import Any

#: A request holds a process's environment, a few kilobytes; the system takes no message of more than about 200.
_LARGEST = 1 << 18
_DESCRIPTORS = 4


def readable(descriptor: int, timeout: float | None) -> bool:
    """Whether there is something to read, or the end of it, within so many seconds; for a process's descriptor, its end."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if timeout is None else timeout * 1000))


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection between a process and one that it forks."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(connection: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Raises OSError where nobody is there to get it, or where it is too long."""
    socket.send_fds(connection, [json.dumps(message).encode()], descriptors)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message. Raises EOFError at the end of the connection, ValueError for what is no message, OSError."""
    told, descriptors, flags, _ = socket.recv_fds(connection, _LARGEST, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not told:
        raise EOFError
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ValueError("a message is too long")
        message = _parsed(told)
        if not isinstance(message, dict):
            raise ValueError("a message is a JSON object")
    except ValueError:
        for each in descriptors:
            os.close(each)
        raise
    return message, descriptors


def _parsed(told: bytes) -> Any:
    try:
        return json.loads(told)
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
