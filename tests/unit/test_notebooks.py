from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench import notebooks
from workbench.errors import BadInput, InvalidParameter, NotFound

ROOT = Path(__file__).parent.parent.parent


def _notebook(folder: Path, parameters: str) -> Path:
    path = folder / "churn.ipynb"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Churn\n\nWho left,\nand why.\n\nMore."},
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": parameters},
    ]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_a_report_is_described_by_its_notebook(tmp_path: Path) -> None:
    report = notebooks.read(_notebook(tmp_path, "top: int = 10  # how many\nday: dt.date | None = None  # which day"))
    assert (report.name, report.title, report.purpose) == ("churn", "Churn", "Who left, and why.")
    assert [(each.name, each.type, each.optional, each.default, each.help) for each in report.parameters] == [
        ("top", "int", False, 10, "how many"),
        ("day", "date", True, None, "which day"),
    ]


def test_values_come_typed(tmp_path: Path) -> None:
    report = notebooks.read(
        _notebook(tmp_path, "top: int = 10\nday: dt.date | None = None\nall_teams: bool = False\nname: str = ''")
    )
    given = {"top": "3", "day": "2026-02-28", "all_teams": "yes", "name": "x'; import os #"}
    assert report.values(given) == {"top": 3, "day": "2026-02-28", "all_teams": True, "name": "x'; import os #"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tpo": "3"}, "has no parameter 'tpo'; it has: top"),
        ({"top": "many"}, "must be a whole number"),
        ({"start_date": "2026-02-30"}, "must be a date like 2026-01-31"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, "is before start_date"),
        ({"top": "__import__('os').system('id')"}, "must be a whole number"),
        ({"x=1\nimport os": "1"}, "has no parameter"),
        ({"share": "nan"}, "must be a number"),
        ({"share": "1e999"}, "must be a number"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_would_be_right(tmp_path: Path, given: dict[str, str], told: str) -> None:
    declared = "top: int = 10\nshare: float = 1\nstart_date: dt.date | None = None\nend_date: dt.date | None = None"
    report = notebooks.read(_notebook(tmp_path, declared))
    with pytest.raises(InvalidParameter, match=told):
        report.values(given)


@pytest.mark.parametrize(
    "declared", ["top = 10", "top: Any = 1", "top: int = f()", "top: int =", "top: int = 'abc'", "top: int = None"]
)
def test_a_parameters_cell_that_declares_nothing_usable_is_refused(tmp_path: Path, declared: str) -> None:
    with pytest.raises(BadInput, match="param"):
        notebooks.read(_notebook(tmp_path, declared))


def test_a_broken_notebook_does_not_hide_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "notebooks" / "reports"
    folder.mkdir(parents=True)
    _notebook(folder, "top: int = 10")
    (folder / "broken.ipynb").write_text("{")
    names = [report.name for report in notebooks.reports(tmp_path)]
    assert "churn" in names
    assert "broken" not in names
    assert "broken.ipynb is not a Jupyter notebook" in caplog.text


def test_an_unknown_report_and_a_path_for_a_name_are_not_found() -> None:
    for name in ("nonsense", "../reports/agent_performance"):
        with pytest.raises(NotFound, match="workbench report list"):
            notebooks.report(ROOT, name)


def test_every_shipped_report_is_explained_and_committed_without_outputs() -> None:
    for report in notebooks.reports(ROOT):
        assert report.title
        assert report.purpose
        assert all(parameter.help for parameter in report.parameters)
        cells = json.loads(report.path.read_text())["cells"]
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code")
