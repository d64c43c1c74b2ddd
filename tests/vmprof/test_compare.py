"""
What changed since the profile before.
"""

from __future__ import annotations

from perf_panels.vmprof import compare
from perf_panels.vmprof.report import report
from perf_panels.vmprof.samples import Builder, Frame, Samples
from tests.vmprof.profiles import profile

HOME = Frame("/srv/shop/views.py", 9, "home")


def test_a_node_is_compared_with_the_one_on_the_same_way():
    before = report(profile({"home > draw": 40, "home > list_products > draw": 10}))
    now = report(profile({"home > draw": 5, "home > list_products > draw": 30, "home > fresh": 5}))

    change = {
        "/".join(_way(now, place)): pair
        for place, pair in enumerate(compare.both(now, before))
        if now["nodes"][place][1] >= 0
    }

    assert change == {
        "home": (50, 40),
        "home/draw": (40, 5),
        "home/list_products": (10, 30),
        "home/list_products/draw": (10, 30),
        "home/fresh": (0, 5),
    }


def test_what_nothing_tells_apart_is_compared_as_one():
    samples, first, second = Builder(), *(Frame("/srv/shop/views.py", line, "home.<lambda>") for line in (11, 14))
    for frame, count in ((first, 300), (second, 100)):
        samples.add([HOME, frame], 1.0 * count, samples=count)
    now = report(Samples("vmprof", "cpu", "cpu", 1.0, samples.frames, samples.stacks))

    both = compare.both(now, now)

    assert [row[2] for row in now["nodes"]] == [400, 400, 400, 300, 100]
    assert both == [(400, 400)] * 5
    assert compare.changes(now, now) == []


def _way(stats, place):
    parent, frame, *_ = stats["nodes"][place]
    return [*(_way(stats, parent) if parent >= 0 else []), *([stats["frames"][frame]["name"]] if frame >= 0 else [])]


def test_only_what_the_samples_can_tell_is_a_change():
    before = report(profile({"home > draw": 100, "home > slow": 200, "home": 20}))
    now = report(profile({"home > draw": 108, "home": 22}))

    assert [(each["name"], each["before_ms"], each["ms"]) for each in compare.changes(now, before)] == [
        ("slow", 200, 0.0)
    ]


def test_profiles_of_different_clocks_are_not_compared():
    cpu, wall = report(profile({"home": 5})), report(profile({"home": 5}, clock="wall", mode="wall"))

    assert not compare.comparable(wall, cpu)
    assert not compare.comparable(cpu, None)
    assert not compare.comparable(cpu, report(profile({})))
    assert compare.comparable(cpu, cpu)
