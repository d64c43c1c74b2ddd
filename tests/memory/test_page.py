"""
What the memory panel's page says of stored stats, and that it is valid HTML whatever they hold.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import html5lib
import pytest
from django.template.loader import render_to_string
from django.utils import translation

from perf_panels.findings import Origin
from perf_panels.memory import allocations_page, lines_page, page, trimming
from perf_panels.memory.measurements import (
    ALLOCATIONS,
    BESIDE,
    HELD,
    LATE,
    LINES,
    OBJECTS,
    STREAMED,
    Leak,
    Others,
    Process,
)
from perf_panels.memory.report import report
from perf_panels.memory.results import Allocated, Metered, Objects, TypeGrowth
from perf_panels.memory.wording import DASH
from tests.memory import builders
from tests.memory.builders import KIB, MIB, REPORTS, measurements

HOSTILE = "\u202eevil\u202c <script>alert(1)</script> \"' مرحبا 数据库 " + "x" * 3_000
MINUS = "\N{MINUS SIGN}"

ASKED = {"leak_requests": 3}
"""The tests' settings look at no request, unless told to."""


def stored(engine=LINES, *, watched=True, recorded_at=1.0, **changed):
    stats = report(measurements(engine, **changed))
    extra = {
        "schema": 1,
        "error": None,
        "url": "GET /slow/sales-report/",
        "recorded_at": recorded_at,
        "watched": watched,
        "view": "shop.views.dashboard.slow_sales_report",
        "streaming": False,
    }
    return json.loads(json.dumps(stats | extra))


def shown(stats, previous=None):
    shell = {"panel_id": "MemoryProfilerPanel", "finding_count": 0, "error": None, "truncated": stats.get("truncated")}
    html = render_to_string("perf_panels/memory/panel.html", page.panel_context(stats, "request", previous) | shell)
    html5lib.HTMLParser(strict=True).parseFragment(html)
    assert "style=" not in html
    assert "<script" not in html
    return html


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# The side bar


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (LINES, "+181 MiB peak, /srv/shop/reports.py:41"),
        (ALLOCATIONS, "+135 MiB peak, /srv/shop/reports.py:41"),
        (OBJECTS, "40,000 model instances, /srv/shop/reports.py:51"),
    ],
)
def test_the_side_bar_says_how_much_and_where(engine, said):
    assert page.subtitle(stored(engine)) == said


@pytest.mark.parametrize("engine", [LINES, ALLOCATIONS, OBJECTS])
def test_of_a_process_that_cannot_be_read_nothing_is_said(engine):
    stats = stored(engine, process=Process(0, 0, reading=""), curve=[])

    said = text(shown(stats, stats))

    assert "psutil is needed to read it" in said
    assert "Process before" not in said
    assert "After the render" not in said


def test_the_side_bar_does_not_say_that_an_unread_process_did_not_grow():
    stats = stored(OBJECTS, process=Process(0, 0, reading=""), objects=Objects())

    assert page.subtitle(stats) == "process not read"


def test_the_side_bar_of_a_small_page_is_honest():
    small = builders.process(rss_end_bytes=40 * MIB + 200 * KIB, rss_peak_bytes=40 * MIB + 312 * KIB)

    assert page.subtitle(stored(process=small, lines=Metered())) == "+312 KiB peak, little"


def test_the_side_bar_does_not_sell_noise_as_growth():
    flat = builders.process(rss_end_bytes=40 * MIB, rss_peak_bytes=40 * MIB + 4 * KIB)

    assert page.subtitle(stored(process=flat, lines=Metered())) == "no growth"


def test_the_side_bar_marks_what_other_requests_may_have_taken():
    assert page.subtitle(stored(others=Others(2, 1))).startswith("≈ +181 MiB peak")


def test_the_side_bar_names_a_leak():
    leaked = Leak("line", 3, MIB, 1_000, origin=Origin(REPORTS, 9, "keep"))

    assert page.subtitle(stored(lines=Metered(), leaks=[leaked])) == "+1.0 MiB leaked, /srv/shop/reports.py:9"


