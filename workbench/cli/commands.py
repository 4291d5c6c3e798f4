"""The commands by name. Each is imported when it is used, so that help answers at once."""

from __future__ import annotations

import importlib
import logging
import os

import click

from workbench import logs

#: Command, the module of `workbench.cli` that has it as `command`, and its help in the list.
_COMMANDS = {
    "demo": ("demo", "Set up three demo companies, roll up, and run every report."),
    "doctor": ("doctor", "Say what is installed, reachable and healthy, and how to mend what is not."),
    "down": ("down", "Stop the embedded database server at once."),
    "import": ("import_", "Turn the rows of a file or query into events."),
    "report": ("report", "List, explain and run reports."),
    "rollup": ("rollup", "Turn new events into metric tables."),
    "runs": ("runs", "List, explain, follow, cancel and retry runs; find those that are missing."),
    "scheduler": ("scheduler", "Run reports when their schedules say, until it is stopped."),
    "schedules": ("schedules", "Check, list, pause and run schedules."),
    "sql": ("sql", "Ask one tenant's lake a question."),
    "tenant": ("tenant", "Add, list, tag and remove tenants."),
    "up": ("up", "Run everything in this terminal: database, scheduler, worker."),
    "worker": ("worker", "Execute what is queued, until it is stopped."),
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"workbench.cli.{_COMMANDS[name][0]}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="workbench")
def cli() -> None:
    """Analytics workbench for call centres: events in, reports out.

    Exit status: 0 fine, 2 bad input, 3 a run failed, 4 broken installation, 5 an import rejected some rows, 130 interrupted.
    """


def run() -> int:
    """Runs the command that this process was started with; returns its exit status."""
    _prepare()
    status = cli.main(standalone_mode=False)
    return status if isinstance(status, int) else 0


def _prepare() -> None:
    # Logs, reports, locks and what a failed run leaves are for this user only.
    os.umask(0o077)
    level = os.environ.get("WORKBENCH_LOG_LEVEL", "WARNING").upper()
    console = logging.StreamHandler()
    console.setLevel(level if level in logging.getLevelNamesMapping() else "WARNING")
    logging.setLogRecordFactory(logs.Record)
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[console], level=console.level)
    # A log on a full disk is no reason to fill the error stream with logging's own failures.
    logging.raiseExceptions = False
