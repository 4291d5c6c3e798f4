"""The pages say what the code says, and the names that notebooks may count on are these."""

from __future__ import annotations

import runpy
from pathlib import Path

import click
import pytest

import workbench
from workbench.cli.commands import cli

DOCS = Path(__file__).parent.parent.parent / "docs"
_REFERENCE = runpy.run_path(str(DOCS / "commands.py"))


def test_the_page_of_commands_is_what_make_docs_writes() -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == _REFERENCE["page"]()


@pytest.mark.parametrize(
    "context", list(_REFERENCE["contexts"](cli, None, "workbench")), ids=lambda context: context.command_path
)
def test_every_command_explains_itself_its_arguments_and_its_options(context: click.Context) -> None:
    told = context.command.help or ""
    assert told
    for parameter in context.command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
        else:
            assert parameter.make_metavar(context).strip("[]") in told


def test_the_names_that_are_stable_for_notebooks_are_these() -> None:
    assert sorted(workbench.__all__) == ["Column", "Figure", "Period", "Session", "open", "standout"]
    assert all(callable(getattr(workbench, name)) for name in workbench.__all__)
