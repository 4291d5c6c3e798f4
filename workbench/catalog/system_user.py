"""Who runs the embedded server: this user, or, since PostgreSQL refuses to run as root, a system user of its own for root.

That user has to pass through every folder above its data and its programs. A folder that keeps it out is opened for it alone, to
pass but not to list, and a warning says so.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import pwd
import shutil
import stat
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workbench.errors import BrokenInstallation

_log = logging.getLogger(__name__)
_NAME = "workbench-postgres"


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemUser:
    name: str
    uid: int
    gid: int


def for_server(paths: Sequence[Path]) -> SystemUser | None:
    """The user to run the server as, able to reach `paths`; None for this process's own user."""
    if os.geteuid() != 0:
        return None
    user = _find() or _create()
    opened = list(dict.fromkeys(folder for path in paths for folder in _closed_above(path, user)))
    for folder in opened:
        _let_pass(folder, user)
    if opened:
        _log.warning(
            "PostgreSQL cannot run as root, so it runs as the system user %s, which may now pass through (not list) %s. "
            "To avoid this, run workbench as an ordinary user or set WORKBENCH_DATABASE_URL.",
            user.name,
            ", ".join(str(folder) for folder in opened),
        )
    return user


def make_private(folder: Path) -> None:
    """A folder that others cannot list, and what is missing above it; root's can be passed through, for the server's user."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o711 if os.geteuid() == 0 else 0o700)  # whatever this process's umask is


def open_private(path: Path, mode: str) -> IO[str]:
    """A file for this user alone, also one that others could read so far."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path.open(mode)


def make_own(folder: Path, owner: SystemUser | None) -> None:
    """A folder that belongs to the server's user alone.

    Raises BrokenInstallation where it is a link or another user's: its place among the temporary files can be known beforehand.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        raise _not_ours(folder) from None
    try:
        if os.fstat(opened).st_uid not in {os.geteuid(), owner.uid if owner else os.geteuid()}:
            raise _not_ours(folder)
        os.fchmod(opened, 0o700)
        if owner is not None:
            os.fchown(opened, owner.uid, owner.gid)
    finally:
        os.close(opened)


def _not_ours(folder: Path) -> BrokenInstallation:
    return BrokenInstallation(
        f"The folder {folder} belongs to another user or is a link; remove it, or set TMPDIR to a folder of your own."
    )


def _find() -> SystemUser | None:
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        return None
    return SystemUser(name=_NAME, uid=entry.pw_uid, gid=entry.pw_gid)


def _create() -> SystemUser:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if useradd is not None:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME]
        subprocess.run(command, check=False, capture_output=True)  # a process beside this one may have made it
        if user := _find():
            return user
    raise BrokenInstallation(
        f"PostgreSQL cannot run as root, and the system user {_NAME} for it could not be created. "
        "Run workbench as an ordinary user, or set WORKBENCH_DATABASE_URL to a PostgreSQL server of yours."
    )


def _closed_above(path: Path, user: SystemUser) -> list[Path]:
    return [folder for folder in (path, *path.parents) if not _may_pass(folder, user)]


def _may_pass(folder: Path, user: SystemUser) -> bool:
    status = folder.stat()
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    # Where a folder has a list, its mode's group bits are the mask, which a later chmod may have closed again.
    allowed = status.st_mode & stat.S_IXGRP and _acl_entry(_ACL_USER, _EXECUTE, user.uid) in _acl_entries(folder)
    return bool(status.st_mode & stat.S_IXOTH or allowed)


def _let_pass(folder: Path, user: SystemUser) -> None:
    """Search permission for that user alone by an access control list, or for all where the file system has none."""
    try:
        os.setxattr(folder, _ACL, _with_passage(folder, user))
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL):
            raise
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)


# The kernel's form of a POSIX access control list: a version, then (tag, permissions, id) entries in order of tag and id.
_ACL = "system.posix_acl_access"
_ACL_VERSION = struct.pack("<I", 2)
_ACL_USER_OBJ, _ACL_USER, _ACL_GROUP_OBJ, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_EXECUTE = 1
_NO_ID = 0xFFFFFFFF


def _acl_entry(tag: int, permissions: int, identity: int = _NO_ID) -> bytes:
    return struct.pack("<HHI", tag, permissions, identity)


def _acl_entries(folder: Path) -> list[bytes]:
    try:
        acl = os.getxattr(folder, _ACL)
    except (OSError, AttributeError):
        return []
    return [acl[start : start + 8] for start in range(4, len(acl), 8)]


def _with_passage(folder: Path, user: SystemUser) -> bytes:
    mode = folder.stat().st_mode
    entries = _acl_entries(folder) or [
        _acl_entry(_ACL_USER_OBJ, mode >> 6 & 7),
        _acl_entry(_ACL_GROUP_OBJ, mode >> 3 & 7),
        _acl_entry(_ACL_MASK, mode >> 3 & 7),
        _acl_entry(_ACL_OTHER, mode & 7),
    ]
    entries = list({_widened(entry) for entry in entries} | {_acl_entry(_ACL_USER, _EXECUTE, user.uid)})
    entries.sort(key=lambda entry: (struct.unpack("<HHI", entry)[0], struct.unpack("<HHI", entry)[2]))
    return _ACL_VERSION + b"".join(entries)


def _widened(entry: bytes) -> bytes:
    """The mask bounds what any named user may do, so it has to allow passing."""
    tag, permissions, identity = struct.unpack("<HHI", entry)
    return _acl_entry(tag, permissions | _EXECUTE, identity) if tag == _ACL_MASK else entry
