from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Stop the embedded database server at once."""
    from workbench import settings
    from workbench.catalog.embedded import EmbeddedServer

    stopped = EmbeddedServer(settings.load().var / "postgres").stop()
    click.echo("Stopped the embedded PostgreSQL server." if stopped else "No embedded PostgreSQL server is running.")
