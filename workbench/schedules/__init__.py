"""Which reports run when, for whom: `schedules.yaml`, its ticks, and what should have run and did not."""

from __future__ import annotations

from workbench.schedules.file import find, read
from workbench.schedules.gaps import Gap, missing
from workbench.schedules.orders import backfill, enqueue_due, enqueue_now, resume
from workbench.schedules.schedule import Schedule

__all__ = ["Gap", "Schedule", "backfill", "enqueue_due", "enqueue_now", "find", "missing", "read", "resume"]
