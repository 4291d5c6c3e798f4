from __future__ import annotations

import pytest

from workbench import queries
from workbench.errors import BrokenInstallation


def test_every_shipped_query_says_what_it_does_and_declares_its_parameters() -> None:
    assert len(queries.names()) > 5
    for name in queries.names():
        assert queries.query(name).description


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select 1", "must open with a comment"),
        ("-- Calls.\nselect $agent", "does not declare \\['agent'\\]"),
        ("-- Calls.\n-- :agent  who\nselect 1", "does not use \\['agent'\\]"),
    ],
)
def test_a_query_at_odds_with_its_own_words_is_refused(text: str, told: str) -> None:
    with pytest.raises(BrokenInstallation, match=told):
        queries.parse("calls", text)


def test_binding_names_what_is_missing_and_what_is_unknown() -> None:
    query = queries.parse("calls", "-- Calls.\n-- :agent  who\nselect $agent, '$not_one', x::json->>'$.a'")
    with pytest.raises(TypeError, match=r"missing parameters \['agent'\], unknown parameters \['agnet'\]"):
        query.bind({"agnet": 1})