def test_the_side_bar_says_that_nothing_ran():
    assert page.subtitle({"watched": False}) == "no view ran"
    assert page.subtitle(stored(lines=None, problem="The tool is taken.")) == "not measured: open the panel"


# States


def test_no_view_ran():
    assert "No view ran" in text(shown({"watched": False, "findings": []}))


def test_an_engine_that_did_not_run_says_why_and_the_process_is_still_shown():
    said = text(shown(stored(lines=None, problem="pdb has sys.settrace: leave the debugger.")))

    assert "The engine did not run. pdb has sys.settrace: leave the debugger." in said
    assert "Process before resident (RSS) 40.0 MiB" in said or "40.0 MiB resident (RSS)" in said
    assert "Nothing to change here" not in said


@pytest.mark.parametrize("engine", [LINES, ALLOCATIONS, OBJECTS])
def test_every_engine_says_what_it_answers_and_costs(engine):
    html = shown(stored(engine))

    assert html.count("Costs:") == 3
    assert html.count("this request") == 1
    assert "with all callers: 10 to 50 times" in html
    assert html.count("data-perf-engine=") == 5


def test_a_page_with_nothing_to_find_says_what_was_looked_for():
    said = text(shown(stored(lines=Metered())))

    assert "Nothing to change here." in said
    assert "No function was measured." in said


def test_other_requests_mark_the_numbers():
    said = text(shown(stored(others=Others(2, 2))))

    assert "2 other requests ran in this process at the same time" in said
    assert "≈ +181 MiB" in said


def test_what_debug_and_the_toolbar_keep_is_apart():
    said = text(shown(stored()))

    assert "Of 112 MiB, 2.1 MiB is kept by DEBUG and this toolbar." in said
    assert "Query log (connection.queries), 1,204 statements" in said
    assert "Toolbar: SQLPanel 640 KiB" in said


def test_a_panel_that_was_not_weighed_to_its_end_keeps_at_least_that():
    said = text(shown(stored(kept=builders.kept(cut_panels=["SQLPanel"]))))

    assert "Of 112 MiB, at least 2.1 MiB is kept by DEBUG and this toolbar." in said
    assert "Toolbar: SQLPanel at least 640 KiB" in said
    assert "Toolbar: TemplatesPanel 210 KiB" in said


def test_the_first_request_is_said_to_load_what_is_loaded_once():
    assert "No earlier request to this URL is stored" in text(shown(stored()))
    assert "No earlier request to this URL is stored" not in text(shown(stored(), stored()))


# The curve


def test_the_curve_names_its_phases_steps_and_pauses():
    html = shown(stored())

    assert "view 120 ms, +111 MiB" in text(html)
    assert "+181 MiB by 90.0 ms /srv/shop/reports.py:41" in text(html)
    assert "garbage collection of generation 2 at 80.0 ms: 14.2 ms" in text(html)
    assert "peak 221 MiB" in text(html)
    assert "40.0 MiB before the view, 221 MiB at its height, 152 MiB at the end" in html


def test_there_is_no_curve_of_one_reading():
    assert "perf-curve" not in shown(stored(curve=builders.curve()[:1]))


# Lines


def test_the_statement_that_grew_is_the_first_card():
    html = shown(stored())

    assert re.search(r'perf-card perf-critical" data-rule="memory-growth"', html)
    assert "lines 41" in text(html).lower()
    assert "181 MiB" in text(html)


def test_a_function_has_the_increment_the_height_and_the_running_total_of_each_line():
    html = shown(stored())

    row = re.search(r'<tr[^>]* data-line="41".*?</tr>', html, re.DOTALL).group()
    assert text(row).startswith("41 1 +111 MiB 181 MiB 111 MiB")
    assert "to line 51" in text(row)
    assert 'class="perf-bar perf-hot"' in row


def test_the_statement_is_compared_with_the_previous_request():
    def with_source(stats):
        stats["functions"][0]["source"]["pieces"] = [[41, ["lines = [", "x = 1"]]]
        return stats

    before = with_source(stored())
    before["functions"][0]["lines"][0]["increment_bytes"] = 90 * MIB

    html = shown(with_source(stored(recorded_at=2.0)), before)

    row = re.search(r'<tr[^>]* data-line="41".*?</tr>', html, re.DOTALL).group()
    assert text(row).startswith("41 1 +111 MiB +90.0 MiB 181 MiB")


