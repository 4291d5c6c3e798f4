"""Takes the files of a run out of the folder that its notebook could write to, and exports them."""

from __future__ import annotations

import datetime as dt
import shutil
import traceback
from pathlib import Path

from workbench import exports, sandbox
from workbench.errors import BadInput
from workbench.execution import NOTEBOOK, TABLES, Order, Outcome, Say, shortened
from workbench.exports import Edition
from workbench.session import PERIOD_FILE, ROWS_FILE
from workbench.tables import read_all


def export(order: Order, say: Say) -> Outcome:
    """Takes the run's files to the staging folder and exports them there; returns the names of what is to be published."""
    staging = Path(order["staging"])
    try:
        tables = _taken(Path(order["work"]), staging)
        period, rows = _text(tables / PERIOD_FILE), _text(tables / ROWS_FILE)
        edition = Edition(
            **order["edition"] | {"period": period, "generated_at": dt.datetime.fromisoformat(order["edition"]["generated_at"])}
        )
        files = exports.export(
            staging / NOTEBOOK, read_all(tables), edition, order["formats"], staging, cache=Path(order["cache"])
        )
        shutil.rmtree(tables)
    except OSError as error:
        return {"error": shortened(str(error)), "unwritable": error.strerror, "kind": "unwritable"}
    except BadInput as error:
        return {"error": shortened(str(error)), "kind": "export"}
    except Exception as error:
        traceback.print_exc()
        return {"error": shortened(f"it could not be exported: {type(error).__name__}: {error}"), "kind": "export"}
    return {
        "names": sorted({NOTEBOOK, *(path.name for path in files)}),
        "rows_read": int(rows) if rows.isdecimal() and rows.isascii() else 0,
    }


def _taken(work: Path, staging: Path) -> Path:
    """The folder within staging of the run's tables and of what else the session has left."""
    try:
        sandbox.take(work / NOTEBOOK, staging / NOTEBOOK)
    except FileNotFoundError:
        raise BadInput("Something that the notebook started has removed the executed notebook.") from None
    tables = staging / ".tables"
    tables.mkdir()
    names = sorted(path.name for path in (work / TABLES).glob("*.parquet"))
    for name in (*names, *(each for each in (PERIOD_FILE, ROWS_FILE) if (work / TABLES / each).exists())):
        sandbox.take(work / TABLES / name, tables / name)
    return tables


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[:100] if path.exists() else ""
