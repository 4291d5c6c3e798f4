"""The command line. Commands are imported when they are used, so that help answers at once."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from types import FrameType

import click

from workbench.errors import WorkbenchError

_log = logging.getLogger(__name__)

#: Command, the module of `workbench.cli` that has it as `command`, and its help in the list.
_COMMANDS = {
    "demo": ("demo", "Set up three demo companies, roll up, and run every report."),
    "doctor": ("doctor", "Say what is installed, reachable and healthy, and how to mend what is not."),
    "down": ("down", "Stop the embedded database server at once."),
    "import": ("import_", "Turn the rows of a file or query into events."),
    "report": ("report", "List, explain and run reports."),
    "rollup": ("rollup", "Turn new events into metric tables."),
    "sql": ("sql", "Ask one tenant's lake a question."),
    "tenant": ("tenant", "Add, list and remove tenants."),
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


def main() -> None:
    """Runs the command line; every failure becomes one message on the error stream and an exit status."""
    _prepare()
    try:
        status = cli.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except WorkbenchError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_status)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was finished is kept; the same command can be run again.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        _log.info("unexpected: %s", error, exc_info=True)
        click.echo(
            f"Error: {type(error).__name__}: {error}\nThis is a fault of the workbench; var/workbench.log shows where.", err=True
        )
        sys.exit(4)


def _prepare() -> None:
    level = os.environ.get("WORKBENCH_LOG_LEVEL", "WARNING").upper()
    console = logging.StreamHandler()
    console.setLevel(level if level in logging.getLevelNamesMapping() else "WARNING")
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[console], level=console.level)
    # Ended by a service manager, a command tidies up as it does when a person interrupts it.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