def alike(*increments_mib, source=("total = 0", "rows.append(load())", "rows.append(load())"), **changed):
    """
    Return stats of a function from line 38 on, whose second and third statements read the same.
    """
    lines = [builders.line(39 + place, mib * MIB) for place, mib in enumerate(increments_mib)]
    stats = stored(lines=Metered([builders.function(lines, **changed)]))
    function = stats["functions"][0]
    function["source"] = source and function["source"] | {"pieces": [[function["first_line"], list(source)]]}
    return stats


def befores(stats, previous):
    """
    Return what the column Before says of each line that ran.
    """
    (function,) = lines_page.functions_context(stats, previous)
    assert "Before" in [column.name for column in function["view"]["columns"]]
    texts = [row["cells"][2]["text"] for block in function["view"]["blocks"] for row in block["rows"]]
    return [said for said in texts if said]


def test_of_statements_that_read_the_same_each_is_compared_with_itself():
    assert befores(alike(10, 1), alike(10, 1)) == ["+10.0 MiB", "+1.0 MiB"]


def test_a_statement_that_did_not_run_before_is_not_compared_with_one_that_reads_the_same():
    before = alike(10, 1)
    del before["functions"][0]["lines"][0]

    assert befores(alike(10, 1), before) == [DASH, "+1.0 MiB"]


@pytest.mark.parametrize("sources", [(None, None), (None, ("a", "b", "c")), (("a", "b", "c"), None)])
def test_without_source_lines_are_compared_by_their_place_in_the_function(sources):
    stats, previous = (alike(10, 1, source=source) for source in sources)

    assert befores(stats, previous) == ["+10.0 MiB", "+1.0 MiB"]


def test_a_function_is_found_again_after_an_edit_above_it():
    before = alike(10, 1)
    function = before["functions"][0]
    function |= {"id": "shop.reports:slow_sales:18", "first_line": 18}
    function["source"]["pieces"][0][0] = 18
    for line in function["lines"]:
        line["line"] -= 20

    assert befores(alike(10, 1), before) == ["+10.0 MiB", "+1.0 MiB"]
    function["source"] = None
    assert befores(alike(10, 1), before) == ["+10.0 MiB", "+1.0 MiB"]


def test_functions_of_one_name_are_compared_in_their_order():
    getter = builders.function([builders.line(39, MIB)])
    setter = builders.function([builders.line(49, 2 * MIB)], first_line=48, id="shop.reports:slow_sales:48")
    stats = stored(lines=Metered([getter, setter]))

    views = lines_page.functions_context(stats, stats)

    said = [row["cells"][2]["text"] for view in views for block in view["view"]["blocks"] for row in block["rows"]]
    assert said == ["+2.0 MiB", "+1.0 MiB"]


def test_what_belongs_to_a_function_below_is_said_to():
    outer = builders.function(
        [
            replace(
                builders.line(41, 111 * MIB, spike_bytes=181 * MIB), inner_bytes=111 * MIB, inner_spike_bytes=181 * MIB
            )
        ]
    )

    said = text(shown(stored(lines=builders.metered(functions=[outer]))))

    assert "181 MiB of it in the functions it calls, shown by themselves" in said
    assert "Nothing to change here." in said


def test_a_budget_that_was_hit_is_said():
    assert "It stopped there" in text(shown(stored(lines=builders.metered(budget_hit=True))))


# Allocations


def test_allocations_have_a_table_by_line_by_file_and_by_owner():
    html = shown(stored(ALLOCATIONS))

    assert "/srv/shop/reports.py:43" in text(html)
    assert html.count('class="perf-by"') == 3
    assert "Django 70.0 MiB 0 bytes 160,000 1" in text(html)


def test_the_map_has_owners_files_and_lines_that_the_keyboard_reaches():
    html = shown(stored(ALLOCATIONS))

    assert 'data-place="/srv/shop/reports.py:43"' in html
    assert "62.0 MiB, 47 % of all, your project" in html
    assert html.count('class="perf-leaf"') == html.count('tabindex="-1" aria-label=')
    assert "At the end of the render" in text(html)


