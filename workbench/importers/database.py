"""A query on someone's PostgreSQL, read as a stream: never more than a chunk in memory, and never a write to that database."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from workbench.errors import InvalidSource
from workbench.importers.delimited import Layout, read
from workbench.importers.sources import Chunk, Source, column_names


def open_query(url: str, query: str) -> Source:
    """The rows of a query as a source. Times with a zone come in UTC. Raises InvalidSource where it cannot be run."""
    host = _host(url)
    columns = _columns(url, query, host)
    return Source(
        name=f"query on {host}",
        described="rows of a PostgreSQL query",
        columns=columns,
        chunks=lambda: _chunks(url, query, columns),
    )


def _host(url: str) -> str:
    """Where the database is, without user and password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:  # its words may repeat the password
        raise InvalidSource("The source is not a PostgreSQL URL like postgresql://user@host/database.") from None
    return f"{parts.get('host') or 'localhost'}/{parts.get('dbname') or ''}"


def _connect(url: str) -> psycopg.Connection[Any]:
    """A session that reads only, in UTC and ISO dates whatever the server's habit."""
    connection = psycopg.connect(url, connect_timeout=10, client_encoding="utf8")
    connection.read_only = True
    connection.execute("set local timezone = 'UTC'")
    connection.execute("set local datestyle = 'ISO, YMD'")
    connection.execute("set local intervalstyle = 'postgres'")
    return connection


def _columns(url: str, query: str, host: str) -> tuple[str, ...]:
    try:
        with _connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("select * from ({}) as source limit 0").format(_body(query)), prepare=True)
            return column_names([column.name for column in cursor.description or []])
    except psycopg.Error as error:
        raise InvalidSource(f"The query on {host} cannot be run: {_words(error)}") from None


def _chunks(url: str, query: str, columns: tuple[str, ...]) -> Iterator[Chunk]:
    layout = Layout(columns=columns, delimiter=",", by_line=False)
    try:
        with _connect(url) as connection, connection.cursor() as cursor:
            command = sql.SQL("copy ({}) to stdout (format csv)").format(_body(query))
            with cursor.copy(command) as copy:
                yield from read(io.BufferedReader(_CopyStream(iter(copy))), layout, f"query on {connection.info.host}")
    except psycopg.Error as error:
        raise InvalidSource(f"The query failed: {_words(error)}") from None


def _body(query: str) -> sql.SQL:
    """The query to stand in brackets: the line end keeps a closing comment from swallowing the bracket."""
    return sql.SQL(query.strip().rstrip(";") + "\n")  # the user's own statement


def _words(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


class _CopyStream(io.RawIOBase):
    """The bytes of a COPY as a file."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks = blocks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = bytes(block)
        taken = min(len(buffer), len(self._left))
        buffer[:taken], self._left = self._left[:taken], self._left[taken:]
        return taken
