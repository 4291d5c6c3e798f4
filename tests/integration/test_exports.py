"""Exports of an executed notebook, read back with the programs that people and other systems read them with."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench import charts, exports, figures, tables
from workbench.errors import BadInput
from workbench.exports.spreadsheet import sheet_names

HOSTILE = "</script></style><script>document.title='ran'</script>"
EDITION = exports.Edition(
    report_title="Agent performance",
    tenant_name='Söhne & "Co"',
    period="1 January to 31 March 2021",
    run_id="0199a3c2-7f4e",
    timezone="Europe/Zurich",
    currency="CHF",
    generated_at=dt.datetime(2021, 4, 1, 5, 30, tzinfo=dt.UTC),
)
FRAME = pd.DataFrame(
    {
        "metric_date": [dt.date(2021, 1, 1), dt.date(2021, 1, 2), None],
        "last_call_at": pd.to_datetime(["2021-01-01T16:41Z", "2021-07-01T22:30Z", None]),
        "agent_id": ["=HYPERLINK(1)", "http://a.example", HOSTILE],
        "comment": ["-5", "+49 30 1", "fine, \"quoted\"\nsecond line"],
        "calls_handled": pd.array([1234, None, -5], dtype="Int64"),
        "conversion_rate": [10.525, math.nan, 0.0],
        "avg_call_seconds": [224.92, 3661.0, None],
        "revenue": [1234.5, math.inf, -2.0],
    }
)  # fmt: skip
AGENTS = tables.ReportTable.from_frame(FRAME, name="agents", title="Agents: [all]", currency="CHF", timezone="Europe/Zurich")
NOTHING = tables.ReportTable.from_frame(FRAME.head(0), name="nothing", title="Nothing", timezone="Europe/Zurich")


def output(shown: Any) -> Any:
    found = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {"text/html": shown._repr_html_()}
    return new_output("display_data", data=found[0] if isinstance(found, tuple) else found)


def html(text: str) -> Any:
    return new_output("display_data", data={"text/html": text})


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Sequence[Any]], Path]:
    def write(cells: Sequence[Any]) -> Path:
        path = tmp_path / "executed.ipynb"
        path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
        return path

    return write


@pytest.fixture
def notebook(write: Callable[[Sequence[Any]], Path]) -> Path:
    days = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=60), "calls": np.arange(60) % 7})
    return write(
        [
            new_markdown_cell("# Agent performance\n\nHow the team did."),
            new_code_cell("secret_source = 1", outputs=[output(figures.headline([figures.Figure(label="Calls", value=4054)]))]),
            new_markdown_cell("## Calls over time"),
            new_code_cell("", outputs=[output(charts.line(days, "day", "calls", title="Calls per day")), output(AGENTS)]),
            new_code_cell(
                "",
                outputs=[
                    new_output("stream", name="stdout", text="a printed line\n"),
                    new_output("stream", name="stderr", text="DeprecationWarning: hidden"),
                    new_output("error", ename="ValueError", evalue="hidden too", traceback=["hidden too"]),
                ],
            ),
        ]
    )


def page(notebook: Path, folder: Path, *, report_tables: Sequence[tables.ReportTable] = (AGENTS,)) -> str:
    (path,) = exports.export(notebook, report_tables, EDITION, ["html"], folder)
    return path.read_text(encoding="utf-8")


def paper(notebook: Path, folder: Path, edition: exports.Edition = EDITION) -> list[str]:
    (path,) = exports.export(notebook, [], edition, ["pdf"], folder)
    return [sheet.extract_text() for sheet in pypdf.PdfReader(path).pages]


def test_every_format_is_written_and_named_in_the_order_asked(notebook: Path, tmp_path: Path) -> None:
    written = exports.export(
        notebook, [AGENTS, NOTHING], EDITION, ["json", "html", "pdf", "xlsx", "csv", "parquet", "json"], tmp_path
    )
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        *("tables.json", "report.html", "report.pdf", "report.xlsx"),
        *("agents.csv", "nothing.csv", "agents.parquet", "nothing.parquet"),
    ]
    assert all(path.stat().st_size for path in written)


def test_an_unknown_format_and_two_tables_of_one_name_are_refused(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no format 'docx'.* html, pdf, xlsx, csv, json, parquet"):
        exports.export(notebook, [], EDITION, ["html", "docx"], tmp_path)
    with pytest.raises(BadInput, match="Two tables of the report are named agents"):
        exports.export(notebook, [AGENTS, AGENTS], EDITION, ["csv"], tmp_path)


@pytest.mark.parametrize("name", exports.FORMATS)
def test_a_folder_that_cannot_be_written_is_an_oserror(name: str, notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        exports.export(notebook, [AGENTS], EDITION, [name], tmp_path / "missing")


@pytest.mark.parametrize("name", exports.FORMATS)
def test_no_room_on_the_disk_is_an_oserror(name: str, notebook: Path, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            exports.export(notebook, [AGENTS], EDITION, [name], tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


ARTIFACTS = ("report.html", "report.pdf", "report.xlsx", "agents.csv", "tables.json", "agents.parquet")


@pytest.mark.parametrize(("name", "file"), [*zip(exports.FORMATS, ARTIFACTS, strict=True)])
def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(name: str, file: str, notebook: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("another's")
    (tmp_path / file).symlink_to(elsewhere)
    exports.export(notebook, [AGENTS], EDITION, [name], tmp_path)
    assert elsewhere.read_text() == "another's"
    assert not (tmp_path / file).is_symlink()


@pytest.mark.parametrize("name", ["html", "pdf"])
def test_a_notebook_that_is_a_link_is_refused(name: str, notebook: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.ipynb"
    link.symlink_to(notebook)
    with pytest.raises(BadInput, match=r"link\.ipynb in the folder of the run is no plain file"):
        exports.export(link, [], EDITION, [name], tmp_path)


FAR = {"data": {"url": "http://127.0.0.1:9/calls.csv"}, "mark": "bar", "encoding": {"x": {"field": "a", "type": "quantitative"}}}


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ({"title": "Calls"}, 'The chart "Calls" in cell 2 cannot be drawn: External data url not allowed'),
        ({"title": {"text": ["Calls", "by hour"]}}, 'The chart "Calls by hour" in cell 2 cannot be drawn'),
        ({}, "The chart without a title in cell 2 cannot be drawn"),
    ],
)
@pytest.mark.parametrize("name", ["html", "pdf"])
def test_a_chart_that_cannot_be_drawn_is_named(
    name: str, title: dict[str, Any], told: str, write: Callable[[Sequence[Any]], Path], tmp_path: Path
) -> None:
    shown = new_output("display_data", data={charts.MIME_TYPE: FAR | title})
    path = write([new_markdown_cell("# Title"), new_code_cell("", outputs=[shown])])
    with pytest.raises(BadInput, match=told):
        exports.export(path, [], EDITION, [name], tmp_path)


def test_whatever_else_is_wrong_with_a_notebook_is_told_as_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "executed.ipynb"
    path.write_text("{")
    with pytest.raises(BadInput, match="cannot be exported as html: JSONDecodeError"):
        exports.export(path, [], EDITION, ["html"], tmp_path)


def test_links_and_foreign_files_among_the_tables_are_refused(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "tables"
    written = AGENTS.write(elsewhere)
    folder.mkdir()
    place = folder / written.name
    place.symlink_to(written)
    with pytest.raises(BadInput, match="no plain file"):
        tables.read_all(folder)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(BadInput, match="no plain file"):
        tables.read_all(folder)
    (tmp_path / "link").symlink_to(elsewhere)
    with pytest.raises(BadInput, match="is a link"):
        tables.read_all(tmp_path / "link")


def test_a_file_among_the_tables_that_is_no_table_is_told(tmp_path: Path) -> None:
    place = tmp_path / "0001-agents.parquet"
    place.write_text("no table")
    with pytest.raises(BadInput, match=r"none that session\.table has written"):
        tables.read_all(tmp_path)
    pq.write_table(pa.table({"a": [1]}), place)
    with pytest.raises(BadInput, match=r"none that session\.table has written"):
        tables.read_all(tmp_path)


def test_tables_travel_through_a_folder_in_order_and_unchanged(tmp_path: Path) -> None:
    NOTHING.write(tmp_path)
    AGENTS.write(tmp_path)
    tables.ReportTable.from_frame(FRAME.head(1), name="nothing", title="Something now").write(tmp_path)
    read = tables.read_all(tmp_path)
    assert [(table.name, table.title, table.data.num_rows) for table in read] == [
        ("nothing", "Something now", 1),
        ("agents", AGENTS.title, 3),
    ]
    assert read[1].data.equals(AGENTS.data)
    assert (read[1].columns, read[1].currency, read[1].timezone) == (AGENTS.columns, "CHF", "Europe/Zurich")
    assert tables.read_all(tmp_path / "missing") == []


def test_the_page_shows_results_and_hides_the_works(notebook: Path, tmp_path: Path) -> None:
    shown = page(notebook, tmp_path)
    for expected in (
        "Söhne &amp; ",
        "1 January to 31 March 2021",
        "0199a3c2-7f4e",
        "1 Apr 2021, 07:30 (Europe/Zurich)",
        "a printed line",
        "4,054",
    ):
        assert expected in shown
    assert "secret_source" not in shown
    assert "hidden" not in re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL).replace("aria-hidden", "")
    assert shown.count("Agent performance</h1>") == 1
    assert "How the team did." in shown


def test_the_page_needs_nothing_beside_it(notebook: Path, tmp_path: Path) -> None:
    shown = page(notebook, tmp_path)
    assert "default-src 'none'" in shown
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*|url\((?!data:|#)[^)]*""", shown)


