"""When and how long, as a person reads it. Times of several tenants stand beside each other, so they are UTC."""

from __future__ import annotations

import datetime as dt


def when(instant: dt.datetime, now: dt.datetime) -> str:
    """As short as tells it from the others: the time of today, weekday and time of the last days, else the date; UTC."""
    at = instant.astimezone(dt.UTC)
    if at.date() == now.astimezone(dt.UTC).date():
        return f"{at:%H:%M:%S}"
    return f"{at:%a %H:%M}" if abs(now - at) < dt.timedelta(days=6) else f"{at:%d.%m.%y}"


def exactly(instant: dt.datetime) -> str:
    return f"{instant.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def took(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
