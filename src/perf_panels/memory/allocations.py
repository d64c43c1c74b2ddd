"""
Allocations: tracemalloc around the view and the render, and snapshots at the right moments.

Each snapshot is added up by line at once. One is taken whenever a statement leaves the traced memory much higher than
the last one saw it, or the sampler thread finds it so: the largest of them says whose bytes the peak was made of.
"""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from dataclasses import dataclass, field
from time import thread_time
from typing import TYPE_CHECKING, Any

from perf_panels import origins
from perf_panels.memory.kept import stored_texts
from perf_panels.memory.not_the_views import NotTheViews
from perf_panels.memory.results import Allocated, Allocations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Trace = tuple[tuple[str, int], ...]
    """Innermost line first."""

    Block = tuple[int, int, Trace, int]
    """(domain, bytes, trace, frames there were)."""

GROWTH = 1.4
STEP = 0.1
LEAST_BYTES = 512 * 1024
STATEMENTS_S = 2.0
"""Seconds that snapshots between statements may take together; they cost more the more is traced."""

SAMPLER_S = 0.5
"""The same for those of the sampler's thread, which come wherever the request happens to be."""

OWN = "own"

_TRACER_FILES = frozenset({tracemalloc.__file__})


@dataclass
class Snapshot:
    """
    Traced memory by where it was allocated: {trace: (bytes, blocks)}.
    """

    at_ms: float
    total_bytes: int
    by_trace: dict[Trace, tuple[int, int]] = field(default_factory=dict)


