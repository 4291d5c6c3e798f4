"""What an installation needs done once a day. Each of its schedulers does it, for itself.

Where several do it, also at once, the later finds little left to do, but for files that are on its machine only.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
from collections.abc import Iterator

from workbench import retention
from workbench.catalog import Catalog
from workbench.errors import DatabaseUnavailable
from workbench.settings import Settings

_log = logging.getLogger(__name__)
#: Not while everything else begins as well; and how long after each time.
_FIRST_SECONDS, _NEXT_SECONDS = 300.0, 86400.0


@contextlib.contextmanager
def daily(catalog: Catalog, settings: Settings, *, first: float = _FIRST_SECONDS) -> Iterator[None]:
    """Does it in a thread of its own, `first` seconds from now and then 24 hours after each time, until the block ends.

    Where it failed, or the database was away, it is tried again after five minutes. The end waits for what is under way.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_go_on, args=(catalog, settings, stop, first), name="maintenance", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _go_on(catalog: Catalog, settings: Settings, stop: threading.Event, first: float) -> None:
    wait = first
    while not stop.wait(wait):
        wait = _NEXT_SECONDS if _prune(catalog, settings) else _FIRST_SECONDS


def _prune(catalog: Catalog, settings: Settings) -> bool:
    try:
        pruned = retention.prune(catalog, settings, dt.datetime.now(dt.UTC))
    except DatabaseUnavailable as error:
        _log.warning("runs that need not be kept could not be removed: %s", error)
        return False
    except Exception as error:
        _log.error("runs that need not be kept could not be removed: %s: %s", type(error).__name__, error, exc_info=error)
        return False
    if pruned:
        _log.info("%d runs that need not be kept were removed", len(pruned))
    return True
