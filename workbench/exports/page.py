"""An executed notebook as a page: one HTML file that needs nothing beside it, and the same page for print.

Cells are rendered here and not by nbconvert: it costs 190 ms to import and 400 ms for a report of six tables, this costs a few
milliseconds beside the charts. Code, errors and what went to stderr are left out.

What may run in the page is decided twice. HTML from the notebook passes an allow-list (`workbench.exports.markup`), unless it is,
letter for letter, what one of the report's own tables shows; and the page's policy lets no script run but the two that are ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from workbench import figures, tables
from workbench.errors import BadInput
from workbench.exports import markup, vega
from workbench.exports.edition import Edition

_FOLDER = Path(__file__).parent
_HIDDEN_TAGS = frozenset({"remove-cell", "remove_cell", "papermill-error-cell-tag"})
_IMAGE_TYPES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart drawn as SVG, and its Vega-Lite specification as JSON for where scripts run."""

    svg: Markup
    specification: Markup


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The rendered cells, each a piece of markup or a chart, and what stands above and below them."""

    blocks: Sequence[Markup | Chart]
    edition: Edition

    def html(self, *, cache: Path | None = None) -> str:
        """The page for a browser; `cache` as in `workbench.exports.export`."""
        live = any(isinstance(block, Chart) for block in self.blocks)
        return self._rendered(live=vega.library(cache) if live else None, start=_text("interactive.js"))

    def printed(self) -> str:
        """The page for the printer: no scripts, and on every sheet whose it is, of when, from which run, and the page number."""
        return self._rendered(live=None, start="")

    def _rendered(self, *, live: vega.Library | None, start: str) -> str:
        scripts = [_digest(start), live.digest] if live else []
        return _template().render(
            edition=self.edition,
            blocks=self.blocks,
            live=live,
            start=Markup(start),  # noqa: S704  # our own file
            allowed=Markup(" ".join(f"'sha256-{digest}'" for digest in scripts) or "'none'"),  # noqa: S704  # digests
            style=_style(),
            foot={name: _css_string(getattr(self.edition, name)) for name in ("tenant_name", "period", "run_id", "generated")},
        )


def read(notebook: Path, report_tables: Sequence[tables.ReportTable], edition: Edition) -> Page:
    """The page of an executed notebook. `report_tables` are those it marked.

    Raises BadInput for a notebook that is a link, and for a chart that cannot be drawn.
    """
    document = json.loads(tables.plain_file(notebook).read_text(encoding="utf-8"))
    trusted = {table._repr_html_(): table.html() for table in report_tables}
    blocks = list(_blocks(document.get("cells", []), trusted))
    return Page(blocks=_without_title(blocks), edition=edition)


def _blocks(cells: Sequence[Mapping[str, Any]], trusted: Mapping[str, str]) -> Iterator[Markup | Chart]:
    for number, cell in enumerate(cells, start=1):
        if _HIDDEN_TAGS & set(cell.get("metadata", {}).get("tags", [])):
            continue
        if cell["cell_type"] == "markdown":
            yield _prose(_joined(cell["source"]))
        for output in cell.get("outputs", []):
            block = _output(output, trusted, f"in cell {number}")
            if block is not None:
                yield block


def _output(output: Mapping[str, Any], trusted: Mapping[str, str], place: str) -> Markup | Chart | None:
    if output["output_type"] == "stream" and output.get("name") == "stdout":
        return _preformatted(_joined(output["text"]))
    if output["output_type"] not in {"display_data", "execute_result"}:
        return None
    return _shown(output["data"], trusted, place)


def _shown(data: Mapping[str, Any], trusted: Mapping[str, str], place: str) -> Markup | Chart | None:
    """The richest form of an output that a page can show."""
    for kind, content in data.items():
        if kind.startswith(vega.MIME_PREFIX):
            return _chart(content, place)
    if "text/html" in data:
        return _html(_joined(data["text/html"]), trusted)
    for kind in _IMAGE_TYPES:
        if kind in data:
            return _image(kind, _joined(data[kind]))
    if "text/markdown" in data:
        return _prose(_joined(data["text/markdown"]))
    return _preformatted(_joined(data["text/plain"])) if "text/plain" in data else None


def _chart(content: Any, place: str) -> Chart:
    specification = json.loads(content) if isinstance(content, str) else dict(content)
    # The page has one version of the library, which reads older specifications too but warns of them.
    specification.pop("$schema", None)
    # In a script element only "<" can end the script or open a comment.
    text = json.dumps(specification, separators=(",", ":")).replace("<", "\\u003c")
    return Chart(svg=Markup(_drawn(specification, place)), specification=Markup(text))  # noqa: S704  # drawn, and escaped


def _drawn(specification: Mapping[str, Any], place: str) -> str:
    try:
        return vega.svg(specification)
    except ValueError as error:
        # What failed, then why, then where in the library.
        reason = "".join(str(error).splitlines()[:2][-1:]).removeprefix("Error: ")
        raise BadInput(f"The chart {_name(specification) or 'without a title'} {place} cannot be drawn: {reason}") from error


def _name(specification: Mapping[str, Any]) -> str | None:
    """The chart's title in quotes, as it stands above the chart: a text, its lines, or an object that holds either."""
    title = specification.get("title")
    text = title.get("text") if isinstance(title, dict) else title
    words = " ".join(map(str, text)) if isinstance(text, list) else text
    return f'"{words}"' if isinstance(words, str) and words else None


