"""
What the line profiler's page says of stored stats, and that it is valid HTML whatever they hold.
"""

from __future__ import annotations

import re

import html5lib
import pytest
from django.template.loader import render_to_string

from perf_panels.actions import asked
from perf_panels.lines import PANEL_ID, page, trimming
from tests.lines.builders import called, function, line, seen, stats, template, timings, write

HOSTILE = "\u202eevil\u202c <script>alert(1)</script> \"' مرحبا 数据库 " + "x" * 3_000


def panel(stored, previous=None):
    context = page.panel_context(stored, "request", previous)
    shell = {"panel_id": PANEL_ID, "finding_count": 0, "error": None, "truncated": stored.get("truncated")}
    html = render_to_string("perf_panels/lines/panel.html", context | shell)
    html5lib.HTMLParser(strict=True).parseFragment(html)
    assert "style=" not in html
    assert "<script" not in html
    return html


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def tokens(html, name):
    return [asked(PANEL_ID, given, name).subject for given in re.findall(rf'data-perf-{name}="([^"]+)"', html)]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path)


# Nothing to show


def test_no_view_ran():
    stored = {"watched": False, "refused": None, "findings": []}

    assert "No view ran" in text(panel(stored))
    assert page.subtitle(stored) == "no view ran"


def test_what_holds_the_tool_is_said_with_what_to_untick():
    refused = {"holder": "cProfile", "tool": "sys.monitoring", "untick": "Profiling", "text": "Untick “Profiling”."}
    stored = {"watched": False, "refused": refused, "findings": []}

    assert "Untick “Profiling”." in text(panel(stored))
    assert page.subtitle(stored) == "not run: cProfile is on"


def test_a_view_all_of_a_package_says_what_would_be_timed():
    stored = stats(timings())

    assert "No function was timed." in text(panel(stored))
    assert page.subtitle(stored) == "View 100 ms: no line timed"


# The side bar and the facts


def test_the_side_bar_has_the_time_and_the_hottest_line(path):
    stored = stats(timings(function(path, line(3, 5.0), line(5, 91.0))))

    assert page.subtitle(stored) == "View 100 ms: line 5, 91 %"


def test_the_side_bar_names_the_function_if_it_is_not_the_views_own(path):
    stored = stats(timings(function(path, line(5, 91.0), name="CartLine.total", chosen="page")))

    assert page.subtitle(stored) == "View 100 ms: total line 5, 91 %"


def test_view_and_render_stand_apart(path):
    html = text(panel(stats(timings(function(path, line(5, 91.0), phase="render"), view_ms=20.0, render_ms=180.0))))

    assert "View 20.0 ms 10 %" in html
    assert "Render 180 ms 90 %" in html
    assert "1 call in the render" in html


def test_the_profilers_own_cost_is_stated(path):
    html = text(panel(stats(timings(function(path, line(5, 91.0)), overhead_ns=410.0, hits=20_000))))

    assert "about 0.41 µs a hit as measured here: 8.20 ms of this request" in html
    assert "20,000 hits" in html


def test_notes_of_the_engine_and_streaming_are_said(path):
    html = text(panel(stats(timings(function(path, line(5, 91.0)), notes=["It sees less."]), streaming=True)))

    assert "It sees less." in html
    assert "This response is streamed" in html


# Findings and the next step


def test_a_finding_has_its_place_its_source_and_a_link_to_its_line(path):
    html = panel(stats(timings(function(path, line(5, 91.0, hits=4_000)))))

    assert "Line 5 of View.get takes 91 % of the time: 91.0 ms" in text(html)
    assert "products_set = set(products)" in html
    assert 'data-perf-goto="5" data-perf-in="site.views:View.get|view"' in html
    assert re.search(r'perf-hit">.*5<span class="perf-sr"> ←', html)
    assert re.search(r'<tr class="perf-line-hot perf-marked perf-critical" data-line="5"', html) is None
    assert re.search(r'<tr class="perf-line-hot perf-marked perf-warning" data-line="5"', html)


