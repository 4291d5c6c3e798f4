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
    "given",
    [
        {"WORKBENCH_RUN_TIMEOUT": "soon"},
        {"WORKBENCH_RUN_TIMEOUT": "-1"},
        {"WORKBENCH_RUN_MEMORY": "2G"},
        {"WORKBENCH_LOG_LEVEL": "LOUD"},
    ],
)
def test_a_setting_that_cannot_be_used_is_named(given: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=next(iter(given))):
        settings.load(given | {"WORKBENCH_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("given", "told"), [("there/no", "does not exist"), ("file", "is no folder"), ("~nobody-of-this-name/x", "is not known")]
)
def test_a_home_that_is_no_folder_is_refused(given: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=f"WORKBENCH_HOME .*{told}"):
        settings.load({"WORKBENCH_HOME": given}, start=tmp_path)


@pytest.mark.parametrize(
    ("given", "found"), [("s3://bucket/prefix/", "s3://bucket/prefix"), ("s3://bucket", "s3://bucket"), ("data", "{home}/data")]
)
def test_a_lake_lies_in_a_folder_or_on_s3(given: str, found: str, tmp_path: Path) -> None:
    assert settings.load({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_LAKE": given}).lake == found.format(home=tmp_path)


@pytest.mark.parametrize("given", ["gs://bucket/x", "file:///data", "s3://", "s3:///prefix", "file"])
def test_a_lake_anywhere_else_is_refused(given: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="WORKBENCH_LAKE is"):
        settings.load({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_LAKE": given})


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    assert [each.variable for each in settings.SETTINGS if f"`{each.variable}`" not in text] == []
