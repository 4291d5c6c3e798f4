from __future__ import annotations

import sys

import click


@click.command()
@click.argument("query")
@click.option("--tenant", "tenant_id", required=True, help="Whose lake.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table", show_default=True)
def command(query: str, tenant_id: str, form: str) -> None:
    """Ask one tenant's lake a question: one SELECT, read-only."""
    from workbench.cli.context import opened

    with opened() as workbench:
        session = workbench.session(workbench.tenant(tenant_id))
        table = session.arrow(query)
        session.close()
    if form == "csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(table, sys.stdout.buffer)
    elif form == "parquet":
        import pyarrow.parquet

        if sys.stdout.isatty():
            raise click.ClickException("Parquet is not for reading on a screen; send it to a file with > FILE.")
        pyarrow.parquet.write_table(table, sys.stdout.buffer)
    else:
        from workbench.cli.output import rows

        rows(table.to_pylist(), as_json=form == "json", nothing="No rows.")
