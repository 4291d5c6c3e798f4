from __future__ import annotations

import click

from workbench.cli.parts import ends_with_input, metrics_at, with_concurrency


@click.command()
@with_concurrency
@ends_with_input
def command(concurrency: int, end_with_input: bool) -> None:
    """Execute what is queued, until it is stopped.

    Any number of workers may run, on any number of machines. One that is asked to stop (Ctrl-C, SIGTERM) finishes its runs first;
    asked again, or after WORKBENCH_WORKER_GRACE, it hands them back to the queue.
    """
    from workbench import kernels, logs, monitoring, supervision
    from workbench.cli.context import opened
    from workbench.worker import Worker

    if end_with_input:
        supervision.stop_with_input()
    with opened() as workbench, kernels.serving(workbench.settings) as warm:
        logs.to_terminal()
        watched = monitoring.Monitoring(workbench.catalog, workbench.settings)
        address = watched.serve(monitoring.OF_WORKERS)
        Worker(
            workbench.catalog,
            workbench.settings,
            warm,
            concurrency=concurrency,
            monitoring=watched,
            ready=lambda: click.echo(_ready(concurrency, address)),
        ).run()


def _ready(concurrency: int, metrics: str | None) -> str:
    at_a_time = "one run" if concurrency == 1 else f"{concurrency} runs"
    return f"executes what is queued, {at_a_time} at a time; {metrics_at(metrics)}"
