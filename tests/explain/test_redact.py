from __future__ import annotations

import json

import pytest

from perf_panels.explain.redact import plan_text

NODE = {
    "Node Type": "Index Scan",
    "Index Name": "place_2024_idx",
    "Order By": "(location <-> '(51.5,-0.12)'::point)",
    "Filter": "(email = 'alice@corp.example'::text)",
    "Output": ["id", "('secret'::text || name)"],
    "Plan Rows": 414.67,
}
POSTGRESQL = json.dumps([{"Plan": NODE, "Settings": {"jit_above_cost": "0"}}], indent=1)
VALUES = ("51.5", "0.12", "alice", "secret")


def test_a_whole_plan_keeps_names_and_its_own_numbers():
    (redacted,) = json.loads(plan_text(POSTGRESQL, "postgresql"))

    assert redacted == {
        "Plan": NODE
        | {
            "Order By": "(location <-> ?::point)",
            "Filter": "(email = ?::text)",
            "Output": ["id", "(?::text || name)"],
        },
        "Settings": {"jit_above_cost": "0"},
    }


@pytest.mark.parametrize("indent", [None, 1])
def test_a_plan_that_was_cut_anywhere_has_no_value_left(indent):
    text = json.dumps(json.loads(POSTGRESQL), indent=indent)

    cut = [plan_text(text[:end], "postgresql") for end in range(1, len(text))]

    assert not [each for each in cut if any(value in each for value in VALUES)]
    assert '"Index Name": "place_2024_idx"' in cut[-1]
    assert '"Filter": "?"' in cut[-1]
    assert "414.67" in cut[-1]


def test_quotes_that_mariadb_does_not_escape_let_no_value_through():
    condition = """json_value(t.data,'$."k"') = 'alice' and t.note = 'x"y' and t.city = 'secret' and t.number = 51.5"""
    text = f'{{\n  "table": {{\n    "attached_condition": "{condition}",\n    "key": "city_idx"\n  }}\n}}'

    redacted = plan_text(text, "mariadb")

    assert not any(value in redacted for value in VALUES)
    assert '"key": "city_idx"' in redacted


def test_lines_that_are_no_json_are_redacted_as_sql():
    text = '  2 - filter("EMAIL"=\'alice\')\n  3 - access("ID"=515)'

    assert plan_text(text, "oracle") == '? - filter("EMAIL"=?)\n? - access("ID"=?)'
