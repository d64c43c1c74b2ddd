"""
Measurements of a request that never was: a sales report, 40 MiB before, 221 MiB at its peak.
"""

from __future__ import annotations

from dataclasses import replace

from perf_panels.findings import Origin
from perf_panels.memory.measurements import (
    ALLOCATIONS,
    LINES,
    OBJECTS,
    RENDER,
    VIEW,
    GarbageCollection,
    Kept,
    Measurements,
    Others,
    Phase,
    Point,
    Process,
)
from perf_panels.memory.results import (
    Allocated,
    Allocations,
    FunctionMemory,
    LineMemory,
    Loaded,
    Metered,
    ModelInstances,
    Objects,
    TypeGrowth,
)

KIB, MIB = 1024, 1024**2
REPORTS = "/srv/shop/reports.py"
QUERY = "/env/lib/python3.13/site-packages/django/db/models/query.py"


def measurements(engine=LINES, **changed):
    """
    Return what was measured with ``engine``; ``changed`` replaces fields.
    """
    parts = {LINES: {"lines": metered()}, ALLOCATIONS: {"allocations": allocations()}, OBJECTS: {"objects": objects()}}
    return replace(Measurements(engine, process(), phases(), curve(), kept(), Others(), **parts[engine]), **changed)


def process(**changed):
    collections = [GarbageCollection(0, 31.5, 0.4, 12), GarbageCollection(2, 80.0, 14.2, 2_040)]
    measured = Process(40 * MIB, 152 * MIB, 221 * MIB, "VmHWM", None, "/proc/self/statm", 64 * KIB, collections)
    return replace(measured, **changed)


def phases():
    return [Phase(VIEW, 0.0, 120.0, 40 * MIB, 151 * MIB), Phase(RENDER, 121.0, 140.0, 151 * MIB, 152 * MIB)]


def curve():
    place = Origin(REPORTS, 41, "slow_sales")
    return [
        Point(0.0, 40 * MIB, VIEW, Origin(REPORTS, 38, "slow_sales")),
        Point(50.0, 120 * MIB, VIEW, place),
        Point(90.0, 221 * MIB, VIEW, place),
        Point(120.0, 151 * MIB, VIEW, place),
        Point(140.0, 152 * MIB, RENDER, None),
    ]


def kept(**changed):
    panels = {"SQLPanel": 640 * KIB, "TemplatesPanel": 210 * KIB}
    return replace(Kept(1_204, 1_250_000, 48_000, panels), **changed)


def line(number, increment_bytes, *, last_line=None, hits=1, peak_bytes=40 * MIB, spike_bytes=0):
    return LineMemory(number, last_line or number, hits, increment_bytes, peak_bytes, spike_bytes)


def function(lines, **changed):
    made = FunctionMemory(REPORTS, "slow_sales", 38, "project", 1, 40 * MIB, lines, id="shop.reports:slow_sales:38")
    return replace(made, **changed)


def metered(**changed):
    lines = [
        line(41, 111 * MIB, last_line=51, peak_bytes=221 * MIB, spike_bytes=181 * MIB),
        line(52, 0, peak_bytes=151 * MIB),
        line(53, 8 * KIB, hits=40_000, peak_bytes=151 * MIB),
    ]
    return replace(Metered([function(lines)], 40_003, False, 6.5, threads=["MainThread"]), **changed)


def allocations(**changed):
    rows = [
        Allocated(REPORTS, 43, "project", 60 * MIB, 40_000, 60 * MIB, 62 * MIB, 41_000),
        Allocated(REPORTS, 54, "project", 4 * KIB, 20, 4 * KIB, 0, 0),
        Allocated(QUERY, 122, "django", 0, 0, 0, 70 * MIB, 160_000, trace=[(QUERY, 122)]),
    ]
    made = Allocations(
        rows=rows,
        net_bytes=60 * MIB + 4 * KIB,
        peak_bytes=135 * MIB,
        peak_seen_bytes=132 * MIB,
        peak_seen_ms=88.0,
        own_bytes=300 * KIB,
        snapshots=5,
        tracing_bytes=9 * MIB,
        metered=metered(backend="tracemalloc"),
    )
    return replace(made, **changed)


def objects(**changed):
    places = [Loaded(Origin(REPORTS, 51, "slow_sales"), 40_000)]
    made = Objects(
        types=[
            TypeGrowth("dict", 20_000, 100_400, 4 * MIB, 22 * MIB, id="dict"),
            TypeGrowth("shop.models.OrderLine", 0, 40_000, 0, 2 * MIB, id="shop.models.OrderLine"),
        ],
        models=[ModelInstances("shop.OrderLine", 40_000, 40_000, 0, 620, places, id="shop.OrderLine")],
        objects_before=50_000,
        objects_after=170_400,
        bytes_before=9 * MIB,
        bytes_after=29 * MIB,
        elapsed_ms=41.0,
    )
    return replace(made, **changed)