def test_a_finding_offers_what_its_line_calls(path):
    html = panel(stats(timings(function(path, line(5, 91.0, called=[called("helper")])))))

    assert "site.views:helper" in tokens(html, "deeper")
    assert "Go deeper into helper" in text(html)


def test_without_a_finding_the_line_to_go_deeper_from_is_named(path):
    measured = function(path, line(5, 91.0, called=[called("loads", owner="python")]), owner="rest_framework")

    html = panel(stats(timings(measured)))

    assert "Most of the time, 91.0 ms of 100 ms, is in line 5 of View.get." in text(html)
    assert tokens(html, "deeper")[0] == "site.views:loads"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "It was not seen to call anything that could be timed."),
        ({"calls_unknown": True}, "What it calls is not known yet: run it again to see it."),
    ],
)
def test_no_more_is_said_of_a_lines_calls_than_is_known(path, given, said):
    html = text(panel(stats(timings(function(path, line(5, 91.0, **given), owner="rest_framework")))))

    assert said in html


def test_calls_that_were_not_kept_are_not_denied(path):
    stored = stats(timings(function(path, line(5, 91.0, called=[called("loads")]), owner="rest_framework")))
    trimming.shorten(stored, 10)

    assert "What it calls was not kept." in text(panel(stored))


def test_a_fast_page_is_good_news(path):
    html = text(panel(stats(timings(function(path, line(5, 2.0)), view_ms=3.0))))

    assert "No line stands out." in html


# One function


def test_a_line_has_hits_time_time_per_hit_and_its_share(path):
    html = panel(stats(timings(function(path, line(3, 30.0, hits=10), line(5, 10.0)), view_ms=400.0)))

    cells = re.search(r'data-line="3".*?</tr>', html, re.DOTALL)[0]
    assert text(cells[cells.index(">") + 1 :]).startswith("3 10 30.0 ms 3.00 ms 75 % products = [")
    assert 'width="75.0%"' in cells


def test_statements_and_waiting_have_columns_where_there_are_any(path):
    plain = panel(stats(timings(function(path, line(3, 30.0)))))
    both = panel(
        stats(timings(function(path, line(3, 30.0, sql_count=62, sql_ms=12.5, awaited_ms=50.0), awaited_ms=50.0)))
    )

    assert ">SQL</th>" not in plain
    assert ">Waiting</th>" not in plain
    assert "62 · 12.5 ms" in both
    assert "50.0 ms waiting, not part of the time" in text(both)


def test_a_called_function_goes_deeper_or_to_where_it_is_timed(path):
    calls = [called("timed", calls=3), called("helper"), called("render", owner="django")]
    outer = function(path, line(3, 30.0, called=calls))

    html = panel(stats(timings(outer, function(path, line(5, 3.0), name="timed"), view_ms=900.0)))

    assert tokens(html, "deeper") == ["site.views:helper", "site.views:render"]
    assert 'data-perf-in="site.views:timed|view"' in html
    assert "calls 3" in text(html)
    assert "helper project deeper" in text(html)
    assert "render Django deeper" in text(html)


def test_why_a_function_is_there_and_who_called_it_is_said(path):
    filtered = function(path, line(3, 1.0), calls=2_400, templates=[template(13, 12)], chosen="page")
    chosen = function(path, line(3, 1.0), name="added", chosen="deeper", owner="django")

    html = text(panel(stats(timings(filtered, chosen))))

    assert "2,400 calls in the view · from shop/cart.html:13" in html
    assert "added Django added by you" in html


def test_functions_with_findings_are_open(path):
    hot = function(path, line(5, 91.0))
    stored = stats(
        timings(function(path, line(3, 95.0, inner_ms=91.0), name="outer"), hot, function(path, line(3), name="c"))
    )

    assert re.findall(r"<details class=\"perf-function\".*?(open)?>", panel(stored)) == ["open", "open", ""]


# The selection