def test_each_chart_is_drawn_and_its_library_is_there_once(notebook: Path, tmp_path: Path) -> None:
    shown = page(notebook, tmp_path)
    assert shown.count('id="vega"') == 1
    assert shown.count('<script type="application/json">') == 1
    assert "Calls per day</text>" in shown


def test_a_page_without_charts_has_no_scripts(write: Callable[[Sequence[Any]], Path], tmp_path: Path) -> None:
    shown = page(write([new_markdown_cell("Only words.")]), tmp_path)
    assert "<script" not in shown
    assert "script-src 'none'" in shown


def test_identifiers_of_two_charts_do_not_meet(write: Callable[[Sequence[Any]], Path], tmp_path: Path) -> None:
    frame = pd.DataFrame({"hour": [8, 9], "weekday": [1, 2], "calls": [1, 5]})
    maps = [output(charts.heatmap(frame.assign(calls=frame.calls * factor), title=f"M{factor}")) for factor in (1, 3)]
    found = re.findall(r'\bid="([^"]+)"', page(write([new_code_cell("", outputs=maps)]), tmp_path))
    assert len(found) == len(set(found)) > 2


HOSTILE_HTML = [
    "<script>alert(1)</script><b>kept</b>",
    "<img src=x onerror=alert(1)>kept",
    "<img src='http://127.0.0.1:9/x.png'>kept",
    "<a href='javascript:alert(1)'>kept</a>",
    "<a href='JaVa&#x09;Script:alert(1)'>kept</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>kept",
    "<iframe src='http://127.0.0.1:9'></iframe>kept",
    "<form action='http://127.0.0.1:9'><input name=a></form>kept",
    "<p onclick=alert(1) style='background:url(http://127.0.0.1:9)'>kept</p>",
    "<style>body{background:url(http://127.0.0.1:9)}</style>kept",
    "<math><mtext></style><img src=x onerror=alert(1)></math>kept",
    "<scr<script>ipt>alert(1)</scr</script>ipt>kept",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9'>kept",
    "<base href='http://127.0.0.1:9'>kept",
    "<link rel=stylesheet href='http://127.0.0.1:9'>kept",
    f"<style>{tables.STYLE}</style><div class='wb-table'><script>alert(1)</script>kept</div>",
]


