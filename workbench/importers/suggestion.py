"""A mapping file to start from, guessed from a source's columns and first rows. It is valid as it stands."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from workbench import documents
from workbench.errors import InvalidMapping, InvalidSource
from workbench.importers.expressions import quoted
from workbench.importers.guesses import Column, Time, misfits, roles, times
from workbench.importers.mapping import EPOCHS, SourceOptions, validated
from workbench.importers.sources import Source

_SAMPLE_ROWS = 300
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _]*")
_NOT_PLAIN = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_ELSEWHERE = "If the rows are elsewhere, say so under `source:` in a file, as in `source: {header: 3}`, and add --mapping FILE"
_SHOWN = 3
_WON = r"won|closed|convert|conversion|sale|sold"
_LOST = r"lost|dropped|churn"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Guess:
    """One event to suggest: lines of YAML below its `type`, and the columns it uses."""

    type: str
    comment: str
    id: str
    when: Time | None
    data: dict[str, str]
    where: str | None = None


def suggest(source: Source, options: SourceOptions) -> str:
    """The text of a mapping file for the source, which was opened with `options`; the file says them again.

    Raises InvalidSource where it has no rows to guess from, or none of its columns looks like a time.
    """
    columns = _sample(source)
    found = roles(columns)
    when = times(columns, set(found.values()))
    if not when:
        raise InvalidSource(
            f"{source.name} ({source.described}): no column looks like a date or time, so no mapping can be guessed. Its columns "
            f"are {', '.join(map(repr, source.columns))}. {_ELSEWHERE}; docs/mapping.md tells how to write one."
        )
    text = _text(source, options, columns, found, when)
    validated(documents.read(text, "the suggested mapping", InvalidMapping), source.columns)
    return text


def _sample(source: Source) -> list[Column]:
    first = next(source.chunks(), None)
    if first is None or not first.table.num_rows:
        raise InvalidSource(f"{source.name} ({source.described}) has no rows to guess a mapping from. {_ELSEWHERE}.")
    rows = first.table.slice(0, _SAMPLE_ROWS * 10)
    filled = {
        name: [value.strip() for value in rows.column(name).to_pylist() if value and value.strip()] for name in source.columns
    }
    return [Column(name=name, values=tuple(values[:_SAMPLE_ROWS])) for name, values in filled.items()]


def _text(source: Source, options: SourceOptions, columns: list[Column], found: dict[str, str], when: list[Time]) -> str:
    guesses = _guesses(columns, found, when)
    used = set(found.values()) | {name for guess in guesses if guess.when for name in guess.when.columns}
    unused = [name for name in source.columns if name not in used]
    shared = guesses[0].when if all(guess.when == guesses[0].when for guess in guesses) else None
    odd = misfits(columns, found, [guess.when for guess in guesses if guess.when])
    lines = [
        *_comment(f"Guessed from {Path(source.name).name} ({source.described}). Look it over, then try it with --dry-run."),
        *_comment("A bare name is a column; `sql:` is an expression; `value:` is the same for every row. See docs/mapping.md."),
        *(_comment(f"Not used: {', '.join(unused)}") if unused else []),
        *(_comment(_told(odd)) if odd else []),
        "",
        *_source(options),
        *(_when(shared, "") if shared else []),
        *([f"who: {_yaml(found['agent'])}"] if "agent" in found else []),
        "",
        "events:",
    ]
    for guess in guesses:
        lines += _event(guess, shared=shared is not None)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _told(odd: dict[str, tuple[str, ...]]) -> str:
    """Cells of the first rows that do not fit the guess."""
    cells = [
        f"{', '.join(repr(value[:40]) for value in values[:_SHOWN])}{', …' if len(values) > _SHOWN else ''} in {name}"
        for name, values in odd.items()
    ]
    return f"Does not fit: {'; '.join(cells)}. Such rows will be rejected, unless `rows:` leaves them out."


def _source(options: SourceOptions) -> list[str]:
    given = options.model_dump(exclude_defaults=True)
    pairs = (f"{key}: {_yaml(value) if isinstance(value, str) else value}" for key, value in given.items())
    return [f"source: {{{', '.join(pairs)}}}"] if given else []


def _guesses(columns: list[Column], found: dict[str, str], when: list[Time]) -> list[_Guess]:
    if found.keys() & {"call", "answered", "duration", "wait", "rating"}:
        return _calls(columns, found, when[0])
    if "lead" in found:
        return _leads(found, when)
    if {"campaign", "spend"} <= found.keys():
        return [_spend(found, when[0])]
    return [_anything(columns, found, when[0])]


def _calls(columns: list[Column], found: dict[str, str], when: Time) -> list[_Guess]:
    by_name = {column.name: column for column in columns}
    key = found.get("call")
    names = [key] if key else [*when.columns, *([found["agent"]] if "agent" in found else [])]
    call_id = (
        _yaml(key) if key else "{sql: " + json.dumps(f"concat_ws(' ', {', '.join(map(quoted, names))})", ensure_ascii=False) + "}"
    )
    data = {"call_id": call_id, "answered": _yaml(found["answered"]) if "answered" in found else "{value: true}"}
    for field, role in (("resolved", "resolved"), ("topic", "topic"), ("direction", "direction"), ("campaign_id", "campaign")):
        if role in found:
            data[field] = _yaml(found[role])
    for field in ("wait", "duration"):
        if field in found:
            data[f"{field}_seconds"] = _seconds(by_name[found[field]])
    call = _Guess(type="call.completed", comment="A call.", id=_names(names), when=when, data=data)
    if "rating" not in found:
        return [call]
    rated = f"{quoted(found['rating'])} is not null"
    data = {"rating": _yaml(found["rating"]), "call_id": call_id}
    return [
        call,
        _Guess(
            type="survey.rated", comment="Its rating, where there is one.", id=_names(names), when=when, data=data, where=rated
        ),
    ]


def _leads(found: dict[str, str], when: list[Time]) -> list[_Guess]:
    """What happened to a lead at each of its times, each thing once: its first time of several."""
    if len(when) > 3:
        return [_lead(found, when[0], 1)]
    guesses: dict[str, _Guess] = {}
    for guess in (_lead(found, time, len(when)) for time in when):
        guesses.setdefault(guess.type, guess)
    return list(guesses.values())


def _lead(found: dict[str, str], time: Time, dates: int) -> _Guess:
    """What happened to the lead at that time, told from the name of the column."""
    data = {"lead_id": _yaml(found["lead"])} | ({"campaign_id": _yaml(found["campaign"])} if "campaign" in found else {})
    where = f"{quoted(time.columns[0])} is not null" if dates > 1 else None
    if re.search(_WON, time.words) or ("revenue" in found and dates == 1):
        data |= {"revenue": _yaml(found["revenue"])} if "revenue" in found else {}
        kind, comment = "lead.converted", "A lead was won."
    elif re.search(_LOST, time.words):
        kind, comment = "lead.lost", "A lead was lost."
    elif "contact" in time.words and dates > 1:
        kind, comment = "lead.contacted", "A lead was contacted."
    elif "stage" in found:
        data |= {"stage": _yaml(found["stage"])}
        return _Guess(
            type="lead.stage_entered",
            comment="A lead moved on.",
            id=_names([found["lead"], found["stage"]]),
            when=time,
            data=data,
        )
    else:
        data |= {"source": _yaml(found["source"])} if "source" in found else {}
        kind, comment = "lead.created", "A lead came in."
    return _Guess(type=kind, comment=comment, id=_yaml(found["lead"]), when=time, data=data, where=where)


def _spend(found: dict[str, str], when: Time) -> _Guess:
    data = {"campaign_id": _yaml(found["campaign"]), "amount": _yaml(found["spend"])}
    return _Guess(
        type="campaign.spent",
        comment="Money spent on a campaign.",
        id=_names([found["campaign"], *when.columns]),
        when=when,
        data=data,
    )


def _anything(columns: list[Column], found: dict[str, str], when: Time) -> _Guess:
    """Rows that are none of the known events: a type of one's own, with every column."""
    data = {
        re.sub(r"\W+", "_", column.words).strip("_") or "cell": _yaml(column.name)
        for column in columns
        if column.name not in when.columns
    }
    comment = "None of the known events was recognised: name your own, or pick a known one from docs/mapping.md."
    return _Guess(type="custom.row", comment=comment, id=_names([column.name for column in columns]), when=when, data=data)


