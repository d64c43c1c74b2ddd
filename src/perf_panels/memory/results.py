"""
What each of the three engines hands over: plain records, in bytes; ``*_ms`` counts from the start of the view.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

    from perf_panels.findings import Origin


@dataclass
class LineMemory:
    """
    One statement, from ``line`` to ``last_line``; what it calls is included.

    ``increment_bytes`` is the sum over all hits of memory after minus memory before. ``peak_bytes`` is the highest
    memory seen while it ran or right after (RSS of the process in Lines, traced bytes in Allocations), and
    ``spike_bytes`` the most that one hit went above its own start, whether or not it was freed again.
    """

    line: int
    last_line: int
    hits: int
    increment_bytes: int
    peak_bytes: int
    spike_bytes: int = 0
    inner_bytes: int = 0
    """Of ``increment_bytes``, what other metered functions added that were entered while this statement ran."""
    inner_spike_bytes: int = 0
    """Of ``spike_bytes``, what no hit has taken by itself: that such functions held, and not the arguments they got."""


@dataclass
class FunctionMemory:
    """
    The statements of one function that ran, by line. ``baseline_bytes`` is the memory at its first call.
    """

    file: str
    function: str
    first_line: int
    owner: str
    calls: int
    baseline_bytes: int
    lines: list[LineMemory]
    kind: str = "function"
    """Or "generator", "coroutine", "async generator": what happens while it is suspended is not counted to it."""
    deepest: int = 1
    """How many of its calls ran inside one another: more than 1 is recursion, whose growth is counted once."""
    limited: bool = False
    id: str = ""
    """What the selection shared with the line panel calls this function."""
    code: CodeType | None = None
    """Not to be stored: says whether the source is still what ran."""
    last_line: int = 0
    """Where the function ends; 0 where that is not known."""


@dataclass
class Metered:
    """
    What the line engine counted. ``budget_hit``: it stopped at ``events`` line events, later lines are missing.
    """

    functions: list[FunctionMemory] = field(default_factory=list)
    events: int = 0
    budget_hit: bool = False
    event_us: float = 0.0
    """Cost of one profiled line, measured in this process."""
    backend: str = "psutil"
    threads: list[str] = field(default_factory=list)
    """Names of the threads in which profiled lines ran."""
    problem: str | None = None
    """Why statements were not measured (the tool is taken), where the engine itself could run."""


@dataclass
class Allocated:
    """
    What one line allocated (the innermost Python line, with ``trace`` its callers outwards if more frames were kept).

    ``net_*`` was still there at the end of the render, ``view_*`` at the end of the view, ``peak_*`` in the largest
    snapshot, ``alive_*`` after the response is gone (None until that was looked at).
    """

    file: str
    line: int
    owner: str
    net_bytes: int
    net_blocks: int
    view_bytes: int = 0
    peak_bytes: int = 0
    peak_blocks: int = 0
    alive_bytes: int | None = None
    alive_blocks: int | None = None
    trace: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Allocations:
    """
    What tracemalloc saw. ``foreign``: the project had started it, so only differences are known and it stays on.

    ``peak_bytes`` is tracemalloc's own (None where it is the project's). The largest snapshot, which says whose bytes
    they were, was taken at ``peak_seen_bytes``, after ``peak_seen_ms``: how much of the peak it explains is
    peak_seen_bytes / peak_bytes.
    """

    frames: int = 1
    foreign: bool = False
    rows: list[Allocated] = field(default_factory=list)
    net_bytes: int = 0
    peak_bytes: int | None = None
    peak_seen_bytes: int = 0
    peak_seen_ms: float = 0.0
    alive_bytes: int | None = None
    """Of what this request allocated, alive after the response is gone."""
    own_bytes: int = 0
    """Of ``net_bytes``, this toolbar's and the panels' own; no row has them."""
    snapshots: int = 0
    tracing_bytes: int = 0
    """What tracemalloc itself needed for its traces."""
    metered: Metered = field(default_factory=Metered)
    """Statement by statement in the selected functions: traced bytes, everything they call included."""


@dataclass
class TypeGrowth:
    """
    Objects of one type, as Pympler counts them, before the view and after the render.
    """

    name: str
    count_before: int
    count_after: int
    bytes_before: int
    bytes_after: int
    count_left: int | None = None
    """After the response is gone; None until then, as ``bytes_left``."""
    id: str = ""
    bytes_left: int | None = None


@dataclass
class Loaded:
    """
    Instances of one model that came from one place. ``how``: "queryset", "related" (select_related), "prefetch",
    "iterator" (``.iterator()``: never all in memory at once). ``limited``: the queryset had a LIMIT.

    ``origin`` is where the queryset was built, ``evaluated`` the line or template line that ran it. Of ``count``, over
    all runs of that place, ``at_once`` came with one run: no more of them need be in memory at the same time.
    """

    origin: Origin | None
    count: int
    how: str = "queryset"
    limited: bool = False
    evaluated: Origin | None = None
    at_once: int = 0

    def __post_init__(self) -> None:
        self.at_once = self.at_once or self.count


@dataclass
class ModelInstances:
    """
    Instances of one model. ``loaded`` of them were made by querysets during the request, ``alive_view`` and
    ``alive_render`` were there at the end of each phase beyond those of before, ``left`` after the response is gone.
    """

    label: str
    loaded: int
    alive_view: int
    alive_render: int
    bytes_each: int
    places: list[Loaded] = field(default_factory=list)
    left: int | None = None
    id: str = ""

    @property
    def most_alive(self) -> int:
        return max(self.alive_view, self.alive_render)


@dataclass
class Objects:
    """
    What the census and the ORM say. ``elapsed_ms`` is the time the census took; ``problem`` why types were not counted.
    """

    types: list[TypeGrowth] = field(default_factory=list)
    models: list[ModelInstances] = field(default_factory=list)
    objects_before: int = 0
    objects_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    elapsed_ms: float = 0.0
    problem: str | None = None
