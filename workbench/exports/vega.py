"""Charts for a page: drawn as SVG here, and the library that makes them interactive where scripts run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path
from typing import Any

import vl_convert

MIME_PREFIX = "application/vnd.vegalite."
#: Of a chart that fits its container, in pixels: on A4 it shrinks to 670, and its letters become as large as those of tables.
WIDTH = 760

_IDENTIFIER = re.compile(r'\bid="([^"]+)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Vega, Vega-Lite and vega-embed in one script: gzip in base64 (900 KB become 370), and the SHA-256 of the script itself."""

    packed: str
    digest: str


def svg(specification: Mapping[str, Any]) -> str:
    """The chart as an SVG element. Data from elsewhere is not fetched."""
    _register_fonts()
    drawn = vl_convert.vegalite_to_svg(_sized(specification), vl_version=_latest(), allowed_base_urls=[])
    return _with_own_identifiers(drawn)


def library(cache: Path | None) -> Library:
    """The script, from `cache` where it was kept there for these versions; made once per process otherwise, in 2 s."""
    if cache is None:
        return _made()
    kept = cache / f"vega-{vl_convert.get_vega_version()}-{_latest()}-{vl_convert.get_vega_embed_version()}.js.gz"
    if not kept.is_file():
        _keep(_made(), kept)
    return _packed(kept.read_bytes())


@remembered
def _made() -> Library:
    return _packed(gzip.compress(_bundle().encode(), mtime=0))


def _bundle() -> str:
    # A snippet of our own needs no other tool: the two names are all that the page uses.
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_latest()))


def _packed(content: bytes) -> Library:
    digest = hashlib.sha256(gzip.decompress(content)).digest()
    return Library(packed=base64.b64encode(content).decode(), digest=base64.b64encode(digest).decode())


def _keep(made: Library, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64decode(made.packed))
    Path(unfinished).replace(path)


def _latest() -> str:
    return str(vl_convert.get_vegalite_versions()[-1])


def _sized(specification: Mapping[str, Any]) -> dict[str, Any]:
    if specification.get("width") != "container":
        return dict(specification)
    return {**specification, "width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}


def _with_own_identifiers(drawn: str) -> str:
    """Identifiers in the drawing made different from those of other charts of the page."""
    prefix = f"c{hashlib.sha256(drawn.encode()).hexdigest()[:8]}-"
    for name in set(_IDENTIFIER.findall(drawn)):
        drawn = drawn.replace(f'id="{name}"', f'id="{prefix}{name}"').replace(f"#{name})", f"#{prefix}{name})")
        drawn = drawn.replace(f'href="#{name}"', f'href="#{prefix}{name}"')
    return drawn


@remembered
def _register_fonts() -> None:
    vl_convert.register_font_directory(str(Path(__file__).parent / "fonts"))
