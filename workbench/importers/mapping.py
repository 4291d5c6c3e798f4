"""The mapping file: which rows of a source become which events.

The models here are the whole of what a mapping may say; `docs/mapping.md` explains every key. Where the columns of the source are
known, the file is checked against them, and its SQL expressions against the database that will compute them.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from workbench import documents, events
from workbench.errors import InvalidMapping
from workbench.importers.expressions import Expressions

As = Literal["text", "number", "integer", "boolean", "duration", "json"]
Format = Literal["csv", "tsv", "json", "ndjson", "parquet", "xlsx"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """What is known of the source while a mapping is checked."""

    names: tuple[str, ...]
    expressions: Expressions


def _columns(info: ValidationInfo) -> Columns | None:
    return (info.context or {}).get("columns")


def _known_column(name: str, info: ValidationInfo) -> str:
    columns = _columns(info)
    if columns and name not in columns.names:
        raise ValueError(f"there is no column {name!r}{documents.did_you_mean(name, columns.names)}")
    return name


def _expression(sql: str, info: ValidationInfo) -> str:
    if columns := _columns(info):
        columns.expressions.check(sql)
    return sql


def _condition(sql: str, info: ValidationInfo) -> str:
    if columns := _columns(info):
        columns.expressions.check_condition(sql)
    return sql


def _time_format(given: str, info: ValidationInfo) -> str:
    if (columns := _columns(info)) and given not in EPOCHS:
        columns.expressions.check_time_format(given)
    return given


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write one like 'Europe/Zurich' or 'UTC'") from None
    return name


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


#: How like a known event type one's own may be before it counts as mistyped; one letter more, less or other is above it.
_MISTYPED = 0.88

#: Formats of times that are counted since 1970 in UTC, and how many of their units make a second.
EPOCHS = {"epoch": 1, "epoch_ms": 1000}

Column = Annotated[str, AfterValidator(_known_column)]
Expression = Annotated[str, AfterValidator(_expression)]
Condition = Annotated[str, AfterValidator(_condition)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
Listed = BeforeValidator(_listed)
Zone = Annotated[str, AfterValidator(_zone)]


class Keys(BaseModel):
    """A part of the file: its keys, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Choice(Keys):
    """A part where exactly one of some keys says where the value comes from; plain text stands for the first of them."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {cls._choices()[0]: given} if isinstance(given, str | list) else given

    @model_validator(mode="after")
    def _exactly_one(self) -> Choice:
        choices = self._choices()
        given = [name for name in choices if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(choices)}" + (f", not {' and '.join(given)}" if given else ""))
        return self

    @classmethod
    def _choices(cls) -> tuple[str, ...]:
        return tuple(name for name in ("columns", "column", "sql", "value") if name in cls.model_fields)


class SourceOptions(Keys):
    """How to read the source; what is not given is detected."""

    format: Format | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    header: Annotated[int, Field(ge=0)] = 1
    sheet: str | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "utf-8")
        except LookupError:
            raise ValueError(f"{name!r} is not an encoding; write one like 'utf-8', 'utf-16' or 'cp1252'") from None
        return name


class Key(Choice):
    """What makes an event unique among those of its type."""

    columns: Annotated[list[Column], Listed, Field(min_length=1)] = []
    sql: Expression | None = None


class When(Choice):
    """When it happened."""

    columns: Annotated[list[Column], Listed, Field(min_length=1)] = []
    sql: Expression | None = None
    format: Annotated[list[TimeFormat], Listed] = []
    timezone: Zone | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_column(cls, given: Any) -> Any:
        """`column` is a clearer word for `columns` with one name."""
        if isinstance(given, dict) and "column" in given and "columns" not in given:
            return {("columns" if key == "column" else key): value for key, value in given.items()}
        return given


class Who(Choice):
    """The agent or user who did it."""

    column: Column | None = None
    sql: Expression | None = None
    value: str | None = None


class DataField(Choice):
    """One field of the event's data."""

    column: Column | None = None
    sql: Expression | None = None
    value: str | bool | int | float | None = None
    as_: As | None = Field(default=None, alias="as")
    decimal: Literal[".", ","] | None = None
    yes: Annotated[list[str], Listed] = []
    no: Annotated[list[str], Listed] = []

    @model_validator(mode="after")
    def _reading_fits(self) -> DataField:
        if self.decimal and self.as_ not in ("number", None):
            raise ValueError("`decimal` is for numbers")
        if bool(self.yes) != bool(self.no):
            raise ValueError("give both `yes` and `no`")
        if self.yes and self.as_ not in ("boolean", None):
            raise ValueError("`yes` and `no` are for `as: boolean`")
        return self