def test_what_is_alive_after_the_response_has_its_own_column_once_it_is_known():
    alive = builders.allocations()
    alive.alive_bytes = 2 * MIB
    alive.rows[0].alive_bytes, alive.rows[0].alive_blocks = 2 * MIB, 10

    assert "After the response" not in shown(stored(ALLOCATIONS))
    assert "After the response" in shown(stored(ALLOCATIONS, allocations=alive, complete=True))


def test_callers_are_shown_where_frames_were_kept():
    row = Allocated(REPORTS, 43, "project", MIB, 1, trace=[(REPORTS, 43), (REPORTS, 99)])

    html = shown(stored(ALLOCATIONS, allocations=builders.allocations(rows=[row], frames=10)))

    assert "called by /srv/shop/reports.py:99 /srv/shop/reports.py:99" in text(html)
    assert re.search(r'aria-pressed="true"[^>]*>10 frames', html)


def test_rows_are_compared_with_the_previous_request():
    before = stored(ALLOCATIONS)
    before["rows"][1]["net_bytes"] = 10 * MIB

    said = text(shown(stored(ALLOCATIONS, recorded_at=2.0), before))

    assert "62.0 MiB 60.0 MiB +50.0 MiB 41,000" in said


def called_from(*callers, line=43, **changed):
    """
    Return stats of one line's allocations, 10 MiB for each of the lines that called it.
    """
    rows = [
        Allocated(REPORTS, line, "project", 10 * MIB, 1, trace=[(REPORTS, line), *((REPORTS, each) for each in lines)])
        for lines in callers
    ]
    return stored(ALLOCATIONS, allocations=builders.allocations(rows=rows, frames=10, **changed))


def since_before(stats, previous):
    return [row["before"] for row in allocations_page.allocations_context(stats, previous)["allocation_rows"]]


def test_a_line_with_many_callers_is_compared_with_each_of_them():
    before = called_from([99], [120])
    before["rows"][0]["net_bytes"] = 1 * MIB

    assert since_before(called_from([99], [120]), before) == ["+9.0 MiB", "0 bytes"]


def test_rows_with_other_numbers_of_frames_are_not_compared():
    assert since_before(called_from([99], [120]), stored(ALLOCATIONS)) == ["", ""]


def test_rows_that_shortened_callers_do_not_tell_apart_are_not_compared():
    stats = called_from([99, 1, 2, 3, 4], [99, 1, 2, 3, 5], [120])
    trimming.shorten(stats, 0)

    assert since_before(stats, stats) == ["", "", "0 bytes"]


def test_where_the_two_ways_of_counting_disagree_the_page_says_why():
    little = builders.process(rss_end_bytes=41 * MIB, rss_peak_bytes=42 * MIB)

    said = text(shown(stored(ALLOCATIONS, process=little)))

    assert "Python allocated 135 MiB at its height, the process grew by +2.0 MiB only" in said


def test_growth_outside_of_the_measured_functions_is_said():
    outside = builders.metered(functions=[builders.function([builders.line(52, 8 * KIB)])])

    assert "no statement below accounts for half of it" in text(shown(stored(lines=outside)))


def test_nothing_left_to_show():
    said = text(shown(stored(ALLOCATIONS, allocations=builders.allocations(rows=[]))))

    assert "Nothing is left of what was allocated." in said


# Objects


def test_models_have_their_places():
    html = shown(stored(OBJECTS))

    assert "40,000 instances by a queryset: /srv/shop/reports.py:51 slow_sales" in text(html)
    assert ".iterator(chunk_size=2_000)" in text(html)
    assert html.count("data-perf-chains=") == 3


def test_types_have_their_growth():
    said = text(shown(stored(OBJECTS)))

    assert "dict +18.0 MiB +80,400 20,000 → 100,400" in said
    assert "50,000 objects before the view, 170,400 after the render, +20.0 MiB" in said


