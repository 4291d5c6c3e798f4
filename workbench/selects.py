"""What SQL of a reader's own may be: one SELECT over its lake, with none of the functions that reach past it.

A locked DuckDB opens no file and attaches nothing, but it has table functions that run any statement in the catalog's database as
the reader's login (`postgres_query`), that write log files, or that run text as SQL. So a table function has to be on a list of
those that only compute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from workbench.errors import InvalidQuery
from workbench.queries import literal

#: Table functions that read nothing but their arguments, or the names of tables and columns.
_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "regexp_split_to_table"),
        *("duckdb_columns", "duckdb_functions", "duckdb_tables", "duckdb_types", "duckdb_views", "pragma_table_info"),
    }
)
#: Views that show how the lake is attached, the reader's password included.
_HIDDEN = frozenset({"duckdb_databases", "duckdb_secrets", "duckdb_logs", "duckdb_settings", "pragma_database_list"})
#: The schema of DuckLake's own tables, in the catalog's database.
_METADATA = "__ducklake"


def checked(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """The statement of `text`. Raises InvalidQuery where that is anything else than one SELECT, or uses what a reader may not."""
    statements = connection.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidQuery("Only one SELECT can be asked for at a time; a lake is read, never changed, here.")
    for node in _nodes(_parsed(connection, text)):
        if node.get("type") == "TABLE_FUNCTION":
            _check_function(node["function"].get("function_name", "").lower())
        elif node.get("type") == "BASE_TABLE":
            _check_table(*(str(node.get(part, "")).lower() for part in ("catalog_name", "schema_name", "table_name")))
    return statements[0]


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    row = connection.execute(f"select json_serialize_sql({literal(text)}::varchar)").fetchone()
    assert row is not None
    tree = json.loads(row[0])
    if tree["error"]:
        raise InvalidQuery(f"This SELECT cannot be read: {tree['error_message']}. Ask it in plain SELECT form.")
    return tree


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = tree.values()
    elif not isinstance(tree, list):
        return
    for branch in tree:
        yield from _nodes(branch)


def _check_function(name: str) -> None:
    if name not in _FUNCTIONS:
        raise InvalidQuery(f"The table function {name} cannot be used here; a lake is read through its tables.")


def _check_table(catalog: str, schema: str, table: str) -> None:
    if _METADATA in (catalog[: len(_METADATA)], schema[: len(_METADATA)]) or table in _HIDDEN:
        raise InvalidQuery(f"{table} cannot be read here; `show tables` lists what can.")