class Event(Keys):
    """One kind of event that a row may become. `custom` says that a type which looks like a known one is meant as it stands."""

    custom: bool = False
    type: str
    id: Key
    when: When | None = None
    who: Who | None = None
    where: Condition | None = None
    data: dict[str, DataField] = {}

    @field_validator("type")
    @classmethod
    def _type_name(cls, name: str, info: ValidationInfo) -> str:
        if not re.fullmatch(events.EVENT_TYPE_PATTERN, name):
            raise ValueError(
                f"{name!r} is not an event type: small letters, digits, dots and underscores, a letter first, up to 64"
            )
        if not info.data.get("custom") and (known := _mistyped(name)):
            raise ValueError(
                f"{name!r} is not a known event type; did you mean {known!r}? If not, add `custom: true` to the event"
            )
        return name

    @model_validator(mode="after")
    def _fits_its_type(self) -> Event:
        known = events.event_type(self.type)
        fields = known.fields if known else ()
        missing = [field.name for field in fields if field.required and field.name not in self.data]
        if missing:
            raise ValueError(f"{self.type} needs {' and '.join(missing)} in its data")
        wrong = [told for field in fields if field.name in self.data and (told := _wrong_constant(field, self.data[field.name]))]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


_CONSTANTS: dict[events.Kind, tuple[type, ...]] = {"text": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,)}


def _wrong_constant(field: events.Field, given: DataField) -> str | None:
    """What is wrong with the `value` of a field, which would otherwise be refused once for every row."""
    value = given.value
    if value is None:
        return None
    if not isinstance(value, _CONSTANTS[field.kind]) or (isinstance(value, bool) and field.kind != "boolean"):
        return f"{field.name} must be a {field.kind}, not {value!r}"
    if field.one_of and value not in field.one_of:
        return f"{field.name} must be one of {', '.join(field.one_of)}, not {value!r}"
    return None


class Warn(Keys):
    """Something odd that is counted and told, while the row is kept."""

    when: Condition
    message: str


class Mapping(Keys):
    """A whole mapping file. `when` and `who` here hold for every event that has none of its own."""

    source: SourceOptions = SourceOptions()
    rows: Condition | None = None
    when: When | None = None
    who: Who | None = None
    events: Annotated[list[Event], Field(min_length=1)]
    warn: list[Warn] = []

    @model_validator(mode="after")
    def _every_event_has_its_time(self) -> Mapping:
        timeless = [event.type for event in self.events if not (event.when or self.when)]
        if timeless:
            raise ValueError(f"`when` is missing for {', '.join(timeless)}: give it there, or once for all events")
        return self

    def notes(self) -> tuple[str, ...]:
        """What is allowed, but probably not meant, in sentences."""
        return (*_same_ids(self.events), *(note for event in self.events for note in _notes(event)))


def read(path: Path) -> documents.Document:
    """The mapping file as a document; raises InvalidMapping where it cannot be read or is not YAML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidMapping(str(path), [(1, "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMapping(str(path), [(1, f"cannot be read as text: {error}")]) from None
    return documents.read(text, str(path), InvalidMapping)


class SourceAlone(BaseModel):
    """The part of the file that is needed before the columns are known."""

    source: SourceOptions = SourceOptions()


def source_options(document: documents.Document) -> SourceOptions:
    """Its `source` alone; the file may have no events yet. Raises InvalidMapping with all mistakes that it has so far."""
    try:
        return SourceAlone.model_validate(document.value or {}).source
    except ValueError:
        whole = isinstance(document.value, dict) and "events" in document.value
        documents.validate(document, Mapping if whole else SourceAlone, InvalidMapping)
        raise


def validated(document: documents.Document, columns: tuple[str, ...] | None = None) -> Mapping:
    """The mapping in a document, checked against the columns of its source. Raises InvalidMapping with every mistake."""
    context = {"columns": Columns(names=columns, expressions=Expressions(columns))} if columns is not None else None
    return documents.validate(document, Mapping, InvalidMapping, context)


def _mistyped(name: str) -> str | None:
    """The known event type that the name of an unknown one is but a slip away from."""
    names = [each.name for each in events.EVENT_TYPES]
    close = [] if name in names else difflib.get_close_matches(name, names, n=1, cutoff=_MISTYPED)
    return close[0] if close else None


def _same_ids(given: list[Event]) -> list[str]:
    """Events of one type that get the same id from a row: the lake keeps an id once."""
    times = Counter((event.type, event.id.sql, *event.id.columns) for event in given)
    return [
        f"{many} events of type {name} have the same `id`: a row that becomes more than one of them keeps only one. "
        "Add to each `id` what tells it from the others."
        for (name, *_), many in times.items()
        if many > 1
    ]


def _notes(event: Event) -> list[str]:
    known = events.event_type(event.type)
    if known is None:
        close = "" if event.custom else _close(event.type, [each.name for each in events.EVENT_TYPES])
        return [f"{event.type} is not a known event type{close}"] if close else []
    fields = {field.name for field in known.fields}
    return [
        f"{event.type} does not know the field {name!r}; it is kept, but no metric reads it{_close(name, fields) or '.'}"
        for name in event.data
        if name not in fields
    ]


def _close(word: str, known: Iterable[str]) -> str:
    """As documents.did_you_mean, but nothing where no word is close."""
    hint = documents.did_you_mean(word, known)
    return hint if hint.startswith("; did you mean") else ""
