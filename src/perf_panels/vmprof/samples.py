"""
What an engine hands to the report: stacks of one request, from the view or the render down, each with its time.

Plain data, the same from every engine. Made after the response; nothing in it belongs to a running frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Mode = Literal["cpu", "wall", "memory"]
Engine = Literal["vmprof", "sampler"]
Phase = Literal["view", "render"]

MODES: tuple[Mode, ...] = ("cpu", "wall", "memory")
PHASES: tuple[Phase, ...] = ("view", "render")


class Frame(NamedTuple):
    """
    A function, or a line of a template, at one of its lines; ``line`` is None where the engine does not know it.

    A frame of a template has ``template`` (its name) and ``template_line``; ``file`` is the template's path.
    ``function`` is the qualified name from Python 3.11 on. A frame whose code is gone has the file "".
    """

    file: str
    first_line: int
    function: str
    line: int | None = None
    template: str | None = None
    template_line: int | None = None


class Stack(NamedTuple):
    """
    One sample, or ``samples`` samples of the same stack put together (then ``at_ms`` is None).

    ``frames`` are indexes into ``Samples.frames``, the outermost first: the view's own frame comes first. Equal stacks
    may share one tuple. ``weight_ms`` is the time it stands for, on the profile's ``clock``. ``at_ms`` counts from the
    start of the view, in wall time. ``rss_bytes`` is there in memory mode.
    """

    frames: tuple[int, ...]
    weight_ms: float
    phase: Phase
    at_ms: float | None = None
    rss_bytes: int | None = None
    samples: int = 1


@dataclass
class Samples:
    """
    A profile of one request, or of ``runs`` replays of it.

    ``clock`` says what the weights count: CPU time of the request's thread, or wall time. ``phases_ms`` is measured by
    that clock and not estimated from samples; the weights of a phase add up to it where any sample fell into it.
    ``wall_ms`` and ``cpu_ms`` are measured too (for several runs: their sums). ``waiting_ms`` is the part of an async
    request in which its task did not run. ``other_threads`` counts samples of other threads or tasks, left out;
    ``lost_ms`` is time no sample stands for.
    """

    engine: Engine
    mode: Mode
    clock: Literal["cpu", "wall"]
    period_ms_asked: float
    frames: list[Frame] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)
    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    waiting_ms: float = 0.0
    phases_ms: dict[Phase, float] = field(default_factory=dict)
    other_threads: int = 0
    lost_ms: float = 0.0
    is_async: bool = False
    runs: int = 1
    crashes: int = 0
    notes: list[str] = field(default_factory=list)
    """Sentences for people: why this engine, what was not sampled, what came between."""

    @property
    def count(self) -> int:
        """
        The number of samples of the request.
        """
        return sum(stack.samples for stack in self.stacks)

    @property
    def total_ms(self) -> float:
        """
        The time the samples stand for, on the profile's clock.
        """
        return sum(stack.weight_ms for stack in self.stacks)

    @property
    def rate_hz(self) -> float:
        """
        Samples per second of the profile's clock, as it came out.
        """
        measured_ms = sum(self.phases_ms.values()) or self.total_ms
        return self.count / measured_ms * 1000 if measured_ms else 0.0


class Builder:
    """
    Collects stacks, numbering frames as they come; equal stacks share one tuple.
    """

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.stacks: list[Stack] = []
        self._indexes: dict[Frame, int] = {}
        self._tuples: dict[tuple[int, ...], tuple[int, ...]] = {}

    def add(  # noqa: PLR0913 - the fields of a stack
        self,
        frames: list[Frame],
        weight_ms: float,
        phase: Phase = "view",
        *,
        at_ms: float | None = None,
        rss_bytes: int | None = None,
        samples: int = 1,
    ) -> None:
        """
        Add a stack, the outermost frame first.
        """
        indexes = tuple([self.number(frame) for frame in frames])
        indexes = self._tuples.setdefault(indexes, indexes)
        self.stacks.append(Stack(indexes, weight_ms, phase, at_ms, rss_bytes, samples))

    def number(self, frame: Frame) -> int:
        """
        Return the index of a frame, adding it if it is new.
        """
        index = self._indexes.get(frame)
        if index is None:
            index = self._indexes[frame] = len(self.frames)
            self.frames.append(frame)
        return index
