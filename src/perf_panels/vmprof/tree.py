"""
From samples to a call tree that reads as the code does: decorators, middleware and the template engine's own frames
folded into what they stand for, recursion merged. Called once for each profile, after the response.

Equal stacks are put together first and shared beginnings are walked once, so the work grows with the number of
different places and not with the number of samples.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from perf_panels.vmprof import owners
from perf_panels.vmprof.samples import PHASES, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.vmprof.owners import Role
    from perf_panels.vmprof.samples import Phase, Samples

_LONGEST_CYCLE = 24


@dataclass(slots=True, eq=False)
class Node:
    """
    A place in the tree: ``frame`` is an index into ``Tree.frames``, -1 for the root of a phase.

    ``again`` says that the same function is on the way to it already: its total is part of that one's.
    """

    frame: int
    parent: Node | None = field(default=None, repr=False)
    again: bool = False
    self_ms: float = 0.0
    self_samples: int = 0
    total_ms: float = 0.0
    samples: int = 0
    children: dict[int, Node] = field(default_factory=dict, repr=False)

    def child(self, frame: int, *, again: bool = False) -> Node:
        """
        Return the child of a frame, made if need be.
        """
        found = self.children.get(frame)
        if found is None:
            found = self.children[frame] = Node(frame, self, again)
        return found

    def path(self) -> list[int]:
        """
        Return the frames from the outermost down to this one.
        """
        frames, node = [], self
        while node.parent is not None:
            if node.frame >= 0:
                frames.append(node.frame)
            node = node.parent
        return frames[::-1]


@dataclass
class Tree:
    """
    The profile as a tree for each phase; times are those of all runs together.
    """

    frames: list[Frame]
    roles: list[Role]
    phases: dict[Phase, list[Node]]
    """The nodes of each phase, parents first; the first is the phase."""

    def nodes(self) -> Iterator[Node]:
        """
        Return the nodes of both phases, without the phases themselves.
        """
        for found in self.phases.values():
            yield from found[1:]

    def leaves(self) -> Iterator[Node]:
        """
        Return every node that has time of its own.
        """
        return (node for found in self.phases.values() for node in found if node.self_samples)


class _Raw:
    """
    A trie of stacks as they were sampled.
    """

    __slots__ = ("children", "samples", "self_ms")

    def __init__(self) -> None:
        self.children: dict[int, _Raw] = {}
        self.self_ms = 0.0
        self.samples = 0


class _Step(NamedTuple):
    raw: _Raw
    node: Node
    path: tuple[int, ...]
    in_template: bool


def build(samples: Samples) -> Tree:
    """
    Return the tree of a profile.
    """
    frames, alias = functions_of(samples.frames)
    roles = [owners.role_of(frame) for frame in frames]
    phases = {phase: _added_up(_folded(raw, frames, roles)) for phase, raw in _tries(samples, alias).items()}
    return Tree(frames, roles, phases)


def together(samples: Samples) -> list[tuple[Phase, tuple[int, ...], float, int]]:
    """
    Return each different stack once, as (phase, frames, milliseconds, samples).
    """
    # Equal stacks mostly share one tuple: to hash each would take longer than all else.
    shared: dict[tuple[Phase, int], list[Any]] = {}
    for frames, weight_ms, phase, _at_ms, _rss_bytes, count in samples.stacks:
        entry = shared.setdefault((phase, id(frames)), [frames, 0.0, 0])
        entry[1] += weight_ms
        entry[2] += count
    found: dict[tuple[Phase, tuple[int, ...]], list[Any]] = defaultdict(lambda: [0.0, 0])
    for (phase, _id), (frames, weight_ms, count) in shared.items():
        entry = found[phase, frames]
        entry[0] += weight_ms
        entry[1] += count
    return [(phase, frames, weight_ms, count) for (phase, frames), (weight_ms, count) in found.items()]


def functions_of(frames: list[Frame]) -> tuple[list[Frame], list[int]]:
    """
    Return the functions of the frames, and for each frame the index of its function: which line it was at is dropped.
    """
    found: dict[Frame, int] = {}
    alias = []
    for frame in frames:
        function = frame._replace(line=None, function=frame.function.replace("<locals>.", ""))
        alias.append(found.setdefault(function, len(found)))
    return list(found), alias


def _tries(samples: Samples, alias: list[int]) -> dict[Phase, _Raw]:
    tries: dict[Phase, _Raw] = {}
    for phase, indexes, weight_ms, count in together(samples):
        node = tries.setdefault(phase, _Raw())
        for index in indexes:
            function = alias[index]
            children = node.children
            if function in children:
                node = children[function]
            else:
                node = children[function] = _Raw()
        node.self_ms += weight_ms
        node.samples += count
    return {phase: tries[phase] for phase in PHASES if phase in tries}


def _folded(raw: _Raw, frames: list[Frame], roles: list[Role]) -> Node:
    root = Node(-1)
    waiting = [_Step(raw, root, (), in_template=False)]
    while waiting:
        step = waiting.pop()
        step.node.self_ms += step.raw.self_ms
        step.node.self_samples += step.raw.samples
        for function, child in step.raw.children.items():
            waiting.append(_entered(step, function, child, frames, roles))
    return root


def _entered(step: _Step, function: int, raw: _Raw, frames: list[Frame], roles: list[Role]) -> _Step:
    in_template = step.in_template or frames[function].template is not None
    above = frames[step.node.frame].file if step.node.frame >= 0 else None
    if is_folded(frames[function], roles[function], above, in_template=step.in_template):
        return step._replace(raw=raw, in_template=in_template)
    path = step.path
    again = function in path
    if again:
        length = len(path) - _last(path, function)
        # The same frames in the same order once more: one turn of a recursion, which stays where it began.
        if length <= _LONGEST_CYCLE and path[-length - length + 1 : len(path) - length + 1] == (
            *path[len(path) - length + 1 :],
            function,
        ):
            node = step.node
            for _ in range(length - 1):
                node = node.parent or node
            return _Step(raw, node, path[: len(path) - length + 1], in_template)
    return _Step(raw, step.node.child(function, again=again), (*path, function), in_template)


def is_folded(frame: Frame, role: Role, above: str | None, *, in_template: bool) -> bool:
    """
    Return whether a frame is left out, as it only stands between two others. ``above``: the file of the one before.
    """
    return (
        role.between == "always"
        or (role.between == "template" and in_template)
        or (role.between == "inside" and above == frame.file)
    )


def _last(path: tuple[int, ...], function: int) -> int:
    return len(path) - 1 - path[::-1].index(function)


def _added_up(root: Node) -> list[Node]:
    """
    Return the nodes, parents first, with their totals; without those that hold no sample.
    """
    nodes = [root]
    for node in nodes:  # which grows meanwhile
        nodes.extend(node.children.values())
    for node in reversed(nodes):
        node.total_ms += node.self_ms
        node.samples += node.self_samples
        parent = node.parent
        if parent is not None:
            parent.total_ms += node.total_ms
            parent.samples += node.samples
            if not node.samples:
                # The first half of a turn that was taken back.
                del parent.children[node.frame]
    return [node for node in nodes if node.samples]
