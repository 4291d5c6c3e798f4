"""What an exported report says about itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """One run's report: `period` as text for the reader, `generated_at` with a zone, `currency` as its code."""

    report_title: str
    tenant_name: str
    period: str
    run_id: str
    timezone: str
    currency: str
    generated_at: dt.datetime

    @property
    def generated(self) -> str:
        """When it was made, on the tenant's clock."""
        local = self.generated_at.astimezone(ZoneInfo(self.timezone))
        return f"{local.day} {local:%b %Y, %H:%M} ({self.timezone})"