def test_types_that_could_not_be_counted_say_why():
    said = text(shown(stored(OBJECTS, objects=builders.objects(types=[], problem="Pympler is not installed."))))

    assert "Pympler is not installed." in said
    assert "shop.OrderLine" in said


def shown_chains(chains=(), count=1, stopped=()):
    found = {"name": "OrderLine", "chains": chains, "count": count, "looked_at": 1, "elapsed_ms": "12.0 ms"}
    html = render_to_string("perf_panels/memory/chains.html", found | {"stopped": dict(stopped)})
    html5lib.HTMLParser(strict=True).parseFragment(html)
    return text(html)


def test_chains_are_lists_of_who_holds_whom():
    chain = [{"text": "OrderLine", "kind": "object"}, {"text": "list of 40,000", "kind": "list"}]

    said = shown_chains([chain], 40_000, {"ms": 3_000})

    assert "list of 40,000" in said
    assert "stopped at its time limit" in said


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        ({}, "No chain found. Only the search itself refers to them"),
        ({"steps": 15}, "No chain found within 15 steps."),
        ({"referrers": 100}, "No chain found. Of more than 100 referrers in one step only 100 were followed."),
        ({"steps": 15, "referrers": 100}, "within 15 steps. What holds them is further away than that. Of more than"),
        ({"ms": 3_000}, "No chain found in that time."),
    ],
)
def test_objects_to_which_no_chain_was_found_are_not_said_to_be_gone(stopped, said):
    page_text = shown_chains(stopped=stopped)

    assert said in page_text
    assert "gone" not in page_text
    assert "holds any" not in page_text


def test_objects_that_are_no_longer_there_are_said_to_be_gone():
    assert "Nothing holds any. They are gone from the process." in shown_chains(count=0)


def test_a_part_for_objects_without_rows_says_what_was_not_watched():
    said = text(shown(stored(OBJECTS, objects=builders.objects(models=[], types=[]))))

    assert "threads it starts are not watched" in said
    assert "No type has more objects than before, or larger ones." in said


# Leaks


def test_a_leak_shows_what_each_request_left(settings):
    settings.PERF_PANELS = {"MEMORY_LEAK_REQUESTS": 3}
    leaked = Leak("type", 3, MIB, 1_000, "dict", history_bytes=[MIB, 2 * MIB, MIB])

    said = text(shown(stored(leaks=[leaked], complete=True)))

    assert "1,000 more objects of dict after every request, 1.0 MiB" in said
    assert "dict +1.0 MiB 3 requests 1,000 +1.0 MiB +2.0 MiB +1.0 MiB" in said


def test_no_leak_is_said_only_once_it_was_looked_at(settings):
    settings.PERF_PANELS = {"MEMORY_LEAK_REQUESTS": 3}

    assert "which is not yet stored" in text(shown(stored()))
    said = text(shown(stored(OBJECTS, objects=Objects(), complete=True, looked_at=3) | ASKED))

    assert "Nothing that grew in each of the last 3 requests" in said
    assert "nothing grew from request to request" in said


def test_before_enough_requests_were_looked_at_nothing_is_claimed():
    said = text(shown(stored(OBJECTS, objects=Objects(), complete=True, looked_at=1) | ASKED))

    assert "1 of 3 requests to this view looked at so far, in this process and with this engine." in said
    assert "Nothing to change here." in said
    assert "nothing grew" not in said


@pytest.mark.parametrize(
    ("unseen", "complete", "words"),
    [
        (STREAMED, False, "Not looked at: this response is streamed"),
        (LATE, False, "Not looked at: the next request began before the response of this one was gone"),
        (HELD, True, "The response was still held a second after it was sent, by the server or by your code"),
        (BESIDE, True, "Not counted: what stayed may be that of the other requests"),
    ],
)
def test_why_a_request_does_not_tell_what_stays_is_said(unseen, complete, words):
    stats = stored(OBJECTS, objects=Objects(), complete=complete, looked_at=2, unseen=unseen)

    said = text(shown(stats | ASKED))

    assert words in said
    assert "open it again" not in said
    assert "nothing grew" not in said


