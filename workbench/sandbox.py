"""What keeps a notebook's Python to its run: the files it may open, and what may be taken from the folder it wrote.

On Linux the kernel holds it (Landlock, since 5.13): the process and all it starts can open the listed paths and nothing else,
cannot signal or inspect a process outside (since 6.12), and as root lose every capability but those that reach the database's
socket. Elsewhere nothing but the operating system's own users keeps a notebook from other files.

Landlock knows no rights for changing modes and owners, or for connecting to a socket whose path is known; the sockets there are
ask for a password.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from workbench.errors import BadInput

#: System calls, numbered alike on every architecture of Linux.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
#: How many rights over files each version of Landlock's interface knows, from the first on.
_RIGHTS = (13, 14, 15, 15, 16)
_SIGNALS_AND_ABSTRACT_SOCKETS = 3

#: Reading and passing through folders of others: as root, the way to the socket of the server, which is another user's.
_KEPT_CAPABILITIES = frozenset({1, 2})
_CAPABILITIES = 64
_CAPABILITY_VERSION = 0x20080522

#: More than any report is; a notebook that printed more would only fill the disk twice.
LARGEST_FILE = 500 * 10**6

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "SSL_CERT_FILE")

#: Of the system, all that Python, DuckDB (which looks at its memory limit) and a connection to a database read.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/proc", "/sys/fs/cgroup", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl"),
    *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"),
)


def environment(*names: str) -> dict[str, str]:
    """Of this process's environment, all that a notebook's gets, and `names`: no secret of the server's is among it."""
    return {name: os.environ[name] for name in (*_PASSED_ON, *names) if name in os.environ}


def end_with_parent() -> None:
    """On Linux, this process is killed when the one that forked it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """On Linux, whatever this process's descendants leave behind becomes its own child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def restrict(read: Iterable[str], write: Iterable[str]) -> bool:
    """Holds this process, for good, to reading Python, the system's libraries and `read`, and to writing below `write`.

    False, with nothing changed, where the system has no Landlock. Call it before a thread is started: it binds the calling one.
    """
    try:
        version = _landlock(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return False
    if os.geteuid() == 0:
        _drop_capabilities()
    rights = (1 << _RIGHTS[min(version, len(_RIGHTS)) - 1]) - 1
    rules = _ruleset(version, rights)
    python = (sys.prefix, os.path.realpath(sys.base_prefix))
    for path in (*_SYSTEM, *python, *read):
        _allow(rules, path, _EXECUTE | _READ_FILE | _READ_FOLDER)
    for path in ("/dev/null", *write):
        _allow(rules, path, rights & ~_IOCTL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _landlock(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)
    return True


def take(source: Path, target: Path) -> None:
    """Copies a file out of a folder that a notebook could write to, never anything that a link on the way there points to.

    The notebook's processes must have ended. Raises FileNotFoundError where there is none, BadInput where it is a link, no plain
    file, or larger than `LARGEST_FILE`.
    """
    if source.parent.resolve() != source.parent:
        raise BadInput(f"The notebook left a link in place of the folder of {source.name}.")
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        raise BadInput(_NO_PLAIN_FILE.format(source.name)) from error
    with os.fdopen(descriptor, "rb") as file:
        _check_plain(source.name, os.fstat(descriptor))
        with target.open("xb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)


def _check_plain(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise BadInput(_NO_PLAIN_FILE.format(name))
    if status.st_size > LARGEST_FILE:
        raise BadInput(f"{name} has {status.st_size:,} bytes; a file of a report may have {LARGEST_FILE:,}.")


_NO_PLAIN_FILE = "The notebook left something in place of {} that is no plain file."


def _ruleset(version: int, rights: int) -> int:
    """A set of rules that handles all rights over files, and from version 6 on what reaches out of the sandbox without a file."""
    attributes = struct.pack("<QQQ", rights, 0, _SIGNALS_AND_ABSTRACT_SOCKETS)[: 8 if version < 4 else 16 if version < 6 else 24]
    return _landlock(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _OF_A_FILE
    beneath = struct.pack("<Qi", rights, descriptor)
    _landlock(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), beneath, ctypes.c_uint32(0))
    os.close(descriptor)


def _drop_capabilities() -> None:
    library = ctypes.CDLL(None)
    for capability in set(range(_CAPABILITIES)) - _KEPT_CAPABILITIES:
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused for numbers this kernel has not
    kept = sum(1 << capability for capability in _KEPT_CAPABILITIES)
    header, sets = struct.pack("<Ii", _CAPABILITY_VERSION, 0), struct.pack("<6I", kept, kept, 0, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, sets):
        raise OSError(ctypes.get_errno(), "cannot give up root's capabilities")


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _landlock(number: int, *arguments: object) -> int:
    if sys.platform != "linux":
        raise OSError("Landlock is Linux's")
    result: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
