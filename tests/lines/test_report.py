"""
What is stored of a run: plain, ordered, and cut to what fits.
"""

from __future__ import annotations

import json

from perf_panels.lines import trimming
from tests.lines.builders import SOURCE, called, function, line, seen, stats, template, timings, write


def test_the_slowest_function_comes_first(tmp_path):
    path = write(tmp_path)

    stored = stats(timings(function(path, line(3, 1.0), name="fast"), function(path, line(3, 2.0), name="slow")))

    assert [each["name"] for each in stored["functions"]] == ["slow", "fast"]


def test_view_and_render_of_one_function_are_kept_apart(tmp_path):
    path = write(tmp_path)

    stored = stats(timings(function(path, line(3, 2.0)), function(path, line(3, 1.0), phase="render")))

    assert [each["key"] for each in stored["functions"]] == ["site.views:View.get|view", "site.views:View.get|render"]


def test_lines_keep_their_numbers_and_what_they_called(tmp_path):
    path = write(tmp_path)
    measured = line(3, 30.0, hits=2, sql_count=4, sql_ms=9.5, awaited_ms=7.0, inner_ms=10.0, called=[called("deep")])

    (stored,) = stats(timings(function(path, measured, templates=[template()])))["functions"]

    assert stored["lines"] == [
        {
            "line": 3,
            "hits": 2,
            "elapsed_ms": 30.0,
            "own_ms": 20.0,
            "awaited_ms": 7.0,
            "sql_count": 4,
            "sql_ms": 9.5,
            "called": [{"id": "site.views:deep", "name": "deep", "owner": "project", "calls": 0, "kind": "function"}],
            "calls_unknown": False,
            "called_left_out": 0,
        }
    ]
    assert stored["templates"][0]["line"] == 3
    assert stored["source"]["pieces"][0][1] == SOURCE.strip().splitlines()[1:]


def test_a_line_that_calls_everything_keeps_a_dozen(tmp_path):
    path = write(tmp_path)
    measured = line(3, called=[called(f"f{number}") for number in range(20)])

    (stored,) = stats(timings(function(path, measured)))["functions"]

    assert len(stored["lines"][0]["called"]) == 12
    assert stored["lines"][0]["called_left_out"] == 8


def test_functions_of_the_project_are_suggested_first_and_not_without_end():
    many = [seen(f"f{number}", owner="django") for number in range(400)]

    stored = stats(timings(seen=[*many, seen("mine", from_outside=True)]))

    assert stored["seen"][0]["name"] == "mine"
    assert len(stored["seen"]) == 300
    assert stored["truncated"] == {"suggested functions": 101}


def test_it_is_all_plain_json(tmp_path):
    stored = stats(timings(function(write(tmp_path), line(3, 80.0)), seen=[seen("x", templates=[template()])]))

    assert json.loads(json.dumps(stored)) == stored


# Cut to what fits


def big(tmp_path, functions=20, lines=300):
    path = write(tmp_path, "".join(f"    step({number}) # {'-' * 60}\n" for number in range(lines)))
    made = [
        function(
            path,
            *(line(number, 1.0, called=[called(f"c{number}")]) for number in range(1, lines + 1)),
            name=f"f{place}",
            first_line=1,
            last_line=lines,
            elapsed_ms=1_000.0 - place,
        )
        for place in range(functions)
    ]
    return stats(timings(*made, view_ms=9_000.0))


def test_what_fits_is_left_alone(tmp_path):
    stored = big(tmp_path, functions=1)
    before = json.dumps(stored)

    trimming.shorten(stored, 250_000)

    assert json.dumps(stored) == before


def test_the_sources_of_cold_functions_go_first(tmp_path):
    stored = big(tmp_path, functions=3, lines=200)
    size = len(json.dumps(stored))

    trimming.shorten(stored, size - 100)

    assert [each["source"] is None for each in stored["functions"]] == [False, False, True]
    assert stored["truncated"] == {"sources of functions": 1}
    assert all(len(each["lines"]) == 200 for each in stored["functions"])


def test_then_lines_that_took_least_and_the_count_is_kept(tmp_path):
    stored = big(tmp_path, functions=20)

    trimming.shorten(stored, 250_000)

    assert len(json.dumps(stored)) <= 250_000
    assert len(stored["functions"]) == 20
    assert stored["functions"][0]["source"]
    assert stored["truncated"]["lines"] == sum(300 - len(each["lines"]) for each in stored["functions"])