def _event(guess: _Guess, *, shared: bool) -> list[str]:
    lines = [f"  # {guess.comment}", f"  - type: {guess.type}", f"    id: {guess.id}"]
    if guess.when and not shared:
        lines += _when(guess.when, "    ")
    if guess.where:
        lines.append(f"    where: {json.dumps(guess.where, ensure_ascii=False)}")
    return [*lines, "    data:", *(f"      {field}: {value}" for field, value in guess.data.items())]


def _when(time: Time, indent: str) -> list[str]:
    notes = (
        []
        if indent or time.format in EPOCHS
        else _comment("Times are taken to be in the tenant's time zone; `timezone: Europe/Zurich` would say another.")
    )
    if time.ambiguous:
        notes.append(f"{indent}# Day first or month first? The first rows fit both.")
    columns = f"columns: {_names(list(time.columns))}" if len(time.columns) > 1 else f"column: {_yaml(time.columns[0])}"
    form = f", format: {json.dumps(time.format)}" if time.format else ""
    return [*notes, f"{indent}when: {{{columns}{form}}}"]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 79, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _seconds(column: Column) -> str:
    return _yaml(column.name) if column.plain_seconds else f"{{column: {_yaml(column.name)}, as: duration}}"


def _names(names: list[str]) -> str:
    return _yaml(names[0]) if len(names) == 1 else f"[{', '.join(map(_yaml, names))}]"


def _yaml(name: str) -> str:
    """A column's name as YAML: plain where that is safe."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _NOT_PLAIN else json.dumps(name, ensure_ascii=False)
