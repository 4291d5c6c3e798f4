"""The fork server, the kernels that come from it, and what a run's processes say and how they end: all with real processes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from workbench import kernels, queries, session
from workbench import settings as settings_table
from workbench.cli.context import Workbench
from workbench.kernels import Kernels, server, wire
from workbench.lake import Lake
from workbench.processes import Processes
from workbench.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is Linux's")

PACKAGE = Path(kernels.__file__).parent.parent


@pytest.fixture(scope="module")
def fork_server(workbench: Workbench) -> Iterator[Kernels]:
    with kernels.serving(workbench.settings) as found:
        yield found


@pytest.fixture(scope="module")
def lake(new_lake: Callable[..., Lake]) -> Lake:
    """Nothing is written to it here."""
    return new_lake()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as the paths of sockets have to be."""
    with tempfile.TemporaryDirectory(prefix="wb-") as name:
        yield Path(name)


def _address(settings: Settings) -> dict[str, Any]:
    address: dict[str, Any] = json.loads((settings.var / "kernels" / server.ADDRESS).read_text())
    return address


def _pid(settings: Settings) -> int:
    return int(_address(settings)["pid"])


def _wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def _left(marker: str) -> list[int]:
    """Processes that have the folder of a run as their home."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.environ().get("HOME") == marker:
                found.append(each.pid)
    return found


def _notebook(cells: Sequence[str]) -> dict[str, Any]:
    code = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    return {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A test\n\nOf processes."},
            {**code, "id": "top", "source": "top: int = 3  # how many", "metadata": {"tags": ["parameters"]}},
            *({**code, "id": f"c{number}", "source": source} for number, source in enumerate(cells)),
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _order(lake: Lake, folder: Path, cells: Sequence[str], **more: Any) -> dict[str, Any]:
    private, staging = folder / "private", folder / "staging"
    work = private / "work"
    for each in (work / "tables", private / "code", staging):
        each.mkdir(parents=True)
    for each in (PACKAGE, queries.folder()):
        (private / "code" / each.name).symlink_to(each)
    (folder / "notebook.ipynb").write_text(json.dumps(_notebook(cells)))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(private / "code"),
        "HOME": str(private),
        "TMPDIR": str(private),
        "IPYTHONDIR": str(private / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(private),
    }
    return {
        "notebook": str(folder / "notebook.ipynb"),
        "parameters": {"top": 5},
        "environment": environment | session.environment(lake.reading, work / "tables"),
        "private": str(private),
        "work": str(work),
        "staging": str(staging),
        "readable": [str(folder / "notebook.ipynb"), str(PACKAGE), str(queries.folder()), lake.reading.data_path],
        "formats": [],
        "cache": str(folder / "cache"),
        "edition": {
            "report_title": "A test",
            "tenant_name": "Acme",
            "run_id": "run",
            "timezone": "UTC",
            "currency": "CHF",
            "generated_at": dt.datetime.now(dt.UTC).isoformat(),
        },
    } | more


Run = Callable[..., list[Mapping[str, Any]]]


@pytest.fixture
def run(fork_server: Kernels, lake: Lake, folder: Path) -> Run:
    """Executes the cells, after a title and a cell of parameters, and returns all messages; nothing is left of it afterwards."""

    def executed(*cells: str, place: str = "run", **more: Any) -> list[Mapping[str, Any]]:
        with _started(fork_server, lake, folder / place, cells, **more) as processes:
            messages = list(_heard(processes))
        assert _left(str(folder / place / "private")) == []
        return messages

    return executed


@contextlib.contextmanager
def _started(source: Kernels | None, lake: Lake, folder: Path, cells: Sequence[str], **more: Any) -> Iterator[Processes]:
    order = _order(lake, folder, cells, **more)
    with (folder / "errors").open("wb") as error, Processes.start(order, error=error, kernels=source) as processes:
        yield processes


def _heard(processes: Processes) -> Iterator[Mapping[str, Any]]:
    message: Mapping[str, Any] | None = {}
    while "outcome" not in message:
        message = processes.receive(60)
        assert message is not None, "they say nothing"
        yield message


def _printed(messages: Sequence[Mapping[str, Any]]) -> str:
    return "".join(each.get("text", "") for each in messages)


# A run


def test_a_run_says_how_far_it_is_what_is_printed_and_what_came_of_it(run: Run, folder: Path) -> None:
    *messages, last = run("print('hello', top)", "import workbench\nframe = workbench.open().sql('select * from range(7)')")
    assert messages[0] == {"cells": 4}
    assert [each["cell"] for each in messages if each.get("started")] == [2, 3, 4]
    assert [each["cell"] for each in messages if each.get("seconds", -1) >= 0] == [2, 3, 4]
    assert [each for each in messages if "stream" in each] == [{"cell": 3, "stream": "stdout", "text": "hello 5\n"}]
    outcome = last["outcome"]
    assert (outcome["names"], outcome["rows_read"]) == (["executed.ipynb"], 7)
    assert 10 < outcome["peak_memory_mb"] < 100
    assert (folder / "run" / "staging" / "executed.ipynb").exists()


def test_a_run_without_a_fork_server_says_the_same(lake: Lake, folder: Path) -> None:
    with _started(None, lake, folder / "run", ["print('hello')"]) as processes:
        messages = list(_heard(processes))
    assert [sorted(each) for each in messages if "outcome" not in each] == [
        ["cells"],
        *[["cell", "started"], ["cell", "seconds"]],
        *[["cell", "started"], ["cell", "stream", "text"], ["cell", "seconds"]],
    ]
    assert messages[-1]["outcome"]["names"] == ["executed.ipynb"]


def test_two_runs_of_one_server_are_unlike_in_what_is_random_and_alike_in_the_order_of_sets(run: Run) -> None:
    cell = "import random, numpy, uuid\nprint(random.random(), numpy.random.random(), uuid.uuid4(), *{'a', 'b', 'c', 'd', 'e'})"
    first, second = (_printed(run(cell, place=place)).split() for place in ("first", "second"))
    assert set(first[:3]) & set(second[:3]) == set()
    assert first[3:] == second[3:]


def test_a_run_finds_itself_in_its_own_environment_and_folder(run: Run, folder: Path) -> None:
    told = _printed(run("import os, sys, tempfile\nprint(os.getcwd(), tempfile.gettempdir(), sys.path[0], *os.environ)"))
    place, temporary, code, *names = told.split()
    private = folder / "run" / "private"
    assert (place, temporary, code) == (str(private / "work"), str(private), str(private / "code"))
    assert not {name for name in names if name.startswith(("OPENBLAS", "MALLOC", "JE_"))}


_HOLDS_FILES_IN_MEMORY = (
    "import os, time\nfiles = [os.memfd_create(str(number)) for number in range(6)]\nfor each in files:\n"
    "    for _ in range(100):\n        os.write(each, bytes(1 << 20))\ntime.sleep(60)"
)
_STARTS_THREADS = (
    "import threading\nthreading.stack_size(1 << 16)\nwait = threading.Event().wait\n"
    "for _ in range(1100):\n    threading.Thread(target=wait, daemon=True).start()\nwait(60)"
)


@pytest.mark.parametrize(
    ("cell", "kind", "told", "place"),
    [
        ("a = 1\na / 0", "raised", "ZeroDivisionError", (3, 2)),
        ("import os\nos._exit(7)", "died", "kernel died (status 7)", (3, None)),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "died", "signal SIGSEGV", (3, None)),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", "died", "signal SIGKILL", (3, None)),
        ("kept = []\nwhile True:\n    kept.append(bytearray(b'x' * 10_000_000))", "memory", "the 400 MB of memory", (3, None)),
        ("import os\nwhile True:\n    os.fork()", "processes", "the 24 processes", (3, None)),
        ("import os\nwhile True:\n    os.fork() or os.setsid()", "processes", "the 24 processes", (3, None)),
        (_HOLDS_FILES_IN_MEMORY, "memory", "the 400 MB of memory", (3, None)),
        ("open('x', 'w').truncate(600_000_000)", "raised", "File too large", (3, 1)),
        (_STARTS_THREADS, "processes", "the 1,000 threads", (3, None)),
        ("import os, shutil\nshutil.rmtree(os.getcwd())", "raised", "removed the folder", (None, None)),
    ],
    ids=[
        *("raises", "exits", "crashes", "kills its parent", "allocates", "forks", "forks out of its group"),
        *("holds files in memory", "writes a file that is too large", "starts threads", "removes its folder"),
    ],
)
def test_a_notebook_that_ends_badly_is_told_by_kind_cell_and_reason(
    run: Run, workbench: Workbench, cell: str, kind: str, told: str, place: tuple[int | None, int | None]
) -> None:
    server_before = _pid(workbench.settings)
    outcome = run(cell, memory_limit_mb=400, process_limit=24)[-1]["outcome"]
    assert (outcome["kind"], outcome.get("cell"), outcome.get("line")) == (kind, *place)
    assert told in outcome["error"]
    assert _pid(workbench.settings) == server_before
    assert not _gone(server_before)


def test_memory_that_is_shared_with_the_fork_server_or_by_a_runs_own_processes_counts_once(run: Run) -> None:
    cell = (
        "import os, signal\nkept = b'x' * 200_000_000\n"
        "children = [os.fork() or signal.pause() for _ in range(4)]\nimport time\ntime.sleep(1)\n"
        "for each in children:\n    os.kill(each, signal.SIGKILL)"
    )
    outcome = run(cell, memory_limit_mb=400)[-1]["outcome"]
    assert "error" not in outcome
    assert 200_000_000 / 2**20 < outcome["peak_memory_mb"] < 400


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("for number in range(3):\n    open(str(number), 'wb').write(bytes(50_000_000))", "the 100 MB of files"),
        ("import os\nfor number in range(25_000):\n    os.mkdir(str(number))", "the 20,000 files"),
    ],
)
def test_a_notebook_that_fills_the_disk_is_ended(run: Run, cell: str, told: str) -> None:
    outcome = run(f"{cell}\nimport time\ntime.sleep(60)", files_limit_mb=100)[-1]["outcome"]
    assert (outcome["cell"], told in outcome["error"]) == (3, True), outcome


def test_a_kernel_that_cannot_be_started_since_nothing_can_be_written_is_told_with_the_folder(run: Run, folder: Path) -> None:
    elsewhere = str(folder / "elsewhere")
    outcome = run("1", private=elsewhere)[-1]["outcome"]
    assert outcome["kind"] == "unwritable", outcome
    assert elsewhere in outcome["unwritable"]


def test_a_notebook_that_prints_without_end_is_cut_and_says_how_much_more_there_was(run: Run, folder: Path) -> None:
    shown = "print('x' * 100_000_000)\nimport os\nfor _ in range(100):\n    os.write(1, b'y' * 10_000)"
    messages = run(shown, "print('and this')", memory_limit_mb=1000)
    assert messages[-1]["outcome"]["names"] == ["executed.ipynb"]
    assert 1_000_000 <= len(_printed(messages)) < 1_001_000
    assert "more characters were printed" in _printed(messages)
    assert (folder / "run" / "staging" / "executed.ipynb").stat().st_size < 1_100_000


_FORGES = """
import json, os
told = f"/proc/{{os.getppid()}}/fd"
pipes = [each for each in os.listdir(told) if os.readlink(f"{{told}}/{{each}}").startswith("pipe:")]
files = []
for each in pipes:
    flags = open(f"/proc/{{os.getppid()}}/fdinfo/{{each}}").read().partition("flags:")[2].split()[0]
    if int(flags, 8) & os.O_ACCMODE == os.O_WRONLY:
        files.append(open(f"{{told}}/{{each}}", "wb", 0))

