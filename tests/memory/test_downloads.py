"""
What is taken away: as memory_profiler prints it, as tracemalloc loads it, as a spreadsheet opens it.
"""

from __future__ import annotations

import csv
import io
import tracemalloc
from types import SimpleNamespace

import pytest

from perf_panels.memory.downloads import profile_text, rebuilt, table_csv
from perf_panels.memory.measurements import ALLOCATIONS, LINES, OBJECTS
from perf_panels.memory.report import report
from perf_panels.memory.results import Allocated, TypeGrowth
from tests.memory import builders
from tests.memory.builders import MIB, REPORTS, measurements


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "views.py"
    file.write_text("def view():\n    data = [0] * 10_000_000\n    del data\n    return 1\n")
    return str(file)


def test_the_text_is_what_memory_profiler_prints(source):
    memory_profiler = pytest.importorskip("memory_profiler")

    theirs = {source: [(1, (40.0, 40.0, 1)), (2, (76.3, 116.3, 1)), (3, (-76.3, 40.0, 1)), (4, None)]}
    printed = io.StringIO()
    memory_profiler.show_results(SimpleNamespace(code_map=theirs), printed)
    lines = [
        builders.line(2, round(76.3 * MIB), peak_bytes=round(116.3 * MIB)),
        builders.line(3, round(-76.3 * MIB), peak_bytes=40 * MIB),
    ]
    function = builders.function(lines, file=source, first_line=1, last_line=4)
    stats = report(measurements(LINES, lines=builders.metered(functions=[function])))

    assert profile_text(stats) == printed.getvalue()


def loaded(stats, tmp_path):
    path = tmp_path / "snapshot"
    rebuilt(stats).dump(str(path))
    return tracemalloc.Snapshot.load(str(path))


def test_the_snapshot_has_the_bytes_and_blocks_of_each_line(tmp_path):
    stats = report(measurements(ALLOCATIONS))

    statistics = loaded(stats, tmp_path).statistics("lineno")

    assert [(each.traceback[0].lineno, each.size, each.count) for each in statistics] == [
        (43, 60 * MIB, 40_000),
        (54, 4_096, 20),
    ]


def test_the_snapshot_has_the_callers_in_tracemallocs_order(tmp_path):
    row = Allocated(REPORTS, 43, "project", 1_000, 3, trace=[(REPORTS, 43), (REPORTS, 99)])
    stats = report(measurements(ALLOCATIONS, allocations=builders.allocations(rows=[row], frames=10)))

    (statistic,) = loaded(stats, tmp_path).statistics("traceback")

    assert [frame.lineno for frame in statistic.traceback] == [99, 43]
    assert statistic.size == 1_000


def rows(stats):
    return list(csv.DictReader(io.StringIO(table_csv(stats))))


def test_the_csv_of_lines_has_a_row_for_each_statement():
    found = rows(report(measurements(LINES)))

    assert [row["line"] for row in found] == ["41", "52", "53"]
    assert found[0]["spike_bytes"] == str(181 * MIB)


def test_the_csv_of_allocations_has_a_row_for_each_line():
    found = rows(report(measurements(ALLOCATIONS)))

    assert {row["owner"] for row in found} == {"project", "django"}
    assert max(int(row["net_bytes"]) for row in found) == 60 * MIB


def test_the_csv_of_objects_has_models_and_types():
    found = rows(report(measurements(OBJECTS)))

    assert [(row["kind"], row["name"]) for row in found] == [
        ("model", "shop.OrderLine"),
        ("type", "dict"),
        ("type", "shop.models.OrderLine"),
    ]


def test_no_text_is_a_formula():
    types = [TypeGrowth("=cmd()", 0, 1, 0, 1)]
    stats = report(measurements(OBJECTS, objects=builders.objects(models=[], types=types)))

    assert rows(stats)[0]["name"] == "'=cmd()"
