"""
What is stored of a request: plain, complete in its sums, and cut to the cap.
"""

from __future__ import annotations

import json

import pytest

from perf_panels.memory.measurements import ALLOCATIONS, ENGINES, OBJECTS
from perf_panels.memory.report import MAX_ROWS, MAX_TYPES, report
from perf_panels.memory.results import Allocated, TypeGrowth
from perf_panels.memory.trimming import shorten
from tests.memory import builders
from tests.memory.builders import KIB, MIB, QUERY, REPORTS, measurements


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_stored_is_plain_json(engine):
    stats = report(measurements(engine))

    assert json.loads(json.dumps(stats))["engine"] == engine


def test_an_engine_that_did_not_run_leaves_its_part_out():
    stats = report(measurements(lines=None, problem="taken"))

    assert "functions" not in stats
    assert stats["problem"] == "taken"
    assert stats["findings"] == []


def test_the_collections_are_added_up():
    stored = report(measurements())["collections"]

    assert stored["count"] == 2
    assert stored["pause_ms"] == pytest.approx(14.6)
    assert stored["by_generation"] == [1, 0, 1]


def test_functions_come_by_what_they_took_themselves():
    small = builders.function([builders.line(5, MIB)], function="small", first_line=4)
    large = builders.function([builders.line(41, 50 * MIB)], function="large")

    stats = report(measurements(lines=builders.metered(functions=[small, large])))

    assert [function["function"] for function in stats["functions"]] == ["large", "small"]
    assert "code" not in stats["functions"][0]


def test_the_source_of_a_function_is_kept(tmp_path):
    file = tmp_path / "views.py"
    file.write_text("def view():\n    data = [0] * 10\n    return data\n")
    function = builders.function([builders.line(2, MIB)], file=str(file), first_line=1, last_line=3)

    stats = report(measurements(lines=builders.metered(functions=[function])))

    assert stats["functions"][0]["source"]["pieces"] == [[1, file.read_text().splitlines()]]


def test_the_sums_have_also_the_rows_that_are_left_out():
    rows = [Allocated(REPORTS, place, "project", KIB, 2) for place in range(MAX_ROWS + 50)]

    stats = report(measurements(ALLOCATIONS, allocations=builders.allocations(rows=rows)))

    assert len(stats["rows"]) == MAX_ROWS
    assert stats["truncated"] == {"lines that allocated": 50}
    (owner,) = stats["allocations"]["by_owner"]
    assert owner["net_bytes"] == (MAX_ROWS + 50) * KIB
    assert owner["net_blocks"] == 2 * (MAX_ROWS + 50)


def test_files_are_stored_once():
    rows = [Allocated(QUERY, 1, "django", KIB, 1, trace=[(QUERY, 1), (REPORTS, 7)])] * 2

    stats = report(measurements(ALLOCATIONS, allocations=builders.allocations(rows=rows)))

    assert stats["files"] == [QUERY, REPORTS]
    assert stats["rows"][0]["trace"] == [[0, 1], [1, 7]]


def test_types_come_by_their_growth_and_are_cut():
    types = [TypeGrowth(f"t{place}", 0, place, 0, place * KIB) for place in range(MAX_TYPES + 9)]

    stats = report(measurements(OBJECTS, objects=builders.objects(types=types)))

    assert stats["types"][0]["name"] == f"t{MAX_TYPES + 8}"
    assert stats["truncated"] == {"types": 9}


def test_what_is_too_large_loses_callers_and_cold_sources_before_rows():
    trace = [(REPORTS, line) for line in range(25)]
    rows = [Allocated(REPORTS, place, "project", KIB, 1, trace=trace) for place in range(500)]
    stats = report(measurements(ALLOCATIONS, allocations=builders.allocations(rows=rows)))

    shorten(stats, 100_000)

    assert len(stats["rows"]) == 500
    assert len(stats["rows"][-1]["trace"]) == 5
    assert stats["truncated"]["lists of callers"]


def test_what_fits_is_left_alone():
    stats = report(measurements(ALLOCATIONS))
    before = json.dumps(stats)

    shorten(stats, len(before))

    assert json.dumps(stats) == before
