"""Files become events: formats, known answers, and everything that can be wrong with a file."""

from __future__ import annotations

import csv
import datetime
import json
import os
import re
import signal
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from workbench import events, importers
from workbench.capture import Captured
from workbench.cli.context import Workbench
from workbench.errors import BadInput, BrokenInstallation, InvalidMapping, InvalidSource
from workbench.importers import Progress, Rehearsal, Summary
from workbench.lake import Lake

MAPPINGS = Path(__file__).parents[2] / "docs" / "mappings"
CALLS = """\
when: {columns: [day, time], format: "%d.%m.%Y %H:%M"}
who: agent
events:
  - type: call.completed
    id: id
    data:
      call_id: id
      answered: answered
      duration_seconds: {column: talk, as: duration}
  - type: survey.rated
    id: id
    where: "rating is not null"
    data: {rating: rating, call_id: id}
"""
HEADER = "id,agent,day,time,answered,talk,rating\n"
ROW = "007,Zoë,01.02.2021,09:15,Y,0:02:23,5\n"


class Kept:
    """A sink that keeps events by id, refuses what capture would refuse, and adds nothing twice."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self._check = Rehearsal()

    def __call__(self, batch: pa.Table) -> Captured:
        checked = self._check(batch)
        refused = {reject.position for reject in checked.rejects}
        good = [event for position, event in enumerate(batch.to_pylist()) if position not in refused]
        new = {event["id"]: event for event in good if event["id"] not in self.events}
        self.events |= new
        return Captured(accepted=len(new), duplicates=len(good) - len(new), rejects=checked.rejects)

    def data(self, event_type: str) -> list[dict[str, Any]]:
        return [json.loads(event["event_data"]) for event in self.events.values() if event["event_type"] == event_type]

    def times(self) -> list[datetime.datetime]:
        return [event["created_at"] for event in self.events.values()]


@pytest.fixture
def sink() -> Kept:
    return Kept()


@pytest.fixture
def rejects(tmp_path: Path) -> Path:
    return tmp_path / "out" / "rejects.csv"


@pytest.fixture
def run(tmp_path: Path, sink: Kept, rejects: Path) -> Callable[..., Summary]:
    rejects.parent.mkdir()

    def run_import(what: Path | bytes | str, mapping: str | Path = CALLS, timezone: str = "UTC", **options: Any) -> Summary:
        if not isinstance(what, Path):
            what, content = tmp_path / "calls.csv", what
            what.write_bytes(content.encode() if isinstance(content, str) else content)
        if not isinstance(mapping, Path):
            (tmp_path / "mapping.yaml").write_text(mapping)
            mapping = tmp_path / "mapping.yaml"
        source, checked = importers.opened(what, mapping)
        return importers.run(source, checked, timezone, sink, rejects_path=rejects, **options)

    return run_import


def rejected(path: Path) -> list[tuple[int, str, str, str]]:
    with path.open(newline="") as file:
        return [(int(row["line"]), row["column"], row["value"], row["reason"]) for row in csv.DictReader(file)]


def test_phonenow_with_its_documented_mapping_gives_the_known_answers(
    run: Callable[..., Summary], sink: Kept, real_data: Path
) -> None:
    summary = run(real_data / "phonenow_calls_2021q1.csv", MAPPINGS / "phonenow_calls.yaml")
    calls, ratings = sink.data("call.completed"), [each["rating"] for each in sink.data("survey.rated")]
    talk = [call["duration_seconds"] for call in calls if call["answered"]]
    assert (summary.rows, summary.rejected_rows, summary.rejects) == (5000, 0, None)
    assert (len(calls), len(talk)) == (5000, 4054)
    assert round(sum(talk) / len(talk), 2) == 224.92
    assert round(sum(ratings) / len(ratings), 2) == 3.40
    assert len({event["user_id"] for event in sink.events.values()}) == 8


def test_phonenow_with_the_suggested_mapping_unchanged_gives_the_same(
    run: Callable[..., Summary], sink: Kept, real_data: Path
) -> None:
    path = real_data / "phonenow_calls_2021q1.csv"
    run(path, importers.suggested(path), timezone="Europe/Zurich")
    assert sum(call["answered"] for call in sink.data("call.completed")) == 4054
    assert (len(sink.data("call.completed")), len(sink.data("survey.rated"))) == (5000, 4054)
    again = run(path, MAPPINGS / "phonenow_calls.yaml")
    assert (again.accepted, again.duplicates) == (0, 9054)


def test_olist_with_its_documented_mappings_gives_the_known_answers(
    run: Callable[..., Summary], sink: Kept, real_data: Path
) -> None:
    leads = run(real_data / "olist_marketing_qualified_leads.csv", MAPPINGS / "olist_leads.yaml")
    deals = run(real_data / "olist_closed_deals.csv", MAPPINGS / "olist_deals.yaml")
    assert (leads.accepted, deals.accepted, leads.rejected_rows, deals.rejected_rows) == (8000, 842, 0, 0)
    assert sum(deal["revenue"] for deal in sink.data("lead.converted")) == 61_784_006
    assert len({lead.get("source") for lead in sink.data("lead.created")}) == 11
    assert importers.order_warnings(_as_lake(sink)) == {
        "lead won before it was created, for example b91cf8812365f50ff4bda4bcd6206b05": 1
    }


def _as_lake(sink: Kept) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.register("analytics_events", pa.Table.from_pylist(list(sink.events.values())))
    return connection


def test_the_suggestion_for_phonenow_is_the_one_in_the_documentation(real_data: Path) -> None:
    text = (MAPPINGS.parent / "mapping.md").read_text()
    shown = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    suggested = importers.suggested(real_data / "phonenow_calls_2021q1.csv")
    assert yaml.safe_load(textwrap.dedent(shown)) == yaml.safe_load(suggested)


def test_the_suggestions_for_olist_are_the_right_events(real_data: Path) -> None:
    leads = importers.suggested(real_data / "olist_marketing_qualified_leads.csv")
    deals = importers.suggested(real_data / "olist_closed_deals.csv")
    assert "type: lead.created" in leads
    assert "source: origin" in leads
    assert "type: lead.converted" in deals
    assert "revenue: declared_monthly_revenue" in deals


ROWS = [
    {"id": "007", "agent": "Zoë", "day": "01.02.2021", "time": "09:15", "answered": "Y", "talk": "0:02:23", "rating": "5"},
    {"id": "008", "agent": "Bob", "day": "02.02.2021", "time": "10:00", "answered": "N", "talk": "", "rating": ""},
]


def _csv(delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(row) for row in [ROWS[0].keys(), *(row.values() for row in ROWS)]) + "\n"


def _xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(list(ROWS[0]))
    for row in ROWS:
        book.active.append([value or None for value in row.values()])
    book.save(path)


FORMATS: dict[str, Callable[[Path], Any]] = {
    "plain.csv": lambda path: path.write_text(_csv()),
    "mark.csv": lambda path: path.write_text(_csv(), encoding="utf-8-sig"),
    "semicolons.csv": lambda path: path.write_text(_csv(";")),
    "bars.txt": lambda path: path.write_text(_csv("|")),
    "tabs.tsv": lambda path: path.write_text(_csv("\t")),
    "western.csv": lambda path: path.write_text(_csv(";"), encoding="cp1252"),
    "utf16.csv": lambda path: path.write_text(_csv(), encoding="utf-16"),
    "utf16_without_mark.csv": lambda path: path.write_text(_csv(), encoding="utf-16-le"),
    "windows_lines.csv": lambda path: path.write_text(_csv().replace("\n", "\r\n"), newline=""),
    "no_last_line_end.csv": lambda path: path.write_text(_csv().rstrip()),
    "lines.ndjson": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "list.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "lines.json": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "columns.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "book.xlsx": _xlsx,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_and_encoding_gives_the_same_events(
    name: str, run: Callable[..., Summary], sink: Kept, tmp_path: Path
) -> None:
    FORMATS[name](tmp_path / name)
    summary = run(tmp_path / name)
    assert (summary.rows, summary.accepted, summary.rejected_rows) == (2, 3, 0)
    assert sink.data("call.completed") == [
        {"call_id": "007", "answered": True, "duration_seconds": 143},
        {"call_id": "008", "answered": False},
    ]
    assert sink.data("survey.rated") == [{"rating": 5, "call_id": "007"}]
    assert {event["user_id"] for event in sink.events.values()} == {"Zoë", "Bob"}
    assert sink.times()[0] == datetime.datetime(2021, 2, 1, 9, 15, tzinfo=datetime.UTC)


def test_cells_with_types_of_their_own_are_read_as_one_would_write_them(
    run: Callable[..., Summary], sink: Kept, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["n", "day", "at", "clock", "span", "done"])
    noon = datetime.datetime(2021, 2, 1, 12, 30)
    book.active.append([7, noon.date(), noon, noon.time(), datetime.timedelta(seconds=143), True])
    book.save(tmp_path / "typed.xlsx")
    mapping = """\
