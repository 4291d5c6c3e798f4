"""A schedule: one report, when it runs, for which tenants, with which parameters."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.schedules import macros

CatchUp = Literal["skip", "latest", "all"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which tenants: those with an id of `ids`, or with the `tag`; all where neither is given."""

    ids: tuple[str, ...] | None = None
    tag: str | None = None

    def includes(self, tenant_id: str, tags: Collection[str]) -> bool:
        if self.ids is not None:
            return tenant_id in self.ids
        return self.tag is None or self.tag in tags

    def __str__(self) -> str:
        if self.ids is not None:
            return ", ".join(self.ids)
        return "all" if self.tag is None else f"tag {self.tag}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """One schedule, with the defaults applied. `parameters` are texts with macros, `written_at` is when the file was changed."""

    name: str
    report: str
    cron: str
    tenants: Scope
    timezone: str
    parameters: Mapping[str, str]
    formats: Sequence[str]
    timeout_seconds: float | None
    retries: int
    retry_failures: bool
    catch_up: CatchUp
    keep: Mapping[str, Any]
    enabled: bool
    written_at: dt.datetime

    @property
    def timing(self) -> str:
        """What decides when it ticks. A schedule whose timing is changed starts anew."""
        return json.dumps([self.cron, self.timezone, self.enabled])

    def zone(self, tenant_zone: str) -> zoneinfo.ZoneInfo:
        """The time zone in which it ticks for a tenant of that zone."""
        return zoneinfo.ZoneInfo(tenant_zone if self.timezone == "tenant" else self.timezone)

    def texts(self, tick: dt.datetime, tenant_zone: str) -> dict[str, str]:
        """The parameters at that tick."""
        local = tick.astimezone(self.zone(tenant_zone))
        return {name: macros.expanded(text, local) for name, text in self.parameters.items()}
