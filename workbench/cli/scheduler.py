from __future__ import annotations

import logging
import threading

import click


@click.command()
def command() -> None:
    """Put the ticks of schedules.yaml into the queue as they come, until it is stopped.

    Any number of schedulers may run; a tick becomes one run per tenant all the same. Changes of the file are taken up within two
    seconds; a broken file leaves the schedules as they were before. Ticks that came while none was running are made up for as the
    schedule's catch_up says. Stopped by Ctrl-C or SIGTERM.
    """
    from workbench.cli.context import opened
    from workbench.schedules import scheduler

    with opened() as workbench:
        _log_to_terminal()
        try:
            scheduler.serve(workbench.catalog, workbench.settings, threading.Event())
        except KeyboardInterrupt:
            # It was asked to end, and it has.
            return


def _log_to_terminal() -> None:
    """What it does is what whoever started it wants to see."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(min(handler.level, logging.INFO))
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
