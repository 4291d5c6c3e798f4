"""Executes a run's notebook with papermill, in a process and a sandbox of the run's own, and says how far it is."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import traceback
import warnings
from pathlib import Path

from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook

from workbench import sandbox
from workbench.execution import NOTEBOOK, Order, Outcome, Say, client, shortened
from workbench.kernels import preload
from workbench.kernels.beforehand import Beforehand


def execute(order: Order, say: Say) -> Outcome:
    work = Path(order["work"])
    preload.live_in(order["environment"])
    os.chdir(work)
    _limit_files()
    sandbox.restrict(read=order["readable"], write=[order["private"]])
    # Parameters have been checked; papermill knows fewer types and says that it does not know the others.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        # Now: where there are other threads, a copy of this process would have their locks without them. It starts while the
        # notebook is being read.
        manager = client.Manager(Beforehand() if preload.forkable() else None)
        manager.launch()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries; the notebook's own are in its outputs
            execute_notebook(
                order["notebook"],
                str(work / NOTEBOOK),
                parameters=order["parameters"],
                kernel_name="python3",
                engine_name=client.ENGINE,
                progress_bar=False,
                request_save_on_cell_execute=False,
                say=say,
                manager=manager,
                kept=str(work / NOTEBOOK),
            )
    except PapermillExecutionError as error:
        return {
            "error": shortened(f"{error.ename}: {error.evalue}"),
            "kind": "raised",
            "cell": _own_cell(work / NOTEBOOK),
            "line": _line(error.traceback),
        }
    except DeadKernelError as error:
        return {"error": str(error), "kind": "died"}
    except OSError as error:
        if not work.is_dir():
            return {"error": "the notebook removed the folder that it was executed in", "kind": "raised"}
        reason = f"{error.strerror or error} (in the run's private folder, {order['private']})"
        return {"error": shortened(str(error)), "unwritable": reason, "kind": "unwritable"}
    except Exception as error:
        traceback.print_exc()
        return {"error": shortened(f"{type(error).__name__}: {error}"), "kind": "raised"}
    return {}


def _limit_files() -> None:
    """Those in memory, too, so that none outgrows the run's limit between two looks at it. A lower limit there is stays."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY or most > sandbox.LARGEST_FILE:
        resource.setrlimit(resource.RLIMIT_FSIZE, (sandbox.LARGEST_FILE, sandbox.LARGEST_FILE))


def _line(frames: list[str]) -> int | None:
    """The line of the cell, from the innermost frame that lies in one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(frames))
    found = re.findall(r"(?:Cell In\[\d+\], line|<ipython-input[^>]*>, line) (\d+)", plain)
    return int(found[-1]) if found else None


def _own_cell(output: Path) -> int | None:
    """Which of the notebook's own cells failed, from 1: papermill adds cells of its own."""
    cells = [
        cell
        for cell in json.loads(output.read_text(encoding="utf-8"))["cells"]
        if not client.ADDED & set(cell["metadata"].get("tags", []))
    ]
    for number, cell in enumerate(cells, start=1):
        if any(shown["output_type"] == "error" for shown in cell.get("outputs", [])):
            return number
    return None