@pytest.mark.parametrize("text", HOSTILE_HTML)
def test_html_from_a_notebook_comes_through_without_what_acts_or_fetches(
    text: str, write: Callable[[Sequence[Any]], Path], tmp_path: Path
) -> None:
    shown = page(write([new_code_cell("", outputs=[html(text)])]), tmp_path)
    body = shown[shown.index("<main>") : shown.index("</main>")]
    assert "kept" in body
    assert not re.search(r"<(script|svg|iframe|form|input|style|meta|base|link|math)\b", body)
    assert not re.search(r"<[^>]*\b(on\w+|style|src|href|action)\s*=", body)


def test_markdown_is_formatted_but_html_in_it_is_text(write: Callable[[Sequence[Any]], Path], tmp_path: Path) -> None:
    links = "[link](javascript:alert(1)) ![far](http://127.0.0.1:9/x.png) [good](https://example.org)"
    text = f"**bold** {HOSTILE} {links}\n\n| a |\n|---|\n| 1 |"
    shown = page(write([new_markdown_cell(text)]), tmp_path)
    body = shown[shown.index("<main>") : shown.index("</main>")]
    assert "<strong>bold</strong>" in body
    assert "<script" not in body
    assert re.findall(r'(?:src|href)="([^"]*)"', body) == ["#harmful-link", "https://example.org"]
    assert "<td>1</td>" in body


