"""One kind of event of a mapping, compiled to DuckDB expressions in three steps: raw text, read values, the event."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from duckdb import (
    CaseExpression,
    CoalesceOperator,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    SQLExpression,
)

from workbench import events
from workbench.importers.expressions import column
from workbench.importers.mapping import EPOCHS, As, DataField, Event, Key, When, Who

#: A name that no column has.
LINE = "\x1fline"
_SEPARATOR = "\x1f"
_YES = ["y", "yes", "true", "t", "1"]
_NO = ["n", "no", "false", "f", "0"]
_NESTED = {"list", "struct", "map", "array", "union"}
_NUMERIC = {
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "float",
    "double",
    "decimal",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
}
_NOT_READABLE = {
    "number": "is not a number",
    "integer": "is not a whole number",
    "boolean": "is neither yes nor no",
    "duration": "is not a duration (seconds, M:SS or H:MM:SS)",
    "json": "is not JSON",
    "text": "is not text",
}
FAILED = "the expression fails on this row"

#: The type of an SQL expression over the source's columns.
TypeOf = Callable[[str], duckdb.sqltypes.DuckDBPyType]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One value of an event on its way: `raw` over the source's columns gives text, `value` over that text what it means.

    `source` is what the user is told where it goes wrong, `unreadable` why; `required` why it may not be empty.
    """

    name: str
    source: str
    raw: Expression
    value: Expression
    unreadable: str
    failed: Expression | None = None
    required: str | None = None
    member: Expression | None = None

    @property
    def raw_name(self) -> str:
        return f"raw {self.name}"

    @property
    def failed_name(self) -> str:
        return f"failed {self.name}"

    @property
    def value_name(self) -> str:
        return f"value {self.name}"


