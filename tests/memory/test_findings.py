"""
When a statement, a queryset or memory that stays is a finding, and what it says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from perf_panels.findings import Origin
from perf_panels.memory.findings import findings
from perf_panels.memory.measurements import ALLOCATIONS, LINES, OBJECTS, Leak, Others
from perf_panels.memory.results import Allocated, Loaded, Metered, ModelInstances, Objects
from tests.memory import builders
from tests.memory.builders import KIB, MIB, QUERY, REPORTS, measurements


def of_lines(*lines, process=None, **changed):
    functions = [builders.function(list(lines))]
    return findings(measurements(LINES, lines=Metered(functions), process=process or builders.process(), **changed))


def small_process():
    return builders.process(rss_end_bytes=44 * MIB, rss_peak_bytes=44 * MIB)


def rules(found):
    return [finding.rule for finding in found]


# A statement that adds much


def test_a_statement_that_keeps_memory():
    (finding,) = of_lines(builders.line(41, 111 * MIB, last_line=51, spike_bytes=181 * MIB))

    assert finding.rule == "memory-growth"
    assert finding.title == "Lines 41–51 added 181 MiB"  # noqa: RUF001 - a dash of a range
    assert finding.severity == "critical"
    assert finding.origin == Origin(REPORTS, 41, "slow_sales")
    assert finding.evidence == {
        "taken_bytes": 181 * MIB,
        "kept_bytes": 111 * MIB,
        "request_growth_bytes": 181 * MIB,
        "hits": 1,
    }
    assert "100 % of the 181 MiB" in finding.detail


def test_a_statement_that_takes_memory_and_gives_it_back():
    (finding,) = of_lines(builders.line(41, 0, spike_bytes=20 * MIB))

    assert finding.title == "Line 41 took 20.0 MiB and gave it back"
    assert finding.severity == "warning"


def test_a_statement_that_gives_some_of_its_memory_back():
    (finding,) = of_lines(builders.line(41, 8 * MIB, spike_bytes=20 * MIB))

    assert finding.title == "Line 41 took 20.0 MiB and gave 12.0 MiB back"


@pytest.mark.parametrize(("size", "found"), [(5 * MIB, 1), (5 * MIB - 1, 0)])
def test_five_mebibytes_are_much(size, found):
    assert len(of_lines(builders.line(41, size))) == found


@pytest.mark.parametrize(("size", "found"), [(1_300 * KIB, 1), (1_200 * KIB, 0)])
def test_so_is_a_third_of_what_a_small_page_added(size, found):
    assert len(of_lines(builders.line(41, size), process=small_process())) == found


def test_below_an_arena_of_the_allocator_a_share_says_nothing():
    tiny = builders.process(rss_end_bytes=41 * MIB, rss_peak_bytes=41 * MIB)

    assert of_lines(builders.line(41, 1_000 * KIB), process=tiny) == []


def test_noise_is_no_finding():
    noisy = builders.process(noise_bytes=8 * MIB)

    assert of_lines(builders.line(41, 7 * MIB), process=noisy) == []


def test_the_call_of_a_measured_function_is_not_blamed_for_it():
    outer = replace(
        builders.line(9, 111 * MIB, spike_bytes=181 * MIB), inner_bytes=111 * MIB, inner_spike_bytes=181 * MIB
    )

    found = of_lines(outer, builders.line(41, 111 * MIB, spike_bytes=181 * MIB))

    assert [finding.origin.line for finding in found] == [41]


def of_queries(kept, **changed):
    """
    A statement that ran 1,500 queries and added 6 MiB, of which so much is the toolbar's.
    """
    small = builders.process(rss_end_bytes=46 * MIB, rss_peak_bytes=46 * MIB)
    lines = Metered([builders.function([builders.line(41, 6 * MIB)])])
    return findings(measurements(LINES, lines=lines, process=small, kept=kept, **changed))


def test_what_debug_and_the_toolbar_keep_is_not_blamed_on_the_statement_that_runs_the_queries():
    (finding,) = of_queries(builders.kept(toolbar_panels={"SQLPanel": 5 * MIB}))

    assert finding.severity == "info"
    assert (
        "6.2 MiB of what this request added is kept by DEBUG (1,204 statements in its query log) and this toolbar"
        in (finding.detail)
    )


def test_what_is_much_without_debug_and_the_toolbar_is_a_problem():
    (finding,) = of_queries(builders.kept(toolbar_panels={"SQLPanel": MIB}))

    assert finding.severity == "warning"


def test_where_allocations_know_that_the_line_itself_allocated_it_is_the_lines():
    traced = builders.allocations(
        rows=[Allocated(REPORTS, 41, "project", 6 * MIB, 9)],
        peak_bytes=6 * MIB,
        peak_seen_bytes=6 * MIB,
        metered=Metered([builders.function([builders.line(41, 6 * MIB)])]),
    )
    kept = builders.kept(toolbar_panels={"SQLPanel": 5 * MIB})

    (finding,) = findings(measurements(ALLOCATIONS, allocations=traced, kept=kept))

    assert finding.severity == "warning"


def test_allocations_of_the_toolbars_own_code_are_not_blamed_on_a_statement():
    traced = builders.allocations(
        rows=[],
        own_bytes=5 * MIB,
        peak_bytes=6 * MIB,
        peak_seen_bytes=6 * MIB,
        metered=Metered([builders.function([builders.line(41, 6 * MIB)])]),
    )

    (finding,) = findings(measurements(ALLOCATIONS, allocations=traced, kept=builders.kept(toolbar_panels={})))

    assert finding.severity == "info"


def test_code_that_is_not_the_projects_is_not_blamed():
    function = builders.function([builders.line(41, 50 * MIB)], owner="django")

    assert findings(measurements(LINES, lines=Metered([function]))) == []


def test_with_other_requests_it_is_information_only():
    (finding,) = of_lines(builders.line(41, 111 * MIB), others=Others(2, 1))

    assert finding.severity == "info"
    assert "2 other requests ran at the same time" in finding.detail


def test_the_thresholds_are_settings(settings):
    settings.PERF_PANELS = {"MEMORY_GROWTH_BYTES": 500 * MIB, "MEMORY_GROWTH_SHARE": 2.0}

    assert of_lines(builders.line(41, 111 * MIB)) == []


# What a line allocated


def of_rows(*rows, **changed):
    traced = builders.allocations(rows=list(rows), metered=Metered(), **changed)
    return findings(measurements(ALLOCATIONS, allocations=traced))


def test_a_line_that_allocates_much():
    (finding,) = of_rows(Allocated(REPORTS, 43, "project", 60 * MIB, 40_000, peak_bytes=62 * MIB))

    assert finding.origin == Origin(REPORTS, 43, "")
    assert finding.evidence["taken_bytes"] == 62 * MIB
    assert finding.evidence["blocks"] == 40_000


def test_a_statement_speaks_for_the_lines_in_it():
    found = findings(measurements(ALLOCATIONS))

    assert [(finding.origin.line, finding.origin.function) for finding in found] == [(41, "slow_sales")]


def test_what_django_allocates_is_not_the_projects_without_callers():
    assert of_rows(Allocated(QUERY, 122, "django", 70 * MIB, 1)) == []


def test_with_callers_it_is_the_line_that_called_django():
    trace = [(QUERY, 122), (QUERY, 300), ("/srv/shop/views.py", 7)]

    (finding,) = of_rows(Allocated(QUERY, 122, "django", 70 * MIB, 1, trace=trace))

    assert (finding.origin.file, finding.origin.line) == ("/srv/shop/views.py", 7)


# Model instances


def of_models(*models):
    return findings(measurements(OBJECTS, objects=Objects(models=list(models))))


def model(label, count, line=51, **place):
    return ModelInstances(label, count, 0, 0, 500, [Loaded(Origin(REPORTS, line, "slow_sales"), count, **place)])


def test_a_thousand_instances_of_a_model():
    (finding,) = of_models(model("shop.OrderLine", 1_000))

    assert finding.rule == "many-instances"
    assert finding.severity == "warning"
    assert finding.title == "1,000 instances of shop.OrderLine in memory at once"
    assert finding.origin == Origin(REPORTS, 51, "slow_sales")
    assert finding.code == ".iterator(chunk_size=2_000)"
    assert ".values_list()" in finding.advice


def test_fewer_are_not_many():
    assert of_models(model("shop.OrderLine", 999)) == []


def test_what_a_loop_loads_in_small_parts_is_not_there_at_once():
    assert of_models(model("shop.OrderLine", 1_500, at_once=50)) == []


def test_of_a_loop_the_largest_part_is_what_is_there_at_once():
    (finding,) = of_models(model("shop.OrderLine", 9_000, at_once=1_200))

    assert finding.title == "1,200 instances of shop.OrderLine in memory at once"
    assert finding.severity == "warning"


def test_what_an_iterator_makes_is_never_there_at_once():
    assert of_models(model("shop.OrderLine", 50_000, how="iterator")) == []


def test_models_of_one_queryset_are_one_finding():
    (finding,) = of_models(model("shop.OrderLine", 40_000), model("shop.Variant", 1_200, how="prefetch"))

    assert "and 1,200 of another model that came with them" in finding.title
    assert "1,200 shop.Variant" in finding.detail
    assert finding.severity == "critical"


def test_models_of_two_querysets_are_two_findings():
    assert len(of_models(model("shop.OrderLine", 2_000), model("shop.Order", 1_000, line=90))) == 2


def test_a_page_that_somebody_chose_is_information():
    (finding,) = of_models(model("shop.OrderLine", 2_000, limited=True))

    assert finding.severity == "info"
    assert finding.code is None


def test_a_page_whose_rows_bring_many_more_is_a_problem():
    related = [model(f"shop.Model{place}", 2_000, how="related", limited=True) for place in range(8)]

    (finding,) = of_models(model("shop.OrderLine", 2_000, limited=True), *related)

    assert finding.severity == "warning"
    assert finding.title.startswith("2,000 instances of shop.OrderLine")
    assert "prefetch_related makes each shop.Model0 once" in finding.advice


def test_instances_without_a_place_are_counted_by_model():
    unknown = ModelInstances("shop.Order", 1_500, 0, 0, 500, [Loaded(None, 1_500)])

    (finding,) = of_models(unknown)

    assert finding.origin is None


# Memory that stays


@pytest.fixture
def three_requests(settings):
    settings.PERF_PANELS = {"MEMORY_LEAK_REQUESTS": 3}


def of_leaks(*leaks):
    return findings(measurements(LINES, lines=Metered(), leaks=list(leaks)))


def test_memory_that_stays_three_times_is_a_leak():
    (finding,) = of_leaks(Leak("line", 3, MIB, 1_000, origin=Origin(REPORTS, 9, "keep")))

    assert (finding.rule, finding.severity) == ("leak", "critical")
    assert finding.title == "1.0 MiB allocated here stays after every request"
    assert finding.evidence["growth_bytes_per_request"] == MIB


@pytest.mark.parametrize(("requests", "size"), [(2, MIB), (3, 60 * KIB)])
@pytest.mark.usefixtures("three_requests")
def test_twice_or_very_little_is_none(requests, size):
    assert of_leaks(Leak("line", requests, size)) == []


def test_that_the_process_grows_is_said_only_where_nothing_better_is_known():
    process, line = Leak("process", 3, 2 * MIB), Leak("line", 3, MIB)

    assert [finding.title for finding in of_leaks(process)] == ["The process keeps 2.0 MiB of every request"]
    assert [finding.title for finding in of_leaks(process, line)] == [
        "1.0 MiB allocated here stays after every request"
    ]


def test_the_worst_comes_first():
    found = of_lines(builders.line(41, 10 * MIB), leaks=[Leak("line", 3, 2 * MIB)])

    assert rules(found) == ["leak", "memory-growth"]


def test_a_few_instances_of_a_class_with_every_request_are_a_leak_however_small():
    (finding,) = of_leaks(Leak("type", 3, 2 * KIB, 20, "shop.cache.Entry"))

    assert finding.title == "20 more objects of shop.cache.Entry after every request, 2.0 KiB"


def test_a_queryset_is_seen_where_it_runs_and_changed_where_it_is_built():
    template = Origin("/srv/shop/lines.html", 7, "", "shop/lines.html", 7)
    loaded = Loaded(Origin(REPORTS, 51, "view"), 2_000, evaluated=template)

    (finding,) = of_models(ModelInstances("shop.OrderLine", 2_000, 0, 0, 500, [loaded]))

    assert finding.origin == template
    assert finding.fix_at == Origin(REPORTS, 51, "view")


def test_the_documentation_lists_every_rule():
    root = Path(__file__).resolve().parents[2]
    documented = re.findall(r"^\| `([a-z-]+)` \| (?:a|each)", (root / "docs/memory.md").read_text(), re.MULTILINE)
    sources = [path.read_text() for path in sorted((root / "src/perf_panels/memory/rules").glob("*.py"))]

    assert sorted(documented) == sorted(re.findall(r'rule="([a-z-]+)"', "".join(sources)))


def test_what_is_prefetched_belongs_to_the_queryset_that_runs_at_the_same_place():
    template = Origin("/srv/shop/lines.html", 7, "", "shop/lines.html", 7)
    main = Loaded(Origin(REPORTS, 51, "view"), 2_000, limited=True, evaluated=template)
    prefetched = Loaded(template, 1_500, "prefetch", evaluated=template)

    (finding,) = of_models(
        ModelInstances("shop.OrderLine", 2_000, 0, 0, 500, [main]),
        ModelInstances("shop.Variant", 1_500, 0, 0, 500, [prefetched]),
    )

    assert finding.severity == "info"
    assert finding.fix_at.line == 51
