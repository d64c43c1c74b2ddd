"""
From what an engine wrote to the samples of the request: told from all others, named, and each given its time.

Pure but for the names. The time of each phase was measured; samples only say how it is spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from django.utils.translation import gettext as _

from perf_panels.stacks import line_at
from perf_panels.vmprof import names, prof
from perf_panels.vmprof.markers import CODES
from perf_panels.vmprof.samples import Builder, Frame, Phase, Samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

    from perf_panels.vmprof.live import Profile, Recorded
    from perf_panels.vmprof.sampler import Look
    from perf_panels.vmprof.samples import Engine

# Below this share of the time since the last look a thread is not computing: it waits, or has just begun to.
_IDLE = 0.05
# vmprof records some 508 frames of a stack with their lines, the innermost, and nothing says that there were more.
_DEEPEST = 500
_CUT = -1


class Point(NamedTuple):
    """
    A sample of the request: its code objects with their lines, the outermost first, and what it weighs before scaling.
    """

    codes: tuple[CodeType | None, ...]
    lines: tuple[int | None, ...]
    weight: float
    at_ns: int | None
    rss_bytes: int | None
    is_cut: bool = False
    """There were more frames outside of these."""


def samples_of(profile: Profile) -> Samples:
    """
    Return the samples of a profile; each phase's weights add up to what was measured of it.
    """
    choice = profile.choice
    clock: Literal["cpu", "wall"] = "cpu" if choice.mode == "cpu" else "wall"
    engines = {recorded.engine for recorded in profile.phases}
    engine: Engine = "vmprof" if engines == {"vmprof"} else "sampler"
    samples = Samples(engine, choice.mode, clock, choice.period_ms, notes=list(profile.notes))
    if choice.why:
        samples.notes.insert(0, choice.why)
    builder = Builder()
    named = Named()
    began_ns = profile.phases[0].began_ns if profile.phases else 0
    cut = 0
    for recorded in profile.phases:
        measured_ms = _measured_ns(recorded, clock) / 1e6
        points, others = _points(recorded, clock)
        _add(builder, named, recorded, points, (measured_ms, began_ns))
        cut += sum(point.is_cut for point in points)
        samples.other_threads += others
        samples.phases_ms[recorded.phase] = samples.phases_ms.get(recorded.phase, 0.0) + measured_ms
        samples.lost_ms += 0.0 if points else measured_ms
        samples.wall_ms += recorded.clock.wall_ns / 1e6
        samples.cpu_ms += recorded.clock.cpu_ns / 1e6
        samples.waiting_ms += (recorded.clock.wall_ns - recorded.clock.running_ns) / 1e6
    samples.frames, samples.stacks = builder.frames, builder.stacks
    if cut:
        samples.notes.append(
            _("%(cut)d samples were deeper than vmprof records: they begin %(deepest)d frames from their end.")
            % {"cut": cut, "deepest": _DEEPEST}
        )
    samples.is_async = any(recorded.is_async for recorded in profile.phases)
    return samples


def explain(samples: Samples) -> Samples:
    """
    Add sentences on what the numbers leave out, once they are complete.
    """
    wall_ms, waiting_ms = samples.wall_ms / samples.runs, samples.waiting_ms / samples.runs
    idle_ms = wall_ms - waiting_ms - samples.cpu_ms / samples.runs
    if samples.clock == "cpu" and idle_ms > max(20, wall_ms * 0.2):
        samples.notes.append(
            _("%(idle)d ms of %(wall)d were not on the CPU: try wall mode.")
            % {"idle": round(idle_ms), "wall": round(wall_ms)}
        )
    if samples.is_async:
        samples.notes.append(
            _(
                "An async view: only what this request's own task ran is shown. It waited, or others ran, for "
                "%(waiting)d ms; tasks and threads it started are not seen."
            )
            % {"waiting": round(waiting_ms)}
        )
    return samples


class Named:
    """
    Frames by code object and line, looked up once each.
    """

    def __init__(self) -> None:
        # By identity: equal code in two files is equal. The points keep it alive.
        self._frames: dict[tuple[int, int | None], Frame | None] = {}

    def stack(self, point: Point) -> list[Frame]:
        """
        Return the frames of a sample without our own.
        """
        frames = []
        for code, line in zip(point.codes, point.lines, strict=True):
            key = id(code), line
            if key not in self._frames:
                self._frames[key] = names.frame_of(code, line)
            frame = self._frames[key]
            if frame is not None:
                frames.append(frame)
        return frames


def _add(builder: Builder, named: Named, recorded: Recorded, points: list[Point], scale: tuple[float, int]) -> None:
    measured_ms, began_ns = scale
    total = sum(point.weight for point in points)
    for point in points:
        builder.add(
            named.stack(point),
            point.weight / total * measured_ms if total else 0.0,
            recorded.phase,
            at_ms=None if point.at_ns is None else (point.at_ns - began_ns) / 1e6,
            rss_bytes=point.rss_bytes,
        )


def _measured_ns(recorded: Recorded, clock: str) -> int:
    return recorded.clock.cpu_ns if clock == "cpu" else recorded.clock.running_ns


def _points(recorded: Recorded, clock: str) -> tuple[list[Point], int]:
    if recorded.engine == "vmprof":
        began_ns = max(recorded.began_ns, recorded.clock.began_ns)
        return points_of_file(recorded.data, clock, began_ns, is_async=recorded.is_async)
    return _points_of_looks(recorded, clock)


def points_of_file(
    data: bytes, clock: str, began_ns: int, *, is_async: bool = False, phase: Phase | None = None
) -> tuple[list[Point], int]:
    """
    Return the request's samples in a file of vmprof's, and how many were of others.

    ``phase`` keeps only those below its marker, where the session had both phases. What is too deep for a marker to be
    there counts as the view's: the timer runs below markers only.
    """
    markers = {id(code) for code, of in CODES.items() if phase in {None, of}}
    inside: list[tuple[prof.Record, int]] = []
    others = 0
    for record in prof.read(data):
        depth = _last(record.codes, markers)
        if depth is None and len(record.codes) >= _DEEPEST and phase != "render":
            inside.append((record, _CUT))
        elif depth is None:
            others += 1
        else:
            inside.append((record, depth))
    code_of = names.resolve({each for record, depth in inside for each in record.codes[depth + 1 :]})
    weigh = _weights(clock, began_ns, is_async=is_async)
    return [
        Point(
            tuple([code_of.get(each) for each in record.codes[depth + 1 :]]),
            record.lines[depth + 1 :] if record.lines is not None else (None,) * (len(record.codes) - depth - 1),
            weigh(record.at_ns),
            record.at_ns if clock == "wall" else None,
            record.rss_bytes,
            depth == _CUT,
        )
        for record, depth in inside
    ], others


def _last(codes: Iterable[int], markers: set[int]) -> int | None:
    return max((index for index, code in enumerate(codes) if code in markers), default=None)


def _weights(clock: str, began_ns: int, *, is_async: bool) -> Callable[[int], float]:
    """
    Return what a sample weighs: the time since the one before in wall mode; ticks of CPU time are alike.
    """
    if clock == "cpu" or is_async:
        return lambda _at_ns: 1.0
    before = began_ns

    def since(at_ns: int) -> float:
        nonlocal before
        weight = max(0, at_ns - before)
        before = at_ns
        return float(weight)

    return since


def _points_of_looks(recorded: Recorded, clock: str) -> tuple[list[Point], int]:
    looks = list(recorded.looks)
    weights = cpu_weights(looks, recorded) if clock == "cpu" else _wall_weights(looks, recorded)
    points = [
        Point(
            look.codes[::-1],
            tuple(line_at(code, at) for code, at in zip(look.codes[::-1], look.instructions[::-1], strict=True)),
            weight,
            look.at_ns,
            look.rss_bytes,
        )
        for look, weight in zip(looks, weights, strict=True)
        if look.marker is not None and weight > 0
    ]
    return points, sum(look.marker is None for look in looks)


def _wall_weights(looks: list[Look], recorded: Recorded) -> list[float]:
    weigh = _weights("wall", recorded.began_ns, is_async=recorded.is_async)
    return [weigh(look.at_ns) for look in looks]


def cpu_weights(looks: list[Look], recorded: Recorded) -> list[float]:
    """
    Return the CPU time that each look stands for.

    Between two looks the thread used some: it goes to the later one if the thread went on computing from there, and to
    the earlier one if the later one found it waiting.
    """
    weights = [0.0] * len(looks)
    before_ns, before_cpu_ns = recorded.began_ns, recorded.began_cpu_ns
    used, elapsed = [], []
    for look in looks:
        used.append(max(0, look.cpu_ns - before_cpu_ns))
        elapsed.append(max(1, look.at_ns - before_ns))
        before_ns, before_cpu_ns = look.at_ns, look.cpu_ns
    # Of the last look nobody knows how it went on.
    waits = [used[index + 1] < _IDLE * elapsed[index + 1] for index in range(len(looks) - 1)] + [False]
    for index, share in enumerate(used):
        if share < _IDLE * elapsed[index]:
            continue
        if not waits[index]:
            weights[index] += share
        elif index and not waits[index - 1]:
            weights[index - 1] += share
    return weights
