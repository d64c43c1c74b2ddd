"""
What the memory panel measured of one request: plain records between ``collect`` and ``report``.

Bytes everywhere; ``*_ms`` counts from the start of the view. Places are absolute paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_panels.findings import Origin
    from perf_panels.memory.results import Allocations, Metered, Objects

LINES = "lines"
ALLOCATIONS = "allocations"
OBJECTS = "objects"
ENGINES = (LINES, ALLOCATIONS, OBJECTS)

VIEW = "view"
RENDER = "render"


STREAMED = "streamed"
LATE = "late"
HELD = "held"
BESIDE = "beside"


@dataclass
class GarbageCollection:
    """
    One run of Python's garbage collector: all code of the process stands still for ``pause_ms``.
    """

    generation: int
    at_ms: float
    pause_ms: float
    collected: int = 0
    uncollectable: int = 0


@dataclass
class Process:
    """
    The resident memory of the whole process. ``rss_end_bytes`` is read when the render is over, ``rss_after_bytes``
    when the response was sent and is gone (None until then). ``how`` says where the peak comes from: "VmHWM" (exact),
    "ru_maxrss" (exact where it rose above every earlier peak of the process) or "samples" (the highest reading).
    """

    rss_before_bytes: int
    rss_end_bytes: int
    rss_peak_bytes: int | None = None
    how: str = "samples"
    rss_after_bytes: int | None = None
    reading: str = "/proc/self/statm"
    """Empty where nothing tells what the process has: then all numbers of it are 0."""
    noise_bytes: int = 0
    """The smallest change that such a reading can show."""
    collections: list[GarbageCollection] = field(default_factory=list)
    store_before_bytes: int = 0
    """Of ``rss_before_bytes``, what the toolbar's store held; ``store_after_bytes`` likewise."""
    store_after_bytes: int = 0


@dataclass
class Phase:
    """
    ``name`` is VIEW or RENDER. Bytes are the resident memory.
    """

    name: str
    begin_ms: float
    end_ms: float
    rss_begin_bytes: int = 0
    rss_end_bytes: int = 0


@dataclass
class Point:
    """
    One reading on the memory curve, and the project's line that ran then, where one was on the stack.
    """

    at_ms: float
    rss_bytes: int
    phase: str = ""
    place: Origin | None = None


@dataclass
class Kept:
    """
    What is in memory only because of DEBUG and this toolbar. Never blamed on the view.
    """

    query_log_entries: int = 0
    query_log_bytes: int = 0
    template_debug_bytes: int = 0
    toolbar_panels: dict[str, int] = field(default_factory=dict)
    """Bytes of what each panel of the toolbar holds of this request, by panel id."""
    cut_panels: list[str] = field(default_factory=list)
    """Those which hold more: there was too much to look at."""

    @property
    def total_bytes(self) -> int:
        return self.query_log_bytes + self.template_debug_bytes + sum(self.toolbar_panels.values())


@dataclass
class Others:
    """
    Other requests of this process that ran at the same time: their memory is in every number of the process.
    """

    requests: int = 0
    most_at_once: int = 0


@dataclass
class Leak:
    """
    Memory that stayed after each of the last ``requests`` requests to this view.

    ``kind`` is "line" (allocated at ``origin``), "type" (``name``) or "process" (RSS). ``growth_bytes`` and
    ``growth_count`` are the least of them: what every single one left behind.
    """

    kind: str
    requests: int
    growth_bytes: int
    growth_count: int = 0
    name: str = ""
    origin: Origin | None = None
    history_bytes: list[int] = field(default_factory=list)
    """Oldest first."""


@dataclass
class Measurements:
    """
    Everything of one request. ``problem`` says why the engine did not run: then its own part is None.
    """

    engine: str
    process: Process
    phases: list[Phase] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    others: Others = field(default_factory=Others)
    lines: Metered | None = None
    allocations: Allocations | None = None
    objects: Objects | None = None
    leaks: list[Leak] = field(default_factory=list)
    problem: str | None = None
    complete: bool = False
    """Whether what is left after the response has been looked at."""
    looked_at: int = 0
    """With this engine: how many of the last requests to this view tell what stays, of those that are asked."""
    unseen: str = ""
    """
    Why this request does not tell what stays: STREAMED or LATE (the next one was measured before it was looked at), so
    that it is never looked at; HELD (the response was not gone) or BESIDE (other requests ran), so that it does not
    count for now, or at all.
    """

    @property
    def growth_bytes(self) -> int:
        return self.process.rss_end_bytes - self.process.rss_before_bytes
