"""
The memory of the process along the samples.
"""

from __future__ import annotations

from perf_panels.vmprof.memory_page import memory_context
from perf_panels.vmprof.report import report
from perf_panels.vmprof.samples import Builder, Samples
from tests.vmprof.profiles import frame, profile

MB = 1024 * 1024


def grown(*steps):
    """
    Return samples one millisecond apart, each given as (stack, MB).
    """
    builder = Builder()
    for at, (stack, size) in enumerate(steps):
        names = [frame(word.strip()) for word in stack.split(">")]
        builder.add(names, 1.0, "view", at_ms=float(at), rss_bytes=int(size * MB))
    return Samples("vmprof", "memory", "wall", 1.0, builder.frames, builder.stacks)


def test_a_step_names_who_ran():
    stats = report(grown(("home", 100), ("home > load > queryset", 108), ("home > draw", 108.1), ("home", 104)))

    memory = stats["memory"]
    assert (memory["first_bytes"], memory["last_bytes"], memory["peak_bytes"]) == (100 * MB, 104 * MB, int(108.1 * MB))
    (step,) = memory["steps"]
    assert (step["at_ms"], step["bytes"]) == (1.0, 8 * MB)
    assert [stats["frames"][index]["name"] for index in step["frames"]] == ["home", "load", "QuerySet._fetch_all"]


def test_without_memory_there_is_no_curve():
    assert report(profile({"home": 5}))["memory"] is None


def test_a_long_curve_keeps_its_peak_and_its_ends():
    stats = report(grown(*(("home", 100 + (900 if at == 4_321 else at % 7)) for at in range(10_000))))

    points = stats["memory"]["points"]
    assert len(points) <= 240
    assert points[0][0] == 0
    assert points[-1][0] == 9_999
    assert max(size for _, size in points) == 1_000 * MB


def test_the_curve_is_drawn_in_its_box():
    context = memory_context(report(grown(("home", 100), ("home > load", 108), ("home", 104))))

    xs, ys = zip(*(map(float, point.split(",")) for point in context["line"].split()), strict=True)
    assert xs == (0, 500, 1000)
    assert ys == (152, 8, 80)
    assert context["growth"] == "+4.0 MB"
    assert context["steps"][0]["size"] == "+8.0 MB"