def test_a_look_that_is_turned_off_is_said(settings):
    settings.PERF_PANELS = {"MEMORY_LEAK_REQUESTS": 0}

    assert "Not looked at: MEMORY_LEAK_REQUESTS is 0." in text(shown(stored()))


# Since before


def test_the_previous_request_stands_beside():
    small = builders.process(rss_end_bytes=50 * MIB, rss_peak_bytes=60 * MIB)

    said = text(shown(stored(process=small, lines=Metered(), recorded_at=2.0), stored()))

    assert "at its height +181 MiB → +20.0 MiB" in said
    assert "gone: Lines 41" in said


def test_another_engine_before_is_no_comparison_of_its_numbers():
    said = text(shown(stored(ALLOCATIONS, recorded_at=2.0), stored()))

    assert "after the render +112 MiB → +112 MiB" in said
    assert "gone:" not in said


# Whatever they hold


def test_downloads_are_forms_with_a_signed_token():
    html = shown(stored(ALLOCATIONS))

    assert html.count('<form method="post"') == 3
    assert "A pickle: load only one that you made yourself" in html


@pytest.mark.parametrize("engine", [LINES, ALLOCATIONS, OBJECTS])
def test_the_page_is_valid_in_another_language(engine):
    with translation.override("de"):
        shown(stored(engine), stored(engine))


@pytest.mark.parametrize("engine", [LINES, ALLOCATIONS, OBJECTS])
def test_nothing_in_the_data_can_break_the_page(engine):
    hostile = builders.function([builders.line(1, 10 * MIB)], file=HOSTILE, function=HOSTILE, id=HOSTILE)
    objects = builders.objects(types=[TypeGrowth(HOSTILE, 0, 10**12, 0, 10**15, id=HOSTILE)])
    objects.models[0].label = HOSTILE
    objects.models[0].places[0].origin = Origin(HOSTILE, 1, HOSTILE, HOSTILE, 1)
    rows = [Allocated(HOSTILE, 1, HOSTILE, 10 * MIB, 1, trace=[(HOSTILE, 1), (HOSTILE, 2)])]
    parts = {
        LINES: {"lines": Metered([hostile], threads=[HOSTILE, "b"])},
        ALLOCATIONS: {"allocations": builders.allocations(rows=rows, metered=Metered([hostile]))},
        OBJECTS: {"objects": objects},
    }

    html = shown(stored(engine, leaks=[Leak("type", 3, MIB, name=HOSTILE, history_bytes=[-5])], **parts[engine]))

    assert "evil" in html


def test_a_thousand_rows_are_drawn_in_no_time():
    rows = [Allocated(f"{REPORTS}{place % 90}", place, "project", (place + 1) * KIB, 3) for place in range(5_000)]
    stats = stored(ALLOCATIONS, allocations=builders.allocations(rows=rows))
    began = time.process_time()

    html = shown_unparsed(stats)

    assert time.process_time() - began < 2
    assert html.count("<tr data-owner") == 1_000 + 90 + 1
    assert stats["truncated"]["lines that allocated"] == 4_000


def shown_unparsed(stats):
    return render_to_string("perf_panels/memory/panel.html", page.panel_context(stats, "request", None))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"limited": True}, "Only its first calls were measured"),
        ({"kind": "generator"}, "This is a generator: what happens while it is suspended is not counted to it."),
        ({"deepest": 3}, "It called itself, 3 deep"),
    ],
)
def test_what_is_special_about_a_function_is_said(changed, said):
    function = builders.function([builders.line(41, MIB)], **changed)

    assert said in text(shown(stored(lines=Metered([function]))))


def test_what_was_not_measured_has_neither_problems_nor_got_rid_of_any():
    html = shown(stored(lines=None, problem="taken", recorded_at=2.0), stored())

    assert "Problems –" in text(html)  # noqa: RUF001 - a dash is meant
    assert "gone:" not in text(html)


def test_a_line_of_which_the_function_is_not_known_is_a_place_by_itself():
    leaked = Leak("line", 3, MIB, origin=Origin(REPORTS, 9, ""))

    html = shown(stored(lines=Metered(), leaks=[leaked]))

    assert "/srv/shop/reports.py:9 each request" in text(html)
