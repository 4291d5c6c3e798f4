"""The exported page in a real browser: alive where scripts run, complete where they do not, and never asking the network."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page, sync_playwright

from workbench import charts, exports, figures, tables

HOSTILE = "</script><script>document.title='ran'</script><img src=http://127.0.0.1:9/x onerror=document.title='ran'>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install it with your system's packages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    days = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=30), "calls": range(30)})
    agents = pd.DataFrame({"agent_id": ["Becky", HOSTILE], "calls_handled": [12, 7]})
    table = tables.ReportTable.from_frame(agents, name="agents", title="Agents")
    shown = [
        figures.headline([figures.Figure(label=f"Figure {number}", value=number * 1000, previous=900) for number in range(1, 6)]),
        figures.standout([HOSTILE]),
        charts.line(days, "day", "calls", title="Calls per day"),
        charts.bar(agents, "agent_id", "calls_handled", title="Calls by agent"),
        table,
    ]
    raw = new_output("display_data", data={"text/html": f"<p onclick=alert(1)>raw {HOSTILE}</p>"})
    cells = [new_markdown_cell(f"# Title\n\nWords. {HOSTILE}"), new_code_cell("", outputs=[*map(output, shown), raw])]
    (folder / "executed.ipynb").write_text(nbformat.writes(new_notebook(cells=cells)), encoding="utf-8")
    edition = exports.Edition(
        report_title="Agents",
        tenant_name=HOSTILE,
        period="January 2021",
        run_id="0199a3c2",
        timezone="UTC",
        currency="EUR",
        generated_at=dt.datetime(2021, 2, 1, tzinfo=dt.UTC),
    )
    return exports.export(folder / "executed.ipynb", [table], edition, ["html"], folder)[0]


def output(shown: Any) -> Any:
    found = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {"text/html": shown._repr_html_()}
    return new_output("display_data", data=found[0] if isinstance(found, tuple) else found)


@pytest.fixture
def asked() -> list[str]:
    """What pages asked the network for, and what their consoles said."""
    return []


def opened(browser: Browser, report: Path, asked: list[str], *, width: int = 1280, scripts: bool = True) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.on("pageerror", lambda problem: asked.append(str(problem)))
    page.goto(report.as_uri())
    return page


def test_charts_come_alive_and_nothing_else_runs_or_is_fetched(browser: Browser, report: Path, asked: list[str]) -> None:
    page = opened(browser, report, asked)
    page.wait_for_selector(".chart.is-live >> nth=1 >> .live svg")
    assert page.locator(".chart.is-live").count() == 2
    assert not page.locator(".drawn").first.is_visible()
    page.locator(".chart").nth(1).locator(".live path[aria-roledescription=bar]").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "Calls handled" in page.locator("#vg-tooltip-element").inner_text()
    assert page.title().endswith("January 2021")
    assert asked == []
    page.close()


def test_everything_is_there_without_scripts(browser: Browser, report: Path, asked: list[str]) -> None:
    page = opened(browser, report, asked, scripts=False)
    assert page.locator(".drawn svg").count() == 2
    assert page.locator(".drawn svg").first.is_visible()
    assert page.locator("td", has_text="Becky").is_visible()
    assert asked == []
    page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_need_not_scroll_sideways(browser: Browser, report: Path, asked: list[str], scripts: bool) -> None:
    page = opened(browser, report, asked, width=360, scripts=scripts)
    boxes = page.locator("main > *").all()
    assert boxes
    for box in boxes:
        found = box.bounding_box()
        assert found is not None
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= 360
    page.close()


def test_on_paper_the_drawn_charts_are_used(browser: Browser, report: Path, asked: list[str]) -> None:
    page = opened(browser, report, asked)
    page.wait_for_selector(".chart.is-live >> nth=1 >> .live svg")
    page.emulate_media(media="print")
    assert page.locator(".drawn svg").first.is_visible()
    assert not page.locator(".live svg").first.is_visible()
    page.close()
