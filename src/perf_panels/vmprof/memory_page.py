"""
The memory curve as SVG and its steps in words, from what is stored.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels import numbers
from perf_panels.vmprof.wording import name_of, place_of

Stats = dict[str, Any]

WIDTH = 1000
HEIGHT = 160


def memory_context(stats: Stats) -> dict[str, Any] | None:
    """
    Return the curve, its axis and its steps; None where memory was not sampled.
    """
    memory = stats.get("memory")
    if not memory:
        return None
    points = memory["points"]
    start, end = points[0][0], points[-1][0]
    low, high = min(point[1] for point in points), max(point[1] for point in points)

    def x(at_ms: float) -> float:
        return float(at_ms - start) / ((end - start) or 1) * WIDTH

    def y(size: float) -> float:
        return HEIGHT - 8 - float(size - low) / ((high - low) or 1) * (HEIGHT - 16)

    line = " ".join(f"{x(at_ms):.1f},{y(size):.1f}" for at_ms, size in points)
    return {
        "line": line,
        "area": f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}",
        "box": f"0 0 {WIDTH} {HEIGHT}",
        "low": numbers.size(low),
        "high": numbers.size(high),
        "start": numbers.ms(start),
        "end": numbers.ms(end),
        "growth": _signed(memory["last_bytes"] - memory["first_bytes"]),
        "peak": _signed(memory["peak_bytes"] - memory["first_bytes"]),
        "steps": [
            {
                "x": f"{x(step['at_ms']):.1f}",
                "number": str(number),
                "at": numbers.ms(step["at_ms"]),
                "size": _signed(step["bytes"]),
                "frames": [
                    {"name": name_of(frame), "place": place_of(frame)}
                    for frame in (stats["frames"][place] for place in step["frames"])
                ],
            }
            for number, step in enumerate(memory["steps"], start=1)
        ],
    }


def _signed(size: float) -> str:
    if not size:
        return _("no change")
    sign = "+" if size > 0 else "\N{MINUS SIGN}"
    return f"{sign}{numbers.size(abs(size))}"