class EventPlan:
    """How rows become events of one kind.

    The relation that `run` gives has the columns of events.BATCH_SCHEMA, and `line`; `local_time` (null where the source named
    the zone); `problems`, a list of (column, value, reason) in which what is right is null, null itself where the row made an
    event.
    """

    def __init__(self, event: Event, when: When, who: Who | None, timezone: str, type_of: TypeOf) -> None:
        self.event = event
        self.zone = when.timezone or timezone
        self._type_of = type_of
        self._when = when
        self._key = self._key_part(event.id)
        self._time = self._time_part(when)
        self._who = self._who_part(who) if who else None
        fields = [(name, field) for name, field in event.data.items() if "value" not in field.model_fields_set]
        self._data = [self._data_part(number, name, field) for number, (name, field) in enumerate(fields)]
        self._sources = {name: part.source for (name, _), part in zip(fields, self._data, strict=True)}
        self._sources |= {"created_at": self._time.source, "id": self._key.source}
        self._sources |= {"user_id": self._who.source} if self._who else {}

    def source_of(self, field: str) -> str:
        """The column (or expression) that an event's field came from; the field's own name where it has none."""
        return self._sources.get(field.removeprefix("event_data."), field)

    def run(self, rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        raw = self._wanted(rows).select(ColumnExpression(LINE), *self._condition_failed(), *self._raw())
        values = raw.select(duckdb.StarExpression(), *(part.value.alias(part.value_name) for part in self._parts), *self._local())
        return values.select(*self._event())

    @property
    def _parts(self) -> list[Part]:
        return [self._key, self._time, *([self._who] if self._who else []), *self._data]

    def _wanted(self, rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        if self.event.where is None:
            return rows
        condition = SQLExpression(self.event.where)
        return rows.filter(FunctionExpression("holds", condition) | FunctionExpression("failed", condition))

    def _condition_failed(self) -> list[Expression]:
        if self.event.where is None:
            return []
        return [FunctionExpression("failed", SQLExpression(self.event.where)).alias("failed where")]

    def _raw(self) -> list[Expression]:
        raw = [part.raw.alias(part.raw_name) for part in self._parts]
        return raw + [part.failed.alias(part.failed_name) for part in self._parts if part.failed is not None]

    def _local(self) -> list[Expression]:
        return [_local_time(self._when, ColumnExpression(self._time.raw_name)).alias("local_time")]

    def _event(self) -> list[Expression]:
        instant = ColumnExpression(self._time.value_name)
        key = ColumnExpression(self._key.value_name)
        return [
            ColumnExpression(LINE).alias("line"),
            FunctionExpression("event_id", ConstantExpression(self.event.type), key).alias("id"),
            (ColumnExpression(self._who.value_name) if self._who else ConstantExpression(None).cast("VARCHAR")).alias("user_id"),
            ConstantExpression(self.event.type).alias("event_type"),
            self._object().alias("event_data"),
            instant.alias("created_at"),
            ColumnExpression("local_time"),
            self._problems().alias("problems"),
        ]

    def _object(self) -> Expression:
        constants = [
            ConstantExpression(f"{json.dumps(name)}:{json.dumps(field.value, ensure_ascii=False)}")
            for name, field in self.event.data.items()
            if field.value is not None
        ]
        members = constants + [part.member for part in self._data if part.member is not None]
        joined = FunctionExpression("concat_ws", ConstantExpression(","), *members) if members else ConstantExpression("")
        return FunctionExpression("object", joined)

    def _problems(self) -> Expression:
        """The list of what is wrong, made only for rows where something is; the entries of what is right are null."""
        checks = [check for part in self._parts for check in _checks(part)]
        if self.event.where is not None:
            checks.append((ColumnExpression("failed where"), _problem(self.event.where, None, FAILED)))
        wrong = checks[0][0]
        for condition, _ in checks[1:]:
            wrong = wrong | condition
        return CaseExpression(wrong, FunctionExpression("list_value", *(CaseExpression(is_so, told) for is_so, told in checks)))

    def _key_part(self, key: Key) -> Part:
        raw, failed, source = self._from(key.sql, key.columns)
        required = "is empty, but it makes the event unique"
        return _text_part("key", source, raw if key.sql or len(key.columns) == 1 else _joined_key(key.columns), failed, required)

    def _time_part(self, when: When) -> Part:
        raw, failed, source = self._from(when.sql, when.columns)
        if len(when.columns) > 1:
            cells = map(column, when.columns)
            raw = FunctionExpression("cell", FunctionExpression("concat_ws", ConstantExpression(" "), *cells))
        like = " or ".join(when.format) or "2021-01-31 09:15:00 (otherwise give its `format`)"
        return Part(
            name="time",
            source=source,
            raw=raw,
            failed=failed,
            value=_instant(when, ColumnExpression("raw time"), self.zone),
            unreadable=f"is not a time like {like}",
            required="is empty, but it says when the event happened",
        )

    def _who_part(self, who: Who) -> Part:
        if who.value is not None:
            return _text_part("who", "who", ConstantExpression(who.value), None, None)
        raw, failed, source = self._from(who.sql, [who.column] if who.column else [])
        return _text_part("who", source, raw, failed, None)

    def _data_part(self, number: int, name: str, field: DataField) -> Part:
        kind = self._kind(name, field)
        raw, failed, source = self._from(field.sql, [field.column] if field.column else [], seconds=kind == "duration")
        part_name = f"field {number}"
        value = _reading(kind, field, ColumnExpression(f"raw {part_name}"))
        member = FunctionExpression("member", ConstantExpression(name), _json(kind, ColumnExpression(f"value {part_name}")))
        return Part(
            name=part_name, source=source, raw=raw, failed=failed, value=value, unreadable=_why(kind, field), member=member
        )

    def _from(self, sql: str | None, columns: list[str], *, seconds: bool = False) -> tuple[Expression, Expression | None, str]:
        """The text of an expression or of the (first) column, whether it failed, and how to call it."""
        if sql is None:
            return column(columns[0]), None, ", ".join(columns)
        kind = self._type_of(sql)
        outcome = FunctionExpression("outcome", SQLExpression(sql))
        if kind.id in _NESTED:
            outcome = FunctionExpression("to_json", outcome)
        if kind.id == "interval" and seconds:
            outcome = FunctionExpression("epoch", outcome)
        return FunctionExpression("cell", outcome.cast("VARCHAR")), FunctionExpression("failed", SQLExpression(sql)), sql

    def _kind(self, name: str, field: DataField) -> As:
        """What the field is read as: as is said, else as the event contract says, else what the expression gives, else text."""
        if field.as_ or field.decimal or field.yes:
            return field.as_ or ("number" if field.decimal else "boolean")
        known = events.event_type(self.event.type)
        declared = {each.name: each.kind for each in known.fields} if known else {}
        if name in declared:
            return declared[name]
        return _kind_of(self._type_of(field.sql)) if field.sql else "text"


def _kind_of(kind: duckdb.sqltypes.DuckDBPyType) -> As:
    if kind.id == "boolean":
        return "boolean"
    if kind.id in _NUMERIC:
        return "number"
    return "json" if kind.id in _NESTED or str(kind) == "JSON" else "text"


def _text_part(name: str, source: str, raw: Expression, failed: Expression | None, required: str | None) -> Part:
    value = ColumnExpression(f"raw {name}")
    return Part(name=name, source=source, raw=raw, failed=failed, value=value, unreadable="", required=required)


def _joined_key(columns: list[str]) -> Expression:
    """The cells of a key made of several columns, an empty one told from a missing divider; null where all are empty."""
    cells = [column(name) for name in columns]
    filled = [CoalesceOperator(cell, ConstantExpression("")) for cell in cells]
    joined = FunctionExpression("concat_ws", ConstantExpression(_SEPARATOR), *filled)
    return CaseExpression(CoalesceOperator(*cells).isnotnull(), joined)


def _instant(when: When, text: Expression, zone: str) -> Expression:
    here = ConstantExpression(zone)
    if epoch := next((EPOCHS[each] for each in when.format if each in EPOCHS), None):
        found = FunctionExpression("epoch_instant", text, ConstantExpression(epoch))
    elif when.format:
        zoned = [_strptime(text, each).cast("TIMESTAMPTZ") for each in when.format if _has_zone(each)]
        found = CoalesceOperator(*zoned, FunctionExpression("timezone", here, _local_time(when, text)))
    else:
        found = CoalesceOperator(
            FunctionExpression("iso_zoned", text), FunctionExpression("timezone", here, _local_time(when, text))
        )
    return FunctionExpression("plausible", found)


def _local_time(when: When, text: Expression) -> Expression:
    """The time on the clocks of the zone; null where the text names its own zone."""
    if not when.format:
        return FunctionExpression("iso_local", text)
    local = [_strptime(text, each).cast("TIMESTAMP") for each in when.format if each not in EPOCHS and not _has_zone(each)]
    return CoalesceOperator(*local, ConstantExpression(None).cast("TIMESTAMP"))


def _strptime(text: Expression, time_format: str) -> Expression:
    return FunctionExpression("try_strptime", text, ConstantExpression(time_format))


def _has_zone(time_format: str) -> bool:
    return "%z" in time_format or "%Z" in time_format


def _reading(kind: As, field: DataField, text: Expression) -> Expression:
    if kind == "number":
        macro = {".": "as_number_with_point", ",": "as_number_with_comma", None: "as_number"}[field.decimal]
        return FunctionExpression(macro, text)
    if kind == "integer":
        return FunctionExpression("whole", FunctionExpression("as_number", text))
    if kind == "boolean":
        yes, no = ([word.lower() for word in words] for words in (field.yes or _YES, field.no or _NO))
        return FunctionExpression("as_boolean", text, ConstantExpression(yes), ConstantExpression(no))
    if kind == "duration":
        return FunctionExpression("as_duration", text)
    return FunctionExpression("as_json", text) if kind == "json" else text


def _json(kind: As, value: Expression) -> Expression:
    if kind in ("number", "duration"):
        return FunctionExpression("json_number", value)
    if kind == "text":
        return FunctionExpression("json_text", value)
    return value.cast("VARCHAR")


def _why(kind: As, field: DataField) -> str:
    if field.yes:
        return f"is neither {' nor '.join([*field.yes, *field.no])}"
    if kind == "number" and field.decimal:
        return f"is not a number with {field.decimal!r} before the decimals"
    return _NOT_READABLE[kind]


def _checks(part: Part) -> list[tuple[Expression, Expression]]:
    """What can be wrong with a part: (whether it is so, what to tell)."""
    raw, value = ColumnExpression(part.raw_name), ColumnExpression(part.value_name)
    checks = (
        [(FunctionExpression("unreadable", raw, value), _problem(part.source, raw, part.unreadable))] if part.unreadable else []
    )
    if part.failed is None:
        empty = raw.isnull()
    else:
        failed = ColumnExpression(part.failed_name)
        checks.append((failed, _problem(part.source, None, FAILED)))
        empty = raw.isnull() & ~failed
    return checks + ([(empty, _problem(part.source, None, part.required))] if part.required else [])


def _problem(source: str, value: Expression | None, reason: str) -> Expression:
    shown = ConstantExpression(None).cast("VARCHAR") if value is None else value
    return FunctionExpression("problem", ConstantExpression(source), shown, ConstantExpression(reason))
