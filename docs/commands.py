"""Writes commands.md, the reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from workbench.cli.commands import cli
from workbench.cli.import_ import INTERRUPTED, SOME_REJECTED
from workbench.errors import BadInput, BrokenInstallation, RunFailed

PAGE = Path(__file__).with_name("commands.md")
#: What a person reads is told in lines of this many characters, on any terminal.
_WIDTH = 100

_STATUSES = {
    0: "fine; also where the reader of the output, as `head` does, takes no more",
    BadInput.exit_status: "bad input: an option, a setting, a file or a name is wrong; the message says what would be right",
    RunFailed.exit_status: "a report's run failed or its files could not be written",
    BrokenInstallation.exit_status: "a broken installation: database, package, folder or lake; `workbench doctor` says more",
    SOME_REJECTED: "an import rejected some rows, and imported all others",
    INTERRUPTED: "interrupted, by Ctrl-C or by a service manager; what was finished is kept",
}

_OPENING = """# Commands

Made by `make docs` from the commands themselves: `workbench COMMAND --help` prints the same. Tables are for people and fit
80 characters, or the terminal; `--json`, and the forms of `workbench sql`, are for programs. Answers go to standard output,
messages to the error stream.
"""


def page() -> str:
    """The whole page."""
    statuses = "\n".join(f"| {status} | {meaning} |" for status, meaning in _STATUSES.items())
    sections = "\n".join(
        f"## {context.command_path}\n\n```\n{context.get_help()}\n```\n" for context in contexts(cli, None, "workbench")
    )
    return f"{_OPENING}\n## Exit status\n\n| status | meaning |\n| --- | --- |\n{statuses}\n\n{sections}"


def contexts(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """The command and all below it, each with its parents."""
    context = click.Context(command, parent, name, terminal_width=_WIDTH, max_content_width=_WIDTH, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from contexts(found, context, below)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
