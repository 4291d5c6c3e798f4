"""The processes of one run: one executes the notebook, one exports it, and this one sees to it that nothing outlives them.

    python -m workbench.execution    # the order as one line of JSON on the standard input, which stays open

The notebook's process may write to the run's private folder alone (`workbench.sandbox`) and ends, with all that it started,
before the exporting one takes the expected files out of there. Nothing is imported from that folder, or read as settings, here.

The outcome is one line of JSON on the standard output. When the standard input ends, because whoever gave the order has died or
has had enough, everything is killed at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import select
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import psutil

from workbench import sandbox

Outcome = Mapping[str, Any]

#: Names within the folder that a run may write to.
NOTEBOOK, TABLES = "executed.ipynb", "tables"
_LONGEST_ERROR = 2000


def main() -> int:
    sandbox.adopt_orphans()
    order = json.loads(sys.stdin.readline())
    try:
        outcome = _phase(_execute, order)
        if "error" not in outcome:
            outcome = _phase(_export, order)
    except _NoLongerWanted:
        shutil.rmtree(order["private"], ignore_errors=True)
        return 1
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 0


class _NoLongerWanted(Exception):
    pass


def _phase(work: Callable[[Outcome], Outcome], order: Outcome) -> Outcome:
    """What `work` returns in a process of its own, all of whose descendants have ended by then."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _be_child(work, order, write_end)
    os.close(write_end)
    try:
        told = _listen(read_end)
    finally:
        status = _end_descendants(child, order["private"])
    if told:
        found: Outcome = json.loads(told)
        return found
    return {"error": f"its process ended unexpectedly ({_in_words(status)})", "kind": "died"}


def _be_child(work: Callable[[Outcome], Outcome], order: Outcome, write_end: int) -> NoReturn:
    """Never returns into the code of the process that this one is a copy of."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.write(write_end, json.dumps(work(order)).encode())
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _listen(read_end: int) -> bytes:
    """All that the child says until it ends."""
    told = b""
    while True:
        ready, _, _ = select.select([read_end, sys.stdin], [], [])
        if sys.stdin in ready:
            raise _NoLongerWanted
        if not (piece := os.read(read_end, 65536)):
            os.close(read_end)
            return told
        told += piece


def _end_descendants(child: int, private: str) -> int:
    """Kills all there are, orphans included, until there are none; returns how the child itself ended."""
    status = 0
    while True:
        for process in _descendants(private):
            if process.pid != child or process.status() != psutil.STATUS_ZOMBIE:
                _kill(process)
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            return status
        status = ended if pid == child else status


def _descendants(private: str) -> list[psutil.Process]:
    """Where orphans are not adopted, those that have this run's private folder as their home count as well."""
    found = psutil.Process().children(recursive=True)
    if sys.platform != "linux":
        found += [each for each in psutil.process_iter() if _home(each) == private]
    return found


def _home(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        return process.environ().get("HOME")
    return None


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def _in_words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"status {os.waitstatus_to_exitcode(status)}"


def _execute(order: Outcome) -> Outcome:
    work = Path(order["work"])
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(work)
    sandbox.restrict(read=order["readable"], write=[order["private"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries; the notebook's own are in its outputs
        from jupyter_client.manager import AsyncKernelManager
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        class KernelManager(AsyncKernelManager):
            """Kernels that are spoken to through sockets in the private folder, where TCP is open to every local user."""

            transport = "ipc"

    try:
        execute_notebook(
            order["notebook"],
            str(work / NOTEBOOK),
            parameters=order["parameters"],
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel_manager_class=KernelManager,
        )
    except PapermillExecutionError as error:
        return {
            "error": _shortened(f"{error.ename}: {error.evalue}"),
            "cell": _own_cell(work / NOTEBOOK),
            "line": _line(error.traceback),
        }
    except OSError as error:
        return {"error": _shortened(str(error)), "unwritable": error.strerror, "kind": "unwritable"}
    except Exception as error:
        traceback.print_exc()
        return {"error": _shortened(f"{type(error).__name__}: {error}")}
    return {}


def _shortened(text: str) -> str:
    """As it may stand in the ledger and on a screen: PostgreSQL holds no NUL, and nobody reads a megabyte."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:_LONGEST_ERROR]


def _line(frames: list[str]) -> int | None:
    """The line of the cell, from the innermost frame that lies in one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(frames))
    found = re.findall(r"(?:Cell In\[\d+\], line|<ipython-input[^>]*>, line) (\d+)", plain)
    return int(found[-1]) if found else None


def _own_cell(output: Path) -> int | None:
    """Which of the notebook's own cells failed, from 1: papermill adds cells of its own."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    cells = [
        cell
        for cell in json.loads(output.read_text(encoding="utf-8"))["cells"]
        if not added & set(cell["metadata"].get("tags", []))
    ]
    for number, cell in enumerate(cells, start=1):
        if any(shown["output_type"] == "error" for shown in cell.get("outputs", [])):
            return number
    return None


def _export(order: Outcome) -> Outcome:
    """Takes the run's files to the staging folder and exports them there; returns the names of what is to be published."""
    from workbench import exports
    from workbench.errors import BadInput
    from workbench.exports import Edition
    from workbench.tables import read_all

    staging = Path(order["staging"])
    try:
        tables, period = _taken(Path(order["work"]), staging)
        edition = Edition(
            **order["edition"] | {"period": period, "generated_at": dt.datetime.fromisoformat(order["edition"]["generated_at"])}
        )
        files = exports.export(
            staging / NOTEBOOK, read_all(tables), edition, order["formats"], staging, cache=Path(order["cache"])
        )
        shutil.rmtree(tables)
    except OSError as error:
        return {"error": str(error), "unwritable": error.strerror, "kind": "unwritable"}
    except BadInput as error:
        return {"error": _shortened(str(error))}
    except Exception as error:
        traceback.print_exc()
        return {"error": _shortened(f"it could not be exported: {type(error).__name__}: {error}")}
    return {"names": sorted({NOTEBOOK, *(path.name for path in files)})}


def _taken(work: Path, staging: Path) -> tuple[Path, str]:
    """The folder of the run's tables within staging, and the period that the report says it is about."""
    from workbench.session import PERIOD_FILE

    sandbox.take(work / NOTEBOOK, staging / NOTEBOOK)
    tables = staging / ".tables"
    tables.mkdir()
    for path in sorted((work / TABLES).glob("*.parquet")):
        sandbox.take(path, tables / path.name)
    if not (work / TABLES / PERIOD_FILE).exists():
        return tables, ""
    sandbox.take(work / TABLES / PERIOD_FILE, tables / PERIOD_FILE)
    return tables, (tables / PERIOD_FILE).read_text(encoding="utf-8", errors="replace")[:100]


if __name__ == "__main__":
    sys.exit(main())
