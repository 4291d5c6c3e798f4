"""SQL expressions of a mapping: one value of one row, computed where nothing else can be reached.

They run in an in-memory DuckDB that has no access to files, network, extensions or the variables of this program, and whose
settings are locked. What is allowed is an expression over the row's columns, which are all text: no subquery, aggregate, window
or parameter, and no function whose answer differs from one run to the next (an import that is run again must give the same
events).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from workbench.documents import did_you_mean
from workbench.queries import query

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
}
_REFUSED = {
    "SUBQUERY": "a query inside an expression",
    "WINDOW": "a window function",
    "STAR": "`*`",
    "PARAMETER": "a parameter",
}
_OTHERS_OF_MANY = ("unnest", "count_star")
_OF_MANY = "it is about many rows, an expression is about one"
_CHANGING = "its answer changes from one run to the next"


def locked_connection() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that knows the conversions of `sql/import/conversions.sql` and reaches nothing outside itself."""
    connection = duckdb.connect(config=_LOCKED)
    connection.execute(query("import/conversions").sql)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def column(name: str) -> duckdb.Expression:
    """A column of the source. ColumnExpression would take a name with a dot for a table's name and a column's."""
    return duckdb.SQLExpression(quoted(name))


class Expressions:
    """Checks the expressions of a mapping against the columns of its source."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._connection = locked_connection()
        self._columns = columns
        self._folded = {column.lower() for column in columns}
        self._row = self._connection.from_arrow(pa.table({column: pa.array([], pa.string()) for column in columns}))
        self._unfit = self._functions_that_do_not_fit()
        self._macros = self._macro_definitions()

    def check(self, sql: str) -> str:
        """The type of the expression, as DuckDB names it. Raises ValueError that says what is wrong with it."""
        for node in _nodes(self._parsed(sql)):
            self._check_node(node)
        try:
            return str(self._row.select(duckdb.SQLExpression(sql)).types[0])
        except duckdb.Error as error:
            raise ValueError(f"{sql!r} does not work: {_first_line(error)}") from None

    def check_condition(self, sql: str) -> None:
        kind = self.check(sql)
        if kind != "BOOLEAN":
            raise ValueError(f"{sql!r} must be true or false, but it gives {kind}; compare it, as in \"Answered\" = 'Y'")

    def check_time_format(self, time_format: str) -> None:
        try:
            self._connection.execute("select try_strptime('', $1)", [time_format])
        except duckdb.Error as error:
            raise ValueError(f"{time_format!r} is not a time format: {_first_line(error)}") from None

    def _parsed(self, sql: str) -> Any:
        """The one expression in `sql` as a tree. Wrapped in brackets, so that it cannot end the select it stands in."""
        found = self._connection.execute("select json_serialize_sql($1)", [f"select (\n{sql}\n)"]).fetchone()
        parsed = json.loads(found[0]) if found else {}
        if parsed.get("error"):
            raise ValueError(f"{sql!r} is not an SQL expression: {parsed['error_message']}")
        select = parsed["statements"][0]["node"]
        selected = select.get("select_list", [])
        if (
            len(parsed["statements"]) != 1
            or len(selected) != 1
            or select["from_table"]["type"] != "EMPTY"
            or select["where_clause"]
        ):
            raise ValueError(f"{sql!r} must be a single SQL expression")
        return selected[0]

    def _check_node(self, node: dict[str, Any]) -> None:
        if refused := _REFUSED.get(node["class"]):
            raise ValueError(f"{refused} cannot be used here; an expression is about one row")
        if node["class"] == "COLUMN_REF":
            self._check_column(node["column_names"][0])
        if node["class"] == "FUNCTION" and (why := self._why_not(node["function_name"].lower())):
            raise ValueError(f"{node['function_name']}() cannot be used here: {why}")

    def _why_not(self, function: str) -> str | None:
        """Why a function, or what a macro is made of, does not fit; None where it does."""
        inner = [node for definition in self._macros.get(function, ()) for node in _nodes(self._parsed(definition))]
        if any(node["class"] in _REFUSED for node in inner):
            return _OF_MANY
        names = [node["function_name"].lower() for node in inner if node["class"] == "FUNCTION"]
        return self._unfit.get(function) or next(filter(None, map(self._why_not, names)), None)

    def _check_column(self, name: str) -> None:
        if name.lower() not in self._folded:
            hint = did_you_mean(name, self._columns)
            raise ValueError(f"there is no column {name!r}{hint} (text is written in single quotes: '{name}')")

    def _functions_that_do_not_fit(self) -> dict[str, str]:
        rows = self._connection.execute(
            "select lower(function_name), bool_or(function_type = 'aggregate') from duckdb_functions() "
            "where function_type in ('scalar', 'aggregate') group by 1 "
            "having not bool_or(function_type = 'scalar' and stability = 'CONSISTENT')"
        ).fetchall()
        unfit = {name: _OF_MANY if is_aggregate else _CHANGING for name, is_aggregate in rows}
        return unfit | dict.fromkeys(_OTHERS_OF_MANY, _OF_MANY)

    def _macro_definitions(self) -> dict[str, list[str]]:
        rows = self._connection.execute(
            "select lower(function_name), list(macro_definition) from duckdb_functions() where function_type = 'macro' group by 1"
        ).fetchall()
        return dict(rows)


def _nodes(tree: Any, bound: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Every node of a parsed expression, but for the names that a lambda binds."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, bound)
    if not isinstance(tree, dict):
        return
    if tree.get("class") == "LAMBDA":
        bound |= {node["column_names"][0] for node in _nodes(tree.get("lhs"))}
    if "class" in tree and not (tree["class"] == "COLUMN_REF" and tree["column_names"][0] in bound):
        yield tree
    for value in tree.values():
        yield from _nodes(value, bound)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
