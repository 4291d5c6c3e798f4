from __future__ import annotations

from pathlib import Path

import pytest

from workbench import settings
from workbench.errors import BadInput

ROOT = Path(__file__).parent.parent.parent


def test_the_home_is_the_nearest_folder_with_schedules(tmp_path: Path) -> None:
    (tmp_path / "schedules.yaml").touch()
    (tmp_path / "notebooks" / "reports").mkdir(parents=True)
    found = settings.load({}, start=tmp_path / "notebooks" / "reports")
    assert (found.home, found.reports, found.lake) == (tmp_path, tmp_path / "reports", str(tmp_path / "var" / "lake"))


def test_a_folder_that_is_no_workbench_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="set WORKBENCH_HOME"):
        settings.load({}, start=tmp_path)


@pytest.mark.parametrize(
    "given", [{"WORKBENCH_RUN_TIMEOUT": "soon"}, {"WORKBENCH_RUN_TIMEOUT": "-1"}, {"WORKBENCH_LOG_LEVEL": "LOUD"}]
)
def test_a_setting_that_cannot_be_used_is_named(given: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=next(iter(given))):
        settings.load(given | {"WORKBENCH_HOME": str(tmp_path)})


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    assert [each.variable for each in settings.SETTINGS if f"`{each.variable}`" not in text] == []
