"""
Beside the previous run: lines are matched by what they say, and noise is no change.
"""

from __future__ import annotations

import pytest

from perf_panels.lines.comparison import change, same_function, times_before
from tests.lines.builders import SOURCE, function, line, stats, timings, write

MINUS = "\N{MINUS SIGN}"


def stored(path, *lines, **given):
    return stats(timings(function(path, *lines, **given)))["functions"][0]


@pytest.mark.parametrize(
    ("now", "before", "text", "tone"),
    [
        (10.0, None, "new", "perf-is-quiet"),
        (10.0, 10.4, "=", "perf-is-quiet"),
        (100.0, 109.0, "=", "perf-is-quiet"),
        (312.0, 20.0, "▲ +292 ms", "perf-new"),
        (20.0, 312.0, f"▼ {MINUS}292 ms", "perf-gone"),
        (0.7, 0.0, "▲ +700.0 µs", "perf-new"),
    ],
)
def test_a_change_is_more_than_noise(now, before, text, tone):
    assert change(now, before) == (text, tone)


def test_lines_that_moved_are_compared_with_themselves(tmp_path):
    before = stored(write(tmp_path, name="old.py"), line(3, 5.0), line(5, 60.0))
    moved = write(tmp_path, "import x\n\n" + SOURCE.replace("products = [", "wanted = 1\n        products = ["))
    now = stored(moved, line(7, 4.0), line(9, 7.0), first_line=5, last_line=13)

    times = times_before(now, before)

    assert (times[7], times[9]) == (5.0, 60.0)
    assert 6 not in times


def test_a_line_that_was_there_and_did_not_run_took_nothing(tmp_path):
    path = write(tmp_path)

    assert times_before(stored(path, line(5, 7.0)), stored(path, line(3, 1.0)))[5] == 0.0


def test_the_same_function_in_the_same_phase_is_compared(tmp_path):
    path = write(tmp_path)
    previous = stats(timings(function(path, line(3)), function(path, line(3), phase="render")))

    assert same_function(stored(path, line(3), phase="render"), previous)["phase"] == "render"
    assert same_function(stored(path, line(3), name="other"), previous) is None
    assert same_function(stored(path, line(3)), None) is None


def test_without_a_kept_source_nothing_is_compared(tmp_path):
    path = write(tmp_path)
    before = stored(path, line(3)) | {"source": None}

    assert times_before(stored(path, line(3)), before) == {}
