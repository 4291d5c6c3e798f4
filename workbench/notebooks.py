"""The report catalogue: notebooks and the parameters they declare.

A notebook declares its parameters in the code cell tagged `parameters`, one a line, typed, with a default and a comment:

    start_date: dt.date | None = None  # first day of the period; default: four weeks before the end
    top: int = 10  # how many agents to show
"""

from __future__ import annotations

import ast
import datetime as dt
import hashlib
import json
import logging
import math
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

from workbench.errors import BadInput, InvalidParameter, NotFound

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """`type` is one of date, str, int, float, bool; an optional one may be None."""

    name: str
    type: str
    optional: bool
    default: Any
    help: str

    def parse(self, text: str) -> Any:
        """The value of a text such as the command line gives, as JSON can hold it. Raises InvalidParameter."""
        if self.optional and text == "":
            return None
        try:
            return _PARSERS[self.type](text)
        except ValueError:
            raise InvalidParameter(self.name, f"Parameter {self.name} is {text!r}; it must be {_EXAMPLES[self.type]}.") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    name: str
    path: Path
    title: str
    purpose: str
    parameters: tuple[Parameter, ...]

    def content_hash(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Typed values of the given texts, by name; those not given are left to the notebook's defaults.

        Raises InvalidParameter for an unknown name, a text that is not of its type, or a period that ends before it starts.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                names = ", ".join(known) or "none"
                raise InvalidParameter(name, f"Report {self.name} has no parameter {name!r}; it has: {names}.")
        values = {name: known[name].parse(text) for name, text in given.items()}
        start, end = values.get("start_date"), values.get("end_date")
        if start and end and end < start:
            raise InvalidParameter("end_date", f"Parameter end_date ({end}) is before start_date ({start}).")
        return values


def _boolean(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()] if text.lower() in _BOOLEANS else _refuse()


def _refuse() -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse()


_BOOLEANS = {"true", "yes", "false", "no"}
_PARSERS: Mapping[str, Any] = {
    "date": lambda text: dt.date.fromisoformat(text).isoformat(),
    "str": str,
    "int": int,
    "float": _finite,
    "bool": _boolean,
}
#: What a default is in Python; a date's is a text like "2026-01-31".
_DEFAULTS: Mapping[str, type] = {"date": str, "str": str, "int": int, "float": float, "bool": bool}
_EXAMPLES = {
    "date": "a date like 2026-01-31",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


def folders(home: Path) -> list[Path]:
    """Where reports are looked for: this workbench's own first, then those that come with the package."""
    candidates = (home / "notebooks", _PACKAGE.parent / "notebooks", _PACKAGE / "shipped" / "notebooks")
    return [folder / "reports" for folder in dict.fromkeys(candidates) if (folder / "reports").is_dir()]


def reports(home: Path) -> list[Report]:
    """Every report, by name; a notebook that cannot be read as one is left out with a warning."""
    found: dict[str, Path] = {}
    for folder in folders(home):
        for path in sorted(folder.glob("*.ipynb")):
            found.setdefault(path.stem, path)
    return [report for name in sorted(found) if (report := _read_or_warn(found[name])) is not None]


def _read_or_warn(path: Path) -> Report | None:
    try:
        return read(path)
    except BadInput as error:
        _log.warning("left out: %s", error)
        return None


def report(home: Path, name: str) -> Report:
    """Raises NotFound where there is none of that name."""
    for folder in folders(home):
        if name.isidentifier() and (folder / f"{name}.ipynb").is_file():
            return read(folder / f"{name}.ipynb")
    raise NotFound(f"There is no report {name!r}. `workbench report list` shows those there are.")


def read(path: Path) -> Report:
    """Raises BadInput where the file is no notebook or its parameters cell declares no proper parameters."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [(cell, "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} is not a Jupyter notebook.") from None
    title, purpose = _opening([source for cell, source in sources if cell["cell_type"] == "markdown"], path)
    declared = [source for cell, source in sources if "parameters" in cell.get("metadata", {}).get("tags", [])]
    return Report(name=path.stem, path=path, title=title, purpose=purpose, parameters=_parameters("\n".join(declared), path))


def _opening(texts: list[str], path: Path) -> tuple[str, str]:
    lines = texts[0].strip().split("\n", 1) if texts else [path.stem]
    purpose = lines[1].strip().split("\n\n")[0] if len(lines) > 1 else ""
    return lines[0].lstrip("# ").strip(), " ".join(purpose.split())


def _parameters(source: str, path: Path) -> tuple[Parameter, ...]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise BadInput(f"{path}: the parameters cell is not Python: {error.msg} in line {error.lineno}.") from None
    comments = _comments(source)
    return tuple(_parameter(statement, comments.get(statement.lineno, ""), path) for statement in statements)


def _parameter(statement: ast.stmt, comment: str, path: Path) -> Parameter:
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or statement.value is None:
        raise BadInput(
            f"{path}: line {statement.lineno} of the parameters cell must look like `name: type = default  # meaning`."
        )
    kind, _, rest = ast.unparse(statement.annotation).partition(" | ")
    kind = kind.removeprefix("dt.")
    if kind not in _PARSERS or rest not in {"", "None"}:
        raise BadInput(
            f"{path}: parameter {statement.target.id} must be of type dt.{', '.join(_PARSERS)}, or one of them `| None`."
        )
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        raise BadInput(f"{path}: the default of parameter {statement.target.id} must be a plain value.") from None
    if not ((default is None and rest) or type(default) is _DEFAULTS[kind] or (kind, type(default)) == ("float", int)):
        raise BadInput(f"{path}: the default of parameter {statement.target.id} is {default!r}, which is no {kind}.")
    return Parameter(name=statement.target.id, type=kind, optional=bool(rest), default=default, help=comment)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