def test_the_selection_is_a_breadcrumb_that_can_be_cleared(path):
    chosen = [called("first"), called("second")]

    html = panel(stats(timings(function(path, line(5)), selection=chosen, unseen=["site.old:gone"])))

    assert tokens(html, "remove") == ["site.views:first", "site.views:second", ""]
    assert "Time first no more" in html
    assert "not seen in this process under this view yet: site.old:gone" in text(html)


def test_functions_that_ran_are_offered_by_button_and_by_name(path):
    ran = [
        seen("picture", templates=[template(9, 4), template(11, 1)], from_outside=True),
        seen("loads", owner="python"),
    ]

    html = panel(stats(timings(function(path, line(5, called=[called("helper")])), seen=ran)))

    assert "site.views:picture" in tokens(html, "deeper")
    assert "picture shop/cart.html:9 and 1 more deeper" in text(html)
    assert re.findall(r'<option value="([^"]+)">', html) == [
        "site.views:picture",
        "site.views:loads",
        "site.views:helper",
    ]


@pytest.mark.parametrize(
    ("method", "streaming", "replays"), [("GET", False, True), ("POST", False, False), ("GET", True, False)]
)
def test_only_a_get_is_run_again_by_itself(path, method, streaming, replays):
    html = panel(stats(timings(function(path, line(5))), method=method, streaming=streaming))

    assert ('data-replay="/facets/?page=2"' in html) is replays


# Beside the previous run


def test_the_previous_run_stands_beside_each_line(path):
    before = stats(timings(function(path, line(3, 5.0), line(5, 300.0)), view_ms=310.0))
    now = stats(timings(function(path, line(3, 5.0), line(5, 9.0)), view_ms=15.0))

    html = text(panel(now, before))

    assert "310 ms → 15.0 ms ▼ \N{MINUS SIGN}295 ms" in html
    assert "▼ \N{MINUS SIGN}291 ms" in html


def test_a_previous_run_without_functions_is_no_comparison(path):
    now = stats(timings(function(path, line(5, 9.0))))

    assert "Since the previous request" not in panel(now, stats(timings()))


# Whatever is stored


def test_any_stored_text_gives_valid_html(tmp_path):
    file = write(tmp_path, f"def f():\n    x = {HOSTILE!r}\n    y = '{HOSTILE[:60]}'\n\treturn x\n")
    bad = function(
        file,
        line(2, 50.0, called=[called(HOSTILE), called("b", owner=HOSTILE)]),
        line(4, 40.0),
        name=HOSTILE,
        id=HOSTILE,
        module=HOSTILE,
        first_line=1,
        last_line=4,
        templates=[template(name=HOSTILE)],
        chosen="deeper",
    )
    everything = {"selection": [called(HOSTILE)], "unseen": [HOSTILE], "notes": [HOSTILE], "seen": [seen(HOSTILE)]}

    html = panel(stats(timings(bad, **everything), view=HOSTILE, full_path=HOSTILE))

    assert html.count("&lt;script&gt;") > 5


def test_numbers_that_are_nothing_give_a_page(path):
    zero = function(path, line(5, 0.0, hits=0), elapsed_ms=0.0, calls=0)

    assert "0 ms" in panel(stats(timings(zero, view_ms=0.0)))


def test_a_function_of_five_thousand_lines_has_a_page_of_bearable_size(tmp_path):
    file = write(tmp_path, "def f():\n" + "".join(f"    step({number})  # {'-' * 280}\n" for number in range(5_000)))
    lines = [line(number, 0.01 if number % 500 else 30.0) for number in range(2, 5_001, 250)]

    html = panel(stats(timings(function(file, *lines, first_line=1, last_line=5_001))))

    assert len(html) < 1_000_000
    assert "lines were not kept" in html


def test_a_language_with_commas_gets_numbers_that_browsers_read(path):
    from django.utils import translation

    with translation.override("de"):
        html = panel(stats(timings(function(path, line(3, 10.0), line(5, 20.0)))))

    assert 'width="66.7%"' in html
    assert 'data-line="5"' in html
