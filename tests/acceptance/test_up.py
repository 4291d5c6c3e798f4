"""`workbench up` as whoever starts it meets it: all is there, comes back when it dies, and is gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import nbformat
import psutil
import pytest


class _Up:
    def __init__(self, home: Path, output: Path, **settings: str) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
        self.home = home
        self._output = output
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workbench", "up", "--concurrency", "1"],
                env=environment | settings,
                cwd=home,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._output.read_text()

    def wait_for(self, *words: str) -> None:
        self.wait_until(lambda: all(each in self.said() for each in words))

    def wait_until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def part(self, name: str) -> psutil.Process:
        (found,) = [each for each in psutil.Process(self.process.pid).children() if name in each.cmdline()]
        return found


@pytest.fixture
def up(new_home: Callable[[], Path], tmp_path: Path) -> Iterator[Callable[..., _Up]]:
    home = new_home()
    with contextlib.ExitStack() as stack:

        def start(**settings: str) -> _Up:
            started = _Up(home, tmp_path / "output", **settings)
            stack.callback(started.process.wait, 60)
            stack.callback(started.process.terminate)
            return started

        yield start


def test_everything_comes_up_comes_back_and_ends_in_order(up: Callable[..., _Up]) -> None:
    running = up()
    running.wait_for("The workbench is up.", "workbench.log", "Next: ")
    metrics = set(re.findall(r"metrics at (http://127.0.0.1:\d+/metrics)", running.said()))
    assert ["workbench_workers 1.0" in httpx.get(address).text for address in metrics] == [True, True]
    (running.home / "schedules.yaml").unlink()  # by which its folder was found
    running.part("worker").kill()
    running.wait_for("was ended by SIGKILL", "it is started again in 0.5 s")
    running.wait_until(lambda: running.said().count("at a time; metrics") == 3)  # and once in the block of all
    running.part("worker").kill()
    running.wait_for("the second time in a row; it is started again in 1 s")
    running.wait_until(lambda: running.said().count("at a time; metrics") == 4)
    everything = psutil.Process(running.process.pid).children(recursive=True)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    assert re.search(
        r"scheduler │ is asked to stop.*worker    │ is asked to stop.*Everything has stopped.\n$", running.said(), re.DOTALL
    )
    assert [each for each in everything if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def test_nothing_is_left_where_it_is_killed_itself(up: Callable[..., _Up]) -> None:
    running = up()
    running.wait_for("The workbench is up.")
    everything = psutil.Process(running.process.pid).children(recursive=True)
    assert everything
    running.process.kill()
    gone, alive = psutil.wait_procs(everything, timeout=30)
    assert (len(gone), alive) == (len(everything), [])


def test_asked_a_second_time_it_stops_all_parts_at_once(up: Callable[..., _Up]) -> None:
    running = up()
    running.wait_for("The workbench is up.")
    for name in ("scheduler", "worker"):
        running.part(name).suspend()  # does nothing that it is asked for
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("scheduler │ is asked to stop")
    assert "worker    │ is asked to stop" not in running.said()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert re.search("worker    │ is asked to stop.*scheduler │ is killed", running.said(), re.DOTALL)


def test_asked_a_second_time_it_does_not_wait_for_a_run_which_goes_back_into_the_queue(
    up: Callable[..., _Up], run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    running = up()
    running.wait_for("The workbench is up.")
    endless = nbformat.v4.new_code_cell("import time\ntime.sleep(600)")
    reports = running.home / "notebooks" / "reports"
    reports.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[endless]), reports / "endless.ipynb")

    def cli(*arguments: str) -> str:
        done = run_cli(*arguments, home=running.home)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cli("tenant", "add", "acme", "--name", "Acme", "--timezone", "UTC", "--currency", "CHF")
    run_id = json.loads(cli("report", "run", "endless", "--tenant", "acme", "--queue", "--json"))["run"]
    running.wait_for(f"run {run_id} of endless for acme starts")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("worker    │ is asked to stop")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert "is killed" not in running.said()
    assert json.loads(cli("runs", "show", run_id, "--json"))["status"] == "queued"