class Tracing:
    """
    One request's use of tracemalloc, from ``start()`` to ``release()``.

    Where the project has started it, it is only looked at: nothing is stopped, cleared or reset.
    """

    def __init__(self, frames: int, clock: Callable[[], float]) -> None:
        self.frames = frames
        self.clock = clock
        self.foreign = False
        self.started = False
        self.lost = False
        """The project has stopped tracemalloc meanwhile, or cleared its traces."""
        self.probe: object = None
        self.within = False
        self.before: Snapshot | None = None
        self.view: Snapshot | None = None
        self.end: Snapshot | None = None
        self.largest: Snapshot | None = None
        self.alive: Snapshot | None = None
        self.not_the_views = NotTheViews()
        self.stored_before: set[int] = set()
        self.kept: dict[Trace, tuple[int, int]] = {}
        self.peak_bytes = 0
        self.tracing_bytes = 0
        self.taken = 0
        self.next_bytes = self.last_bytes = 0
        self.spent_s = {"statements": 0.0, "sampler": 0.0}

    def start(self) -> None:
        """
        Begin to trace.
        """
        self.foreign = tracemalloc.is_tracing()
        if self.foreign:
            self.stored_before = set(map(id, stored_texts()))
            self.frames = tracemalloc.get_traceback_limit()
            self.before = self._snapshot()
        else:
            tracemalloc.start(self.frames)
            self.started = True
        self.probe = bytearray(1)
        now, _ = tracemalloc.get_traced_memory()
        self.next_bytes = now + LEAST_BYTES
        self.last_bytes = now

    def phase_begins(self) -> None:
        """
        Let the peak begin anew: what came before the view or between it and the render is not theirs.
        """
        self.within = True
        if not self.foreign:
            tracemalloc.reset_peak()

    def phase_is_over(self) -> None:
        self.read()
        self.within = False

    def read(self) -> tuple[int, int]:
        """
        Return the traced bytes now, and the most since the last call; look closer where there are many more.
        """
        now, most = tracemalloc.get_traced_memory()
        if self.foreign:
            # Its peak is the project's to reset.
            most = now
        if self.within:
            self.peak_bytes = max(self.peak_bytes, most)
        if self._is_news(now) and self.spent_s["statements"] < STATEMENTS_S:
            self.look(now, "statements")
        self.last_bytes = now
        if not self.foreign:
            tracemalloc.reset_peak()
        return now, most

    def _is_news(self, now: int) -> bool:
        """
        Return whether there is much more than the last snapshot saw, or one statement has just added much by itself.
        """
        if now >= self.next_bytes:
            return True
        seen = self.largest.total_bytes if self.largest else 0
        return now - self.last_bytes >= max(LEAST_BYTES, now * STEP) and now > seen

    def glance(self) -> None:
        """
        Take a snapshot if there is much more than the last one saw. Called by the sampler, between statements.
        """
        if self.end is None and tracemalloc.is_tracing():
            now, _ = tracemalloc.get_traced_memory()
            if now >= self.next_bytes and self.spent_s["sampler"] < SAMPLER_S:
                self.look(now, "sampler")

    def look(self, now: int, by: str) -> None:
        """
        Take a snapshot, for what the largest of them says of the peak.
        """
        # First of all: the other thread need not do the same.
        self.next_bytes = max(int(now * GROWTH), now + LEAST_BYTES)
        began = thread_time()
        self._larger(self._snapshot())
        self.spent_s[by] += thread_time() - began

    def view_is_over(self) -> None:
        self.view = self._larger(self._snapshot())

    def stop(self, log: Iterable[Mapping[str, Any]] = ()) -> None:
        """
        Take the last snapshot of the request. What was traced stays known until ``release()``. ``log``: DEBUG's.
        """
        self.lost = self._is_lost()
        self.end = self._snapshot()
        self.not_the_views.add_log(log)
        if self.end.total_bytes <= self.peak_bytes:
            # More than the peak would be somebody else's, such as Django's page on an exception.
            self._larger(self.end)
        self.tracing_bytes = tracemalloc.get_tracemalloc_memory()

    def after(self) -> None:
        """
        Look at what is still alive.
        """
        if not self._is_lost():
            self.not_the_views.add(text for text in stored_texts() if id(text) not in self.stored_before)
            blocks = _blocks()
            self.alive = self._snapshot(blocks)
            self.kept = self.not_the_views.by_trace(blocks)

    def release(self) -> None:
        """
        Stop tracing where it was started here; a second call does nothing.
        """
        if self.started:
            self.started = False
            tracemalloc.stop()

    def result(self) -> Allocations:
        """
        Return what was seen.
        """
        before, end = self.before, self.end or Snapshot(0, 0)
        view, largest = self.view or Snapshot(0, 0), self.largest or end
        rows: dict[Trace, Allocated] = {}
        own_bytes = 0
        for trace in {**end.by_trace, **largest.by_trace, **view.by_trace}:
            file, line = trace[0]
            net, blocks = _more(end, before, trace)
            owner = origins.owner_of(file)
            if owner == OWN or file in _TRACER_FILES:
                own_bytes += net
                continue
            peak, peak_blocks = _more(largest, before, trace)
            row = Allocated(file, line, owner, net, blocks, _more(view, before, trace)[0], peak, peak_blocks)
            row.trace = list(trace)
            if self.alive is not None:
                row.alive_bytes, row.alive_blocks = self._alive(trace)
            if net or peak:
                rows[trace] = row
        base = before.total_bytes if before else 0
        return Allocations(
            frames=self.frames,
            foreign=self.foreign,
            rows=list(rows.values()),
            net_bytes=sum(row.net_bytes for row in rows.values()),
            peak_bytes=None if self.foreign else self.peak_bytes,
            peak_seen_bytes=max(0, largest.total_bytes - base),
            peak_seen_ms=largest.at_ms,
            alive_bytes=None if self.alive is None else sum(row.alive_bytes or 0 for row in rows.values()),
            own_bytes=own_bytes,
            snapshots=self.taken,
            tracing_bytes=self.tracing_bytes,
        )

    def _is_lost(self) -> bool:
        return tracemalloc.get_object_traceback(self.probe) is None

    def _alive(self, trace: Trace) -> tuple[int, int]:
        """
        Return (bytes, blocks) that are there after the response, as far as this request allocated them.

        What runs between the render and now is the toolbar and the server: no more than was there at the end counts.
        """
        alive, blocks = _more(self.alive, self.before, trace)
        kept, kept_blocks = self.kept.get(trace, (0, 0))
        alive, blocks = alive - kept, blocks - kept_blocks
        net, net_blocks = _more(self.end, self.before, trace)
        return max(0, min(alive, net)), max(0, min(blocks, net_blocks))

    def _larger(self, snapshot: Snapshot) -> Snapshot:
        if self.largest is None or snapshot.total_bytes > self.largest.total_bytes:
            self.largest = snapshot
        return snapshot

    def _snapshot(self, blocks: list[Block] | None = None) -> Snapshot:
        self.taken += 1
        now, _ = tracemalloc.get_traced_memory()
        sums: defaultdict[Trace, list[int]] = defaultdict(lambda: [0, 0])
        for _, size, trace, _ in _blocks() if blocks is None else blocks:
            entry = sums[trace]
            entry[0] += size
            entry[1] += 1
        return Snapshot(self.clock(), now, {trace: (entry[0], entry[1]) for trace, entry in sums.items()})


def _blocks() -> list[Block]:
    # The raw tuples: an object for each of a million traces takes a second.
    # The public objects are made anew for each trace; the type stubs leave out what they are made of.
    try:
        return tracemalloc.take_snapshot().traces._traces  # type: ignore[attr-defined,no-any-return] # private, as said above
    except RuntimeError:  # the project has stopped it, just now perhaps
        return []


def _more(snapshot: Snapshot | None, before: Snapshot | None, trace: Trace) -> tuple[int, int]:
    size, blocks = snapshot.by_trace.get(trace, (0, 0)) if snapshot else (0, 0)
    if before is None:
        return size, blocks
    earlier, earlier_blocks = before.by_trace.get(trace, (0, 0))
    return size - earlier, blocks - earlier_blocks