def test_text_from_data_ends_no_script_no_style_and_no_string(write: Callable[[Sequence[Any]], Path], tmp_path: Path) -> None:
    chart = charts.bar(pd.DataFrame({"a": [HOSTILE], "n": [1]}), "a", "n", title=HOSTILE)
    shown = page(write([new_code_cell("", outputs=[output(chart), output(AGENTS)])]), tmp_path)
    assert shown.count("<script") == 3  # the chart's data, the library and what starts it
    assert "document.title='ran'</script>" not in shown


@pytest.fixture
def long_notebook(write: Callable[[Sequence[Any]], Path]) -> Path:
    rows = pd.DataFrame({"agent_id": [f"agent {i}" for i in range(120)], "calls_handled": range(120)})
    table = tables.ReportTable.from_frame(rows, name="rows", title="Rows")
    return write([new_markdown_cell("# Title\n\nIntroduction."), new_code_cell("", outputs=[output(table)])])


def test_every_sheet_of_paper_says_whose_it_is_and_which_of_how_many(long_notebook: Path, tmp_path: Path) -> None:
    sheets = paper(long_notebook, tmp_path)
    assert len(sheets) > 1
    for number, text in enumerate(sheets, start=1):
        place = f"page {number} of {len(sheets)}"
        for expected in (EDITION.tenant_name, EDITION.period, f"Run {EDITION.run_id}", EDITION.generated, place):
            assert expected in text


@pytest.mark.parametrize("lines", range(22, 50))
def test_no_sheet_ends_with_a_heading_or_holds_nothing_but_the_foot(
    lines: int, write: Callable[[Sequence[Any]], Path], tmp_path: Path
) -> None:
    words = "\n\n".join(["filler"] * lines)
    sheets = paper(write([new_markdown_cell(f"# T\n\n{words}\n\n## Meaning\n\n{'explained ' * 40}")]), tmp_path)
    assert all("filler" in text or "explained" in text for text in sheets)
    assert "explained" in next(text for text in sheets if "Meaning" in text)


@pytest.mark.parametrize("lines", range(18, 40, 2))
def test_no_sheet_ends_with_the_title_of_a_table(lines: int, write: Callable[[Sequence[Any]], Path], tmp_path: Path) -> None:
    frame = pd.DataFrame({"agent_id": [f"agent {number}" for number in range(40)]})
    table = output(tables.ReportTable.from_frame(frame, name="rows", title="The rows"))
    cells = [new_markdown_cell("\n\n".join(["filler"] * lines)), new_code_cell("", outputs=[table])]
    sheets = paper(write(cells), tmp_path)
    assert "agent 0" in next(text for text in sheets if "The rows" in text)


def test_table_heads_are_repeated_and_no_row_is_lost(long_notebook: Path, tmp_path: Path) -> None:
    sheets = paper(long_notebook, tmp_path)
    assert all("Calls handled" in text for text in sheets)
    assert re.findall(r"agent (\d+)", "\n".join(sheets)) == [str(number) for number in range(120)]


