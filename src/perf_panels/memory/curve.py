"""
The memory of the process over the request: which steps were the largest, and the drawing of it as SVG.

``thinned`` and ``steps`` are called by the report, ``drawn`` when the page is made.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels import numbers
from perf_panels.memory.sampling import extremes
from perf_panels.memory.wording import change, memory, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf_panels.findings import Origin
    from perf_panels.memory.measurements import Point

Stats = dict[str, Any]

MOST_POINTS = 400
MOST_STEPS = 6

MIB = 1024**2
WIDTH, HEIGHT = 1000, 230
LEFT, RIGHT, TOP, BOTTOM = 78, 14, 26, 34
_PAUSE_HEIGHT = 7
_LONG_PAUSE_MS = 10


# For the store


def thinned(points: Sequence[Point]) -> list[list[float]]:
    """
    Return [milliseconds, bytes] of the points; of very many the highest and the lowest of each stretch.
    """
    while len(points) > MOST_POINTS:
        points = [points[place] for place in extremes([point.rss_bytes for point in points])]
    return [[round(point.at_ms, 2), point.rss_bytes] for point in points]


def steps(points: Sequence[Point], noise_bytes: int) -> list[Stats]:
    """
    Return the largest rises, each of them while one function of the project ran, in the order in which they happened.
    """
    found = []
    before = points[0] if points else None
    for (_function, phase), run in groupby(points, key=lambda point: (_function_of(point.place), point.phase)):
        readings = list(run)
        assert before is not None
        highest = max(readings, key=lambda point: point.rss_bytes)
        growth = highest.rss_bytes - before.rss_bytes
        if growth > noise_bytes:
            place = _steepest(before, readings)
            found.append(
                {
                    "at_ms": highest.at_ms,
                    "rss_bytes": highest.rss_bytes,
                    "growth_bytes": growth,
                    "phase": phase,
                    "origin": asdict(place) if place else None,
                }
            )
        before = readings[-1]
    largest = sorted(_joined(found), key=lambda step: -step["growth_bytes"])[:MOST_STEPS]
    return sorted(largest, key=lambda step: step["at_ms"])


def _joined(found: list[Stats]) -> list[Stats]:
    """
    Return the steps with neighbours of one function as one: what ran between them added nothing.
    """
    joined: list[Stats] = []
    for step in found:
        last = joined[-1] if joined else None
        if last is None or (_at(last), last["phase"]) != (_at(step), step["phase"]):
            joined.append(step)
            continue
        origin = max(last, step, key=lambda each: each["growth_bytes"])["origin"]
        joined[-1] = step | {"growth_bytes": last["growth_bytes"] + step["growth_bytes"], "origin": origin}
    return joined


def _at(step: Stats) -> tuple[str, str, str | None] | None:
    origin = step["origin"]
    return (origin["file"], origin["function"], origin["template"]) if origin else None


def _function_of(place: Origin | None) -> tuple[str, str, str | None] | None:
    return (place.file, place.function, place.template) if place else None


def _steepest(before: Point, readings: Sequence[Point]) -> Origin | None:
    """
    Return the line that ran when memory rose most; a loop is seen at each of its lines.
    """
    rises = zip([before, *readings], readings, strict=False)
    return max(rises, key=lambda pair: pair[1].rss_bytes - pair[0].rss_bytes)[1].place


# For the page


def drawn(stats: Stats) -> Stats | None:
    """
    Return what the template draws, all coordinates as text; None where there are less than two readings.
    """
    points: list[list[float]] = stats["curve"]
    if len(points) < 2:
        return None
    scale = _Scale(stats)
    line = " ".join(f"{scale.x(at)},{scale.y(rss)}" for at, rss in points)
    floor = f"{HEIGHT - BOTTOM}"
    return {
        "view_box": f"0 0 {WIDTH} {HEIGHT}",
        "line": line,
        "area": f"{scale.x(points[0][0])},{floor} {line} {scale.x(points[-1][0])},{floor}",
        "levels": [
            {"y": scale.y(level), "text_y": f"{float(scale.y(level)) + 4:.1f}", "text": scale.text(level)}
            for level in scale.levels
        ],
        "times": scale.times(),
        "phases": [_phase(phase, scale) for phase in stats["phases"]],
        "pauses": [_pause(mark, scale) for mark in stats["collections"]["marks"]],
        "steps": [_step(number, step, scale) for number, step in enumerate(stats["steps"], 1)],
        "peak": _peak(stats["process"], scale),
        "left": f"{LEFT}",
        "label_x": f"{LEFT - 8}",
        "right": f"{WIDTH - RIGHT}",
        "peak_x": f"{LEFT + 6}",
        "top": f"{TOP}",
        "floor": floor,
        "plot_height": f"{HEIGHT - BOTTOM - TOP}",
        "time_y": f"{HEIGHT - 6}",
        "pause_y": f"{HEIGHT - BOTTOM + 3}",
        "pause_height": f"{_PAUSE_HEIGHT}",
        "description": _description(stats["process"]),
    }


class _Scale:
    """
    From milliseconds and bytes to the drawing.
    """

    def __init__(self, stats: Stats) -> None:
        points = stats["curve"]
        ends = [phase["end_ms"] for phase in stats["phases"]]
        self.start = min(0.0, points[0][0])
        self.end = max([points[-1][0], self.start + 1e-6, *ends])
        readings = [rss for _at, rss in points]
        low, high = min(readings), max([*readings, stats["process"]["rss_peak_bytes"] or 0])
        self.levels = _levels(low, high)
        self.low, self.high = self.levels[0], self.levels[-1]

    def x(self, at_ms: float) -> str:
        share = (min(max(at_ms, self.start), self.end) - self.start) / (self.end - self.start)
        return f"{LEFT + share * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, rss_bytes: float) -> str:
        share = (rss_bytes - self.low) / (self.high - self.low or 1)
        return f"{HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP):.1f}"

    def text(self, level: float) -> str:
        """
        Return a level with as many digits as tell it from its neighbours.
        """
        return f"{level / MIB:,.{0 if self.levels[1] - self.levels[0] >= MIB else 2}f} MiB"

    def times(self) -> list[Stats]:
        span = self.end - self.start
        anchors = ("start", "middle", "middle", "middle", "end")
        marks = [self.start + span * part / 4 for part in range(5)]
        return [
            {"x": self.x(at), "text": numbers.ms(at) if at else "0", "anchor": anchor}
            for at, anchor in zip(marks, anchors, strict=True)
        ]


def _levels(low: float, high: float) -> list[float]:
    """
    Return a few round numbers of bytes, from below ``low`` to above ``high``.
    """
    # From 1 MiB on: a larger scale would make a mountain of a few pages.
    step = MIB / 4
    while (high - low) / step > 4:
        step *= 2
    first, last = low // step, -(-high // step)
    return [(first + place) * step for place in range(int(max(last - first, 4 if step < MIB else 1)) + 1)]


def _phase(phase: Stats, scale: _Scale) -> Stats:
    begin, end = float(scale.x(phase["begin_ms"])), float(scale.x(phase["end_ms"]))
    name = _("render") if phase["name"] == "render" else _("view")
    said = f"{name} {numbers.ms(phase['end_ms'] - phase['begin_ms'])}"
    room = (end - begin) / 7
    return {
        "name": phase["name"],
        "x": f"{begin:.1f}",
        "width": f"{max(1.0, end - begin):.1f}",
        "text_x": f"{(begin + end) / 2:.1f}",
        "text": said if room > len(said) else name if room > len(name) else "",
        # What does not fit is said below the drawing all the same.
        "said": f"{said}, {change(phase['rss_end_bytes'] - phase['rss_begin_bytes'])}",
    }


def _pause(mark: list[float], scale: _Scale) -> Stats:
    at, pause, generation = mark
    begin, end = float(scale.x(at)), float(scale.x(at + pause))
    words = {"pause": numbers.duration(pause), "generation": int(generation), "at": numbers.ms(at)}
    return {
        "x": f"{begin:.1f}",
        "width": f"{max(1.5, end - begin):.1f}",
        "text": _("garbage collection of generation %(generation)s at %(at)s: %(pause)s") % words,
        "long": pause >= _LONG_PAUSE_MS,
    }


def _step(number: int, step: Stats, scale: _Scale) -> Stats:
    x, y = float(scale.x(step["at_ms"])), max(float(scale.y(step["rss_bytes"])), TOP + 2.0)
    return {
        "number": str(number),
        "x": f"{min(max(x, LEFT + 9), WIDTH - RIGHT - 9):.1f}",
        "y": f"{y:.1f}",
        "text_y": f"{y + 4:.1f}",
        "growth": change(step["growth_bytes"]),
        "at": numbers.ms(step["at_ms"]),
        "place": place_of(step["origin"]) or _nowhere(step["phase"]),
        "title": f"{step['origin']['file']}:{step['origin']['line']}" if step["origin"] else "",
        "function": (step["origin"] or {}).get("function") or "",
    }


def _nowhere(phase: str) -> str:
    if phase == "render":
        return _("while rendering, with no line of the project running")
    return _("with no line of the project running")


def _peak(process: Stats, scale: _Scale) -> Stats | None:
    peak = process["rss_peak_bytes"]
    if peak is None:
        return None
    y = float(scale.y(peak))
    return {"y": f"{y:.1f}", "text_y": f"{y - 5:.1f}", "text": _("peak %(memory)s") % {"memory": memory(peak)}}


def _description(process: Stats) -> str:
    text = _("Resident memory of the process: %(before)s before the view, %(peak)s at its height, %(end)s at the end.")
    return text % {
        "before": memory(process["rss_before_bytes"]),
        "peak": memory(process["rss_peak_bytes"]),
        "end": memory(process["rss_end_bytes"]),
    }