def say(line):
    for file in files:
        left = memoryview(line + b"\\n")
        while left:
            left = left[file.write(left):]

for line in {lines!r}:
    say(line)
"""


def test_of_what_a_notebook_says_in_the_name_of_its_run_only_what_is_possible_is_passed_on(run: Run) -> None:
    lines = [
        *(b'{"cell": %s, "started": true}' % each for each in (b"true", b"0", b"-1", b"4", b"1e1", b"9" * 4000, b'"1"')),
        *(b'{"cell": 3, "seconds": %s}' % each for each in (b"NaN", b"Infinity", b"-1", b"1e7", b"9" * 400, b"true", b'"1"')),
        b'{"cell": 1, "seconds": 1}',
        *(b'{"cells": %s}' % each for each in (b"7", b"0", b"true")),
        *(b'{"cell": 1, "stream": %s, "text": "x"}' % each for each in (b'"run"', b'"a\\u0000b"', b"[]", b"{}")),
        b'{"cell": 1, "stream": "stdout", "text": 1}',
        b"[" * 100_000,
        b"\xff",
        b'{"cell": 3, "stream": "stderr", "text": "a\\u0000b\\ud800"}',
        b'{"cell": 3, "started": true}',
    ]
    *messages, last = run(_FORGES.format(lines=lines))
    assert last["outcome"]["names"] == ["executed.ipynb"]
    assert [each for each in messages if "seconds" not in each] == [
        {"cells": 3},
        {"cell": 2, "started": True},
        {"cell": 3, "started": True},
        {"cell": 3, "stream": "stderr", "text": "a\N{REPLACEMENT CHARACTER}b?"},
    ]
    assert [each["cell"] for each in messages if "seconds" in each] == [2, 3]


def test_an_outcome_that_a_notebook_invents_can_be_kept(run: Run) -> None:
    invented = {"error": "a\0b\ud800" * 10_000, "kind": "raised\0", "cell": True, "line": -1, "names": [1], "rows_read": 10**30}
    outcome = dict(run(_FORGES.format(lines=[json.dumps({"outcome": invented}).encode()]))[-1]["outcome"])
    assert len(outcome["error"]) == 2000
    assert not {"\0", "\ud800"} & set(outcome["error"] + outcome["kind"])
    assert "cell" not in outcome
    assert "line" not in outcome
    assert (outcome["names"], outcome["rows_read"]) == ([], 2**62)


@pytest.mark.parametrize(
    "cell",
    [
        "import sys\ntype(sys.stdout).left = 10**12\nfor _ in range(30): print('x' * 100_000, flush=True)",
        _FORGES.format(lines=[b'{"cell": 3, "stream": "stdout", "text": "%s"}' % (b"x" * 300_000)] * 4).replace(
            "for line in [", "for line in 4 * ["
        ),
    ],
    ids=["past its own limit", "in the name of its run"],
)
def test_a_notebook_gets_no_more_than_is_kept_of_a_run_to_be_passed_on(run: Run, cell: str) -> None:
    messages = run(cell, memory_limit_mb=1000)
    assert "error" not in messages[-1]["outcome"], messages[-1]
    assert 1_000_000 <= len(_printed(messages)) <= 1_000_200


def test_what_a_notebook_removes_after_its_end_is_missed_or_taken_in_time(run: Run) -> None:
    remover = "import os\nwhile True:\n    try:\n        os.unlink('executed.ipynb')\n    except OSError:\n        pass"
    removing = (
        f"import os, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {remover!r}], start_new_session=True)\n"
        "open('executed.ipynb', 'a').close()\nwhile os.path.exists('executed.ipynb'):\n    pass"
    )
    outcome = run(removing)[-1]["outcome"]
    # Who is first, it or the end of all that the notebook started, is not for a test to say.
    told = outcome.get("names") or (outcome["kind"], "removed the executed notebook" in outcome["error"])
    assert told in (["executed.ipynb"], ("export", True))


@pytest.mark.parametrize("warm", [True, False])
def test_a_run_that_nobody_wants_any_more_ends_at_once(fork_server: Kernels, lake: Lake, folder: Path, warm: bool) -> None:
    with _started(
        fork_server if warm else None, lake, folder / "run", ["print('on', flush=True)\nwhile True: pass"]
    ) as processes:
        while "stream" not in (processes.receive(60) or {}):
            pass
        asked = time.monotonic()
        processes.end()
        processes.end()
    assert time.monotonic() - asked < 2
    assert _left(str(folder / "run" / "private")) == []


# The server


def test_a_run_outlives_a_killed_server_and_the_next_one_finds_a_new_server(
    fork_server: Kernels, workbench: Workbench, lake: Lake, folder: Path
) -> None:
    killed = _pid(workbench.settings)
    with _started(fork_server, lake, folder / "first", ["print('on')\nimport time\ntime.sleep(1)"]) as processes:
        while "stream" not in (processes.receive(60) or {}):
            pass
        os.kill(killed, signal.SIGKILL)
        assert list(_heard(processes))[-1]["outcome"]["names"] == ["executed.ipynb"]
    with _started(fork_server, lake, folder / "second", ["import os"]) as processes:
        assert list(_heard(processes))[-1]["outcome"]["names"] == ["executed.ipynb"]
    assert _pid(workbench.settings) != killed
    assert not _gone(_pid(workbench.settings))


def test_holders_share_one_server_which_ends_with_the_last_of_them(new_home: Callable[[], Path]) -> None:
    settings = settings_table.load({"WORKBENCH_HOME": str(new_home())})
    assert kernels.found(settings) is None
    with kernels.serving(settings):
        pid = _pid(settings)
        with kernels.serving(settings):
            pass
        assert _pid(settings) == pid
        assert not _gone(pid)
    _wait_until(lambda: _gone(pid))


def test_a_server_whose_code_has_changed_is_replaced_and_lives_on_for_its_children(
    new_home: Callable[[], Path], lake: Lake, folder: Path
) -> None:
    settings = settings_table.load({"WORKBENCH_HOME": str(new_home())})
    waits = "import os, time\nprint('on', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)"
    code = PACKAGE / "kernels" / "wire.py"
    times = code.stat()
    with kernels.serving(settings) as own, _started(own, lake, folder / "first", [waits]) as processes:
        old = _pid(settings)
        while "stream" not in (processes.receive(60) or {}):
            pass
        try:
            os.utime(code)
            time.sleep(1.1)  # it looks once a second
            with _started(own, lake, folder / "second", ["import os"]) as other:
                assert list(_heard(other))[-1]["outcome"]["names"] == ["executed.ipynb"]
        finally:
            os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert (_pid(settings) == old, _gone(old)) == (False, False)
        (folder / "first" / "private" / "work" / "go").touch()
        assert list(_heard(processes))[-1]["outcome"]["names"] == ["executed.ipynb"]
        _wait_until(lambda: _gone(old))


def test_a_server_with_a_second_thread_does_not_serve(folder: Path) -> None:
    mine, its = wire.pair()
    with mine, its:
        threads = {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(PACKAGE.parent), "PATH": os.environ["PATH"]}
        command = [sys.executable, "-P", "-m", "workbench.kernels", str(folder), "1000"]
        subprocess.run(command, stdin=its, env=threads, check=True, stderr=subprocess.DEVNULL)
        mine.settimeout(60)
        told, _ = wire.receive(mine)
    assert "threads cannot be forked" in told["refused"]
    assert not (folder / server.ADDRESS).exists()


_TRIES = """
import gc, json, os, socket
folder = {folder!r}
address = os.path.join(folder, "server.json")
names = {{line.rsplit("/", 1)[-1].strip() for line in open("/proc/net/unix") if line.strip().endswith(".sock")}}

