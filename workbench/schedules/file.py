"""The file `schedules.yaml`: which reports run when, for whom, with which parameters.

The models here are the whole of what it may say; `docs/schedules.md` explains every key. What it names (reports, parameters,
tenants, time zones) is looked up, and every mistake is told at once, with its line.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import json
import re
import zoneinfo
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationInfo

from workbench import documents, notebooks
from workbench.errors import InvalidSchedules, NotFound
from workbench.exports import FORMATS
from workbench.notebooks import Report
from workbench.schedules import lookups, ticks
from workbench.schedules.schedule import CatchUp, Schedule, Scope

NAME = "schedules.yaml"


def read(home: Path, tenant_ids: Collection[str]) -> dict[str, Schedule]:
    """The schedules of the workbench's file, by name. Raises InvalidSchedules with every mistake."""
    path = home / NAME
    try:
        # A pipe would be waited for.
        if path.exists() and not path.is_file():
            raise InvalidSchedules(NAME, [(1, "is no file")])
        text, changed = path.read_text(encoding="utf-8-sig"), path.stat().st_mtime
    except FileNotFoundError:
        raise InvalidSchedules(NAME, [(1, "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSchedules(NAME, [(1, f"cannot be read as text: {error}")]) from None
    reports = {report.name: report for report in notebooks.reports(home)}
    return parse(text, reports, tenant_ids, written_at=dt.datetime.fromtimestamp(changed, dt.UTC))


def parse(
    text: str, reports: Mapping[str, Report], tenant_ids: Collection[str], *, written_at: dt.datetime
) -> dict[str, Schedule]:
    """The schedules that `text` describes. Raises InvalidSchedules with every mistake."""
    document = documents.read(text, NAME, InvalidSchedules)
    own = [*lookups.parameter_mistakes(document, reports), *lookups.tenant_mistakes(document, tenant_ids)]
    document = dataclasses.replace(document, mistakes=[*document.mistakes, *own])
    file = documents.validate(document, File, InvalidSchedules, {"reports": reports})
    return {name: _schedule(file, name, entry, written_at) for name, entry in file.schedules.items()}


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **File.model_json_schema()}


def _report(name: str, info: ValidationInfo) -> str:
    reports = info.context["reports"] if info.context else {}
    if name not in reports:
        raise ValueError(f"there is no report {name!r}{documents.did_you_mean(name, reports)}")
    return name


def _cron(line: str) -> str:
    ticks.check(line)
    return line


def _format(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"there is no format {name!r}{documents.did_you_mean(name, FORMATS)}")
    return name


def _timezone(name: str) -> str:
    known = {"tenant", *zoneinfo.available_timezones()}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{name!r} is no time zone: write tenant, for each tenant's own, or a name like Europe/Zurich{hint}")
    return name


def _duration(given: Any) -> dt.timedelta:
    form = re.fullmatch(r"([1-9][0-9]{0,5}) ?([smhdw])", given) if isinstance(given, str) else None
    if form is None:
        raise ValueError(f"{given!r} is no length of time; write one like 90s, 10m, 36h, 90d or 4w")
    return int(form[1]) * _UNITS[form[2]]


def _timeout(given: Any) -> dt.timedelta:
    found = _duration(given)
    if found >= dt.timedelta(days=7):
        raise ValueError(f"a run's timeout must be under a week, not {given}")
    return found


_UNITS = {
    "s": dt.timedelta(seconds=1),
    "m": dt.timedelta(minutes=1),
    "h": dt.timedelta(hours=1),
    "d": dt.timedelta(days=1),
    "w": dt.timedelta(weeks=1),
}


def _scope(given: Any) -> Scope:
    if given == "all":
        return Scope()
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        return Scope(ids=tuple(dict.fromkeys(given)))
    if isinstance(given, dict) and list(given) == ["tag"] and isinstance(given["tag"], str):
        return Scope(tag=given["tag"])
    raise ValueError(f"`tenants` must be all, a list of ids like [phonenow], or {{tag: retail}}, not {_spoken(given)}")


def _spoken(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False)


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(f"the schedule's name {name!r} must be letters, digits, _ and -, a letter first, up to 64")
    return name


_DURATION = Annotated[str, Field(pattern="^[1-9][0-9]{0,5} ?[smhdw]$", examples=["10m", "36h", "90d"])]
Duration = Annotated[dt.timedelta, PlainValidator(_duration, json_schema_input_type=_DURATION)]
Timeout = Annotated[dt.timedelta, PlainValidator(_timeout, json_schema_input_type=_DURATION)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Name = Annotated[str, AfterValidator(_name)]
Value = Annotated[str, PlainValidator(lookups.text_of, json_schema_input_type=str | int | float | bool | None)]
Format = Annotated[str, AfterValidator(_format), Field(json_schema_extra={"enum": list(FORMATS)})]


class _Keys(BaseModel):
    """A part of the file: its keys, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tagged(_Keys):
    """The tenants that have this tag."""

    tag: str


class Keep(_Keys):
    """How long finished runs are kept: those of this age, and at most so many of a tenant."""

    age: Duration | None = None
    count: Annotated[int, Field(ge=1)] | None = None


def _keep(given: Any) -> Any:
    """A length of time alone is the age."""
    return {"age": given} if isinstance(given, str | int) else given


class _Ways(_Keys):
    """How a schedule's runs are treated."""

    timeout: Timeout | None = Field(
        default=None, description="How long a run may take, like 10m; otherwise WORKBENCH_RUN_TIMEOUT."
    )
    retries: Annotated[int, Field(ge=0, le=10)] | None = Field(
        default=None,
        description="How often a run whose kernel died or that ran too long is tried again; 0 where nothing is said.",
    )
    retry_failures: bool | None = Field(default=None, description="Whether a run is tried again also where its notebook raised.")
    catch_up: CatchUp | None = Field(
        default=None, description="Which of the ticks that no scheduler saw in time are run later; latest where nothing is said."
    )
    keep: Annotated[Keep | None, BeforeValidator(_keep, json_schema_input_type=_DURATION | Keep | None)] = Field(
        default=None, description="How long finished runs are kept: an age like 90d, or {age: 90d, count: 30}."
    )


class Defaults(_Ways):
    """What holds for every schedule that does not say otherwise."""


class Entry(_Ways):
    """One schedule: a report, when it runs, and for whom."""

    report: Annotated[str, AfterValidator(_report)] = Field(description="The report, as `workbench report list` names it.")
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description='When: minute hour day-of-month month day-of-week, like "0 7 * * mon-fri".'
    )
    tenants: Annotated[
        Scope, PlainValidator(_scope, json_schema_input_type=Literal["all"] | Annotated[list[str], Field(min_length=1)] | Tagged)
    ] = Field(description="For whom: all, a list of tenants' ids, or {tag: retail}.")
    timezone: Timezone | None = Field(default=None, description="In which time zone; otherwise that of the whole file.")
    parameters: dict[str, Value] = Field(
        default={}, description='The report\'s parameters; macros like "{{ yesterday }}" are dates.'
    )
    formats: Annotated[list[Format], Field(min_length=1)] = Field(default=["html"], description="The files that a run makes.")
    enabled: bool = Field(default=True, description="Whether it ticks at all.")


class File(_Keys):
    """Which reports run when, for whom: the schedules of a workbench."""

    timezone: Timezone = Field(
        default="tenant", description="Where ticks and macros are counted: tenant, or a name like Europe/Zurich."
    )
    defaults: Defaults = Field(default=Defaults(), description="What holds for every schedule that does not say otherwise.")
    schedules: dict[Name, Entry] = Field(description="The schedules by name.")


def _schedule(file: File, name: str, entry: Entry, written_at: dt.datetime) -> Schedule:
    def way(key: str, otherwise: Any) -> Any:
        given = getattr(entry, key)
        given = getattr(file.defaults, key) if given is None else given
        return otherwise if given is None else given

    timeout, keep = way("timeout", None), way("keep", Keep())
    return Schedule(
        name=name,
        report=entry.report,
        cron=entry.cron,
        tenants=entry.tenants,
        timezone=entry.timezone or file.timezone,
        parameters=entry.parameters,
        formats=tuple(dict.fromkeys(entry.formats)),
        timeout_seconds=timeout and timeout.total_seconds(),
        retries=way("retries", 0),
        retry_failures=way("retry_failures", False),
        catch_up=way("catch_up", "latest"),
        keep={"age_days": keep.age and keep.age / dt.timedelta(days=1), "count": keep.count},
        enabled=entry.enabled,
        written_at=written_at,
    )


def find(schedules: Mapping[str, Schedule], name: str) -> Schedule:
    """Raises NotFound where there is none of that name."""
    if name not in schedules:
        raise NotFound(f"There is no schedule {name!r} in {NAME}{documents.did_you_mean(name, schedules)}")
    return schedules[name]
