"""
The memory of the process along the samples, and who ran when it grew. Pure functions; memory mode only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perf_panels.vmprof import owners

if TYPE_CHECKING:
    from perf_panels.vmprof.samples import Samples, Stack
    from perf_panels.vmprof.tree import Tree

_POINTS = 240
_STEPS = 6
_SMALLEST_STEP = 256 * 1024


def curve(samples: Samples, tree: Tree, functions: list[int]) -> dict[str, Any] | None:
    """
    Return the curve as points and its largest steps, or None where memory was not sampled.

    ``functions`` gives for each frame of the samples its index in the tree.
    """
    taken = sorted((stack for stack in samples.stacks if stack.rss_bytes is not None), key=lambda each: each.at_ms or 0)
    if len(taken) < 2:
        return None
    sizes = [stack.rss_bytes or 0 for stack in taken]
    return {
        "points": _thinned([[round(stack.at_ms or 0.0, 2), stack.rss_bytes] for stack in taken]),
        "first_bytes": sizes[0],
        "last_bytes": sizes[-1],
        "peak_bytes": max(sizes),
        "samples": len(taken),
        "steps": _steps(taken, tree, functions),
    }


def _thinned(points: list[list[Any]]) -> list[list[Any]]:
    """
    Return so many points as can be seen: of each stretch the highest, in their order, the first and the last with them.
    """
    if len(points) <= _POINTS:
        return points
    size = len(points) / (_POINTS - 2)
    inner = points[1:-1]
    stretches = [inner[int(start * size) : int((start + 1) * size)] for start in range(_POINTS - 2)]
    return [points[0], *(max(each, key=lambda point: point[1]) for each in stretches if each), points[-1]]


def _steps(taken: list[Stack], tree: Tree, functions: list[int]) -> list[dict[str, Any]]:
    grown = [
        (after.rss_bytes - before.rss_bytes, after)
        for before, after in pairwise(taken)
        if after.rss_bytes is not None and before.rss_bytes is not None
    ]
    largest = sorted((each for each in grown if each[0] >= _SMALLEST_STEP), key=lambda each: -each[0])[:_STEPS]
    return [
        {"at_ms": round(stack.at_ms or 0.0, 2), "bytes": size, "frames": _seen(stack, tree, functions)}
        for size, stack in sorted(largest, key=lambda each: each[1].at_ms or 0.0)
    ]


def _seen(stack: Stack, tree: Tree, functions: list[int]) -> list[int]:
    """
    Return the frames to name: those of the project and of templates, and the innermost one.
    """
    path = [functions[index] for index in stack.frames]
    known = [
        frame for frame in path if tree.roles[frame].owner == owners.PROJECT or tree.frames[frame].template is not None
    ]
    chosen = known[-3:]
    telling = [frame for frame in path if not tree.roles[frame].between]
    if telling and telling[-1] not in chosen:
        chosen.append(telling[-1])
    return chosen
