"""The log file: what each line says, and that no line is lost or torn where several processes write."""

from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench import logs

_log = logging.getLogger("workbench.test")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The log of this process; the file is this test's until it ends."""
    earlier = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logs.Record)
    logs.to_file(tmp_path / "workbench.log")
    yield tmp_path / "workbench.log"
    logging.setLogRecordFactory(earlier)
    for handler in list(logging.getLogger("workbench").handlers):
        logging.getLogger("workbench").removeHandler(handler)
        handler.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_where_what_and_about_what(log: Path) -> None:
    with logs.about(run_id="r1", tenant_id="acme"), logs.about(schedule="daily"):
        _log.warning("it took %d s\nand more", 3)
    _log.info("later")
    first, second = _lines(log)
    assert dt.datetime.fromisoformat(first.pop("time")) <= dt.datetime.now(dt.UTC)
    assert isinstance(first.pop("process"), int)
    assert first == {
        "level": "WARNING",
        "logger": "workbench.test",
        "message": "it took 3 s\nand more",
        "run_id": "r1",
        "tenant_id": "acme",
        "schedule": "daily",
    }
    assert "run_id" not in second


def test_a_traceback_is_inside_its_line_and_holds_no_password(log: Path) -> None:
    try:
        raise RuntimeError("at postgresql://me:secret@host/x")
    except RuntimeError:
        _log.exception("failed with password='secret'")
    (line,) = _lines(log)
    assert "RuntimeError" in line["traceback"]
    assert "secret" not in json.dumps(line)


def test_a_log_that_is_opened_again_has_each_line_once(log: Path) -> None:
    logs.to_file(log)
    _log.info("once")
    assert len(_lines(log)) == 1


_WRITER = """
import logging, sys
from pathlib import Path
from workbench import logs
logs.to_file(Path(sys.argv[1]), limit=int(sys.argv[2]))
for number in range(400):
    logging.getLogger("workbench.test").info("%s %d %s", sys.argv[3], number, "x" * 20_000 if number % 100 == 0 else "")
"""


def test_processes_that_write_at_once_fill_file_after_file_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "workbench.log"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), "200000", name]) for name in "abcd"]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    files = sorted(tmp_path.glob("workbench.log*"))
    assert len(files) > 1
    # Each of the others may have begun its line at the same moment.
    assert max(file.stat().st_size for file in files) <= 200_000 + 3 * 21_000
    told = [line["message"].split()[:2] for file in files for line in _lines(file)]
    assert sorted((name, int(number)) for name, number in told) == [(name, number) for name in "abcd" for number in range(400)]
