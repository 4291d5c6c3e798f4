"""A small run without a kernel: what libraries make when they are first used, and keep, is there after it."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
from papermill.iorw import load_notebook_node, write_ipynb
from papermill.parameterize import parameterize_notebook

from workbench import exports
from workbench.exports import Edition
from workbench.tables import ReportTable

#: Parquet is not among them: Arrow reads and writes it with threads.
_FORMATS = ("html", "pdf", "xlsx", "csv", "json")


def rehearse() -> None:
    """Starts no thread and leaves no file."""
    frame = pd.DataFrame({"name": ["a", "b"], "number": [1, 2], "value": [1.5, 2.5]})
    alt.Chart(frame).mark_line().encode(x="number", y="value", color="name")._repr_mimebundle_()
    table = ReportTable.from_frame(frame, name="rehearsal", title="Rehearsal")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rehearsal.ipynb")
        path.write_text(json.dumps(_notebook(frame, table)))
        write_ipynb(parameterize_notebook(load_notebook_node(str(path)), {"top": 1}, kernel_name="python3"), str(path))
        exports.export(path, [table], _EDITION, _FORMATS, Path(folder))


def _notebook(frame: pd.DataFrame, table: ReportTable) -> dict[str, Any]:
    shown = {"output_type": "execute_result", "metadata": {}, "execution_count": 1}
    outputs = [
        {**shown, "data": {"text/plain": repr(each), "text/html": html}}
        for each, html in ((frame, frame.to_html(notebook=True)), (table, table.html()))
    ]
    code = {"cell_type": "code", "metadata": {}, "source": "top: int = 3", "execution_count": 1, "outputs": []}
    return {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Rehearsal\n\nA *word*."},
            {**code, "id": "parameters", "metadata": {"tags": ["parameters"]}},
            {**code, "id": "shown", "outputs": outputs},
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


_EDITION = Edition(
    report_title="Rehearsal",
    tenant_name="Nobody",
    period="",
    run_id="",
    timezone="UTC",
    currency="EUR",
    generated_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
)
