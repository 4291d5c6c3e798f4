"""Named SQL from the `sql/` folder.

A file holds one statement or several. It opens with a comment line that says what it does and may declare its parameters:

    -- Calls of one agent, by day.
    -- :agent_id    the agent
    -- :start_date  first day, tenant's time zone
    select ... where agent_id = $agent_id

Parameters are bound by the database, never pasted in. A file that uses a parameter it does not declare, or declares one it does
not use, is refused when it is loaded; so is a call with a parameter missing or unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import BrokenInstallation

_PACKAGE = Path(__file__).parent
_DECLARED = re.compile(r"^-- :(\w+)\s", re.MULTILINE)
_USED = re.compile(r"(?<![\w$'])\$([a-z_]\w*)")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One file of `sql/`: `name` is its path without the ending, as in `rollup/agent_metrics`."""

    name: str
    description: str
    parameters: frozenset[str]
    sql: str

    @property
    def postgresql(self) -> str:
        """The statement as SQLAlchemy's `text` takes it: `:name` for a parameter, and no comments."""
        return _USED.sub(r":\1", _COMMENT.sub("", self.sql))

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """`parameters` as DuckDB takes them; raises TypeError where names are missing or unknown."""
        given = frozenset(parameters)
        if given != self.parameters:
            missing, unknown = sorted(self.parameters - given), sorted(given - self.parameters)
            raise TypeError(f"query {self.name}: missing parameters {missing}, unknown parameters {unknown}")
        return dict(parameters)


def folder() -> Path:
    """The folder of SQL files: beside the package in a checkout, inside it where it was installed from a wheel."""
    for candidate in (_PACKAGE.parent / "sql", _PACKAGE / "shipped" / "sql"):
        if candidate.is_dir():
            return candidate
    raise BrokenInstallation(f"The sql/ folder is missing beside {_PACKAGE}; install workbench again.")


@cache
def query(name: str) -> Query:
    """The named query, for example `rollup/agent_metrics`. Raises BrokenInstallation where it is missing or malformed."""
    path = folder() / f"{name}.sql"
    if not path.is_file():
        raise BrokenInstallation(f"The query {name} is missing: no file {path}.")
    return parse(name, path.read_text(encoding="utf-8"))


def names(under: str = "") -> list[str]:
    """Names of all queries, or of those below the folder `under`, sorted."""
    root = folder()
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in (root / under).rglob("*.sql"))


def literal(value: str) -> str:
    """A SQL string literal, for statements in which DuckDB binds no parameters, or whose first one would import pandas."""
    return "'" + value.replace("'", "''") + "'"


def parse(name: str, text: str) -> Query:
    """A query from the text of its file; see the module's own words for the form."""
    first = text.split("\n", 1)[0]
    if not first.startswith("-- ") or first.startswith("-- :"):
        raise BrokenInstallation(f"The query {name} must open with a comment line that says what it does.")
    declared = frozenset(_DECLARED.findall(text))
    used = frozenset(_USED.findall(_COMMENT.sub("", text)))
    if declared != used:
        raise BrokenInstallation(
            f"The query {name} declares but does not use {sorted(declared - used)}; "
            f"it uses but does not declare {sorted(used - declared)}."
        )
    return Query(name=name, description=first.removeprefix("-- ").strip(), parameters=declared, sql=text)