def test_paper_has_its_own_typeface_and_says_what_it_is(notebook: Path, tmp_path: Path) -> None:
    (path,) = exports.export(notebook, [], EDITION, ["pdf"], tmp_path)
    reader = pypdf.PdfReader(path)
    fonts = {str(font.get_object()["/BaseFont"]) for sheet in reader.pages for font in sheet["/Resources"]["/Font"].values()}  # type: ignore[index]
    assert any("Inter-Regular" in name for name in fonts)
    assert any("Inter-SemiBold" in name for name in fonts)
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.author) == ("Agent performance", EDITION.tenant_name)


def test_a_hostile_tenant_name_is_only_a_name(long_notebook: Path, tmp_path: Path) -> None:
    name = '"; } </style><script>alert(1)</script> \\ \n x'
    edition = exports.Edition(**{field: getattr(EDITION, field) for field in EDITION.__slots__} | {"tenant_name": name})
    text = paper(long_notebook, tmp_path, edition)[1]
    assert '"; } </style><script>alert(1)</script> \\' in text


def test_paper_is_set_on_a_machine_without_fonts(notebook: Path, tmp_path: Path) -> None:
    bare = tmp_path / "fonts.conf"
    bare.write_text(f"<fontconfig><dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>")
    program = (
        "import sys; from pathlib import Path; from workbench.exports.page import read; from workbench.exports.pdf import to_pdf;"
        "from tests.integration.test_exports import EDITION;"
        "sys.stdout.buffer.write(to_pdf(read(Path(sys.argv[1]), [], EDITION).printed(), EDITION))"
    )
    environment = os.environ | {"FONTCONFIG_FILE": str(bare)}
    root = Path(__file__).parents[2]
    made = subprocess.run(
        [sys.executable, "-c", program, notebook], cwd=root, env=environment, check=True, capture_output=True
    ).stdout
    assert "How the team did." in pypdf.PdfReader(io.BytesIO(made)).pages[0].extract_text()


