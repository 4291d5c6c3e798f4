"""The process that owns an embedded PostgreSQL server: started by path, without site-packages, so that it is small and quick.

It is the server's parent. It stops the server when nobody holds the users' lock any more: the operating system releases a lock
however its holder ends, so a killed command leaves no server behind. It ends when the server ends, and the server ends with it.

    python -I -S keeper.py    # options, password among them, come as one JSON line on the standard input
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(options: dict[str, Any]) -> int:
    os.umask(0o077)
    keeper_lock = Path(options["keeper_lock"]).open("a")  # noqa: SIM115  held until this process ends
    os.fchmod(keeper_lock.fileno(), 0o600)
    try:
        fcntl.flock(keeper_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # another keeper was faster
    data = Path(options["data"])
    _stop_stray(data)
    if not (data / "PG_VERSION").exists():
        _initialise(data, options)
    log = (data / "server.log").open("ab")
    server = subprocess.Popen(
        [f"{options['bin']}/postgres", "-D", str(data), "-k", options["socket"], *_SERVER_OPTIONS],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=data,
        start_new_session=True,
        preexec_fn=_end_with_parent,
        **_as_user(options),
    )
    fast_shutdown = _forward(server, signal.SIGINT)
    signal.signal(signal.SIGTERM, fast_shutdown)
    signal.signal(signal.SIGINT, fast_shutdown)
    threading.Thread(target=_wait_for_no_users, args=(options["users_lock"], fast_shutdown), daemon=True).start()
    status = server.wait()
    _remove_socket(Path(options["socket"]))
    return status


_SERVER_OPTIONS = (
    "-c", "listen_addresses=",
    "-c", "unix_socket_permissions=0700",
    "-c", "max_connections=300",
    "-c", "reserved_connections=60",
    "-c", "password_encryption=scram-sha-256",
    "-c", "timezone=UTC",
    "-c", "log_timezone=UTC",
)  # fmt: skip


def _as_user(options: dict[str, Any]) -> dict[str, Any]:
    if options["uid"] is None:
        return {}
    return {"user": options["uid"], "group": options["gid"], "extra_groups": []}


def _initialise(data: Path, options: dict[str, Any]) -> None:
    """A new cluster, built beside its final place and renamed, so that one cut off half-way is never taken for whole."""
    fresh = data.with_name("data.new")
    subprocess.run(["rm", "-rf", str(fresh)], check=True)
    fresh.mkdir(mode=0o700)
    password = fresh.with_name("initial-password")
    password.unlink(missing_ok=True)
    password.touch(mode=0o600)
    password.write_text(options["password"])
    if options["uid"] is not None:
        os.chown(fresh, options["uid"], options["gid"])
        os.chown(password, options["uid"], options["gid"])
    try:
        subprocess.run(
            [
                *(f"{options['bin']}/initdb", "-D", str(fresh), "-U", "postgres", f"--pwfile={password}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=fresh,
            **_as_user(options),
        )
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why itself
    finally:
        password.unlink()
    if data.exists():
        data.rmdir()
    fresh.rename(data)


def _end_with_parent() -> None:
    """Asks Linux to shut the server down should this process be killed; elsewhere the next keeper stops the stray."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)


def _forward(server: subprocess.Popen[bytes], number: int) -> Callable[..., None]:
    def forward(*_: object) -> None:
        if server.poll() is None:
            server.send_signal(number)

    return forward


def _wait_for_no_users(users_lock: str, then: Callable[[], None]) -> None:
    lock = Path(users_lock).open("a")  # noqa: SIM115  held until this process ends: newcomers wait for a clean start
    fcntl.flock(lock, fcntl.LOCK_EX)
    then()


def _remove_socket(folder: Path) -> None:
    """It may lie among everyone's temporary files; a server that was killed leaves its socket in it."""
    with contextlib.suppress(OSError):
        for file in folder.glob(".s.PGSQL.*"):
            file.unlink()
        folder.rmdir()


def _stop_stray(data: Path) -> None:
    """Stops a server that an earlier, killed keeper left behind."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False).stdout
    except (OSError, ValueError):
        return
    if str(data) not in command:
        return
    os.kill(pid, signal.SIGINT)
    for _ in range(500):
        if not (data / "postmaster.pid").exists():
            return
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.stdin.readline())))
