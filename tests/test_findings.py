from __future__ import annotations

import json

import pytest

from perf_panels.findings import Finding, Origin, worst_first

PYTHON = Origin("/shop/views.py", 41, "home")


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (PYTHON, "/shop/views.py:41 in home"),
        (Origin("/shop/home.html", 9, "", "home.html", 9), "home.html:9"),
        (Origin("/shop/views.py", 41, "home", "home.html", 9), "home.html:9 (/shop/views.py:41 in home)"),
    ],
)
def test_a_place_reads_as_a_developer_says_it(origin, text):
    assert str(origin) == text


def test_a_finding_says_what_is_wrong_what_to_do_and_where():
    finding = Finding(
        "lazy-load", "critical", "24 queries for a.B.c", "detail", advice="Add it.", code=".select_related()",
        origin=PYTHON, fix_at=Origin("/shop/models.py", 7, "recent"),
    )  # fmt: skip

    assert str(finding).splitlines() == [
        "24 queries for a.B.c - /shop/views.py:41 in home",
        "  Add it.",
        "  .select_related()",
        "  at /shop/models.py:7 in recent",
    ]


def test_what_is_not_known_is_not_said():
    assert str(Finding("rule", "info", "title", "detail")) == "title"


def test_a_finding_is_plain_json():
    finding = Finding("rule", "info", "title", "detail", {"queries": 3}, origin=PYTHON, relation="a.B.c")

    data = json.loads(json.dumps(finding.as_dict()))

    assert data["origin"] == {"file": "/shop/views.py", "line": 41, "function": "home", "template": None,
                              "template_line": None}  # fmt: skip
    assert (data["evidence"], data["relation"], data["fix_at"]) == ({"queries": 3}, "a.B.c", None)


def test_the_worst_comes_first():
    def finding(title, severity, saving=None, **evidence):
        return Finding("rule", severity, title, "", evidence, saving_ms=saving)

    findings = [
        finding("said in passing", "info", 90.0),
        finding("fewer objects", "warning", duplicates=1),
        finding("more objects", "warning", duplicates=2),
        finding("more queries", "warning", queries=2),
        finding("slower", "warning", 2.0),
        finding("worst", "critical"),
    ]

    assert [each.title for each in worst_first(findings)] == [
        "worst", "slower", "more queries", "more objects", "fewer objects", "said in passing",
    ]  # fmt: skip


def test_what_takes_more_time_comes_before_what_sends_more_queries():
    quick = Finding("hot-line", "warning", "quick", "", evidence={"own_ms": 69.0, "queries": 1})
    slow = Finding("hot-line", "warning", "slow", "", evidence={"own_ms": 100.0})

    assert worst_first([quick, slow]) == [slow, quick]
