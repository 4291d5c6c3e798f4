"""What a mapping file may say, and what its author is told where it says something else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench import documents, events
from workbench.errors import InvalidMapping
from workbench.importers import mapping as mappings
from workbench.importers.expressions import Expressions, locked_connection

COLUMNS = ("Call Id", "Agent", "Date", "Time", "Answered (Y/N)", "Talk")
GOOD = """\
when: {columns: [Date, Time], format: "%Y-%m-%d %H:%M:%S"}
who: Agent
events:
  - type: call.completed
    id: Call Id
    data:
      call_id: Call Id
      answered: {sql: "\\"Answered (Y/N)\\" = 'Y'"}
      duration_seconds: {column: Talk, as: duration}
"""


def load(text: str, columns: tuple[str, ...] | None = COLUMNS) -> mappings.Mapping:
    return mappings.validated(documents.read(text, "calls.yaml", InvalidMapping), columns)


def mistakes(text: str, columns: tuple[str, ...] | None = COLUMNS) -> list[tuple[int, str]]:
    with pytest.raises(InvalidMapping) as refused:
        load(text, columns)
    return refused.value.mistakes


def test_a_name_alone_is_a_column_and_an_expression_says_that_it_is_one() -> None:
    event = load(GOOD).events[0]
    assert event.id.columns == ["Call Id"]
    assert event.data["call_id"].column == "Call Id"
    assert event.data["answered"].sql == "\"Answered (Y/N)\" = 'Y'"


def test_all_mistakes_are_told_at_once_each_with_its_line_and_what_would_be_right() -> None:
    told = mistakes("""\
who: Agnet
events:
  - type: call.completed
    id: Call ID
    whn: Date
    data:
      answered: {sql: "Answered = 'Y'"}
      duration_seconds: {column: Talk, as: minutes}
  - type: Bad Type
    id: {}
    when: {column: Date, timezone: Europe/Zurch}
    data: {}
    data: {}
""")
    text = dict(told)
    assert [line for line, _ in told] == sorted([1, 4, 5, 7, 8, 9, 10, 11, 13])
    assert text[1] == "there is no column 'Agnet'; did you mean 'Agent'?"
    assert text[4] == "there is no column 'Call ID'; did you mean 'Call Id'?"
    assert text[5] == "unknown key 'whn'; did you mean 'when'?"
    assert "there is no column 'Answered'" in text[7]
    assert "'duration'" in text[8]
    assert "'minutes'" in text[8]
    assert "is not an event type" in text[9]
    assert text[10] == "give exactly one of columns, sql"
    assert "'Europe/Zurch' is not a time zone" in text[11]
    assert text[13] == "the key 'data' is given twice"


def test_the_message_names_file_and_line_as_an_editor_understands_them() -> None:
    with pytest.raises(InvalidMapping, match=r"^calls\.yaml:2: there is no column 'Agnt'"):
        load(GOOD.replace("who: Agent", "who: Agnt"))


def test_an_event_without_what_its_type_requires_is_refused() -> None:
    assert mistakes(GOOD.replace("      call_id: Call Id\n", "")) == [(4, "call.completed needs call_id in its data")]


def test_a_constant_that_the_event_type_does_not_take_is_refused() -> None:
    told = mistakes(
        GOOD.replace("call_id: Call Id\n", "call_id: Call Id\n      resolved: {value: yes}\n      direction: {value: in}\n")
    )
    assert told == [(4, "resolved must be a boolean, not 'yes'; direction must be one of inbound, outbound, not 'in'")]


def test_an_event_type_that_is_mistyped_is_refused_with_its_line_unless_it_is_meant() -> None:
    told = mistakes(GOOD.replace("type: call.completed", "type: call.completd"))
    assert told == [
        (4, "'call.completd' is not a known event type; did you mean 'call.completed'? If not, add `custom: true` to the event")
    ]
    meant = load(GOOD.replace("type: call.completed", "type: lead.contracted\n    custom: true"))
    assert (meant.events[0].type, meant.notes()) == ("lead.contracted", ())


@pytest.mark.parametrize("name", ["lead.stage_exited", "task.created", "call.missed", "lead.qualified", "order.shipped"])
def test_an_event_type_of_ones_own_is_not_taken_for_a_mistyped_one(name: str) -> None:
    assert load(GOOD.replace("call.completed", name)).events[0].type == name


def test_a_field_that_no_metric_reads_is_noted_in_a_whole_sentence() -> None:
    told = load(GOOD.replace("duration_seconds:", "duration_second:")).notes()
    assert told == (
        "call.completed does not know the field 'duration_second'; it is kept, but no metric reads it; "
        "did you mean 'duration_seconds'?",
    )


STAGES = """\
events:
  - {type: lead.stage_entered, id: Call Id, when: Date, data: {lead_id: Call Id, stage: {value: demo}}}
  - {type: lead.stage_entered, id: Call Id, when: Time, data: {lead_id: Call Id, stage: {value: offer}}}
