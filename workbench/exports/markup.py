"""Markup from a notebook made safe: text, headings, lists, links and tables come through; nothing that acts or fetches does."""

from __future__ import annotations

import html
import re

import bleach  # type: ignore[import-untyped]
import mistune
from markupsafe import Markup

_INLINE = "a abbr b br code del em i img ins kbd mark q s samp small span strong sub sup u var"
_BLOCK = "blockquote dd div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre section ul"
_TABLE = "caption col colgroup table tbody td tfoot th thead tr"
_TAGS = frozenset(f"{_INLINE} {_BLOCK} {_TABLE}".split())
_ATTRIBUTES = frozenset({"class", "title", "colspan", "rowspan", "scope", "start", "lang", "dir"})
_PROTOCOLS = frozenset({"http", "https", "mailto", "data"})
_EMBEDDED_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
#: Their content is no text to be read. What is left over, clean() makes harmless.
_UNREADABLE = re.compile(r"<(style|script|template)\b.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_FIRST_HEADING = re.compile(r'\A<div class="prose"><h1>.*?</h1>\s*', re.DOTALL)


def clean(text: str) -> Markup:
    """HTML with only what is on the allow-list: no scripts, styles, handlers, forms or frames, and nothing fetched."""
    kept = bleach.clean(
        _UNREADABLE.sub("", text), tags=_TAGS, attributes=_is_allowed, protocols=_PROTOCOLS, strip=True, strip_comments=True
    )
    return Markup(kept)  # noqa: S704  # cleaned just now


def from_markdown(text: str) -> Markup:
    """Markdown as HTML. HTML in it is shown as text, for it may come from data; images are kept where they are embedded."""
    rendered = _markdown(text)
    return Markup(rendered if isinstance(rendered, str) else "")  # noqa: S704  # escaped by the renderer


def without_first_heading(block: Markup) -> Markup | None:
    """Prose without the first-level heading it opens with; None where it opens with something else."""
    rest, found = _FIRST_HEADING.subn('<div class="prose">', str(block))
    return Markup(rest) if found else None  # noqa: S704  # part of what was markup


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name in {"alt", "title", "width", "height"} or (name == "src" and _EMBEDDED_IMAGE.fullmatch(value) is not None)
    if tag == "a" and name == "href":
        return value.lower().startswith(("http://", "https://", "mailto:", "#"))
    return name in _ATTRIBUTES


class _Renderer(mistune.HTMLRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        if not _EMBEDDED_IMAGE.fullmatch(url):
            return html.escape(text)
        return f'<img class="picture" alt="{html.escape(text)}" src="{html.escape(url)}">'


_markdown = mistune.create_markdown(renderer=_Renderer(escape=True), plugins=["table", "strikethrough"])
