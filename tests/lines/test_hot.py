"""
Which lines are findings: by their own time, never for what they only call.
"""

from __future__ import annotations

import pytest

from perf_panels.lines.hot import hot_lines
from tests.lines.builders import LIMITS, called, function, line, template, timings


def found(*functions, **given):
    return [(each.rule, each.origin.line) for each in hot_lines(timings(*functions, **given), LIMITS)]


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "views.py")


def test_a_line_with_a_third_of_the_time_is_a_finding(file):
    assert found(function(file, line(5, 60.0), line(6, 10.0))) == [("hot-line", 5)]


@pytest.mark.parametrize(("elapsed_ms", "view_ms"), [(19.0, 30.0), (29.0, 100.0)])
def test_a_line_below_either_limit_is_none(file, elapsed_ms, view_ms):
    assert found(function(file, line(5, elapsed_ms)), view_ms=view_ms) == []


def test_the_render_counts_as_part_of_the_time(file):
    assert found(function(file, line(5, 60.0)), view_ms=100.0, render_ms=200.0) == []


def test_a_line_of_a_package_is_none(file):
    assert found(function(file, line(5, 60.0), owner="rest_framework")) == []


def test_of_a_line_and_what_it_calls_the_deepest_is_reported(file):
    outer = function(file, line(3, 80.0, inner_ms=79.0, called=[called("slow", calls=1)]))
    inner = function(file, line(12, 79.0), name="slow")

    assert found(outer, inner) == [("hot-line", 12)]


def test_the_deepest_is_reported_by_an_engine_that_knows_no_inner_time(file):
    outer = function(file, line(3, 80.0, called=[called("slow")]))
    inner = function(file, line(12, 79.0), name="slow")

    assert found(outer, inner) == [("hot-line", 12)]


def test_a_recursive_line_is_not_hidden_by_itself(file):
    assert found(function(file, line(5, 60.0, called=[called("View.get", calls=8)]))) == [("hot-line", 5)]


def test_a_line_that_renders_a_template_is_none(file):
    assert found(function(file, line(5, 90.0, template_ms=88.0))) == []
    assert found(function(file, line(5, 90.0, called=[called("render", owner="django")]))) == []


def test_the_profilers_own_cost_is_taken_off_the_line_and_the_request(file):
    # 100,000 hits of 0.5 µs are 50 of its 60 ms.
    measured = function(file, line(5, 60.0, hits=100_000))

    assert found(measured, overhead_ns=500.0, hits=100_000) == []


def test_a_function_whose_lines_share_its_time_is_a_finding_when_it_is_called_repeatedly(file):
    lines = [line(number, 12.0, hits=500) for number in (5, 6, 7)]

    assert found(function(file, *lines, calls=500, templates=[template()])) == [("hot-function", 5)]
    assert found(function(file, *lines, calls=1)) == []


def test_a_finding_names_the_template_line_that_called_most(file):
    measured = function(file, line(5, 60.0), templates=[template(3, 1), template(8, 40)])

    (finding,) = hot_lines(timings(measured), LIMITS)

    assert (finding.origin.template, finding.origin.template_line) == ("shop/cart.html", 8)


def test_waiting_for_one_statement_is_only_worth_knowing(file):
    one = function(file, line(5, 60.0, sql_count=1, sql_ms=50.0))
    many = function(file, line(5, 60.0, sql_count=40, sql_ms=50.0))

    severities = [hot_lines(timings(each), LIMITS)[0].severity for each in (one, many)]

    assert severities == ["info", "warning"]


def test_most_of_a_slow_request_is_critical(file):
    (finding,) = hot_lines(timings(function(file, line(5, 260.0)), view_ms=300.0), LIMITS)

    assert finding.severity == "critical"
    assert finding.title == "Line 5 of View.get takes 87 % of the time: 260 ms"
    assert finding.evidence == {"own_ms": 260.0, "share_percent": 86.7, "hits": 1}


def test_the_slowest_comes_first(file):
    assert found(function(file, line(5, 35.0), line(6, 60.0))) == [("hot-line", 6), ("hot-line", 5)]


def test_a_streamed_body_counts_as_part_of_the_time(file):
    body = function(file, line(5, 300.0), phase="response")
    view = function(file, line(9, 60.0), name="view")

    assert found(body, view) == [("hot-line", 5)]


def test_what_the_profiler_adds_to_each_call_is_no_time_of_the_line_that_calls(file):
    measured = function(file, line(4, 100.0, hits=1000, called=[called("small", calls=100_000)]))

    assert found(measured, call_overhead_ns=990.0) == []
    assert len(found(measured)) == 1