events:
  - {type: a.day, id: n, when: {columns: [day, clock], format: "%Y-%m-%d %H:%M:%S"}, data: {n: {column: n, as: integer}}}
  - {type: b.at, id: n, when: at, data: {span: {column: span, as: duration}, done: {column: done, as: boolean}}}
"""
    run(tmp_path / "typed.xlsx", mapping)
    assert sink.times() == [noon.replace(tzinfo=datetime.UTC)] * 2
    assert sink.data("a.day") + sink.data("b.at") == [{"n": 7}, {"span": 143, "done": True}]


def test_parquet_times_numbers_and_nested_values_survive(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    at = datetime.datetime(2021, 2, 1, 12, 30, tzinfo=datetime.UTC)
    table = pa.table({"n": [1], "at": pa.array([at]), "amount": [1.25], "deep": [{"a": [1, 2]}]})
    pq.write_table(table, tmp_path / "typed.parquet")
    mapping = """\
events:
  - type: x.y
    id: n
    when: at
    data: {amount: {column: amount, as: number}, deep: {column: deep, as: json}, second: {sql: "cast(deep ->> '$.a[1]' as int)"}}
"""
    run(tmp_path / "typed.parquet", mapping, timezone="Asia/Tokyo")
    assert sink.times() == [at]
    assert sink.data("x.y") == [{"amount": 1.25, "deep": {"a": [1, 2]}, "second": 2}]


def test_a_json_key_that_comes_late_or_only_sometimes_is_a_column_too(
    run: Callable[..., Summary], sink: Kept, tmp_path: Path
) -> None:
    lines = [
        '{"id": "1", "at": "2021-01-01T10:00:00Z"}',
        '{"id": "2", "at": "2021-01-01T11:00:00+01:00", "late/key": {"x": null}}',
    ]
    (tmp_path / "late.ndjson").write_text("\n".join(lines))
    run(tmp_path / "late.ndjson", "events: [{type: x.y, id: id, when: at, data: {late: {column: late/key, as: json}}}]")
    assert sink.data("x.y") == [{}, {"late": {"x": None}}]
    assert len(set(sink.times())) == 1


def test_a_json_key_is_one_column_in_whatever_case_it_comes_and_loses_no_value(
    run: Callable[..., Summary], sink: Kept, rejects: Path, tmp_path: Path
) -> None:
    lines = ['{"id": 1, "N": "a"}', '{"ID": 2, "n": "b"}', '{"id": 3, "n": "c", "N": "c"}', '{"id": 4, "N": "d", "n": "e"}']
    (tmp_path / "cases.ndjson").write_text("\n".join(lines))
    told = run(tmp_path / "cases.ndjson", "events: [{type: x.y, id: id, when: {sql: \"'2021-01-01'\"}, data: {id: id, n: N}}]")
    assert sink.data("x.y") == [{"id": "1", "n": "a"}, {"id": "2", "n": "b"}, {"id": "3", "n": "c"}]
    assert rejected(rejects) == [(4, "", lines[3], "has 'N' and 'n' with different values, which are one column")]
    assert told.rows == 4


def test_json_columns_stand_in_the_order_in_which_they_appear(tmp_path: Path) -> None:
    names = [f"k{number}" for number in range(300)]
    (tmp_path / "wide.ndjson").write_text("".join(json.dumps({name: 1, "at": "2021-01-01"}) + "\n" for name in names))
    (tmp_path / "mapping.yaml").write_text("events: [{type: x.y, id: k0, when: at, data: {}}]")
    source, _ = importers.opened(tmp_path / "wide.ndjson", tmp_path / "mapping.yaml")
    assert source.columns == ("k0", "at", *names[1:])


def test_a_json_list_may_be_one_long_line_and_start_with_a_mark(run: Callable[..., Summary], tmp_path: Path) -> None:
    row = ROWS[0] | {"note": "x" * 1000}
    (tmp_path / "long.json").write_text(json.dumps([row | {"id": str(number)} for number in range(20_000)]), encoding="utf-8-sig")
    assert run(tmp_path / "long.json").accepted == 40_000


def test_rows_that_cannot_be_events_are_listed_with_line_column_value_and_reason(
    run: Callable[..., Summary], sink: Kept, rejects: Path
) -> None:
    rows = [
        ROW,
        "2,Bob,30.02.2021,09:15,Y,0:01:00,3\n",
        '3,"Bob\nthe second",01.02.2021,09:15,Y,0:01:00,7\n',
        "4,Bob,01.02.2021,09:15,perhaps,x,3\n",
        "\n",
        "5,Bob,01.02.2021,09:15,Y,-0:01:00,3\n",
        "6,Bob,01.02.2021\n",
        ",Bob,01.02.2021,09:15,Y,0:01:00,\n",
        "8,Bob,01.02.2021,09:15,Y,0:01:00,bad\n",
    ]
    summary = run(HEADER + "".join(rows))
    told = rejected(rejects)
    assert (3, "day, time", "30.02.2021 09:15", "is not a time like %d.%m.%Y %H:%M") in told
    assert (4, "rating", "7.0", "must be at most 5.0") in told or any(
        row[:2] == (4, "rating") and "at most 5" in row[3] for row in told
    )
    assert (6, "answered", "perhaps", "is neither yes nor no") in told
    assert (6, "talk", "x", "is not a duration (seconds, M:SS or H:MM:SS)") in told
    assert any(row[:2] == (8, "talk") and "at least 0" in row[3] for row in told)
    assert (9, "", "6,Bob,01.02.2021", "has 3 cells, the header has 7") in told
    assert (10, "id", "", "is empty, but it makes the event unique") in told
    assert (11, "rating", "bad", "is not a number") in told
    assert {row[0] for row in told} == {3, 4, 6, 8, 9, 10, 11}
    assert (summary.rows, summary.rejected_rows, summary.rejects) == (8, 7, rejects)
    assert {call["call_id"] for call in sink.data("call.completed")} == {"007", "3", "8"}


def test_an_expression_that_fails_on_a_row_rejects_that_row_only(run: Callable[..., Summary], sink: Kept, rejects: Path) -> None:
    mapping = CALLS.replace("{column: talk, as: duration}", "{sql: 'cast(talk as int) * 60'}")
    run(HEADER + "1,Bob,01.02.2021,09:15,Y,2,\n2,Bob,01.02.2021,09:15,Y,two,\n3,Bob,01.02.2021,09:15,Y,,\n", mapping)
    assert sink.data("call.completed")[0]["duration_seconds"] == 120
    assert rejected(rejects) == [(3, "cast(talk as int) * 60", "", "the expression fails on this row")]


def test_rows_that_are_not_wanted_are_left_out_and_odd_ones_are_counted(
    run: Callable[..., Summary], sink: Kept, rejects: Path
) -> None:
    mapping = (
        CALLS + "rows: agent <> 'Test'\nwarn: [{when: \"answered = 'N' and talk is not null\", message: talk without a call}]\n"
    )
    summary = run(HEADER + ROW + "2,Test,01.02.2021,09:15,Y,0:01:00,3\n3,Bob,01.02.2021,09:15,N,0:01:00,\n", mapping)
    assert {event["user_id"] for event in sink.events.values()} == {"Zoë", "Bob"}
    assert summary.warnings == {"talk without a call": 1}
    assert (summary.rejected_rows, rejects.exists()) == (0, False)


def test_times_at_clock_changes_are_read_as_documented_and_told(run: Callable[..., Summary], sink: Kept) -> None:
    mapping = "events: [{type: x.y, id: at, when: {column: at, timezone: Europe/Zurich}, data: {}}]"
    summary = run("at\n2021-03-28 02:30:00\n2021-10-31 02:30:00\n2021-07-01 12:00:00\n", mapping)
    assert [f"{at:%m-%d %H:%M}" for at in sink.times()] == ["03-28 01:30", "10-31 01:30", "07-01 10:00"]
    assert summary.warnings == {
        "a time that the clocks in Europe/Zurich skipped was read as if they had not been moved": 1,
        "a time that the clocks in Europe/Zurich showed twice was read as the second": 1,
    }


ODD_COLUMNS = ("Date.", "Date", "a.b", "a", "b", 'q"t', "Kunde Nr.", "Date.Date", "select", "it's")
ODD_MAPPING = """\
when: {columns: [a.b, Kunde Nr.], format: "%Y-%m-%d %H:%M"}
who: 'q"t'
events:
  - type: x.y
    id: ["Date.", 'q"t']
    data: {one: "Date.", two: {sql: '"Date."'}, three: Date, four: Date.Date, five: 'q"t', six: select, seven: "it's"}
