"""The headline of a report: its figures with their change against the previous period, and sentences on what stands out."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.tables import NOTHING, Format, format_value

#: What the previous values of a headline are of, unless it is told.
PREVIOUS_PERIOD = "previous period"

STYLE = """
.wb-figures{display:flex;flex-wrap:wrap;margin:0 -.375rem 1.375rem;font-family:Inter,system-ui,sans-serif;color:#1b2430}
.wb-figure{display:flex;box-sizing:border-box;flex:0 0 100%;min-width:0;padding:0 .375rem .75rem}
.wb-of-2 .wb-figure{flex-basis:50%}
.wb-of-3 .wb-figure{flex-basis:33.33%}
.wb-of-4 .wb-figure{flex-basis:25%}
.wb-tile{flex:1 1 auto;box-sizing:border-box;min-width:0;border:1px solid #dfe4ea;border-radius:.6rem;padding:.8rem .95rem .85rem}
.wb-figure .wb-label{font-size:.78rem;color:#55606e;line-height:1.3}
.wb-figure .wb-value{font-size:1.6rem;font-weight:600;letter-spacing:-.015em;line-height:1.25;margin:.15rem 0 .2rem;
white-space:nowrap}
.wb-figure .wb-unit{font-size:.55em;font-weight:500;letter-spacing:0}
.wb-figure .wb-change{font-size:.78rem;font-weight:600;color:#55606e;line-height:1.4}
.wb-figure .wb-better{color:#00664b}
.wb-figure .wb-worse{color:#a34000}
.wb-figure .wb-was,.wb-figure .wb-note{font-size:.74rem;color:#55606e;line-height:1.4}
.wb-standout{border-left:4px solid #0072b2;background:#f1f6fa;border-radius:0 .5rem .5rem 0;padding:.8rem 1.1rem;
margin:0 0 1.75rem;font-family:Inter,system-ui,sans-serif;color:#1b2430;font-size:.95rem;line-height:1.5}
.wb-standout .wb-title{font-weight:600;font-size:.78rem;color:#005a8c;margin:0 0 .25rem}
.wb-standout p{margin:.25rem 0}
@media screen and (max-width:40rem){
.wb-figures .wb-figure{flex-basis:50%}
.wb-tile{padding:.7rem .75rem}
.wb-figure .wb-value{font-size:1.3rem}
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of the headline.

    `value` and `previous` (the same figure of the previous period) may be null. `good` is the direction that is an improvement;
    None where neither is. Percentages are 0-100, times are seconds. Of a rate or mean, `cases` says how many `value` is of.
    """

    label: str
    value: float | None
    format: Format = "integer"
    previous: float | None = None
    good: Literal["up", "down"] | None = None
    note: str | None = None
    cases: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change in words: the arrow, its size, and whether it is `better`, `worse`, `changed` or `unchanged`."""

    arrow: str
    size: str
    verdict: Literal["better", "worse", "changed", "unchanged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """Figures side by side; what `headline` returns. `before` says in words what the previous values are of."""

    figures: Sequence[Figure]
    currency: str | None = None
    before: str = PREVIOUS_PERIOD

    def html(self) -> str:
        tiles = "".join(_tile(figure, self) for figure in self.figures)
        return f'<div class="wb-figures wb-of-{_per_row(len(self.figures))}">{tiles}</div>'

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standout:
    """A callout with sentences; what `standout` returns."""

    sentences: Sequence[str]
    title: str

    def html(self) -> str:
        paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return f'<div class="wb-standout"><div class="wb-title">{html.escape(self.title)}</div>{paragraphs}</div>'

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html()}"


def headline(figures: Iterable[Figure], *, currency: str | None = None, before: str = PREVIOUS_PERIOD) -> Headline:
    """The figures as tiles; `currency` is the code shown with money, `before` stands at the previous values."""
    return Headline(figures=tuple(figures), currency=currency, before=before)


def standout(sentences: str | Iterable[str], *, title: str = "What stands out") -> Standout:
    """The sentences as a callout; with none of them it says that nothing stands out."""
    given = (sentences,) if isinstance(sentences, str) else tuple(sentences)
    return Standout(sentences=given or ("Nothing stands out in this period.",), title=title)


def change(figure: Figure) -> Change | None:
    """The figure's change against the previous period: relative, but in percentage points for percentages.

    None where either value is null, or the previous one is 0 and a relative change has no size.
    """
    text = _size(figure)
    if text is None or figure.value is None or figure.previous is None:
        return None
    if not any(digit in "123456789" for digit in text):
        return Change(arrow="=", size="", verdict="unchanged")
    direction = "up" if figure.value > figure.previous else "down"
    verdict: Literal["better", "worse", "changed"] = "changed"
    if figure.good is not None:
        verdict = "better" if direction == figure.good else "worse"
    return Change(arrow="▲" if direction == "up" else "▼", size=text, verdict=verdict)


def _size(figure: Figure) -> str | None:
    if _is_null(figure.value) or _is_null(figure.previous):
        return None
    value, previous = float(figure.value or 0), float(figure.previous or 0)
    if figure.format == "percent":
        return f"{abs(value - previous):,.1f} points"
    return f"{abs(value - previous) / abs(previous) * 100:,.1f}%" if previous else None


def _is_null(value: float | None) -> bool:
    return format_value(value, "number") == NOTHING


def _per_row(count: int) -> int:
    """Tiles per row: at most four, and no row of one below a row of four."""
    rows = -(-count // 4) or 1
    return -(-count // rows) or 1


def _tile(figure: Figure, headline: Headline) -> str:
    note = f'<div class="wb-note">{html.escape(figure.note)}</div>' if figure.note else ""
    return (
        f'<div class="wb-figure"><div class="wb-tile"><div class="wb-label">{html.escape(figure.label)}</div>'
        f'<div class="wb-value">{_value_html(figure, headline)}</div>{_change_html(figure, headline)}{note}</div></div>'
    )


def _value_html(figure: Figure, headline: Headline) -> str:
    value = html.escape(format_value(figure.value, figure.format))
    if figure.format != "money" or not headline.currency or _is_null(figure.value):
        return value
    return f'<span class="wb-unit">{html.escape(headline.currency)}</span> {value}'


def _change_html(figure: Figure, headline: Headline) -> str:
    if _is_null(figure.value) or _is_null(figure.previous):
        return ""
    was = f"{headline.before}: {format_value(figure.previous, figure.format)}"
    return f'{_verdict_html(change(figure))}<div class="wb-was">{html.escape(was)}</div>'


def _verdict_html(found: Change | None) -> str:
    if found is None:
        return ""
    if found.verdict == "unchanged":
        return '<div class="wb-change">= unchanged</div>'
    direction = "up" if found.arrow == "▲" else "down"
    word = direction if found.verdict == "changed" else f"{direction}, {found.verdict}"
    return f'<div class="wb-change wb-{found.verdict}">{found.arrow} {found.size} {word}</div>'
