"""What holds for the code as a whole: imports point one way, the lock, the project file and conda's file agree."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent
#: Layers from the leaves up; a room may import from its own layer's other rooms only where no cycle comes of it, and from below.
LAYERS = (
    ("settings", "errors", "logs", "access", "events", "documents", "queries", "sandbox"),
    ("catalog", "lake", "selects", "runs", "claims", "folders", "backlog", "notebooks", "tables", "figures", "kernels"),
    ("session", "metrics", "findings", "trends", "charts"),
    (
        *("execution", "processes", "exports", "schedules", "importers", "capture", "rollup"),
        *("runner", "worker", "supervision", "monitoring", "maintenance", "removal", "retention", "demo"),
    ),
    ("cli", "__main__"),
)


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "workbench").parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "workbench":
            rooms |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workbench."):
            rooms.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("workbench.")}
    return rooms


def _graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for path in (ROOT / "workbench").rglob("*.py"):
        if _room(path) != "__init__":
            graph.setdefault(_room(path), set()).update(_imported_rooms(path) - {_room(path)})
    return graph


def test_every_room_has_a_layer_and_imports_only_from_its_own_or_lower_ones() -> None:
    layer = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
    graph = _graph()
    assert set(graph) <= set(layer)
    upward = [(room, target) for room, targets in graph.items() for target in targets if layer[target] > layer[room]]
    assert upward == []


def test_no_two_rooms_import_each_other_even_in_a_round_about_way() -> None:
    graph = _graph()

    def reaches(start: str, goal: str, seen: frozenset[str] = frozenset()) -> bool:
        return any(
            target == goal or reaches(target, goal, seen | {target}) for target in graph.get(start, set()) if target not in seen
        )

    assert [room for room in graph if reaches(room, room)] == []


def test_the_map_in_the_docs_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert [room for room in _graph() if room != "__main__" and f"`{room}" not in text] == []


def _locked() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def test_the_lock_and_condas_file_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {_name(each) for each in project["dependencies"]}
    developing = {_name(each) for each in project["optional-dependencies"]["dev"]}
    locked = _locked()
    assert asked | developing <= set(locked)
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pinned = next(each["pip"] for each in conda if isinstance(each, dict))
    assert sorted(pinned) == sorted(f"{name}=={locked[name]}" for name in asked | developing)


def test_the_lock_has_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "index-url" not in lock
    for block in re.split(r"\n(?=[a-z])", lock.strip()):
        assert "--hash=sha256:" in block
