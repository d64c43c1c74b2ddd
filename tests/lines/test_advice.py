"""
Advice is given where the text of the line or its statements prove it, and nowhere else.
"""

from __future__ import annotations

import pytest

from perf_panels.lines.advice import advice_for
from tests.lines.builders import called, function, line, timings, write


def advice(path, measured, *others):
    outer = function(path, measured, first_line=1, last_line=40)
    return advice_for(outer, measured, measured.elapsed_ms, timings(outer, *others))


def loop(makes, test="row in known", *, before=""):
    return f"""
def view(rows{before}):
    {makes}
    for row in rows:
        if {test}:
            yield row
"""


@pytest.mark.parametrize(
    "makes",
    [
        "known = [row.pk for row in rows]",
        "known = list(rows)",
        "known = sorted(rows)",
        "known: list = []",
        "known = [1]",
    ],
)
def test_a_list_that_is_searched_in_a_loop_becomes_a_set(tmp_path, makes):
    given = advice(write(tmp_path, loop(makes)), line(4, 50.0, hits=4_000))

    assert "“in known” walks a list" in given.text
    assert (given.code, given.line) == ("known_set = set(known)", 2)


def test_not_in_is_the_same(tmp_path):
    given = advice(write(tmp_path, loop("known = []", "row not in known")), line(4, 50.0, hits=4_000))

    assert given.code == "known_set = set(known)"


@pytest.mark.parametrize(
    "makes",
    [
        "known = {row for row in rows}",
        "known = rows",
        "known = frozenset(rows)",
        "known = []; known = set(rows)",
        "pass",
    ],
)
def test_what_may_be_no_list_is_left_alone(tmp_path, makes):
    assert advice(write(tmp_path, loop(makes)), line(4, 50.0, hits=4_000)).text == ""


def test_an_argument_is_no_known_list(tmp_path):
    assert advice(write(tmp_path, loop("known = known or []", before=", known")), line(4, 50.0, hits=4_000)).text == ""


def test_a_list_that_is_searched_seldom_costs_nothing(tmp_path):
    assert advice(write(tmp_path, loop("known = []")), line(4, 50.0, hits=3)).text == ""


def test_source_that_cannot_be_read_or_parsed_gives_none(tmp_path):
    for path in (write(tmp_path, "def view(:\n    in\n"), str(tmp_path / "gone.py")):
        assert advice(path, line(2, 50.0, hits=4_000)).text == ""


def test_statements_in_a_line_lead_to_the_panels_that_know_them(tmp_path):
    path = write(tmp_path)

    many = advice(path, line(5, 50.0, sql_count=62, sql_ms=9.0))
    one = advice(path, line(5, 50.0, sql_count=1, sql_ms=41.0))
    fast = advice(path, line(5, 50.0, sql_count=1, sql_ms=1.0))

    assert "62 statements, 9.00 ms in the database: the N+1 panel" in many.text
    assert "41.0 ms: the SQL EXPLAIN panel" in one.text
    assert fast.text == ""


def test_project_functions_that_are_not_timed_are_where_to_go_deeper(tmp_path):
    calls = [called("timed"), called("helper"), called("sleep", owner="python")]

    given = advice(write(tmp_path), line(5, 50.0, called=calls), function("x", name="timed"))

    assert given.text == "Go deeper into helper: what it calls is part of this time."
