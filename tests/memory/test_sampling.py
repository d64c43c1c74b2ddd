"""
What is left of the curve of a long request.
"""

from __future__ import annotations

import pytest

from perf_panels.findings import Origin
from perf_panels.memory.curve import steps
from perf_panels.memory.sampling import MAX_POINTS, Sampler, extremes
from tests.memory.builders import KIB, MIB, REPORTS

LONG_MS = 12_000


def sampled(rss_bytes, place=lambda _at_ms: None):
    """
    Return the points of a request of 12 seconds, ``rss_bytes(ms)`` large.
    """
    now = [0.0]
    sampler = Sampler(lambda: rss_bytes(now[0]), lambda: now[0])
    sampler.phase = "view"
    sampler.add()
    while now[0] < LONG_MS:
        now[0] += sampler.interval_s * 1_000
        sampler.add(place(now[0]))
        if len(sampler.points) >= MAX_POINTS:
            sampler.thin_out()
    return sampler.points


def test_a_long_request_keeps_what_it_began_with():
    def line(at_ms):
        return Origin(REPORTS, 7, "build") if at_ms < 40 else Origin(REPORTS, 20, "wait")

    points = sampled(lambda at_ms: 100 * MIB + int(min(at_ms, 30) / 30 * 100 * MIB), line)

    (step,) = steps(points, 64 * KIB)
    assert (step["growth_bytes"], step["origin"]["line"]) == (100 * MIB, 7)
    assert (points[0].at_ms, points[0].rss_bytes, points[-1].at_ms) == (0.0, 100 * MIB, pytest.approx(LONG_MS, rel=0.1))


def test_a_long_curve_keeps_its_lows_and_its_tops():
    points = sampled(lambda at_ms: (150 if int(at_ms / 20) % 2 else 100) * MIB)

    assert len(points) <= MAX_POINTS
    assert [point.at_ms for point in points] == sorted(point.at_ms for point in points)
    lows = sum(point.rss_bytes == 100 * MIB for point in points)
    assert len(points) / 3 < lows < len(points) * 2 / 3


@pytest.mark.parametrize(
    ("heights", "kept"),
    [
        ([], []),
        ([5], [0]),
        ([1, 9, 3, 4, 5], [0, 1, 4]),
        ([5, 1, 9, 3, 2, 2, 2, 2, 4, 8, 1, 6], [0, 1, 2, 4, 9, 10, 11]),
    ],
)
def test_the_ends_and_the_extremes_of_four_are_kept_in_their_order(heights, kept):
    assert extremes(heights) == kept