def tried(attempt):
    try:
        return attempt()
    except OSError as error:
        return type(error).__name__

def asked(*shown, **request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(folder + "/" + next(name for name in names if os.path.exists(folder + "/" + name)))
        nothing = os.open(os.devnull, os.O_RDWR)
        socket.send_fds(connection, [json.dumps(request).encode()], [*shown, *[nothing] * 3])
        return connection.recv(1000).decode()

def opened(pid):
    return [tried(lambda: os.readlink(f"/proc/{{pid}}/fd/{{each}}")) for each in os.listdir(f"/proc/{{pid}}/fd")]

def granted():
    works = [each for each in gc.get_objects() if type(each).__name__ == "Work"]
    return sorted({{str(value) for work in works for value in [work.kind, *work.request.values()]}})

inherited = [each for pid in (os.getpid(), os.getppid()) for each in opened(pid) if folder in each]
own = os.open("own.json", os.O_RDWR | os.O_CREAT)
print(json.dumps({{
    "reads the address": tried(lambda: open(address).read()),
    "links it": tried(lambda: os.link(address, "linked.json")),
    "opens the path again": tried(lambda: os.open(f"/proc/self/fd/{{os.open(address, os.O_PATH)}}", os.O_RDONLY)),
    "knows of the request": granted(),
    "shows nothing": tried(lambda: asked(kind="kernel")),
    "shows the path": tried(lambda: asked(os.open(address, os.O_PATH), kind="kernel")),
    "shows it in no mode": tried(lambda: asked(os.open(address, os.O_ACCMODE), kind="kernel")),
    "shows its own": tried(lambda: asked(own, kind="run")),
    "shows its folder": tried(lambda: asked(os.open(".", os.O_RDONLY), kind="run")),
    "the server's files": sorted(set(opened({pid}))),
    "its own and its parent's": inherited,
}}))
"""


def test_a_notebook_that_finds_the_server_gets_nothing_from_it(run: Run, workbench: Workbench) -> None:
    messages = run(_TRIES.format(folder=str(workbench.settings.var / "kernels"), pid=_pid(workbench.settings)))
    assert "error" not in messages[-1]["outcome"], messages[-1]
    refused = '{"refused": "not for you"}'
    told = json.loads(_printed(messages))
    assert told.pop("links it") in ("PermissionError", "OSError")
    assert told == {
        "reads the address": "PermissionError",
        "opens the path again": "PermissionError",
        "knows of the request": ["run"],
        "shows nothing": refused,
        "shows the path": refused,
        "shows it in no mode": refused,
        "shows its own": refused,
        "shows its folder": refused,
        "the server's files": ["PermissionError"],
        "its own and its parent's": [],
    }


def test_connections_that_ask_nothing_do_not_keep_others_out(fork_server: Kernels, workbench: Workbench, run: Run) -> None:
    path = f"{workbench.settings.var}/kernels/{_address(workbench.settings)['socket']}"
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)).connect(path)
        assert run("1")[-1]["outcome"]["names"] == ["executed.ipynb"]


@pytest.mark.parametrize(
    "message",
    [b"[" * 100_000, b'{"":' * 40_000, b"\xff", b"\x00", b"[]", b'{"kind": "\\ud800"}', b'{"kind": {}}', b"1" * 10_000],
    ids=["nested", "nested objects", "no text", "nul", "no object", "a surrogate", "an object", "a long number"],
)
@pytest.mark.parametrize("shown", [True, False])
def test_no_message_ends_the_server(fork_server: Kernels, workbench: Workbench, message: bytes, shown: bool) -> None:
    folder = workbench.settings.var / "kernels"
    before = _pid(workbench.settings)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection, (folder / server.ADDRESS).open() as address:
        connection.settimeout(10)
        connection.connect(f"{folder}/{_address(workbench.settings)['socket']}")
        socket.send_fds(connection, [message], [address.fileno()] if shown else [])
        told = connection.recv(1000)
    assert told == b"" or "refused" in json.loads(told)
    assert fork_server.ensure()
    assert _pid(workbench.settings) == before


# Kernels through jupyter_client


@pytest.fixture
def manager(fork_server: Kernels, workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    monkeypatch.setenv("WORKBENCH_HOME", str(workbench.settings.home))
    with _manager() as made:
        yield made


@contextlib.contextmanager
def _manager() -> Iterator[KernelManager]:
    made = KernelManager(kernel_name="workbench")
    try:
        yield made
    finally:
        if made.has_kernel:
            made.shutdown_kernel(now=True)
        made.cleanup_resources()
        # jupyter_client keeps one for each thread, and never closes it.
        ensure_event_loop().close()


@contextlib.contextmanager
def _client(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


def _answer(client: BlockingKernelClient, code: str) -> str:
    """What the code prints, or the name of its error."""
    told: list[str] = []
    reply = client.execute_interactive(
        code, timeout=60, output_hook=lambda message: told.append(message["content"].get("text", ""))
    )
    return "".join(told).strip() or str(reply["content"].get("ename", ""))


def _answer_to_interrupt(manager: KernelManager, client: BlockingKernelClient) -> str:
    asked = client.execute("print('on', flush=True)\nimport time\ntime.sleep(3600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    assert reply["parent_header"]["msg_id"] == asked
    return str(reply["content"].get("ename"))


def test_a_kernel_comes_from_the_server_speaks_in_cipher_and_can_be_interrupted_restarted_and_ended(
    manager: KernelManager, workbench: Workbench
) -> None:
    manager.start_kernel()
    assert (manager.transport, manager.curve_publickey is not None) == ("tcp", True)
    with _client(manager) as client:
        assert _answer(client, "import os, pandas\nprint(os.getppid())") == str(_pid(workbench.settings))
        assert _answer_to_interrupt(manager, client) == "KeyboardInterrupt"
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        assert _answer(client, "print('pandas' in dir())") == "False"
        pid = int(_answer(client, "import os\nprint(os.getpid())"))
    manager.shutdown_kernel()
    _wait_until(lambda: _gone(pid))


def test_a_kernel_that_ends_by_itself_is_known_to_have_ended_and_how(manager: KernelManager) -> None:
    manager.start_kernel()
    with _client(manager) as client:
        client.execute("import os\nos._exit(9)")
        _wait_until(lambda: not manager.is_alive())
    assert manager.provisioner.process.poll() == 9


def test_a_kernel_that_takes_more_memory_than_it_may_is_killed_and_the_server_lives(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(new_home())
    monkeypatch.setenv("WORKBENCH_HOME", home)
    settings = settings_table.load({"WORKBENCH_HOME": home, "WORKBENCH_KERNEL_MEMORY": "200"})
    with kernels.serving(settings), _manager() as greedy, _manager() as modest:
        for each in (greedy, modest):
            each.start_kernel()
        with _client(greedy) as client, _client(modest) as other:
            client.execute("kept = []\nwhile True:\n    kept.append(b'x' * 10_000_000)")
            _wait_until(lambda: not greedy.is_alive())
            assert _answer(other, "print(len(b'x' * 100_000_000))") == "100000000"
        assert "it took more than the 200 MB" in (Path(home) / "var" / "kernels" / "server.log").read_text()


def test_a_kernel_whose_client_is_killed_ends_with_all_it_started(fork_server: Kernels, workbench: Workbench) -> None:
    program = (
        "from jupyter_client.manager import start_new_kernel\nmanager, client = start_new_kernel(kernel_name='workbench')\n"
        'client.execute(\'import subprocess, os; p = subprocess.Popen(["sleep", "86455"]); print(os.getpid(), p.pid)\')\n'
        "message = {'msg_type': ''}\nwhile message['msg_type'] != 'stream':\n    message = client.get_iopub_msg(timeout=60)\n"
        "print(message['content']['text'], flush=True)\nimport time\ntime.sleep(3600)"
    )
    environment = os.environ | {"WORKBENCH_HOME": str(workbench.settings.home)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        pids = [int(each) for each in client.stdout.readline().split()]
        assert psutil.Process(pids[0]).ppid() == _pid(workbench.settings)
        client.kill()
    _wait_until(lambda: all(_gone(each) for each in pids))


def test_the_command_line_of_papermill_gets_its_kernel_from_the_server(
    fork_server: Kernels, workbench: Workbench, lake: Lake, folder: Path
) -> None:
    order = _order(lake, folder / "run", ["import os\nprint('from', os.getppid(), os.getcwd())"])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "-k",
            "workbench",
            "--cwd",
            str(folder),
            order["notebook"],
            str(folder / "out.ipynb"),
        ],
        env=os.environ | {"WORKBENCH_HOME": str(workbench.settings.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"from {_pid(workbench.settings)} {folder.resolve()}" in (folder / "out.ipynb").read_text()


def test_where_no_server_runs_a_kernel_starts_as_any_other_and_a_line_says_so(
    new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(new_home()))
    with _manager() as manager:
        manager.start_kernel()
        with _client(manager) as client:
            assert _answer(client, "import os\nprint(os.getppid())") == str(os.getpid())
    assert [record.message for record in caplog.records if record.name.startswith("workbench")] == [
        "no fork server gives a kernel; one is started without it, which takes longer"
    ]


# Commands

_ANCESTORS = """
import os, pathlib
found = [os.getpid()]
while found[-1] > 1:
    found.append(int(pathlib.Path(f"/proc/{found[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
print("ancestors", *found)
"""


@pytest.mark.parametrize("warm", [True, False])
def test_a_report_that_is_run_by_command_uses_the_server_there_is_and_starts_none(
    run_cli: Callable[..., subprocess.CompletedProcess[str]], new_home: Callable[[], Path], warm: bool
) -> None:
    home = new_home()
    settings = settings_table.load({"WORKBENCH_HOME": str(home)})
    (home / "notebooks" / "reports").mkdir(parents=True)
    (home / "notebooks" / "reports" / "ancestors.ipynb").write_text(json.dumps(_notebook([_ANCESTORS])))
    assert run_cli("tenant", "add", "acme", "--name", "Acme", "--timezone", "UTC", "--currency", "CHF", home=home).returncode == 0
    with kernels.serving(settings) if warm else contextlib.nullcontext():
        done = run_cli("report", "run", "ancestors", "--tenant", "acme", "--format", "json", "--json", home=home)
        assert done.returncode == 0, done.stderr
        shown = Path(json.loads(done.stdout)["files"][0]).with_name("executed.ipynb").read_text()
        ancestors = [int(each) for each in shown.partition('"ancestors ')[2].partition("\\n")[0].split()]
        assert len(ancestors) > 3
        assert (settings.var / "kernels").exists() == warm
        assert not warm or _pid(settings) in ancestors
