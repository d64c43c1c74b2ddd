"""
To whom time is charged, and what is called hot.
"""

from __future__ import annotations

import pytest

from perf_panels.vmprof.findings import error
from perf_panels.vmprof.report import report
from tests.vmprof.profiles import profile

IN_LINE = "home > home.html:14"


def found(samples):
    """
    Return the findings as (rule, severity, what stands after "in" or "from" in the title).
    """
    return [
        (each["rule"], each["severity"], each["title"].replace(", from ", " in ").rpartition(" in ")[2])
        for each in report(samples)["findings"]
    ]


def test_a_function_is_charged_with_what_it_calls_outside_the_project():
    samples = profile(
        {"home > draw > re": 40, "home > draw > slugify > re": 30, "home > draw": 10, "home": 19, "home > x": 1}
    )

    (finding,) = report(samples)["findings"]

    assert finding["title"] == "80.0 ms (80 ± 4 %) in draw"
    assert finding["severity"] == "warning"
    assert finding["evidence"] == {
        "time_ms": 80.0,
        "share_percent": 80.0,
        "error_percent": 4.0,
        "samples": 80,
        "all_samples": 100,
        "runs": 1,
    }
    assert finding["origin"]["function"] == "draw"
    assert "Called from home (" in finding["detail"]
    assert "50 % were in search" not in finding["detail"]
    assert "Of these, 50 % were in re." in finding["detail"]


def test_the_view_is_not_hot_because_all_is_below_it():
    assert found(profile({"home > draw": 60, "home > list_products": 55, "home": 5})) == [
        ("hot-function", "warning", "draw"),
        ("hot-function", "warning", "list_products"),
    ]


def test_no_sample_is_charged_twice():
    findings = report(profile({"home > draw > colour": 60, "home > draw": 50, "home": 40}))["findings"]

    assert sum(each["evidence"]["samples"] for each in findings) == 150


def test_half_of_a_long_page_is_critical():
    assert found(profile({"home > draw": 120, "home": 20})) == [("hot-function", "critical", "draw")]


@pytest.mark.parametrize(
    "stacks",
    [
        {"home > draw": 19, "home > other > re": 6},  # 19 ms
        {"home > draw": 30, **{f"home > step{n}": 15 for n in range(10)}},  # 17 %
        {"home > draw": 9},  # too few samples
    ],
)
def test_what_is_below_the_limits_is_not_hot(stacks):
    assert found(profile(stacks)) == []


def test_the_limits_are_settings(settings):
    settings.PERF_PANELS = {"VMPROF_HOT_PERCENT": 60.0, "VMPROF_HOT_MS": 5.0}

    assert found(profile({"home > draw": 10, "home > list_products": 4})) == [("hot-function", "info", "draw")]


def test_a_share_too_close_to_the_limit_is_no_problem_yet():
    samples = profile({"home > draw": 5, **{f"home > step{n}": 1 for n in range(18)}}, weight_ms=10.0)

    (finding,) = report(samples)["findings"]

    assert finding["severity"] == "info"
    assert "More samples tells" in finding["detail"]


def test_times_are_those_of_one_run():
    (finding,) = report(profile({"home > draw": 300, "home": 100}, runs=10))["findings"]

    assert finding["evidence"]["time_ms"] == 30.0
    assert finding["severity"] == "warning"


def test_a_filter_is_charged_and_not_the_line_that_uses_it():
    samples = profile({f"{IN_LINE} > money > re": 60, IN_LINE: 20, "home": 10})

    assert ("hot-function", "warning", "money") in found(samples)
    assert "Called from home.html:14." in report(samples)["findings"][0]["detail"]


def test_a_line_that_only_writes_values_is_no_problem():
    assert found(profile({IN_LINE: 60, f"{IN_LINE} > escape": 20, "home": 10})) == [
        ("hot-template-line", "info", "home.html:14")
    ]


def test_a_line_whose_filter_of_djangos_works_is_one():
    assert found(profile({f"{IN_LINE} > slugify > re": 70, IN_LINE: 10, "home": 10})) == [
        ("hot-template-line", "warning", "home.html:14")
    ]


def test_a_package_is_charged_where_the_project_calls_it():
    samples = profile({"home > report > parse > format/tidy > re": 80, "home": 19, "home > x": 1})

    (finding,) = report(samples)["findings"]

    assert finding["title"] == "80.0 ms (80 ± 4 %) in parse of sqlparse"
    assert finding["origin"]["function"] == "report"


def test_queries_are_not_a_hot_function():
    assert found(profile({"home > queryset > cursor": 80, "home": 5})) == [("database-time", "info", "home")]


def test_a_query_that_a_template_sets_off_is_time_of_the_database():
    stats = report(profile({f"{IN_LINE} > queryset > cursor": 60, IN_LINE: 30, "home": 10}))

    assert stats["areas"] == {"templates": 30, "database": 60, "code": 10}


def test_the_headline_names_the_largest_area_and_its_largest_place():
    stats = report(profile({f"{IN_LINE} > money": 50, IN_LINE: 12, "home > draw": 38}))

    headline = stats["headline"]
    assert (headline["area"], headline["area_share"], headline["frame_share"]) == ("templates", 0.62, 0.5)
    assert stats["frames"][headline["frame"]]["name"] == "money"


def test_time_by_owner_is_that_of_the_innermost_function():
    stacks = {
        "home > queryset > cursor": 1,
        "home > queryset": 2,
        "home > parse": 3,
        "home > re": 4,
        IN_LINE: 5,
        "home > slugify": 6,
        "home": 7,
        "home > sqlite3": 8,
    }

    owners = {each["package"] or each["owner"]: each["ms"] for each in report(profile(stacks))["owners"]}

    assert owners == {
        "driver": 9,
        "orm": 2,
        "sqlparse": 3,
        "stdlib": 4,
        "templates": 5,
        "django": 6,
        "project": 7,
    }


@pytest.mark.parametrize(("share", "samples", "expected"), [(0.5, 98, 0.05), (1.0, 3, 0.179), (0.0, 998, 0.001)])
def test_the_error_of_a_share(share, samples, expected):
    assert error(share, samples) == pytest.approx(expected, abs=0.001)