def test_the_workbook_holds_real_dates_and_numbers_and_no_formulas(notebook: Path, tmp_path: Path) -> None:
    (path,) = exports.export(notebook, [AGENTS, NOTHING], EDITION, ["xlsx"], tmp_path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["About", "Agents all", "Nothing"]
    sheet = book["Agents all"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    heads = [
        "Date",
        "Last call",
        "Agent",
        "Comment",
        "Calls handled",
        "Conversion rate",
        "Average call time (s)",
        "Revenue (CHF)",
    ]
    assert rows[0] == heads
    assert rows[1] == [
        dt.datetime(2021, 1, 1),
        dt.datetime(2021, 1, 1, 17, 41),
        "=HYPERLINK(1)",
        "-5",
        1234,
        pytest.approx(0.10525),
        224.92,
        1234.5,
    ]
    assert rows[2] == [
        dt.datetime(2021, 1, 2),
        dt.datetime(2021, 7, 2, 0, 30),
        "http://a.example",
        "+49 30 1",
        None,
        None,
        3661,
        None,
    ]
    assert [cell.number_format for cell in sheet[2]] == [
        *("yyyy-mm-dd", "yyyy-mm-dd hh:mm", "@", "@", "#,##0", "0.0%", "#,##0.0", "#,##0.00"),
    ]
    assert sheet["C2"].data_type == "s"
    assert sheet["C3"].hyperlink is None
    assert sheet["A1"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:H4")
    assert [cell.value for cell in book["Nothing"][1]][:3] == heads[:3]


def test_the_first_sheet_says_what_the_workbook_is(notebook: Path, tmp_path: Path) -> None:
    (path,) = exports.export(notebook, [AGENTS], EDITION, ["xlsx"], tmp_path)
    facts = {row[0].value: row[1].value for row in openpyxl.load_workbook(path)["About"].iter_rows()}
    assert facts["Report"] == "Agent performance"
    assert facts["Company"] == EDITION.tenant_name
    assert facts["Period"] == EDITION.period
    assert facts["Run"] == EDITION.run_id
    assert facts["Generated"] == "1 Apr 2021, 07:30 (Europe/Zurich)"


def test_excel_accepts_every_sheet_name() -> None:
    found = sheet_names(["About", "a/b:c*d?e[f]\\g", "x" * 40, "X" * 40, "''", "History", "'quoted'"])
    assert found == ["About (2)", "a b c d e f g", "x" * 31, "X" * 27 + " (2)", "Table", "History (2)", "quoted"]


STARTS = ("=", "+", "-", "@", "\t", "\r")


def test_no_cell_heading_or_sheet_name_is_a_formula(notebook: Path, tmp_path: Path) -> None:
    texts = [f"{start}1+1" for start in STARTS]
    frame = pd.DataFrame({"text": texts} | dict.fromkeys(texts, 1))
    table = tables.ReportTable.from_frame(frame, name="odd", title="=It's 1+1", labels={text: text for text in texts})
    csv_file, xlsx = exports.export(notebook, [table], EDITION, ["csv", "xlsx"], tmp_path)
    heading, *rows = csv.reader(io.StringIO(csv_file.read_bytes().decode(), newline=""))
    assert heading == ["text", *(f"'{text}" for text in texts)]
    assert [row[0] for row in rows] == [f"'{text}" for text in texts]
    book = openpyxl.load_workbook(xlsx)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert {cell.number_format for cell in book["=It's 1+1"][1]} == {"@"}


def test_values_that_excel_cannot_hold_are_kept_as_text(notebook: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"big": [2**60], "old": [dt.date(1850, 1, 1)], "long": ["x" * 40_000], "flag": [True]})
    table = tables.ReportTable.from_frame(frame, name="odd", title="Odd")
    (path,) = exports.export(notebook, [table], EDITION, ["xlsx"], tmp_path)
    big, old, long, flag = (cell.value for cell in openpyxl.load_workbook(path)["Odd"][2])
    assert (big, old, flag) == (str(2**60), "1850-01-01", True)
    assert len(str(long)) == 32_767


def test_csv_is_read_back_as_it_was_and_runs_nothing(notebook: Path, tmp_path: Path) -> None:
    (path,) = exports.export(notebook, [AGENTS], EDITION, ["csv"], tmp_path)
    content = path.read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 4
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows[0] == list(FRAME.columns)
    assert rows[1] == ["2021-01-01", "2021-01-01T17:41:00+01:00", "'=HYPERLINK(1)", "'-5", "1234", "10.525", "224.92", "1234.5"]
    assert rows[3] == ["", "", HOSTILE, 'fine, "quoted"\nsecond line', "-5", "0.0", "", "-2.0"]


def test_json_holds_titles_columns_and_rows(notebook: Path, tmp_path: Path) -> None:
    (path,) = exports.export(notebook, [AGENTS, NOTHING], EDITION, ["json"], tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["report"], document["tenant"]) == ("Agent performance", EDITION.tenant_name)
    assert document["generated_at"] == "2021-04-01T07:30:00+02:00"
    agents = document["tables"]["agents"]
    assert agents["title"] == "Agents: [all]"
    assert agents["columns"][0] == {"name": "metric_date", "label": "Date", "format": "date"}
    assert agents["rows"][0]["metric_date"] == "2021-01-01"
    assert agents["rows"][1] | {"last_call_at": None} == {
        "metric_date": "2021-01-02", "last_call_at": None, "agent_id": "http://a.example", "comment": "+49 30 1",
        "calls_handled": None, "conversion_rate": None, "avg_call_seconds": 3661.0, "revenue": None,
    }  # fmt: skip
    assert document["tables"]["nothing"]["rows"] == []


def test_parquet_keeps_exact_types(notebook: Path, tmp_path: Path) -> None:
    agents, nothing = exports.export(notebook, [AGENTS, NOTHING], EDITION, ["parquet"], tmp_path)
    read = pq.read_table(agents)
    assert read.schema.types[:2] == [pa.date32(), pa.timestamp("us", "UTC")]
    assert read.equals(AGENTS.data)
    assert pq.read_table(nothing).num_rows == 0


def test_the_library_for_charts_is_made_once_where_there_is_a_place_to_keep_it(notebook: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    exports.export(notebook, [], EDITION, ["html"], tmp_path, cache=cache)
    (kept,) = cache.iterdir()
    first = (kept.stat().st_mtime_ns, (tmp_path / "report.html").read_bytes())
    exports.export(notebook, [], EDITION, ["html"], tmp_path, cache=cache)
    assert first == (kept.stat().st_mtime_ns, (tmp_path / "report.html").read_bytes())
