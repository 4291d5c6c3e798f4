"""Writes environment.yml, for users of conda, from the project file and the lock: the same packages at the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    lock = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = sorted({re.split(r"[\[<>=!~; ]", each, maxsplit=1)[0].lower() for each in asked})
    lines = [
        "# Made by `make lock`. After `conda env create`, activate it and run `pip install --no-deps -e .` here.",
        "name: workbench",
        "channels: [conda-forge]",
        "dependencies:",
        "  - python >=3.11,<3.14",
        "  - pip",
        "  - pip:",
        *(f"      - {name}=={lock[name]}" for name in names),
    ]
    (ROOT / "environment.yml").write_text("\n".join(lines) + "\n")


main()
