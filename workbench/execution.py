"""The process of one run: papermill executes one notebook, and what became of it is written to a file.

Started by the runner as the leader of its own process group, with the environment of one tenant and nothing else.

    python -m workbench.execution    # {"notebook": …, "output": …, "parameters": …, "outcome": …} on the standard input
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any


def main(order: dict[str, Any]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries; the notebook's own are in its outputs
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook
    try:
        execute_notebook(
            order["notebook"],
            order["output"],
            parameters=order["parameters"],
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
        )
    except PapermillExecutionError as error:
        outcome = {"cell": error.cell_index, "line": _line(error.traceback), "error": f"{error.ename}: {error.evalue}"}
        Path(order["outcome"]).write_text(json.dumps(outcome | {"cell": _own_cell(order["output"])}))
        return 1
    except Exception as error:
        Path(order["outcome"]).write_text(json.dumps({"cell": None, "line": None, "error": f"{type(error).__name__}: {error}"}))
        return 1
    return 0


def _line(traceback: list[str]) -> int | None:
    """The line of the cell, from the innermost frame that lies in one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    found = re.findall(r"(?:Cell In\[\d+\], line|<ipython-input[^>]*>, line) (\d+)", plain)
    return int(found[-1]) if found else None


def _own_cell(output: str) -> int | None:
    """Which of the notebook's own cells failed, from 1: papermill adds cells of its own."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    cells = [
        cell
        for cell in json.loads(Path(output).read_text(encoding="utf-8"))["cells"]
        if not added & set(cell["metadata"].get("tags", []))
    ]
    for number, cell in enumerate(cells, start=1):
        if any(shown["output_type"] == "error" for shown in cell.get("outputs", [])):
            return number
    return None


if __name__ == "__main__":
    sys.exit(main(json.load(sys.stdin)))
