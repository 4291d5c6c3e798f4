from __future__ import annotations

import threading

import click

from workbench.cli.parts import ends_with_input, metrics_at


@click.command()
@ends_with_input
def command(end_with_input: bool) -> None:
    """Put the ticks of schedules.yaml into the queue as they come, until it is stopped.

    Any number of schedulers may run; a tick becomes one run per tenant all the same. Changes of the file are taken up within two
    seconds; a broken file leaves the schedules as they were before. Ticks that came while none was running are made up for as the
    schedule's catch_up says. Once a day, runs that need not be kept any longer are removed. Stopped by Ctrl-C or SIGTERM.
    """
    from workbench import logs, maintenance, monitoring, supervision
    from workbench.cli.context import opened
    from workbench.schedules import scheduler

    if end_with_input:
        supervision.stop_with_input()
    with opened() as workbench, maintenance.daily(workbench.catalog, workbench.settings):
        logs.to_terminal()
        address = monitoring.Monitoring(workbench.catalog, workbench.settings).serve(monitoring.OF_SCHEDULER)
        try:
            scheduler.serve(
                workbench.catalog,
                workbench.settings,
                threading.Event(),
                ready=lambda schedules: click.echo(_ready(schedules, address)),
            )
        except KeyboardInterrupt:
            # It was asked to end, and it has.
            return


def _ready(schedules: int, metrics: str | None) -> str:
    told = "one schedule" if schedules == 1 else f"{schedules} schedules"
    return f"queues what {told} of schedules.yaml ask for; {metrics_at(metrics)}"
