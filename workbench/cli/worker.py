from __future__ import annotations

import os

import click


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=64),
    default=os.cpu_count() or 1,
    show_default="as many as there are processors",
    help="How many runs to execute at a time.",
)
def command(concurrency: int) -> None:
    """Execute what is queued, until it is stopped.

    Any number of workers may run, on any number of machines. One that is asked to stop (Ctrl-C, SIGTERM) finishes its runs first;
    asked again, or after WORKBENCH_WORKER_GRACE, it hands them back to the queue.
    """
    from workbench import kernels
    from workbench.cli.context import opened
    from workbench.worker import Worker

    with opened() as workbench, kernels.serving(workbench.settings) as warm:
        Worker(workbench.catalog, workbench.settings, warm, concurrency=concurrency).run()
