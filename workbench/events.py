"""The event contract: which event types are known, which fields each may carry, and what their values must be.

The tables here are the only statement of the contract. Validation (`sql/capture/`) reads them as a relation, importers check
mappings against them, and the documentation is made from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["text", "number", "integer", "boolean"]

EVENT_TYPE_PATTERN = r"^[a-z][a-z0-9_.]{0,63}$"
MAX_EVENT_DATA_BYTES = 32 * 1024
MAX_TEXT_LENGTH = 500

#: Columns of a batch of events. `created_at` is when it happened, in UTC; `event_data` is a JSON object as text.
BATCH_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("event_type", pa.string()),
        pa.field("event_data", pa.string()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of `event_data`; bounds are inclusive, `one_of` limits a text to these values."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EventType:
    name: str
    meaning: str
    fields: tuple[Field, ...]


def _text(name: str, meaning: str, *, required: bool = False, one_of: tuple[str, ...] = ()) -> Field:
    return Field(name=name, kind="text", meaning=meaning, required=required, one_of=one_of)


def _amount(name: str, meaning: str, *, required: bool = False) -> Field:
    return Field(name=name, kind="number", meaning=meaning, required=required, minimum=0)


def _seconds(name: str, meaning: str, *, required: bool = False) -> Field:
    return Field(name=name, kind="number", meaning=meaning, required=required, minimum=0, maximum=86400)


_LEAD = _text("lead_id", "the lead", required=True)
_CAMPAIGN = _text("campaign_id", "the campaign it belongs to")

EVENT_TYPES = (
    EventType(
        name="lead.created",
        meaning="a lead came in",
        fields=(_LEAD, _CAMPAIGN, _text("source", "where it came from"), _amount("value", "expected worth")),
    ),
    EventType(
        name="lead.contacted",
        meaning="an agent reached out to a lead",
        fields=(_LEAD, _CAMPAIGN, _text("channel", "how: phone, mail, chat, …")),
    ),
    EventType(
        name="lead.stage_entered",
        meaning="a lead moved to a stage of the funnel",
        fields=(_LEAD, _text("stage", "the stage entered", required=True), _CAMPAIGN),
    ),
    EventType(
        name="lead.converted",
        meaning="a lead became a customer",
        fields=(_LEAD, _amount("revenue", "what it brought, in the tenant's currency"), _CAMPAIGN),
    ),
    EventType(
        name="lead.lost",
        meaning="a lead is out of the funnel",
        fields=(_LEAD, _text("reason", "why"), _CAMPAIGN),
    ),
    EventType(
        name="call.completed",
        meaning="a call ended, answered or not",
        fields=(
            _text("call_id", "the call", required=True),
            Field(name="answered", kind="boolean", meaning="an agent took it", required=True),
            _seconds("duration_seconds", "talk time"),
            _seconds("wait_seconds", "time until it was answered or given up"),
            Field(name="resolved", kind="boolean", meaning="the caller's matter was settled"),
            _text("topic", "what it was about"),
            _text("lead_id", "the lead, where it was one"),
            _CAMPAIGN,
            _text("direction", "who called", one_of=("inbound", "outbound")),
        ),
    ),
    EventType(
        name="survey.rated",
        meaning="a customer rated the service",
        fields=(
            Field(name="rating", kind="number", meaning="1 (bad) to 5 (good)", required=True, minimum=1, maximum=5),
            _text("call_id", "the call that was rated"),
        ),
    ),
    EventType(
        name="task.completed",
        meaning="an agent finished a task",
        fields=(_text("task_id", "the task", required=True), _text("kind", "what kind of task")),
    ),
    EventType(
        name="agent.available",
        meaning="an agent was ready for work",
        fields=(_seconds("available_seconds", "how long", required=True),),
    ),
    EventType(
        name="campaign.spent",
        meaning="money was spent on a campaign",
        fields=(
            _text("campaign_id", "the campaign", required=True),
            _amount("amount", "how much", required=True),
            _text("currency", "of the amount; the tenant's where absent"),
        ),
    ),
    EventType(
        name="achievement.unlocked",
        meaning="an agent earned an achievement",
        fields=(_text("achievement", "which", required=True), _amount("points", "its worth")),
    ),
)

_BY_NAME = {event_type.name: event_type for event_type in EVENT_TYPES}


def event_type(name: str) -> EventType | None:
    """The declared type of that name; None for a custom type, whose data may be any JSON object."""
    return _BY_NAME.get(name)


def contract() -> pa.Table:
    """The contract as a relation, one row per known type and field.

    Columns: event_type, field, kind, required, minimum, maximum, one_of (list of text, null where any text will do).
    """
    rows = [
        {
            "event_type": event_type.name,
            "field": field.name,
            "kind": field.kind,
            "required": field.required,
            "minimum": field.minimum,
            "maximum": field.maximum,
            "one_of": list(field.one_of) or None,
        }
        for event_type in EVENT_TYPES
        for field in event_type.fields
    ]
    return pa.Table.from_pylist(rows, schema=_CONTRACT_SCHEMA)


_CONTRACT_SCHEMA = pa.schema(
    [
        pa.field("event_type", pa.string()),
        pa.field("field", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("required", pa.bool_()),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("one_of", pa.list_(pa.string())),
    ]
)
