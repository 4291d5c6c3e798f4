from __future__ import annotations

import click


@click.command()
@click.argument("query")
@click.option("--tenant", "tenant_id", metavar="ID", required=True, help="Whose lake.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="A table shows the first 100 rows; the others have all of them.",
)
def command(query: str, tenant_id: str, form: str) -> None:
    """Ask one tenant's lake a question: QUERY is one SELECT, read-only.

    Where the columns do not fit the terminal side by side, a table has one block per row.
    """
    from workbench.cli.answers import print_answer
    from workbench.cli.context import opened

    with opened() as workbench, workbench.reader(workbench.tenant(tenant_id)) as connection:
        print_answer(connection, query, form)
