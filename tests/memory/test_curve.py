from __future__ import annotations

from perf_panels.findings import Origin
from perf_panels.memory.curve import MOST_POINTS, MOST_STEPS, drawn, steps, thinned
from perf_panels.memory.measurements import RENDER, VIEW, Point
from perf_panels.memory.report import report
from tests.memory.builders import KIB, MIB, REPORTS, measurements, process


def place(line, function="slow_sales"):
    return Origin(REPORTS, line, function)


def test_a_step_goes_from_before_the_function_ran_to_its_highest_reading():
    points = [
        Point(0, 40 * MIB, VIEW),
        Point(5, 60 * MIB, VIEW, place(41)),
        Point(10, 90 * MIB, VIEW, place(42)),
        Point(15, 70 * MIB, VIEW, place(41)),
        Point(20, 71 * MIB, RENDER),
    ]

    assert [
        (step["at_ms"], step["growth_bytes"], (step["origin"] or {}).get("line")) for step in steps(points, KIB)
    ] == [
        (10, 50 * MIB, 42),
        (20, 1 * MIB, None),
    ]


def test_the_largest_steps_are_kept_in_their_order():
    points = [Point(0, 0, VIEW)]
    for at in range(1, 20):
        points.append(Point(at, points[-1].rss_bytes + at * MIB, VIEW, place(at, f"f{at}")))

    found = steps(points, KIB)

    assert [step["at_ms"] for step in found] == list(range(20 - MOST_STEPS, 20))


def test_noise_is_no_step():
    assert steps([Point(0, 0, VIEW), Point(1, 4 * KIB, VIEW)], 64 * KIB) == []
    assert steps([], KIB) == []


def test_of_very_many_readings_the_extremes_stay():
    points = [Point(at, 50 * MIB, VIEW) for at in range(5_000)]
    points[1_234].rss_bytes, points[3_456].rss_bytes = 90 * MIB, 10 * MIB

    kept = thinned(points)

    assert len(kept) <= MOST_POINTS + 2
    assert [1_234, 90 * MIB] in kept
    assert [3_456, 10 * MIB] in kept
    assert (kept[0][0], kept[-1][0]) == (0, 4_999)


def test_what_is_drawn_lies_in_the_drawing():
    picture = drawn(report(measurements()))

    for pair in picture["line"].split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= 1_000
        assert 0 <= y <= 230
    levels = [float(level["y"]) for level in picture["levels"]]
    assert levels == sorted(levels, reverse=True)
    assert min(levels) <= float(picture["peak"]["y"])


def test_a_flat_process_is_drawn_too():
    flat = [Point(0.0, 40 * MIB, VIEW), Point(0.0, 40 * MIB, VIEW)]

    picture = drawn(report(measurements(curve=flat, phases=[], process=process(rss_peak_bytes=None))))

    assert picture["steps"] == []
    assert picture["peak"] is None
