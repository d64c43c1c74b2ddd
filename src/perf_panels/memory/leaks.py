"""
What stays: memory that was left behind by each of the last requests to one view.

The history is this process's own. It is added to after each watched response, when that is gone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perf_panels import origins
from perf_panels.conf import get_config
from perf_panels.findings import Origin
from perf_panels.memory.measurements import ALLOCATIONS, BESIDE, HELD, LINES, OBJECTS, Leak

if TYPE_CHECKING:
    import weakref

    from django.http import HttpResponseBase

    from perf_panels.memory.measurements import Measurements

MAX_VIEWS = 200
LEAST_PROCESS_BYTES = 512 * 1024
"""Growth of the resident memory below this is the allocator's own business."""

LEAST_INSTANCES = 20

Place = tuple[str, int]


@dataclass
class Left:
    """
    What one request left behind: by line where allocations were traced, by type where objects were counted.
    """

    process_bytes: int
    lines: dict[Place, int] = field(default_factory=dict)
    types: dict[str, tuple[int, int]] = field(default_factory=dict)
    """{name: (count, bytes)}."""
    began_bytes: int = 0
    began_types: dict[str, tuple[int, int]] = field(default_factory=dict)
    """What there was before the request."""
    response: weakref.ref[HttpResponseBase] | None = None
    """Of a request whose response was not gone: the server may let it go late, or the project keeps it for good."""

    @property
    def was_let_go(self) -> bool:
        """
        Whether the response was let go after all: what has stayed without it is not known.
        """
        return self.response is not None and self.response() is None

    def confirm(self, following: Left) -> None:
        """
        Drop what was gone when the next request began: until then the server's thread still held what was its own.
        """
        self.process_bytes = min(self.process_bytes, following.began_bytes - self.began_bytes)
        for name, (count, size) in self.types.items():
            before, next_before = self.began_types[name], following.began_types.get(name, (0, 0))
            stayed = (min(count, next_before[0] - before[0]), min(size, next_before[1] - before[1]))
            self.types[name] = stayed if stayed[0] > 0 else (0, 0)


_history: OrderedDict[tuple[str, str], deque[Left]] = OrderedDict()
_guard = threading.Lock()


def remember(view: str, measured: Measurements, response: weakref.ref[HttpResponseBase] | None = None) -> list[Leak]:
    """
    Add what a request has left behind to the history of its view, and to ``measured`` what has grown with every one of
    the last, which is returned. ``response``: the one that is not gone.
    """
    requests = get_config().MEMORY_LEAK_REQUESTS
    with _guard:
        past = _history.setdefault((view, measured.engine), deque())
        _history.move_to_end((view, measured.engine))
        if len(_history) > MAX_VIEWS:
            _history.popitem(last=False)
        # Whatever stayed may be the other requests': such a one proves nothing, for or against.
        if not measured.others.requests:
            _append(past, _left(measured, response))
        # One more, as the newest does not count while its response is held.
        while len(past) > requests + 1:
            past.popleft()
        last = [left for left in past if left.response is None or left is not past[-1]][-requests:]
    measured.looked_at = len(last)
    measured.unseen = BESIDE if measured.others.requests else HELD if response is not None else ""
    measured.leaks = found(last) if requests and len(last) == requests else []
    return measured.leaks


def _append(past: deque[Left], left: Left) -> None:
    if past:
        past[-1].confirm(left)
    settled = [each for each in past if not each.was_let_go]
    past.clear()
    past.extend([*settled, left])


def forget() -> None:
    """
    Drop the history; for tests.
    """
    with _guard:
        _history.clear()


def found(last: list[Left]) -> list[Leak]:
    """
    Return what grew with every one of these requests. The worst first; growth of the process only if nothing is nearer.
    """
    least = get_config().MEMORY_LEAK_BYTES
    leaks = [*_lines(last, least), *_types(last, least)]
    if not leaks:
        leaks = list(_process(last, max(least, LEAST_PROCESS_BYTES)))
    return sorted(leaks, key=lambda leak: -leak.growth_bytes)


def _left(measured: Measurements, response: weakref.ref[HttpResponseBase] | None) -> Left:
    process = measured.process
    after = process.rss_after_bytes if process.rss_after_bytes is not None else process.rss_end_bytes
    began = process.rss_before_bytes - process.store_before_bytes
    # The other engines see what stays themselves, and move the process by what they keep and drop for that.
    stayed = after - process.store_after_bytes - began if measured.engine == LINES else 0
    left = Left(stayed, began_bytes=began, response=response)
    if measured.engine == ALLOCATIONS and measured.allocations is not None:
        for row in measured.allocations.rows:
            place = (row.file, row.line)
            left.lines[place] = left.lines.get(place, 0) + (row.alive_bytes or 0)
    if measured.engine == OBJECTS and measured.objects is not None:
        for each in measured.objects.types:
            if each.count_left is not None and each.count_left > each.count_before:
                grown = (each.bytes_left or 0) - each.bytes_before
                left.types[each.name] = (each.count_left - each.count_before, max(0, grown))
                left.began_types[each.name] = (each.count_before, each.bytes_before)
    return left


def _lines(last: list[Left], least: int) -> list[Leak]:
    leaks = []
    for place in set.intersection(*(set(left.lines) for left in last)):
        history = [left.lines[place] for left in last]
        if min(history) >= least:
            file, line = place
            origin = Origin(file, line, "") if origins.owner_of(file) != "own" else None
            leaks.append(Leak("line", len(last), min(history), origin=origin, history_bytes=history))
    return leaks


def _types(last: list[Left], least: int) -> list[Leak]:
    leaks = []
    for name in set.intersection(*(set(left.types) for left in last)):
        counts = [left.types[name][0] for left in last]
        history = [left.types[name][1] for left in last]
        is_a_class = "." in name and min(counts) >= LEAST_INSTANCES
        if min(history) >= least or is_a_class:
            leaks.append(Leak("type", len(last), min(history), min(counts), name, history_bytes=history))
    return leaks


def _process(last: list[Left], least: int) -> list[Leak]:
    history = [left.process_bytes for left in last]
    return [Leak("process", len(last), min(history), history_bytes=history)] if min(history) >= least else []
