"""The command line. All but the signals is imported when it is used: an interrupt must be met from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Runs the command line; every failure becomes one message on the error stream and an exit status."""
    interrupts = _Interrupts()
    try:
        interrupts.listen()
        from workbench.cli import commands

        interrupts.begun = True
        status = commands.run()
    except BaseException as error:
        interrupts.leave()
        from workbench.cli import failures

        status = failures.end(error, interrupted=interrupts.came)
    sys.exit(status)


class _Interrupts:
    """Ctrl-C, the end asked for by a service manager, and the end of the terminal: a command tidies up after all of them.

    A library whose work is interrupted may raise an error of its own (DuckDB does), so that one `came` is remembered.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.came = False
        self.begun = False

    def listen(self) -> None:
        for number in self._SIGNALS:
            # Ignored signals stay so: `nohup` starts its command like that.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._interrupt)

    def leave(self) -> None:
        """From here on the command only says how it ended; another interrupt need not wait for that."""
        for number in self._SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        if not self.begun:
            # There is nothing to tidy up yet, and an import may swallow what is raised in it.
            os.write(2, b"Interrupted.\n")
            os._exit(130)
        # Not before it is imported, which may be under way.
        if interrupt := getattr(sys.modules.get("workbench.lake"), "interrupt", None):
            interrupt()
        raise KeyboardInterrupt
