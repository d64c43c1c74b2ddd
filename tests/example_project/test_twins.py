"""
The tour keeps its promises: the twins look the same, the slow one has its finding, the fixed one has none.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection
from shop.tour import STOPS
from shop.urls import TWINS

from perf_panels.explain.rules.engine import all_rules
from tests.example_project.pages import EXPLAIN, NPLUSONE, PLANTED

BANNER = re.compile(r'<aside class="twin-banner.*?</aside>', re.DOTALL)
TOOLBAR = re.compile(r"<link[^>]*debug_toolbar.*?(?=</body>)", re.DOTALL)
OTHER_PAGES = [
    "/",
    "/products/oak-lamp-no-1/",
    "/dashboard/",
    "/async/stock/",
    "/api/products.json",
    "/export.csv",
]
EXPECTED = [(page, panel, finding) for page, planted in PLANTED.items() for panel, *finding in planted]


def page_of(response):
    html = response.content.decode()
    return TOOLBAR.sub("", BANNER.sub("", html))


def reported(stats, panel):
    return [(finding["rule"], finding["relation"]) for finding in stats[panel]["findings"]]


def problems(stats, panel):
    return [finding["title"] for finding in stats[panel]["findings"] if finding["severity"] != "info"]


def test_the_tour_the_urls_and_the_table_of_planted_problems_name_the_same_pages():
    assert [stop.page for stop in STOPS] == list(TWINS) == list(PLANTED)


@pytest.mark.parametrize("page", PLANTED)
def test_both_versions_of_a_page_have_the_same_html(page, visit):
    slow, _ = visit(f"/slow/{page}/")
    fixed, _ = visit(f"/fixed/{page}/")

    assert page_of(slow) == page_of(fixed)
    assert "<main>" in page_of(slow)


@pytest.mark.parametrize(("page", "panel", "finding"), EXPECTED, ids=str)
def test_the_slow_version_has_its_finding(page, panel, finding, visit, explained):
    _, stats = visit(f"/slow/{page}/", panel, lambda stats: tuple(finding) in reported(stats, panel))
    if panel == EXPLAIN:
        needs = all_rules()[finding[0]].needs
        stats[panel] = explained(stats, analyze=connection.vendor != "sqlite" and needs == "A")

    assert tuple(finding) in reported(stats, panel)


@pytest.mark.parametrize(("page", "panel"), sorted({(page, panel) for page, panel, _ in EXPECTED}))
def test_the_fixed_version_has_none(page, panel, visit, explained):
    _, stats = visit(f"/fixed/{page}/", panel, lambda stats: not problems(stats, panel))

    planted = [tuple(finding) for other, *finding in PLANTED[page] if other == panel]
    assert problems(stats, panel) == []
    if panel == EXPLAIN:
        for analyze in (False, True):
            if not analyze or connection.vendor != "sqlite":
                after = {panel: explained(stats, analyze=analyze)}
                assert problems(after, panel) == []
                assert [found for found in reported(after, panel) if found in planted] == []


@pytest.mark.parametrize(
    "page", [page for page, planted in PLANTED.items() if NPLUSONE not in {panel for panel, _, _ in planted}]
)
def test_a_page_planted_for_other_panels_has_no_n_plus_one(page, visit):
    _, stats = visit(f"/slow/{page}/")

    assert problems(stats, NPLUSONE) == []


@pytest.mark.parametrize("url", OTHER_PAGES)
def test_the_other_pages_are_served_without_findings(url, visit):
    response, stats = visit(url)
    assert b"".join(response) if response.streaming else response.content

    assert stats[NPLUSONE]["error"] is None
    assert problems(stats, NPLUSONE) == []


def test_the_readme_quotes_findings_of_these_pages(visit):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    quoted = re.findall(r"^> \*\*(.+?)\*\*", readme, re.MULTILINE)
    printed = {}
    for page in ("cart", "home", "order-lines"):
        printed |= {finding["title"]: finding for finding in visit(f"/slow/{page}/")[1][NPLUSONE]["findings"]}

    assert len(quoted) == 3
    for title in quoted:
        assert f"`{printed[title]['code']}`" in readme
        assert f"{printed[title]['fix_at']['line']} in {printed[title]['fix_at']['function']}" in readme