"""


def test_a_column_is_found_by_its_name_whatever_signs_it_has(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    row = ["K0", "other", "2021-02-01", "a", "b", "who", "10:00", "far", "7", "8"]
    table = pa.table({name: [cell] for name, cell in zip(ODD_COLUMNS, row, strict=True)})
    pq.write_table(table, tmp_path / "odd.parquet")
    with (tmp_path / "odd.csv").open("w") as file:
        csv.writer(file).writerows([ODD_COLUMNS, row])
    (tmp_path / "odd.ndjson").write_text(json.dumps(dict(zip(ODD_COLUMNS, row, strict=True))) + "\n")
    told = [run(tmp_path / name, ODD_MAPPING) for name in ("odd.parquet", "odd.csv", "odd.ndjson")]
    assert [(each.accepted, each.duplicates) for each in told] == [(1, 0), (0, 1), (0, 1)]
    whole = {"one": "K0", "two": "K0", "three": "other", "four": "far", "five": "who", "six": "7", "seven": "8"}
    assert sink.data("x.y") == [whole]
    assert [event["user_id"] for event in sink.events.values()] == ["who"]
    assert sink.times() == [datetime.datetime(2021, 2, 1, 10, tzinfo=datetime.UTC)]


def test_a_suggestion_finds_columns_with_odd_names_too(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('Call.Id,Start.Time,Agent.,"Csat ""q""."\n1,2021-02-01 10:00,Bob,5\n')
    assert run(tmp_path / "x.csv", importers.suggested(tmp_path / "x.csv")).rejected_rows == 0
    assert sink.data("survey.rated") == [{"rating": 5, "call_id": "1"}]


ZONED = {
    "2021-01-01 10:00:00": "09:00",
    "2021/01/01 10:00": "09:00",
    "2021-01-01 10:00:00 UTC": "10:00",
    "2021-01-01 10:00 gmt": "10:00",
    "2021-01-01T10:00Z": "10:00",
    "2021/01/01 10:00:00+05": "05:00",
    "2021-01-01 10:00:00.123456789 -0130": "11:30",
    "2021/1/1 10:00 +05:30": "04:30",
}


@pytest.mark.parametrize("text", ZONED)
def test_a_time_that_names_its_zone_is_in_that_zone(text: str, run: Callable[..., Summary], sink: Kept) -> None:
    run(f"at\n{text}\n", "events: [{type: x.y, id: at, when: at}]", timezone="Europe/Zurich")
    assert [f"{at:%Y-%m-%d %H:%M}" for at in sink.times()] == [f"2021-01-01 {ZONED[text]}"]


@pytest.mark.parametrize(
    "rest", ["+01:00:00", " +99", " +15:00", " EST", " Europe/Zurich", " PM", " UTC+1", " or so", ".0000000001", ",5"]
)
def test_a_time_with_something_behind_it_that_is_not_understood_is_a_reject(
    rest: str, run: Callable[..., Summary], rejects: Path
) -> None:
    assert run(f'at\n"2021-01-01 10:00:00{rest}"\n', "events: [{type: x.y, id: at, when: at}]").accepted == 0
    assert "is not a time like" in rejected(rejects)[0][3]


def test_times_may_be_written_in_several_ways_or_counted(run: Callable[..., Summary], sink: Kept) -> None:
    mapping = """\