"""


def test_events_of_one_type_that_get_the_same_id_are_noted() -> None:
    assert load(STAGES).notes() == (
        "2 events of type lead.stage_entered have the same `id`: a row that becomes more than one of them keeps only one. "
        "Add to each `id` what tells it from the others.",
    )
    assert load(STAGES.replace("id: Call Id, when: Time", "id: [Call Id, Time], when: Time")).notes() == ()


def test_an_event_without_a_time_is_refused() -> None:
    assert "`when` is missing for call.completed" in mistakes(GOOD.split("\n", 1)[1])[0][1]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("events: [\n  a: {", 2, "this is not YAML"),
        ("", 1, "the document must be `key: value` pairs"),
        ("just text", 1, "the document must be `key: value` pairs"),
        ("events: []", 1, "at least 1 item"),
        ("source: {format: xls}\nevents: []", 1, "'xlsx'"),
        ("source: {encoding: utf-9}\nevents: []", 1, "is not an encoding"),
        ("a: &x [*x]", 1, "anchors"),
        ("events: !!python/object/apply:os.system [ls]", 1, "the tag"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_with_the_line(text: str, line: int, what: str) -> None:
    told = mistakes(text, None)
    assert any(number == line and what in message for number, message in told), told


def test_words_that_yaml_once_took_for_booleans_are_text() -> None:
    event = load(
        GOOD.replace(
            'answered: {sql: "\\"Answered (Y/N)\\" = \'Y\'"}', 'answered: {column: "Answered (Y/N)", yes: yes, no: [no, off]}'
        )
    ).events[0]
    assert (event.data["answered"].yes, event.data["answered"].no) == (["yes"], ["no", "off"])


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("(select max(x) from t)", "a query inside an expression"),
        ("exists (select 1)", "a query inside an expression"),
        ("count(*)", "about many rows"),
        ("max(Agent)", "about many rows"),
        ("row_number() over ()", "a window function"),
        ("unnest([1, 2])", "about many rows"),
        ("now()", "changes from one run to the next"),
        ("random() > 0.5", "changes from one run to the next"),
        ("uuid()", "changes from one run to the next"),
        ("pg_sleep(1) is null", "changes from one run to the next"),
        ("pg_get_viewdef(1)", "about many rows"),
        ("Agent = $1", "a parameter"),
        ("*", "`*`"),
        ("Agent; drop table x", "is not an SQL expression"),
        ("Agent) from x where (true", "single SQL expression"),
        ("Agent), (Date", "single SQL expression"),
        ("Agent is nott null", "is not an SQL expression"),
        ("no_such_function(Agent)", "does not work"),
        ("getenv('HOME')", "does not work"),
        ('Agent = "Diane"', "(text is written in single quotes: 'Diane')"),
        ("Agent[1]:", "is not an SQL expression"),
    ],
)
def test_an_expression_is_about_one_row_and_always_gives_the_same(sql: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Expressions(COLUMNS).check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "upper(Agent) || ' -- ' || Date -- a comment",
        "case when Talk is null then 0 else as_duration(Talk) end",
        "list_transform([1, 2], x -> x + 1)[1]",
        "cast(Date as date) between '2021-01-01' and '2021-12-31'",
        "agent in ('Diane', 'Becky')",
        "list_sum([1, 2]) + coalesce(nullif(length(Agent), 0), 1)",
    ],
)
def test_what_is_about_one_row_is_allowed(sql: str) -> None:
    Expressions(COLUMNS).check(sql)


def test_a_condition_must_be_true_or_false() -> None:
    told = mistakes(GOOD + "rows: Agent\n")
    assert told[0][0] == 10
    assert "must be true or false, but it gives VARCHAR" in told[0][1]


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "copy (select 1) to '/tmp/escaped.csv'",
        "attach '/tmp/escaped.db'",
        "load httpfs",
        "install httpfs",
        "set enable_external_access = true",
        "reset lock_configuration",
        "select * from columns_of_python",
    ],
)
def test_where_expressions_run_nothing_else_can_be_reached(statement: str) -> None:
    import duckdb
    import pyarrow as pa

    columns_of_python = pa.table({"a": [1]})
    with pytest.raises(duckdb.Error):
        locked_connection().execute(statement)
    assert columns_of_python.num_rows == 1


DURATIONS = {
    "95": 95,
    "1:35": 95,
    "01:35.5": 95.5,
    "0:01:35": 95,
    "26:00:00": 93600,
    "1m 35s": 95,
    "PT1H2M3S": 3723,
    "-0:00:05": -5,
}
NOT_DURATIONS = ["x", "1:2:3:4", "1:99", "", "h", "5 apples"]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations_are_read_as_people_and_machines_write_them(text: str, seconds: float) -> None:
    assert locked_connection().execute("select as_duration($1)", [text]).fetchone() == (seconds,)


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_what_is_no_duration_is_not_read_as_one(text: str) -> None:
    assert locked_connection().execute("select as_duration($1)", [text]).fetchone() == (None,)


@pytest.mark.parametrize(
    ("macro", "text", "number"),
    [
        ("as_number", "007", 7),
        ("as_number", "-1.5e3", -1500),
        ("as_number", "1,234", None),
        ("as_number", "1_000", None),
        ("as_number", "nan", None),
        ("as_number", "inf", None),
        ("as_number_with_point", "1,234,567.89", 1234567.89),
        ("as_number_with_point", "1'234.5", 1234.5),
        ("as_number_with_point", "12,34", None),
        ("as_number_with_comma", "1.234.567,89", 1234567.89),
        ("as_number_with_comma", "1,5", 1.5),
        ("as_number_with_comma", "1.5", None),
    ],
)
def test_a_number_is_never_guessed(macro: str, text: str, number: float | None) -> None:
    assert locked_connection().execute(f"select {macro}($1)", [text]).fetchone() == (number,)


def _keys(model: type[mappings.Keys]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_key_of_a_mapping_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text()
    models = [part for part in vars(mappings).values() if isinstance(part, type) and issubclass(part, mappings.Keys)]
    assert [key for model in models for key in sorted(_keys(model)) if f"`{key}`" not in text] == []


def test_the_documented_event_types_are_those_of_the_contract() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text()
    rows = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.+) \|$", text, re.MULTILINE)
    documented = {name: set(fields.split(", ")) for name, fields in rows}
    declared = {each.name: {field.name + "*" * field.required for field in each.fields} for each in events.EVENT_TYPES}
    assert documented == declared