def _html(text: str, trusted: Mapping[str, str]) -> Markup:
    if text in trusted:
        return Markup(trusted[text])  # noqa: S704  # what our own table wrote
    for style in (tables.STYLE, figures.STYLE):
        text = text.replace(f"<style>{style}</style>", "")
    return Markup('<div class="output">{}</div>').format(markup.clean(text))


def _prose(text: str) -> Markup:
    return Markup('<div class="prose">{}</div>').format(markup.from_markdown(text))


def _preformatted(text: str) -> Markup | None:
    return Markup("<pre>{}</pre>").format(text.rstrip()) if text.strip() else None


def _image(kind: str, content: str) -> Markup:
    # As the source of an image, an SVG can neither run scripts nor fetch anything.
    encoded = base64.b64encode(content.encode()).decode() if kind == "image/svg+xml" else "".join(content.split())
    return Markup('<img class="picture" alt="" src="data:{};base64,{}">').format(kind, encoded)


def _without_title(blocks: Sequence[Markup | Chart]) -> list[Markup | Chart]:
    """The blocks without the notebook's own title, which stands above them already."""
    for place, block in enumerate(blocks):
        if isinstance(block, Markup) and (rest := markup.without_first_heading(block)) is not None:
            return [*blocks[:place], rest, *blocks[place + 1 :]]
    return list(blocks)


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _css_string(text: str) -> Markup:
    """The text as a string in a style sheet; whatever could end the string or the style element is written as its number."""
    plain = "".join(
        character if character.isalnum() or character in " .,-–()" else f"\\{ord(character):x} " for character in text
    )
    return Markup(f'"{plain}"')  # noqa: S704  # escaped just now


@remembered
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(_FOLDER)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("report.html")


@remembered
def _style() -> Markup:
    faces = "".join(
        f"@font-face{{font-family:Inter;font-weight:{weight};src:url(data:font/woff2;base64,{_font(name)})}}"
        for name, weight in (("Inter-Regular", 400), ("Inter-SemiBold", 600))
    )
    return Markup(faces + _text("report.css") + tables.STYLE + figures.STYLE)  # noqa: S704  # our own files


def _font(name: str) -> str:
    return base64.b64encode((_FOLDER / "fonts" / f"{name}.woff2").read_bytes()).decode()


@remembered
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