events:
  - {type: a.b, id: at, when: {column: at, format: ["%d/%m/%Y %H:%M", "%d/%m/%Y", "%Y-%m-%d %H:%M %z"]}, data: {}}
  - {type: c.d, id: at, when: {column: n, format: epoch_ms}, data: {}}
"""
    run("at,n\n01/02/2021 10:00,1612173600000\n01/02/2021,1612137600000\n2021-02-01 12:00 +0200,1612173600000\n", mapping)
    assert [f"{at:%d %H:%M}" for at in sink.times()] == ["01 10:00", "01 00:00", "01 10:00"] * 2


def test_a_dry_run_counts_what_the_import_then_brings(
    lake: Lake, run_cli: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "leads.csv").write_text("id,demo,offer\n1,2021-02-01,2021-02-02\n1,2021-02-01,2021-02-02\n2,2021-02-03,never\n")
    (tmp_path / "mapping.yaml").write_text("""\
events:
  - {type: lead.stage_entered, id: id, when: demo, data: {lead_id: id, stage: {value: demo}}}
  - {type: lead.stage_entered, id: id, when: offer, data: {lead_id: id, stage: {value: offer}}}
""")
    arguments = ("import", str(tmp_path / "leads.csv"), "--tenant", lake.tenant.id, "--mapping", str(tmp_path / "mapping.yaml"))
    dry = run_cli(*arguments, "--dry-run")
    assert "3 rows would give 2 events, 3 with an id that came before, 1 rejected. Nothing was written." in dry.stdout
    assert "2 events of type lead.stage_entered have the same `id`" in dry.stderr
    real = run_cli(*arguments, "--rejects", str(tmp_path / "rejects.csv"))
    assert "3 rows, 2 new events, 3 already there, 1 rejected" in real.stdout


def test_a_rehearsal_knows_an_id_again_in_a_later_batch() -> None:
    rehearsal = Rehearsal()
    taken = [rehearsal(_events(names)) for names in ("aba", "aba", "ca")]
    assert [(each.accepted, each.duplicates) for each in taken] == [(2, 1), (0, 3), (1, 1)]


def _events(names: str) -> pa.Table:
    at = datetime.datetime(2021, 2, 1, tzinfo=datetime.UTC)
    rows = [{"id": str(uuid.UUID(int=ord(name))), "event_type": "x.y", "event_data": "{}", "created_at": at} for name in names]
    return pa.Table.from_pylist(rows, schema=events.BATCH_SCHEMA)


def test_an_import_can_be_interrupted_and_run_again(
    run: Callable[..., Summary], sink: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.importers.delimited.CHUNK_ROWS", 100)
    content = HEADER + "".join(f"{number},Bob,01.02.2021,09:15,Y,0:01:00,\n" for number in range(1000))
    seen: list[Progress] = []
    first = run(content, progress=seen.append, stop=lambda: len(seen) == 3)
    assert (first.interrupted, first.accepted, [each.rows for each in seen]) == (True, 300, [100, 200, 300])
    second = run(content)
    assert (second.interrupted, second.accepted, second.duplicates) == (False, 700, 300)


def test_a_sink_that_fails_loses_nothing_it_took_before(
    run: Callable[..., Summary], sink: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.importers.delimited.CHUNK_ROWS", 100)

    def fails(progress: Progress) -> None:
        if progress.rows == 200:
            raise KeyboardInterrupt

    content = HEADER + "".join(f"{number},Bob,01.02.2021,09:15,Y,0:01:00,\n" for number in range(500))
    with pytest.raises(KeyboardInterrupt):
        run(content, progress=fails)
    assert len(sink.events) == 200
    assert run(content).accepted == 300


def test_a_title_above_the_header_can_be_skipped_and_lines_stay_right(run: Callable[..., Summary], rejects: Path) -> None:
    run("Calls of February\n\n" + HEADER + ROW + "2,Bob,never,09:15,Y,1,\n", "source: {header: 3}\n" + CALLS)
    assert [row[0] for row in rejected(rejects)] == [5]


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n\n", "has no header"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "is not text: it looks like a picture"),
    "binary.csv": (b"id,agent\n1,\x00\x01\x02\n" * 99, "is not text"),
    "noise.csv": (bytes(range(1, 256)) * 99, "is not text"),
    "book.csv": (b"PK\x03\x04" + b"x" * 99, "name it .xlsx"),
    "open_quote.csv": (HEADER.encode() + ROW.encode() + b'8,"Bob\n9,x\n', "a quote opened on line 3 is never closed"),
    "text.parquet": (HEADER.encode(), "is not a Parquet file"),
    "text.xlsx": (HEADER.encode(), "is not an Excel workbook"),
    "broken.json": (b'[{"id": 1}, {"id": ', "is not a list of JSON objects"),
    "text.ndjson": (b"hello\nworld\n", "holds no JSON objects"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(name: str, run: Callable[..., Summary], tmp_path: Path) -> None:
    content, reason = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidSource, match=reason):
        run(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(run: Callable[..., Summary], tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match="There is no file"):
        run(tmp_path / "nowhere.csv")
    with pytest.raises(InvalidSource, match="is a folder"):
        run(tmp_path)


def test_a_line_without_end_is_refused_without_being_read_to_its_end(run: Callable[..., Summary], tmp_path: Path) -> None:
    path = tmp_path / "endless.csv"
    with path.open("wb") as file:
        file.write(HEADER.encode())
        for _ in range(6):
            file.write(b"x" * 4 * 1024**2)
        file.truncate(2 * 1024**3)  # the rest is a hole: no disk, but two gigabytes to read
    assert path.stat().st_size == 2 * 1024**3
    with pytest.raises(InvalidSource, match="line 2 is longer than 16 MB"):
        run(path)


def test_a_mapping_for_other_columns_is_refused_with_the_line(run: Callable[..., Summary]) -> None:
    with pytest.raises(InvalidMapping, match=r"mapping\.yaml:2: there is no column 'agent'; did you mean 'agents'\?"):
        run(HEADER.replace("agent", "agents") + ROW)


def test_a_file_that_is_no_rejects_file_is_not_overwritten(run: Callable[..., Summary], rejects: Path) -> None:
    rejects.write_text("precious\n")
    with pytest.raises(BadInput, match="is not a rejects file"):
        run(HEADER + ROW)
    assert rejects.read_text() == "precious\n"


def test_an_endless_file_is_no_rejects_file_and_is_not_read_to_its_end(run: Callable[..., Summary], rejects: Path) -> None:
    with rejects.open("wb") as file:
        file.truncate(8 * 1024**4)  # a hole without a line end: no disk, but eight terabytes to read
    with pytest.raises(BadInput, match="is not a rejects file"):
        run(HEADER + ROW)


def test_a_rejects_file_that_a_full_disk_cut_short_is_replaced(run: Callable[..., Summary], rejects: Path) -> None:
    for left in ("", '"line","col'):
        rejects.write_text(left)
        assert run(HEADER + ROW.replace("09:15", "soon")).rejects == rejects
        assert len(rejected(rejects)) == 2


def test_a_place_where_rejects_cannot_be_written_is_told_before_anything_is_imported(
    run: Callable[..., Summary], sink: Kept, rejects: Path
) -> None:
    rejects.parent.rmdir()
    with pytest.raises(BadInput, match="there is no folder"):
        run(HEADER + ROW)
    assert sink.events == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_what_is_in_stays(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(CALLS)
    calls = tmp_path / "calls.csv"
    calls.write_text(HEADER + ROW + ROW.replace("09:15", "soon"))
    source, checked = importers.opened(calls, mapping)
    with pytest.raises(BadInput, match=r"/dev/full cannot be written: No space left on device\. What is in stays"):
        importers.run(source, checked, "UTC", sink, rejects_path=Path("/dev/full"))
    assert len(sink.events) == 2
    assert run(calls).duplicates == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_sink_that_finds_no_room_is_told(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(CALLS)
    (tmp_path / "calls.csv").write_text(HEADER + ROW)
    source, checked = importers.opened(tmp_path / "calls.csv", tmp_path / "mapping.yaml")

    def full(batch: pa.Table) -> Captured:
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")
        return Captured(accepted=0, duplicates=0, rejects=())

    with pytest.raises(BrokenInstallation, match="no space left on the disk"):
        importers.run(source, checked, "UTC", full)


def test_the_rejects_of_an_earlier_import_are_gone_once_the_file_is_mended(run: Callable[..., Summary], rejects: Path) -> None:
    run(HEADER + ROW.replace("09:15", "soon"))
    assert rejects.exists()
    run(HEADER + ROW)
    assert not rejects.exists()


def test_what_nobody_can_guess_is_said_instead_of_guessed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidSource, match="no column looks like a date"):
        importers.suggested(tmp_path / "x.csv")


SUGGESTED = {
    "one column of ISO times": (
        "Call ID;Agent Name;Start Time;Status;Talk\n1;Bob;2021-02-01T10:00:00;done;61\n",
        "call.completed",
    ),
    "no call id": ("operator,date,time,duration\nBob,01/02/2021,1:05 PM,1:01\n", "call.completed"),
    "a funnel": ("Lead Id,Stage,Entered At\n1,demo,2021-02-01 10:00\n", "lead.stage_entered"),
    "several dates": ("lead_id,created_at,contacted_at,won_at,revenue\n1,2021-02-01,2021-02-02,2021-02-03,5\n", "lead.contacted"),
    "spend": ("Campaign,Day,Cost\nA,2021-02-01,10.5\n", "campaign.spent"),
    "anything": ('Odd: name #1,when,"true"\nx,2021-02-01,1\n', "custom.row"),
}


@pytest.mark.parametrize("name", SUGGESTED)
def test_a_suggestion_is_valid_and_imports_as_it_stands(
    name: str, run: Callable[..., Summary], sink: Kept, tmp_path: Path
) -> None:
    content, event_type = SUGGESTED[name]
    (tmp_path / "x.csv").write_text(content)
    summary = run(tmp_path / "x.csv", importers.suggested(tmp_path / "x.csv"))
    assert summary.rejected_rows == 0
    assert event_type in {event["event_type"] for event in sink.events.values()}


def test_an_odd_cell_does_not_keep_a_suggestion_back_and_is_named(
    run: Callable[..., Summary], sink: Kept, rejects: Path, tmp_path: Path
) -> None:
    rows = [
        "Call Id,Start,Rating",
        *(f"{number},2021-02-01 10:{number:02},4" for number in range(38)),
        "38,n/a,4",
        "39,TBD,great",
    ]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    suggestion = importers.suggested(tmp_path / "x.csv")
    assert "Does not fit: 'n/a', 'TBD' in Start; 'great' in Rating." in suggestion.replace("\n# ", " ")
    run(tmp_path / "x.csv", suggestion)
    assert len(sink.data("call.completed")) == 38
    assert {row[2] for row in rejected(rejects)} == {"n/a", "TBD", "great"}


def test_too_many_odd_cells_are_no_column_of_times(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n" + "2021-02-01 10:00\n" * 37 + "never\n" * 3)
    with pytest.raises(InvalidSource, match="no column looks like a date"):
        importers.suggested(tmp_path / "x.csv")


def test_the_few_days_that_are_no_months_decide_which_is_which(tmp_path: Path) -> None:
    days = ["02/03/2021"] * 59 + ["02/13/2021"]
    (tmp_path / "x.csv").write_text("call id,at\n" + "".join(f"{number},{day}\n" for number, day in enumerate(days)))
    suggestion = importers.suggested(tmp_path / "x.csv")
    assert 'format: "%m/%d/%Y"' in suggestion
    assert "Day first or month first?" not in suggestion


@pytest.mark.parametrize(("time", "name"), [("1612173600", "epoch"), ("1612173600.25", "epoch"), ("1612173600000", "epoch_ms")])
def test_times_that_are_counted_are_suggested_as_such(
    time: str, name: str, run: Callable[..., Summary], sink: Kept, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text(f"Call Id,Phone,Started\n1612173601,1612173602,{time}\n")
    suggestion = importers.suggested(tmp_path / "x.csv")
    assert f'when: {{column: Started, format: "{name}"}}' in suggestion
    run(tmp_path / "x.csv", suggestion)
    assert [f"{at:%Y-%m-%d %H:%M}" for at in sink.times()] == ["2021-02-01 10:00"]
    assert sink.data("call.completed")[0]["call_id"] == "1612173601"


@pytest.mark.parametrize("number", ["9612173600", "161217360", "0612173600", "161217360000"])
def test_other_numbers_are_not_taken_for_times(number: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"a,b\nx,{number}\n")
    with pytest.raises(InvalidSource, match="no column looks like a date"):
        importers.suggested(tmp_path / "x.csv")


def test_a_lead_with_two_dates_of_the_same_meaning_is_created_once(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("lead_id,created_at,updated_at\n1,2021-02-01,2021-02-02\n")
    suggestion = importers.suggested(tmp_path / "x.csv")
    assert suggestion.count("type: lead.created") == 1
    assert "# Not used: updated_at" in suggestion


@pytest.fixture
def covered(tmp_path: Path) -> Path:
    """A workbook with a cover before the sheet of calls, which has a title above its header."""
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    book.active.append(["Monthly report"])
    calls = book.create_sheet("All calls")
    for row in (["Calls"], [], ["Call Id", "Start"], [1, datetime.datetime(2021, 2, 1, 10)]):
        calls.append(row)
    book.save(tmp_path / "covered.xlsx")
    return tmp_path / "covered.xlsx"


def test_where_detection_fails_the_sheets_are_named_and_a_mapping_tells_where_to_look(
    run: Callable[..., Summary], sink: Kept, covered: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSource, match=r"the sheet 'Cover' of an Excel workbook, beside 'All calls'.* has no rows"):
        importers.suggested(covered)
    (tmp_path / "where.yaml").write_text("source: {sheet: All calls, header: 3}\n")
    suggestion = importers.suggested(covered, tmp_path / "where.yaml")
    assert run(covered, suggestion).accepted == 1
    assert sink.times() == [datetime.datetime(2021, 2, 1, 10, tzinfo=datetime.UTC)]


def test_a_suggestion_keeps_what_was_said_of_the_source(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("Anrufe\nCall Id#Start#Agent\n1#2021-02-01 10:00#Zoë\n".encode("cp1252"))
    (tmp_path / "where.yaml").write_text("source: {header: 2, delimiter: '#', encoding: cp1252}\n")
    suggestion = importers.suggested(tmp_path / "x.csv", tmp_path / "where.yaml")
    assert run(tmp_path / "x.csv", suggestion).rejected_rows == 0
    assert {event["user_id"] for event in sink.events.values()} == {"Zoë"}


def test_a_wrong_word_on_the_source_is_told_before_anything_is_suggested(covered: Path, tmp_path: Path) -> None:
    (tmp_path / "where.yaml").write_text("source:\n  shet: All calls\n")
    with pytest.raises(InvalidMapping, match=r"where\.yaml:2: unknown key 'shet'; did you mean 'sheet'\?$"):
        importers.suggested(covered, tmp_path / "where.yaml")


def test_a_stream_without_end_is_read_piece_by_piece(run: Callable[..., Summary], sink: Kept, tmp_path: Path) -> None:
    """A quote that is never closed must not gather the rest of a large file in memory."""
    path = tmp_path / "open.csv"
    with path.open("w") as file:
        file.write(HEADER + '1,"Bob')
        for _ in range(600_000):
            file.write("x,01.02.2021,09:15,Y,0:01:00,3\nx,01.02.2021,09:15,Y,0:01:00,3\n")
    with pytest.raises(InvalidSource, match="a quote that is never closed"):
        run(path)


def test_a_file_with_a_header_alone_is_an_import_of_nothing(run: Callable[..., Summary]) -> None:
    assert run(HEADER).rows == 0


def test_the_rows_of_a_postgresql_query_become_events(
    workbench: Workbench, tmp_path: Path, sink: Kept, real_query: Callable[[str], importers.DatabaseQuery]
) -> None:
    times = "select i as id, timestamptz '2021-02-01 10:00+02' as at, i = 1 as ok, E'a\"b,\\nc' as note"
    asked = real_query(f"{times} from generate_series(1, 3) i -- all")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("events: [{type: x.y, id: id, when: at, data: {ok: {column: ok, as: boolean}, note: note}}]")
    source, checked = importers.opened(asked, mapping)
    assert importers.run(source, checked, "Asia/Tokyo", sink).accepted == 3
    assert sink.data("x.y")[0] == {"ok": True, "note": 'a"b,\nc'}
    assert set(sink.times()) == {datetime.datetime(2021, 2, 1, 8, tzinfo=datetime.UTC)}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select * from nowhere", "does not exist"),
        ("delete from tenants returning *", "syntax error"),
        ("select 1) to stdout; drop table tenants; copy (select 1", "syntax error"),
        ("select setval(pg_get_serial_sequence('nothing', 'id'), 1)", "does not exist"),
    ],
)
def test_a_query_that_does_more_than_read_is_refused(
    query: str, why: str, real_query: Callable[[str], importers.DatabaseQuery]
) -> None:
    with pytest.raises(InvalidSource, match=why):
        importers.suggested(real_query(query))


def test_a_password_in_a_url_is_never_repeated() -> None:
    for url in ("mysql://me:secret@host/db", "postgresql://me:secret@127.0.0.1:1/db"):
        with pytest.raises(InvalidSource) as refused:
            importers.suggested(importers.DatabaseQuery(url=url, query="select 1"))
        assert "secret" not in str(refused.value)


@pytest.fixture
def real_query(workbench: Workbench) -> Callable[[str], importers.DatabaseQuery]:
    with workbench.catalog.everything():  # the embedded server runs from here on
        url = workbench.catalog.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return lambda query: importers.DatabaseQuery(url=url, query=query)


def test_a_user_imports_a_file_as_the_documentation_says(
    lake: Lake, run_cli: Callable[..., CompletedProcess[str]], real_data: Path, tmp_path: Path
) -> None:
    calls, mapping, tenant = str(real_data / "phonenow_calls_2021q1.csv"), tmp_path / "phonenow.yaml", lake.tenant.id
    suggested = run_cli("import", calls, "--tenant", tenant, "--suggest")
    mapping.write_text(suggested.stdout)
    arguments = ("import", calls, "--tenant", tenant, "--mapping", str(mapping), "--rejects", str(tmp_path / "rejects.csv"))
    dry = run_cli(*arguments, "--dry-run")
    assert (dry.returncode, dry.stdout.count("call.completed ")) == (0, 3), dry.stderr
    assert "5,000 rows would give 9,054 events, 0 rejected. Nothing was written." in dry.stdout
    assert "5,000 rows, 9,054 new events, 0 already there, 0 rejected" in run_cli(*arguments).stdout
    again = run_cli(*arguments, "--json")
    assert (json.loads(again.stdout)["accepted"], json.loads(again.stdout)["duplicates"]) == (0, 9054)


def test_the_exit_status_tells_rejects_from_a_bad_mapping(
    lake: Lake, run_cli: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "calls.csv").write_text(HEADER + ROW + ROW.replace("007", "8").replace(",5", ",7"))
    (tmp_path / "good.yaml").write_text(CALLS)
    (tmp_path / "bad.yaml").write_text(CALLS.replace("who: agent", "who: agnet"))
    rejects = tmp_path / "rejects.csv"
    common = ("import", str(tmp_path / "calls.csv"), "--tenant", lake.tenant.id, "--rejects", str(rejects))
    bad = run_cli(*common, "--mapping", str(tmp_path / "bad.yaml"))
    assert bad.returncode == 2
    assert "bad.yaml:2: there is no column 'agnet'; did you mean 'agent'?" in bad.stderr
    some = run_cli(*common, "--mapping", str(tmp_path / "good.yaml"))
    assert some.returncode == 5, some.stderr
    assert "2 rows, 3 new events, 0 already there, 1 rejected" in some.stdout
    assert [row[:2] for row in rejected(rejects)] == [(3, "rating")]
    assert run_cli(*common).returncode == 2
    assert run_cli("import").returncode == 2


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_keeps_what_is_in_and_the_same_command_brings_the_rest(
    home: Path, lake: Lake, run_cli: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    rows = 600_000
    with (tmp_path / "calls.csv").open("w") as file:
        file.write(HEADER + ROW.replace("09:15", "soon"))  # its reject shows that the first batch is in
        file.writelines(f"{number},Bob,01.02.2021,09:15,Y,0:01:00,\n" for number in range(rows))
    (tmp_path / "mapping.yaml").write_text(CALLS)
    rejects = tmp_path / "rejects.csv"
    arguments = [
        "import",
        "calls.csv",
        "--tenant",
        lake.tenant.id,
        "--mapping",
        "mapping.yaml",
        "--rejects",
        str(rejects),
        "--json",
    ]
    command = [sys.executable, "-m", "workbench", *arguments]
    process = Popen(command, cwd=tmp_path, env=os.environ | {"WORKBENCH_HOME": str(home)}, stdout=PIPE, stderr=PIPE, text=True)
    while not rejects.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert "Stopping after this batch" in told
    stopped = json.loads(printed)
    assert 0 < stopped["accepted"] < rows
    arguments = [str(tmp_path / each) if each in ("calls.csv", "mapping.yaml") else each for each in arguments]
    rest = json.loads(run_cli(*arguments).stdout)
    assert (rest["accepted"] + stopped["accepted"], rest["duplicates"]) == (rows, stopped["accepted"])
