"""
The memory curve: a thread that reads the resident memory while a request is watched, and which line runs then.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from perf_panels import origins
from perf_panels.findings import Origin
from perf_panels.memory.measurements import Point
from perf_panels.memory.process import Reading
from perf_panels.stacks import line_at, stack_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERVAL_S = 0.005
MAX_POINTS = 400


class Sampler:
    """
    Samples from ``start()`` to ``stop()``. ``phase`` and ``thread`` say what is going on, and where.

    A long request is read less and less often, so that no curve has more than MAX_POINTS.
    """

    def __init__(self, read: Callable[[], int], clock: Callable[[], float]) -> None:
        self.read = read
        self.clock = clock
        self.points: list[Point] = []
        self.phase = ""
        self.thread: int | None = None
        self.interval_s = INTERVAL_S
        self.also: Callable[[], None] = lambda: None
        """What else is to be looked at with each sample of the view and of the render."""
        self.over = threading.Event()
        self.lock = threading.Lock()

    def start(self) -> None:
        # A daemon that nobody waits for: it ends within one interval of being told.
        threading.Thread(target=self._run, name="perf-panels-memory", daemon=True).start()

    def stop(self) -> None:
        self.over.set()

    def add(self, place: Origin | None = None) -> int:
        """
        Read once, now, and return the bytes.
        """
        return self._add(self.read(), place)

    def _add(self, now: int, place: Origin | None) -> int:
        with self.lock:
            self.points.append(Point(self.clock(), now, self.phase, place))
        return now

    def _run(self) -> None:
        # One of its own: the request's is given back while this thread may still be looking.
        reading = Reading()
        try:
            self._sample(reading.read)
        finally:
            reading.close()

    def _sample(self, read: Callable[[], int]) -> None:
        while not self.over.wait(self.interval_s):
            place = _place(self.thread) if self.thread and self.phase else None
            if self.over.is_set():
                return
            self._add(read(), place)
            if self.phase:
                self.also()
            if len(self.points) >= MAX_POINTS:
                self.thin_out()

    def thin_out(self) -> None:
        """
        Keep half of the points, and read half as often from now on.
        """
        with self.lock:
            self.points = [self.points[place] for place in extremes([point.rss_bytes for point in self.points])]
        self.interval_s *= 2


def extremes(heights: Sequence[float]) -> list[int]:
    """
    Return the places of the first and the last, and of the lowest and the highest of each four neighbours.
    """
    # The first is what all growth is measured from.
    kept = {0, len(heights) - 1} if heights else set()
    for first in range(0, len(heights), 4):
        four = range(first, min(first + 4, len(heights)))
        kept |= {min(four, key=heights.__getitem__), max(four, key=heights.__getitem__)}
    return sorted(kept)


def _place(thread: int) -> Origin | None:
    """
    Return the innermost project line of a thread.
    """
    for code, instruction in zip(*stack_of(thread), strict=True):
        if origins.owner_of(code.co_filename) == origins.PROJECT:
            return Origin(code.co_filename, line_at(code, instruction) or 0, getattr(code, "co_qualname", code.co_name))
    return None
