"""A YAML document validated by a pydantic model, every mistake with its line.

A document is plain YAML: mappings, lists and scalars, read as YAML 1.2 does (`yes`, `no`, `on` and dates are text, only `true`
and `false` are booleans). Keys given twice, anchors and tags are mistakes. All mistakes of a document are reported at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workbench.errors import BadInput

Model = TypeVar("Model", bound=BaseModel)
Mistakes = list[tuple[int, str]]
#: Makes the error to raise from the document's name and its mistakes, as InvalidMapping does.
Refusal = Callable[[str, Mistakes], BadInput]

_KINDS = ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in _KINDS}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: No document needs more; PyYAML calls itself for each level, and Python bears some hundreds of them.
_MOST_LEVELS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What a YAML text says: `value` as plain Python, and the lines it stands on."""

    name: str
    value: Any
    root: yaml.Node | None
    mistakes: Mistakes

    def line(self, path: Iterable[str | int], *, of_key: bool = False) -> int:
        """The line, from 1, of the value at `path`, or of the nearest thing around it that exists.

        With `of_key`, the line of the last key itself.
        """
        node, line = self.root, 1 if self.root is None else _line(self.root)
        for step in path:
            found = _child(node, step)
            if found is None:
                return line
            key, node = found
            line = _line(key if of_key or isinstance(node, yaml.CollectionNode) else node)
        return line


def read(text: str, name: str, refusal: Refusal) -> Document:
    """The document in `text`; raises `refusal` where it is no YAML at all, or is nested too deeply to be read."""
    try:
        if line := _line_too_deep(text):
            raise refusal(name, [(line, f"this is nested too deeply; at most {_MOST_LEVELS} levels are read")])
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise refusal(name, [_syntax_mistake(error)]) from None
    mistakes: Mistakes = []
    value = None if root is None else _plain(root, mistakes, set())
    return Document(name=name, value=value, root=root, mistakes=mistakes)


def validate(document: Document, model: type[Model], refusal: Refusal, context: dict[str, Any] | None = None) -> Model:
    """The document as a `model`; raises `refusal` with every mistake, in the order of their lines.

    `context` reaches the model's validators as `info.context`.
    """
    mistakes = list(document.mistakes)
    try:
        valid = model.model_validate(document.value, context=context)
    except ValidationError as error:
        mistakes += [_mistake(document, model, detail) for detail in error.errors(include_url=False)]
    if mistakes:
        raise refusal(document.name, sorted(dict.fromkeys(mistakes)))
    return valid


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` with the closest known word, else the list of what there is, else nothing."""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_fold[close[0]]!r}?"
    return f"; there is {', '.join(map(repr, by_fold.values()))}" if by_fold else ""


def _line_too_deep(text: str) -> int | None:
    """Where there are too many levels; PyYAML goes through the events, other than through the nodes, without calling itself."""
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > _MOST_LEVELS:
                assert event.start_mark is not None
                return int(event.start_mark.line) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
    return None


def _syntax_mistake(error: yaml.YAMLError) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return (mark.line + 1 if mark else 1), f"this is not YAML: {problem}"


def _plain(node: yaml.Node, mistakes: Mistakes, seen: set[int]) -> Any:
    if id(node) in seen:
        mistakes.append((_line(node), "anchors (&, *) have no place here; write the value out"))
        return None
    if node.tag not in _TAGS:
        mistakes.append((_line(node), f"the tag {node.tag!r} has no place here"))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, mistakes)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, mistakes, seen) for item in node.value]
    return _mapping(node, mistakes, seen)


def _mapping(node: yaml.Node, mistakes: Mistakes, seen: set[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            mistakes.append((_line(key), "a key must be plain text"))
        elif key.value in found:
            mistakes.append((_line(key), f"the key {key.value!r} is given twice"))
        else:
            found[key.value] = _plain(value, mistakes, seen)
    return found


def _scalar(node: yaml.ScalarNode, mistakes: Mistakes) -> Any:
    text: str = node.value
    if node.style is not None:  # quoted or a block: text, whatever it looks like
        return text
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text):
        return _integer(node, mistakes)
    return float(text) if _FLOAT.fullmatch(text) else text


def _integer(node: yaml.ScalarNode, mistakes: Mistakes) -> int | None:
    try:
        return int(node.value)
    except ValueError:  # Python reads some thousands of digits, and no more
        mistakes.append((_line(node), f"a number of {len(node.value):,} digits cannot be read; put it in quotes if it is text"))
        return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    return None


def _mistake(document: Document, model: type[BaseModel], detail: ErrorDetails) -> tuple[int, str]:
    path = detail["loc"]
    name = ".".join(str(step) for step in path if isinstance(step, str)) or "the document"
    kind, last = detail["type"], path[-1] if path else ""
    if kind == "extra_forbidden":
        known = _keys(model, path[:-1])
        return document.line(path, of_key=True), f"unknown key {last!r}{did_you_mean(str(last), known)}"
    if kind == "missing":
        return document.line(path[:-1]), f"`{last}` is missing"
    if kind == "value_error":
        return document.line(path), str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
    if kind == "string_type":
        return document.line(path), f"`{name}` must be text, not {detail['input']!r}; put a number or true/false in quotes"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return document.line(path), f"{name} must be `key: value` pairs, not {detail['input']!r}"
    return document.line(path), f"`{name}`: {detail['msg'][:1].lower()}{detail['msg'][1:]}, not {detail['input']!r}"


def _keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `path` of `model` takes."""
    here: Any = model
    for step in path:
        here = _step(here, step)
    models = [part for part in _parts(here) if isinstance(part, type) and issubclass(part, BaseModel)]
    return [field.alias or name for part in models for name, field in part.model_fields.items()]


def _step(annotation: Any, step: str | int) -> Any:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            for name, field in part.model_fields.items():
                if step in (name, field.alias):
                    return field.annotation
        elif get_origin(part) in (list, tuple, dict):
            return get_args(part)[-1 if get_origin(part) is dict else 0]
    return None


def _parts(annotation: Any) -> list[Any]:
    """The alternatives of an annotation: unions opened, `Annotated` taken off."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return [part for alternative in get_args(annotation) for part in _parts(alternative)]
    return [annotation]
